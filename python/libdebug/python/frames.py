"""The threads of a live Python program and their frames."""

from __future__ import annotations

from dataclasses import dataclass, field

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.data.frame import Frame


@dataclass(frozen=True, slots=True)
class PythonFrame:
    """One call of a Python function, or of a module's or a class's body. It never changes.

    Attributes:
        file: the file, as the function's code has it: it need not be absolute, nor exist.
        function: the qualified name (`Class.method`), the name alone before Python 3.11; or `<module>`.
        line: the line that is executed; None for instructions without one.
        first_line: the line that the function begins at.
        is_entry: whether C code has called it: the interpreter, `sorted`, an extension.

    Example:
        >>> print(PythonFrame("/srv/app.py", "Server.run", 12, 9, False))
        Server.run (/srv/app.py:12)
    """

    file: str
    function: str
    line: int | None
    first_line: int
    is_entry: bool

    def __str__(self) -> str:
        """Return the function, and where it is."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{self.function} ({place})"


@dataclass(frozen=True, slots=True)
class PythonThread:
    """A thread that the interpreter knows, as it was at one moment.

    Attributes:
        tid: the thread's id, as `gettid(2)` answers; None for a thread that does not live, as there can be
            after a fork, and before Python 3.11 in a program that cannot be stopped.
        ident: what `threading.get_ident()` answers in it.
        name: its name in the module `threading`; None if that is not imported, or does not know the thread.
        is_main: whether it is the main thread of the main interpreter.
        holds_gil: whether it holds the interpreter's lock; None where there is no lock.
        interpreter_id: the number of its interpreter: 0, but in subinterpreters.
        frames: its Python frames, innermost first.
        stack: the frames with native ones around them, where those were asked for.
        is_complete: whether the frames are all of them: not if memory could not be read.
    """

    tid: int | None
    ident: int
    name: str | None
    is_main: bool
    holds_gil: bool | None
    interpreter_id: int
    is_complete: bool
    frames: list[PythonFrame] = field(default_factory=list)
    stack: list[PythonFrame | Frame] = field(default_factory=list, repr=False, compare=False)

    def __str__(self) -> str:
        """Return what it is, in a few words."""
        parts = [f"thread {self.tid}" if self.tid is not None else f"thread of ident {self.ident:#x}"]
        if self.name is not None:
            parts.append(repr(self.name))
        if self.interpreter_id:
            parts.append(f"of interpreter {self.interpreter_id}")
        if self.holds_gil:
            parts.append("which holds the GIL")
        return " ".join(parts)
