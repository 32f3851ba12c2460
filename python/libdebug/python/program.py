"""A live Python program."""

from __future__ import annotations

from collections import namedtuple

from libdebug.python.execution import Execution
from libdebug.python.frames import PythonFrame, PythonThread
from libdebug.python.python_core import PythonCore

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from libdebug.data.frame import Frame

#: How many values the row of a Python frame has; those of native ones have more.
_OF_PYTHON = 5

_Version = namedtuple("_Version", ["major", "minor", "micro", "releaselevel", "serial"])  # noqa: PYI024


class PythonVersion(_Version):
    """The version of an interpreter, as `sys.version_info` is one: compare it with a tuple.

    Example:
        >>> PythonVersion(3, 13, 0, "candidate", 2) >= (3, 11)
        True
        >>> print(PythonVersion(3, 13, 0, "candidate", 2))
        3.13.0rc2
    """

    __slots__ = ()

    def __str__(self) -> str:
        """Return the version as people write it."""
        levels = {"alpha": "a", "beta": "b", "candidate": "rc"}
        level = f"{levels[self.releaselevel]}{self.serial}" if self.releaselevel in levels else ""
        return f"{self.major}.{self.minor}.{self.micro}{level}"


class PythonProgram(Execution):
    """A Python program that runs: what it is, what its threads execute, and code that it runs for you.

    `libdebug.python.attach` and `debugger.python` make them. What is asked of a program that is not in a
    debugger stops it for a few milliseconds at most, and writes nothing; in between nobody traces it.
    """

    def __init__(self, core: PythonCore) -> None:
        """Hold what was found; users call `libdebug.python.attach`."""
        self._core = core

    def __enter__(self) -> PythonProgram:  # noqa: PYI034 - it is not made to be subclassed
        """Return the program, from which `with` detaches at its end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Detach."""
        self.detach()

    def detach(self) -> None:
        """Let the program be. Nothing can be asked any more; doing it again does no harm."""
        self._core.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._core.pid

    @property
    def executable(self) -> str:
        """The file that the process executes."""
        return self._core.executable

    @property
    def library(self) -> str:
        """The file that has the interpreter: the shared libpython, or the program."""
        return self._core.library

    @property
    def version(self) -> PythonVersion:
        """The version, as `sys.version_info` in the program."""
        return PythonVersion(*self._core.version)

    @property
    def build(self) -> str:
        """Version, build and compiler, as `sys.version` in the program."""
        return self._core.build

    @property
    def free_threaded(self) -> bool:
        """Whether the interpreter can do without a global lock."""
        return self._core.free_threaded

    @property
    def debug_build(self) -> bool:
        """Whether the interpreter was built with checks of itself (`--with-pydebug`)."""
        return self._core.debug_build

    @property
    def phase(self) -> str:
        """How far the interpreter's life is: `starting`, `running`, or `finalizing`."""
        return self._core.phase

    @property
    def threads(self) -> list[PythonThread]:
        """The threads that the interpreter knows, with what each executes now; the oldest first.

        Raises:
            RuntimeError: the program has ended.
        """
        return self._threads(native=False)

    def stack(
        self, thread: str | int | PythonThread | None = None, *, native: bool = False
    ) -> list[PythonFrame | Frame]:
        """Return what a thread executes now, innermost first.

        Args:
            thread: a thread's name, its `tid`, or one of `threads`; None for the main thread.
            native: whether the frames of the interpreter, of extensions and libraries are among them
                (`libdebug.data.frame.Frame`), each around what it has called.

        Raises:
            ValueError: there is no such thread.
            RuntimeError: the program has ended.
        """
        return list(_chosen(self._threads(native=native), thread).stack)

    @property
    def stopped_for(self) -> float | None:
        """For how many seconds the last look has stopped the program, at most.

        None before the first look, and for the process of a debugger.
        """
        return self._core.stopped_for

    def pprint_stacks(self, *, native: bool = False) -> None:
        """Print what the program is, and what each thread executes.

        Args:
            native: whether native frames are shown, too.
        """
        print(f"process {self.pid}: {self.executable}")
        print(f"CPython {self.build or self.version}".replace("\n", ""))
        for thread in self._threads(native=native):
            print(f"\n{thread}")
            for frame in thread.stack:
                print(f"    {frame}")

    def __repr__(self) -> str:
        """Return the process and the version."""
        if not self._core.is_open:
            return "PythonProgram(detached)"
        return f"PythonProgram(pid={self.pid}, version={str(self.version)!r})"

    def _tid(self, thread: str | int | PythonThread | None) -> int | None:
        """Return the tid of the thread that a user means; None for the main one."""
        if thread is None:
            return None
        return _chosen(self._threads(native=False), thread).tid

    def _threads(self, *, native: bool) -> list[PythonThread]:
        threads = []
        for row, frames in self._core.threads(native):
            stack = [_frame(frame, is_exact=place == 0) for place, frame in enumerate(frames)]
            own = [frame for frame in stack if isinstance(frame, PythonFrame)]
            threads.append(PythonThread(*row, frames=own, stack=stack))
        return threads


def _frame(row: tuple[Any, ...], *, is_exact: bool) -> PythonFrame | Frame:
    if len(row) == _OF_PYTHON:
        return PythonFrame(*row)
    from libdebug.data.frame import Frame

    return Frame(row, None, is_exact)


def _chosen(threads: list[PythonThread], wanted: str | int | PythonThread | None) -> PythonThread:
    """Return the thread that a user means."""
    if isinstance(wanted, PythonThread):
        wanted = wanted.tid
    for thread in threads:
        is_it = {type(None): thread.is_main, str: thread.name == wanted, int: thread.tid == wanted}
        if is_it.get(type(wanted), False):
            return thread
    names = ", ".join(str(thread) for thread in threads)
    what = "a main thread" if wanted is None else f"a thread {wanted!r}"
    raise ValueError(f"the program has not {what}; it has {names or 'none'}")


def attach(pid: int) -> PythonProgram:
    """Return the Python program that a process runs.

    It goes on: each look at it (`threads`, `stack`) stops it for a few milliseconds at most.

    Raises:
        UnsupportedPythonError: it is no CPython 3.8 to 3.15; a `ValueError`, whose text says what it is.
        PythonStateError: its interpreter has not begun, or is gone; a `RuntimeError`.
        ProcessLookupError: there is no such process.
        PermissionError: the kernel does not allow it; the text says what to do.
    """
    if not isinstance(pid, int) or isinstance(pid, bool):
        raise TypeError(f"pid must be an int, not {type(pid).__name__}")
    return PythonProgram(PythonCore(pid))
