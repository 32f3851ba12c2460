"""Snapshots of processes."""
# ruff: noqa: D102 - an alias gets the documentation of what it stands for

from __future__ import annotations

from libdebug.snapshots.snapshot import Snapshot, ordered
from libdebug.utils.oop.alias import alias_of

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.snapshots.process.process_snapshot_diff import ProcessSnapshotDiff
    from libdebug.snapshots.snapshot_core import SnapshotCore
    from libdebug.snapshots.thread.lw_thread_snapshot import LightweightThreadSnapshot


class ProcessSnapshot(Snapshot):
    """A process with all its threads, as they were at one moment."""

    def __init__(self, snapshot: SnapshotCore) -> None:
        """Hold what the engine keeps."""
        super().__init__(snapshot)
        self._threads: list[LightweightThreadSnapshot] | None = None

    @property
    def process_id(self) -> int:
        """The id of the process."""
        return self._snapshot.process_id

    @property
    @alias_of(process_id)
    def pid(self) -> int:
        return self._snapshot.process_id

    @property
    def threads(self) -> list[LightweightThreadSnapshot]:
        """The threads that were alive, the main thread first; they share maps and memory."""
        if self._threads is None:
            from libdebug.snapshots.thread.lw_thread_snapshot import LightweightThreadSnapshot

            count = len(self._snapshot.threads)
            self._threads = [LightweightThreadSnapshot(self, place) for place in range(count)]
        return self._threads

    def diff(self, other: Snapshot) -> ProcessSnapshotDiff:
        """Return what has changed between this snapshot and another one of a process.

        Raises:
            TypeError: the other is of a thread.
            ValueError: the other is of another architecture.
        """
        from libdebug.snapshots.process.process_snapshot_diff import ProcessSnapshotDiff

        return ProcessSnapshotDiff(*ordered(self, other))

    def _rows(self) -> list[tuple[str, str]]:
        threads = ", ".join(str(core.thread_id) for core in self._snapshot.threads)
        return [*super()._rows(), ("Process ID", str(self.process_id)), ("Threads", threads)]
