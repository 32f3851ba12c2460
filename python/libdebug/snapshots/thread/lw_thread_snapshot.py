"""Threads of the snapshot of a process."""

from __future__ import annotations

from libdebug.snapshots.thread.thread_snapshot import ThreadSnapshot

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from os import PathLike
    from typing import NoReturn

    from libdebug.snapshots.memory.memory_map_snapshot_list import MemoryMapSnapshotList
    from libdebug.snapshots.memory.snapshot_memory_view import SnapshotMemoryView
    from libdebug.snapshots.process.process_snapshot import ProcessSnapshot
    from libdebug.snapshots.snapshot import Snapshot
    from libdebug.snapshots.thread.lw_thread_snapshot_diff import LightweightThreadSnapshotDiff


class LightweightThreadSnapshot(ThreadSnapshot):
    """A thread in the snapshot of its process, with which it shares maps and memory."""

    def __init__(self, process: ProcessSnapshot, place: int) -> None:
        """Belong to the snapshot of a process, which makes them for all its threads."""
        super().__init__(process._snapshot, place)  # noqa: SLF001 - of the same package
        self._process = process
        self.snapshot_id = self._core.snapshot_id

    @property
    def maps(self) -> MemoryMapSnapshotList:
        """The memory maps of the process."""
        return self._process.maps

    @property
    def memory(self) -> SnapshotMemoryView:
        """The memory of the process; ValueError at level `base`."""
        return self._process.memory

    def save(self, file_path: str | PathLike[str]) -> NoReturn:
        """Refuse: the snapshot of the process can be saved, and has all its threads."""
        raise NotImplementedError(
            "A thread of a process's snapshot cannot be saved alone: save the process's."
        )

    def diff(self, other: Snapshot) -> LightweightThreadSnapshotDiff:
        """Return what has changed between this thread and one of another snapshot of a process.

        Raises:
            TypeError: the other is no thread of a process's snapshot.
            ValueError: the other is of another architecture.
        """
        from libdebug.snapshots.snapshot import ordered
        from libdebug.snapshots.thread.lw_thread_snapshot_diff import LightweightThreadSnapshotDiff

        return LightweightThreadSnapshotDiff(*ordered(self, other))
