"""The registers of snapshots."""
