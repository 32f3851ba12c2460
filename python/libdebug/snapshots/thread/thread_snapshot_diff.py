"""What has changed between two snapshots of threads."""

from __future__ import annotations

from libdebug.snapshots.diff import Diff


class ThreadSnapshotDiff(Diff):
    """What has changed between two snapshots of threads: registers, maps and memory."""
