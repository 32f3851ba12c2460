"""Snapshots of a process, taken and loaded."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from os import PathLike

    from libdebug._native import DebuggerCore
    from libdebug.snapshots.process.process_snapshot import ProcessSnapshot
    from libdebug.snapshots.thread.thread_snapshot import ThreadSnapshot


class Snapshots:
    """What keeps a process as it is at one moment."""

    _core: DebuggerCore

    def create_snapshot(self, level: str = "base", name: str | None = None) -> ProcessSnapshot:
        """Return a snapshot of the process with all its threads, as it stands now.

        Args:
            level: how much of memory it has: `base` none; `writable` the maps that the program can write to;
                `full` all that can be read. Registers and maps are in all of them.
            name: a name for it.

        Raises:
            ValueError: there is no such level.
            RuntimeError: there is no process, or it has ended.

        Example:
            >>> from libdebug import debugger
            >>> d = debugger("/bin/true")
            >>> pipe = d.run()
            >>> snapshot = d.create_snapshot("full")
            >>> d.kill()
            >>> snapshot.memory[snapshot.regs.rsp, 8] == snapshot.memory[
            ...     snapshot.regs.rsp : snapshot.regs.rsp + 8
            ... ]
            True
            >>> d.terminate()
        """
        from libdebug.snapshots.process.process_snapshot import ProcessSnapshot
        from libdebug.snapshots.snapshot_core import process_snapshot
        from libdebug.snapshots.taking import remark_on_slow_memory

        remark_on_slow_memory(self._core, level)
        return ProcessSnapshot(process_snapshot(self._core, level, name))

    def load_snapshot(self, file_path: str | PathLike[str]) -> ThreadSnapshot | ProcessSnapshot:
        """Return a snapshot from a file: one of ours in any format, or a core file of whoever.

        What the file is, its content tells, not its name.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no snapshot, or damaged; the text says why.
        """
        from libdebug.snapshots.taking import load

        return load(file_path)
