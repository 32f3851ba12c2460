"""The system calls of a process, printed as they are made."""

from __future__ import annotations

from libdebug.debugger.handling_core import SyscallEnter
from libdebug.utils.colours import BLUE, BOLD, BROWN, PLAIN, RED, RESET, STRIKE, UNSTRUCK, YELLOW, show
from libdebug.utils.signal_utils import ALL
from libdebug.utils.syscall_utils import name_of_syscall, resolve_syscall

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable

    from libdebug.debugger.handling_core import HandlingCore, SyscallExit
    from libdebug.state.thread_context import ThreadContext


def _print(text: str, end: str = "\n") -> None:
    """Print a part of the trace; with its colours to a stream in memory, where scripts look for them."""
    show(text, end=end, flush=not end, in_memory=True)


class SyscallTrace:
    """Prints the system calls of one process: each when it is entered, with its result when that is there.

    Attributes:
        enabled: whether it does.
        decoded: whether arguments and results are said in words too.
        only: the numbers of the calls to print; None for all.
        excepted: the numbers of the calls not to print.
    """

    def __init__(self, core: HandlingCore) -> None:
        """Print nothing yet."""
        self._core = core
        self.enabled = False
        self.decoded = False
        self.only: list[int] | None = None
        self.excepted: list[int] | None = None
        #: The thread whose line has no result yet.
        self._unfinished: int | None = None

    def apply(self) -> None:
        """Have the engine tell of the calls that are wanted now."""
        only, excepted = self.only or [], self.excepted or []
        nothing = not self.enabled or self.only == [] or ALL in excepted
        if nothing:
            self._core.observe_syscalls(None, [], [], False)  # noqa: FBT003 - the engine has no keywords
        else:
            self._core.observe_syscalls(self._tell, [] if ALL in only else only, excepted, self.decoded)

    def end(self) -> None:
        """Finish the line of a call that the process has not come back from."""
        self._leave_line("?")

    def _tell(self, thread: ThreadContext, event: SyscallEnter | SyscallExit) -> None:
        if isinstance(event, SyscallEnter):
            self._leave_line("...")
            self._enter(thread.thread_id, event)
        else:
            self._exit(thread.thread_id, event)

    def _enter(self, tid: int, event: SyscallEnter) -> None:
        name = f"{BLUE}{event.name}{PLAIN}"
        arguments = ", ".join(_argument(*argument) for argument in event.arguments)
        head = f"{BOLD}{tid}{RESET} "
        if event.hijacked:
            _print(f"{head}{RED}(hijacked) {STRIKE}{name}{UNSTRUCK}({arguments})")
            return
        mark = "(executed) " if event.replaces else "(callback) " if event.called else ""
        mark = f"{RED}{mark}" if mark else ""
        _print(f"{head}{mark}{name}({arguments}) = ", end="")
        self._unfinished = tid

    def _exit(self, tid: int, event: SyscallExit) -> None:
        if self._unfinished != tid:
            self._leave_line("...")
            _print(f"{BOLD}{tid}{RESET} (resumed) {BLUE}{event.name}{PLAIN} = ", end="")
        self._unfinished = None
        text = f" {event.text}" if event.text else ""
        _print(f"{_changed(BROWN, event.value, event.new_value, RESET)}{text}")

    def _leave_line(self, text: str) -> None:
        if self._unfinished is not None:
            self._unfinished = None
            _print(text)


def _argument(declaration: str, value: int, new_value: int, text: str | None) -> str:
    words = f" {text}" if text else ""
    return f"{declaration} = {_changed(YELLOW, value, new_value, PLAIN)}{words}"


def _changed(colour: str, value: int, new_value: int, end: str) -> str:
    """Return a value; where it was changed, the old one struck through and the new one behind it."""
    if value == new_value:
        return f"{colour}{value:#x}{end}"
    return f"{colour}{STRIKE}{value:#x}{RESET} {colour}{new_value:#x}{end}"


def numbers_of(calls: object, name: str) -> list[int] | None:
    """Return the numbers of a list of system calls; None for None. `name` is the setting that it is for.

    Raises:
        ValueError: it is no list of numbers and names, or there is no such call.
    """
    if calls is None:
        return None
    if not isinstance(calls, list) or not all(isinstance(call, (int, str)) for call in calls):
        raise ValueError(f"{name} must be a list of integers or strings or None.")
    return [resolve_syscall(call) for call in calls]


def names_of(numbers: Iterable[int] | None) -> list[str] | None:
    """Return the names of system calls; None for None."""
    return None if numbers is None else [name_of_syscall(number) for number in numbers]
