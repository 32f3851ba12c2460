"""Snapshots of a thread."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug._native import ThreadCore
    from libdebug.debugger.debugger import Debugger
    from libdebug.snapshots.thread.thread_snapshot import ThreadSnapshot


class ThreadSnapshots:
    """What keeps a thread as it is at one moment."""

    __slots__ = ()

    if TYPE_CHECKING:
        _core: ThreadCore
        _debugger: Debugger

    def create_snapshot(self, level: str = "base", name: str | None = None) -> ThreadSnapshot:
        """Return a snapshot of this thread, with the memory of its process, as it stands now.

        Args:
            level: how much of memory it has, as for `Debugger.create_snapshot`.
            name: a name for it.

        Raises:
            ValueError: there is no such level.
            RuntimeError: the thread has ended, or there is no process.
        """
        from libdebug.snapshots.snapshot_core import thread_snapshot
        from libdebug.snapshots.taking import remark_on_slow_memory
        from libdebug.snapshots.thread.thread_snapshot import ThreadSnapshot

        remark_on_slow_memory(self._debugger._core, level)  # noqa: SLF001 - of the same package
        return ThreadSnapshot(thread_snapshot(self._core, level, name))

    def notify_snapshot_taken(self) -> None:
        """Count a snapshot of this thread that was taken by other means: the next one has a higher number."""
        from libdebug.snapshots.snapshot_core import count_snapshot

        count_snapshot(self._core)
