"""The end of a stay in GDB."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.debugger.migration import Migration


class GdbResumeEvent:
    """What `Debugger.gdb` returns: waits for GDB's end, once."""

    def __init__(self, debugger: Migration) -> None:
        """Wait for the GDB that has a debugger's process."""
        self._debugger = debugger
        self._joined = False

    def join(self) -> None:
        """Wait until GDB is gone, and take the process back.

        Raises:
            RuntimeError: that was waited for before.
        """
        if self._joined or not self._debugger.is_in_gdb:
            raise RuntimeError("GdbResumeEvent already joined")
        self._debugger.wait_for_gdb()
        self._joined = True

    def __repr__(self) -> str:
        """Return whether GDB has been waited for."""
        return f"GdbResumeEvent(joined={self._joined or not self._debugger.is_in_gdb})"
