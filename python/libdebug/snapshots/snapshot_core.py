"""The engine's part in snapshots."""

from libdebug._native import (
    KeptThreadCore,
    SnapshotCore,
    count_snapshot,
    has_snapshot_ending,
    load_snapshot,
    process_snapshot,
    thread_snapshot,
)

__all__ = [
    "KeptThreadCore",
    "SnapshotCore",
    "count_snapshot",
    "has_snapshot_ending",
    "load_snapshot",
    "process_snapshot",
    "thread_snapshot",
]
