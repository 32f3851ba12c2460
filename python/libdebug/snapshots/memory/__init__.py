"""The memory of snapshots."""
