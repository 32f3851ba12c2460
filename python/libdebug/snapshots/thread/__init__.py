"""Snapshots of threads."""
