"""The Python program in the process under debug."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug._native import DebuggerCore
    from libdebug.python.program import PythonProgram


class LivePython:
    """What is asked of a process that runs a Python program."""

    _core: DebuggerCore

    @property
    def python(self) -> PythonProgram | None:
        """The Python program that the process runs; None if it is no CPython.

        A running process is waited for, as by everything that looks at it.

        Raises:
            ValueError: it is PyPy, or a CPython older than 3.8 or newer than 3.15.
            RuntimeError: the interpreter has not begun yet, as at the program's entry point; or there is no
                process.
        """
        from libdebug.python.program import PythonProgram
        from libdebug.python.python_core import PythonCore

        core = PythonCore.of(self._core)
        return None if core is None else PythonProgram(core)

    def attach_python(self, pid: int) -> PythonProgram:
        """Attach to a process, as `attach` does, and return the Python program that it runs.

        A process that runs none is left alone. `libdebug.python.attach` looks without keeping it stopped.

        Raises:
            ValueError: it is no CPython 3.8 to 3.15; the text says what it is.
            RuntimeError: its interpreter has not begun, or is gone.
            ProcessLookupError: there is no such process.
            PermissionError: the kernel does not allow it; the text says what to do.
        """
        from libdebug.python.program import attach

        attach(pid).detach()
        self.attach(pid)  # type: ignore[attr-defined]
        found = self.python
        if found is None:
            raise RuntimeError("the process has executed another program just now")
        return found
