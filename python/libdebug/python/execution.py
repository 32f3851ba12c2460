"""Code that live Python programs run, in the frames that they execute."""

from __future__ import annotations

from dataclasses import dataclass, field

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from libdebug.python.frames import PythonThread
    from libdebug.python.python_core import PythonCore


class PythonExecutionError(RuntimeError):
    """Code that was run in a program has raised an exception there. The program goes on.

    Attributes:
        traceback: the exception as the program's interpreter shows it, with its traceback.
        output: what the code had printed before.
    """

    def __init__(self, traceback: str, output: str) -> None:
        """Say what has been raised."""
        super().__init__(traceback.rstrip().rpartition("\n")[2])
        self.traceback = traceback
        self.output = output


@dataclass(frozen=True, slots=True)
class PythonValue:
    """The value of an expression in a program.

    Attributes:
        repr: its `repr()` there.
        json: the value itself where JSON has such values (None, bool, int, float, str, lists and dicts of
            them; tuples come as lists), else None.
        is_json: whether it is such a value.
        output: what was printed meanwhile.

    Example:
        >>> print(PythonValue("{'a': 1}", {"a": 1}, is_json=True))
        {'a': 1}
    """

    repr: str
    json: Any
    is_json: bool
    output: str = field(default="", repr=False)

    def __str__(self) -> str:
        """Return the repr."""
        return self.repr


class Execution:
    """What a live program can be asked to run."""

    _core: PythonCore
    _tid: Callable[[str | int | PythonThread | None], int | None]

    def exec(self, code: str, *, thread: str | int | PythonThread | None = None, timeout: float = 5.0) -> str:
        """Execute statements in the frame that a thread executes, and return what they print.

        They run in the program, with that frame's globals and locals; what they assign stays. The program's
        interpreter runs them where it runs handlers of signals, and a program that waits in a system call is
        woken for it. Ctrl-C here interrupts them.

        Args:
            code: the statements.
            thread: a thread's name, its `tid`, or one of `threads`; None for the main thread.
            timeout: for how many seconds to wait for them to begin. They may take any time then.

        Raises:
            PythonExecutionError: they have raised an exception; a `RuntimeError`.
            PythonBusyError: the program did not come to a place where its interpreter can run code, and the
                code is not going to run any more; a `TimeoutError`.
            PythonStateError: the program is stopped, ends, or cannot run code now; a `RuntimeError`.
            ValueError: there is no such thread.
        """
        output, raised, _, _ = self._core.exec(code, self._tid(thread), timeout)
        if raised is not None:
            raise PythonExecutionError(raised, output)
        return output

    def eval(
        self, expression: str, *, thread: str | int | PythonThread | None = None, timeout: float = 5.0
    ) -> PythonValue:
        """Return the value of an expression in the frame that a thread executes.

        Args:
            expression: the expression.
            thread: as in `exec`.
            timeout: as in `exec`.

        Raises:
            PythonExecutionError, PythonBusyError, PythonStateError, ValueError: as in `exec`.
        """
        output, raised, text, encoded = self._core.eval(expression, self._tid(thread), timeout)
        if raised is not None or text is None:
            raise PythonExecutionError(raised or "", output)
        if encoded is None:
            return PythonValue(text, None, is_json=False, output=output)
        import json

        return PythonValue(text, json.loads(encoded), is_json=True, output=output)

    def pdb(self, *, thread: str | int | PythonThread | None = None, timeout: float = 5.0) -> None:
        """Open pdb in the frame that a thread executes, at this process's terminal or standard input.

        Returns when it is left (`q`, `c`, Ctrl-D): the program goes on then.

        Args:
            thread: as in `exec`.
            timeout: as in `exec`.

        Raises:
            PythonBusyError, PythonStateError, ValueError: as in `exec`.
        """
        self._core.talk(self._tid(thread), timeout, console=False)

    def console(self, *, thread: str | int | PythonThread | None = None, timeout: float = 5.0) -> None:
        """Open an interactive console in the frame that a thread executes; Ctrl-D leaves it.

        Args:
            thread: as in `exec`.
            timeout: as in `exec`.

        Raises:
            PythonBusyError, PythonStateError, ValueError: as in `exec`.
        """
        self._core.talk(self._tid(thread), timeout, console=True)

    def pdb_at(self, file: str, line: int, *, timeout: float = 5.0) -> None:
        """Open pdb when a line is reached, at this process's terminal or standard input.

        Args:
            file: the file's path, or its end.
            line: the line's number.
            timeout: for how many seconds to wait for the breakpoint to be set.

        Raises:
            PythonBusyError, PythonStateError: as in `exec`; also where no code is at that line.
        """
        self._core.talk(None, timeout, console=False, place=(file, line))
