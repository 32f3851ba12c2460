"""What has changed between two snapshots of processes."""

from __future__ import annotations

from libdebug.snapshots.diff import Diff
from libdebug.snapshots.thread.lw_thread_snapshot_diff import LightweightThreadSnapshotDiff

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.snapshots.process.process_snapshot import ProcessSnapshot
    from libdebug.snapshots.thread.lw_thread_snapshot import LightweightThreadSnapshot


class ProcessSnapshotDiff(Diff):
    """What has changed between two snapshots of processes: threads, registers, maps and memory.

    Attributes:
        born_threads: the threads that only the newer snapshot has.
        dead_threads: the threads that only the older snapshot has.
        threads_diff: what has changed in each thread that both have.
    """

    snapshot1: ProcessSnapshot
    snapshot2: ProcessSnapshot

    def __init__(self, snapshot1: ProcessSnapshot, snapshot2: ProcessSnapshot) -> None:
        """Compare two snapshots of processes, the older one first."""
        super().__init__(snapshot1, snapshot2)
        before = {thread.thread_id: thread for thread in snapshot1.threads}
        after = {thread.thread_id: thread for thread in snapshot2.threads}
        self.born_threads: list[LightweightThreadSnapshot] = [
            thread for tid, thread in after.items() if tid not in before
        ]
        self.dead_threads: list[LightweightThreadSnapshot] = [
            thread for tid, thread in before.items() if tid not in after
        ]
        self.threads_diff: list[LightweightThreadSnapshotDiff] = [
            LightweightThreadSnapshotDiff(thread, after[tid], self)
            for tid, thread in before.items()
            if tid in after
        ]

    @property
    def threads(self) -> list[LightweightThreadSnapshotDiff]:
        """What has changed in each thread that both have: as `threads_diff`."""
        return self.threads_diff
