"""The debuggers that are alive, and what becomes of them when the interpreter or the process changes."""

from __future__ import annotations

import atexit
from contextlib import suppress
from weakref import WeakSet

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug._native import DebuggerCore

_alive: WeakSet[DebuggerCore] = WeakSet()
_registered = False


def hold(core: DebuggerCore) -> None:
    """Remember a debugger, to be ended with the interpreter unless it is gone by then."""
    global _registered  # noqa: PLW0603
    if not _registered:
        atexit.register(_cleanup_internal_debugger)
        _registered = True
    _alive.add(core)


def _cleanup_internal_debugger() -> None:
    """End all debuggers: their processes too, but those with `kill_on_exit` off. Never raises.

    Called when the interpreter ends; calling it earlier, or again, does no harm.
    """
    for core in list(_alive):
        with suppress(Exception):
            core.terminate()
    _alive.clear()
