"""How long a program may run."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress

from libdebug.liblog import liblog

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug._native import DebuggerCore


class TimeLimit:
    """Kills a process some time from now, unless it is cancelled."""

    def __init__(self, core: DebuggerCore, seconds: float) -> None:
        """Start counting for the process that a debugger has just started, which is stopped now."""
        # Unlike a pid, this can never come to mean another process.
        self._process = os.pidfd_open(core.pid)
        self._lock = threading.Lock()
        self._core = core
        self._timer = threading.Timer(seconds, self._kill)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Let the process run; nothing happens if its time is over."""
        self._timer.cancel()
        with self._lock:
            if self._process >= 0:
                os.close(self._process)
                self._process = -1
        if self._timer is not threading.current_thread():
            self._timer.join()

    def _kill(self) -> None:
        if self._core.calling_back:
            liblog.warning("Timeout reached in a callback. Asynchronous callbacks cannot be interrupted.")
        with self._lock, suppress(ProcessLookupError):
            if self._process >= 0:
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
