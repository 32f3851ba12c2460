"""What tools for libdebug reach for behind a debugger, under the names that it has there."""

from __future__ import annotations

import os

from libdebug.liblog import liblog

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable

    from libdebug._native import DebuggerCore
    from libdebug.debugger.program import Program

_NOT_AVAILABLE = "Fast memory access is not available for the current process."


class ProcessMemoryManager:
    """Access to memory through /proc/PID/mem.

    Attributes:
        is_available: returns whether the kernel allows it for the current process; may be replaced.
    """

    def __init__(self, core: DebuggerCore) -> None:
        """Look at the process of an engine."""
        self._core = core
        self.is_available: Callable[[], bool] = self._can_be_opened

    def _can_be_opened(self) -> bool:
        try:
            os.close(os.open(f"/proc/{self._core.pid}/mem", os.O_RDWR | os.O_CLOEXEC))
        except OSError:
            return False
        return True

    def require(self) -> None:
        """Do nothing.

        Raises:
            RuntimeError: memory cannot be accessed so.
        """
        if not self.is_available():
            raise RuntimeError(_NOT_AVAILABLE)

    def fall_back(self) -> None:
        """Have memory accessed word by word from now on, with a warning, if there is no other way."""
        if self._core.fast_memory and not self.is_available():
            liblog.warning("%s It goes word by word instead.", _NOT_AVAILABLE)
            self._core.fast_memory = False


class InternalDebugger:
    """What a debugger knows of its process, by the names that libdebug has for it."""

    def __init__(self, core: DebuggerCore, program: Program) -> None:
        """Look at an engine and at what it runs."""
        self._core = core
        self._program = program
        self._process_memory_manager = ProcessMemoryManager(core)

    @property
    def arch(self) -> str:
        """The instruction set of the program."""
        return self._program.arch

    @property
    def _process_full_path(self) -> str:
        """The path of the file that the process executes, or has executed as long as no other is chosen.

        Raises:
            FileNotFoundError: nothing was run yet, or the choice has changed since.
        """
        if self._core.debugging and self._core.executable is not None:
            return self._core.executable
        if self._program.ran_path is None:
            raise FileNotFoundError(
                2, "There is no process that tells its file", f"/proc/{self._core.pid}/exe"
            )
        return os.path.realpath(self._program.ran_path)

    @property
    def _process_name(self) -> str:
        """The last part of the path of the file that the process executes, under the same conditions."""
        return os.path.basename(self._process_full_path)  # noqa: PTH119 - pathlib takes long to import
