"""Snapshots of processes."""
