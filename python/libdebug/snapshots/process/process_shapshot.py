"""Snapshots of processes, under the name by which scripts for libdebug 0.9 import them."""

from libdebug.snapshots.process.process_snapshot import ProcessSnapshot

__all__ = ["ProcessSnapshot"]
