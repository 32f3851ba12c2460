"""How snapshots are made."""

from __future__ import annotations

from libdebug.liblog import liblog
from libdebug.snapshots.process.process_snapshot import ProcessSnapshot
from libdebug.snapshots.snapshot_core import load_snapshot
from libdebug.snapshots.thread.thread_snapshot import ThreadSnapshot

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from os import PathLike

    from libdebug._native import DebuggerCore


def remark_on_slow_memory(core: DebuggerCore, level: str) -> None:
    """Warn where all memory is about to be read word by word."""
    if level != "base" and not core.fast_memory:
        liblog.warning("Fast memory is disabled: a snapshot with memory takes long.")


def load(path: str | PathLike[str]) -> ThreadSnapshot | ProcessSnapshot:
    """Return a snapshot from a file."""
    core = load_snapshot(path)
    return ProcessSnapshot(core) if core.is_process else ThreadSnapshot(core)
