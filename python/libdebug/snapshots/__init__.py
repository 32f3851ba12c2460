"""Snapshots: what a process, or a thread of it, was at one moment."""
