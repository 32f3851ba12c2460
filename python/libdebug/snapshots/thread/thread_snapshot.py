"""Snapshots of one thread."""
# ruff: noqa: D102 - an alias gets the documentation of what it stands for

from __future__ import annotations

from libdebug.snapshots.snapshot import Snapshot, ordered
from libdebug.utils.oop.alias import alias_of

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.snapshots.thread.thread_snapshot_diff import ThreadSnapshotDiff


class ThreadSnapshot(Snapshot):
    """A thread with the memory of its process, as they were at one moment."""

    @property
    def thread_id(self) -> int:
        """The thread's id."""
        return self._core.thread_id

    @property
    @alias_of(thread_id)
    def tid(self) -> int:
        return self._core.thread_id

    def diff(self, other: Snapshot) -> ThreadSnapshotDiff:
        """Return what has changed between this snapshot and another one of a thread.

        Raises:
            TypeError: the other is of a process.
            ValueError: the other is of another architecture.
        """
        from libdebug.snapshots.thread.thread_snapshot_diff import ThreadSnapshotDiff

        return ThreadSnapshotDiff(*ordered(self, other))

    def _rows(self) -> list[tuple[str, str]]:
        return [*super()._rows(), ("Thread ID", str(self.thread_id))]
