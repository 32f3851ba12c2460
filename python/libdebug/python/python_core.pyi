# ruff: noqa: PYI021 - what is native has its documentation here
"""The engine's part in live Python programs."""

from typing import TypeAlias, final

from typing_extensions import Self

from libdebug._native import DebuggerCore

__all__ = ["PythonBusyError", "PythonCore", "PythonStateError", "UnsupportedPythonError"]

_PythonRow: TypeAlias = tuple[str, str, int | None, int, bool]
_Told: TypeAlias = tuple[str, str | None, str | None, str | None]
_NativeRow: TypeAlias = tuple[int, int | None, str | None, str | None, int | None, bool, dict[str, int]]
_ThreadRow: TypeAlias = tuple[int | None, int, str | None, bool, bool | None, int, bool]

class UnsupportedPythonError(ValueError):
    """The process is no Python program that can be looked into; the text says what it is."""

class PythonBusyError(TimeoutError):
    """The program did not come to a place where it can run code; the text says what it does instead."""

class PythonStateError(RuntimeError):
    """The interpreter is not in a state in which this can be done."""

@final
class PythonCore:
    """A CPython program: one that goes on, or the process of a debugger."""

    def __new__(cls, pid: int) -> Self: ...
    @staticmethod
    def of(core: DebuggerCore) -> PythonCore | None:
        """Return the interpreter of the process of a debugger; None if it is no CPython's."""

    def close(self) -> None:
        """Let the process be; this is of no use then."""

    @property
    def is_open(self) -> bool:
        """Whether it can be asked: not after `close`."""

    @property
    def pid(self) -> int:
        """The process's id."""

    @property
    def executable(self) -> str:
        """The file that the process executes."""

    @property
    def version(self) -> tuple[int, int, int, str, int]:
        """The version: major, minor, micro, release level and serial."""

    @property
    def build(self) -> str:
        """What `sys.version` says."""

    @property
    def library(self) -> str:
        """The file that has the interpreter: libpython or the program."""

    @property
    def free_threaded(self) -> bool:
        """Whether the build can do without a global lock."""

    @property
    def debug_build(self) -> bool:
        """Whether the build checks itself."""

    @property
    def phase(self) -> str:
        """How far the interpreter's life is: `starting`, `running` or `finalizing`."""

    def threads(self, native: bool) -> list[tuple[_ThreadRow, list[_PythonRow | _NativeRow]]]:
        """Return each thread: a row for it, rows of five for its Python frames, of seven for native ones."""

    @property
    def stopped_for(self) -> float | None:
        """For how many seconds the last look has stopped the process at most; None without a stop."""

    def exec(self, code: str, tid: int | None, timeout: float) -> _Told:
        """Execute statements in the frame that a thread executes, the main one's if `tid` is None."""

    def eval(self, expression: str, tid: int | None, timeout: float) -> _Told:
        """Evaluate an expression in the frame that a thread executes."""

    def talk(
        self, tid: int | None, timeout: float, console: bool, place: tuple[str, int] | None = None
    ) -> None:
        """Talk with pdb, or with a console, at this process's terminal."""
