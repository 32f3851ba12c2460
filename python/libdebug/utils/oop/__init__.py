"""Class-building helpers."""
