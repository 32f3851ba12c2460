"""The debuggers that are alive, and what becomes of them when the interpreter or the process changes."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from weakref import WeakKeyDictionary

    from libdebug._native import DebuggerCore

# In the order of their making: a debugger comes before those of its children, and ends them too.
_alive: WeakKeyDictionary[DebuggerCore, None] | None = None


def hold(core: DebuggerCore) -> None:
    """Remember a debugger, to be ended with the interpreter unless it is gone by then."""
    global _alive  # noqa: PLW0603
    if _alive is None:
        import atexit
        from weakref import WeakKeyDictionary

        _alive = WeakKeyDictionary()
        atexit.register(_cleanup_internal_debugger)
    _alive[core] = None


def _cleanup_internal_debugger() -> None:
    """End all debuggers: their processes too, but those with `kill_on_exit` off. Never raises.

    Called when the interpreter ends; calling it earlier, or again, does no harm. A callback that is running
    is waited for until Ctrl-C.
    """
    for core in list(_alive or ()):
        try:
            core.terminate()
        except KeyboardInterrupt:  # noqa: PERF203
            core.abandon()
        except Exception as error:
            from libdebug.liblog import liblog

            liblog.debugger("A debugger could not be ended: %s", error)
