"""What has changed in a thread between two snapshots of its process."""

from __future__ import annotations

from libdebug.snapshots.thread.thread_snapshot_diff import ThreadSnapshotDiff

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.snapshots.diff import Diff
    from libdebug.snapshots.memory.memory_map_diff_list import MemoryMapDiffList
    from libdebug.snapshots.snapshot import Snapshot


class LightweightThreadSnapshotDiff(ThreadSnapshotDiff):
    """What has changed in a thread between two snapshots of its process."""

    def __init__(self, snapshot1: Snapshot, snapshot2: Snapshot, process: Diff | None = None) -> None:
        """Compare two threads, the older one first.

        Args:
            snapshot1: the older one.
            snapshot2: the newer one.
            process: what has changed in the process, with which maps are shared.
        """
        super().__init__(snapshot1, snapshot2)
        self._process = process

    @property
    def maps(self) -> MemoryMapDiffList:
        """The memory maps of the process, unchanged ones among them."""
        return super().maps if self._process is None else self._process.maps
