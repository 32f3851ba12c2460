"""System calls and signals: what handles them, and the trace of system calls."""

from __future__ import annotations

from libdebug._native import signal_name
from libdebug.debugger.events import Events
from libdebug.debugger.handling_core import HandlingCore
from libdebug.debugger.syscall_recorder import SyscallRecorder
from libdebug.debugger.syscall_trace import SyscallTrace, names_of, numbers_of
from libdebug.liblog import liblog
from libdebug.utils.signal_utils import ALL, resolve_signal, resolve_signals
from libdebug.utils.syscall_utils import STAND_INS, name_of_syscall, resolve_syscall

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from libdebug._native import DebuggerCore
    from libdebug.data.signal_catcher import SignalCatcher
    from libdebug.data.syscall_handler import SyscallHandler
    from libdebug.state.thread_context import ThreadContext

    _OnSyscall = Callable[[ThreadContext, SyscallHandler], object] | bool | None
    _OnSignal = Callable[[ThreadContext, SignalCatcher], object] | bool | None

_SIGTRAP = 5
_ARGUMENTS = tuple(f"syscall_arg{index}" for index in range(6))


class Handling(Events):
    """Handlers of system calls, catchers of signals, and the trace of system calls."""

    def __init__(self, core: DebuggerCore) -> None:
        """Work with an engine."""
        super().__init__(core)
        self._handling = HandlingCore(core)
        self._forget_handling()

    def _forget_events(self) -> None:
        super()._forget_events()
        self._forget_handling()

    def _forget_handling(self) -> None:
        self._handlers: dict[int, SyscallHandler] = {}
        self._catchers: dict[int, SignalCatcher] = {}
        self._trace = SyscallTrace(self._handling)
        #: The handlers that were asked for by a name that many C libraries make other calls for.
        self._doubtful: dict[str, SyscallHandler] = {}

    @property
    def on_exec(self) -> Callable[[ThreadContext], object] | None:
        """Called with the thread when the process has executed another program, before that begins.

        Breakpoints do not outlive the program that they were set in: set them anew here. Handlers of system
        calls and signals stay. It holds for all runs, until it is set to None.
        """
        return self._handling.on_exec

    @on_exec.setter
    def on_exec(self, callback: Callable[[ThreadContext], object] | None) -> None:
        if callback is not None and not callable(callback):
            raise TypeError("on_exec must be callable or None")
        self._handling.on_exec = callback

    def handle_syscall(
        self,
        syscall: int | str,
        on_enter: _OnSyscall = None,
        on_exit: _OnSyscall = None,
        recursive: bool = False,
    ) -> SyscallHandler:
        """Handle a system call before and behind its execution.

        A call that is already handled keeps its handler and its count; the callbacks are replaced.

        Args:
            syscall: its number or name; `"*"`, `"all"`, `"ALL"` or -1 for all calls without a handler of
                their own.
            on_enter: called before each call with the thread and the handler, after which the process goes
                on; True does nothing.
            on_exit: called behind it. With neither, the process stops on both sides.
            recursive: whether handlers of a call that `on_enter` puts in the place of this one run too.

        Raises:
            ValueError: there is no system call of that name.
            TypeError: an argument has a wrong type.
            RuntimeError: no process is being debugged.
        """
        number, old = self._to_handle(syscall, recursive)
        new = self._handling.handle_syscall(or_none(number), on_enter, on_exit, recursive, old)
        return self._handled(syscall, number, new)

    def hijack_syscall(
        self,
        original_syscall: int | str,
        new_syscall: int | str,
        recursive: bool = False,
        **kwargs: int,
    ) -> SyscallHandler:
        """Put a system call in the place of another one.

        Args:
            original_syscall: the call that the program makes, as for `handle_syscall`.
            new_syscall: the call to make instead, by number or name.
            recursive: whether handlers of the new call run too.
            **kwargs: `syscall_arg0` to `syscall_arg5` for arguments of the new call; the others stay as they
                are.

        Raises:
            ValueError: there is no such call or keyword, or both calls are the same.
            TypeError: an argument has a wrong type.
            RuntimeError: no process is being debugged.
        """
        replacement, arguments = checked_replacement(original_syscall, new_syscall, kwargs)
        number, old = self._to_handle(original_syscall, recursive)
        new = self._handling.hijack_syscall(or_none(number), replacement, arguments, recursive, old)
        return self._handled(original_syscall, number, new)

    def answer_syscall(self, syscall: int | str, value: int) -> SyscallHandler:
        """Give the program a value in the place of a system call, which the kernel never makes.

        No code of Python's runs at the call: this is the fastest way to disarm one.

        Args:
            syscall: the call, as for `handle_syscall`.
            value: what the call returns: a negative error number, such as `-errno.EPERM`, for a failure.

        Raises:
            ValueError: there is no such call.
            TypeError: an argument has a wrong type.
            RuntimeError: no process is being debugged.

        Example:
            >>> from libdebug import debugger
            >>> d = debugger(["/bin/sh", "-c", "exit $PPID"])
            >>> d.run(redirect_pipes=False)
            >>> handler = d.answer_syscall("getppid", 42)
            >>> d.cont()
            >>> d.exit_code, handler.hit_count
            (42, 1)
            >>> d.terminate()
        """
        number, old = self._to_handle(syscall, recursive=False)
        new = self._handling.answer_syscall(or_none(number), value, old)
        return self._handled(syscall, number, new)

    def _to_handle(self, syscall: int | str, recursive: bool) -> tuple[int, SyscallHandler | None]:
        """Return a call's number, and its handler if it has one."""
        number = resolve_syscall(syscall)
        check_recursive(recursive)
        old = self._handlers.get(number)
        if old is not None:
            liblog.warning(
                "Syscall %s is already handled by a user-defined handler. Overriding it.",
                name_of_syscall(number),
            )
        return number, old

    def _handled(self, syscall: int | str, number: int, handler: SyscallHandler) -> SyscallHandler:
        self._handlers[number] = handler
        if isinstance(syscall, str) and syscall in STAND_INS:
            self._doubtful[syscall] = handler
        return handler

    def catch_signal(
        self, signal: int | str, callback: _OnSignal = None, recursive: bool = False
    ) -> SignalCatcher:
        """Catch a signal before the program gets it; a catcher that the signal has already is replaced.

        Args:
            signal: its number or name; `"*"`, `"all"`, `"ALL"` or -1 for all signals without a catcher of
                their own, but SIGKILL and SIGSTOP.
            callback: called at each signal with the thread and the catcher, after which the process goes on;
                it may change `thread.signal`. True only counts; None stops the process.
            recursive: whether the catcher of a signal that the callback puts in its place runs too.

        Raises:
            ValueError: there is no such signal, or it cannot be caught.
            TypeError: an argument has a wrong type.
            RuntimeError: no process is being debugged.
        """
        number = self._to_catch(signal, recursive)
        return self._caught(number, self._handling.catch_signal(or_none(number), callback, recursive))

    def hijack_signal(
        self, original_signal: int | str, new_signal: int | str, recursive: bool = False
    ) -> SignalCatcher:
        """Put a signal in the place of another one.

        Args:
            original_signal: the signal that arrives, as for `catch_signal`.
            new_signal: the signal that the program gets, by number or name.
            recursive: whether the catcher of the new signal runs too.

        Raises:
            ValueError: there is no such signal, it cannot be caught, or both are the same.
            TypeError: an argument has a wrong type.
            RuntimeError: no process is being debugged.
        """
        replacement = checked_other_signal(original_signal, new_signal)
        number = self._to_catch(original_signal, recursive)
        return self._caught(number, self._handling.hijack_signal(or_none(number), replacement, recursive))

    def _to_catch(self, signal: int | str, recursive: bool) -> int:
        """Return a signal's number, and say what is unusual about catching it."""
        number = resolve_signal(signal)
        check_recursive(recursive)
        if number == _SIGTRAP:
            liblog.warning("Only a SIGTRAP of the program itself is caught, none that the debugger caused.")
        if number in self._catchers:
            name = "all" if number == ALL else signal_name(number)
            liblog.warning("Signal %s is already caught by another catcher. Overriding it.", name)
        return number

    def _caught(self, number: int, new: SignalCatcher) -> SignalCatcher:
        # The new one first: where it is refused, the old one stays.
        old = self._catchers.get(number)
        self._catchers[number] = new
        if old is not None:
            self._handling.remove_catcher(old)
        return new

    def _take_handlers_of(self, creator: Handling) -> None:
        """Set what is set in another process."""
        if self._core.executable == creator._core.executable:
            self._take_breakpoints_of(creator)
        for number, handler in creator._handlers.items():
            if handler.is_enabled():
                self._handlers[number] = self._handling.copy_handler(handler)
        for number, catcher in creator._catchers.items():
            if catcher.is_enabled():
                self._catchers[number] = self._handling.copy_catcher(catcher)
        self._handling.blocked_signals = creator._handling.blocked_signals
        self.on_exec = creator.on_exec

    @property
    def handled_syscalls(self) -> dict[int, SyscallHandler]:
        """The handlers of system calls by number, -1 for that of all."""
        return self._handlers

    @property
    def caught_signals(self) -> dict[int, SignalCatcher]:
        """The catchers of signals by number, -1 for that of all."""
        return self._catchers

    @property
    def signals_to_block(self) -> list[str]:
        """The names of the signals that the program never gets; catchers run. Numbers may be set, too."""
        if not self._core.debugging:
            return []
        return [signal_name(number) for number in self._handling.blocked_signals]

    @signals_to_block.setter
    def signals_to_block(self, signals: list[str | int]) -> None:
        numbers = resolve_signals(signals)
        if self._is_debugging("signals_to_block"):
            self._handling.blocked_signals = numbers

    @property
    def pprint_syscalls(self) -> bool:
        """Whether system calls are printed as they are made."""
        return self._trace.enabled

    @pprint_syscalls.setter
    def pprint_syscalls(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError("pprint_syscalls must be a boolean")
        self._change_trace("pprint_syscalls", "enabled", value)

    def pprint_syscalls_context(self, value: bool) -> _Restored:
        """Return a context in which system calls are printed, or not; it begins at once."""
        return _Restored(self, value)

    def trace_syscalls(self, calls: list[int | str] | None = None) -> SyscallRecorder:
        """Return a context in which system calls are recorded: it gives a list that grows as they are made.

        Nothing is printed meanwhile. For whole programs with their children there is `libdebug trace`.

        Args:
            calls: names or numbers of those to record; None for all.

        Raises:
            ValueError: there is no such call.
        """
        return SyscallRecorder(self._core, self._handling, self._trace, numbers_of(calls, "calls") or [])

    @property
    def pprint_syscalls_decoded(self) -> bool:
        """Whether system calls are printed with flags, errors, texts, buffers and files in words."""
        return self._trace.decoded

    @pprint_syscalls_decoded.setter
    def pprint_syscalls_decoded(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError("pprint_syscalls_decoded must be a boolean")
        self._change_trace("pprint_syscalls_decoded", "decoded", value)

    @property
    def syscalls_to_pprint(self) -> list[str] | None:
        """The names of the system calls to print, None for all. Names or numbers to set."""
        return names_of(self._trace.only)

    @syscalls_to_pprint.setter
    def syscalls_to_pprint(self, value: list[int | str] | None) -> None:
        self._change_trace("syscalls_to_pprint", "only", numbers_of(value, "syscalls_to_pprint"))

    @property
    def syscalls_to_not_pprint(self) -> list[str] | None:
        """The names of the system calls not to print, None for none. Names or numbers to set."""
        return names_of(self._trace.excepted)

    @syscalls_to_not_pprint.setter
    def syscalls_to_not_pprint(self, value: list[int | str] | None) -> None:
        self._change_trace("syscalls_to_not_pprint", "excepted", numbers_of(value, "syscalls_to_not_pprint"))

    def _change_trace(self, setting: str, name: str, value: object) -> None:
        if not self._is_debugging(setting):
            return
        before = getattr(self._trace, name)
        setattr(self._trace, name, value)
        try:
            self._trace.apply()
        except BaseException:
            setattr(self._trace, name, before)
            raise

    def _is_debugging(self, setting: str) -> bool:
        if not self._core.debugging:
            liblog.warning(
                "%s is of one process, and there is none: set it after run() or attach().", setting
            )
        return self._core.debugging

    def _look_back(self) -> None:
        """Say what is left to say of a process that has ended: open lines, handlers never hit."""
        if not self._core.ended:
            return
        self._trace.end()
        for name, handler in self._doubtful.items():
            if not handler.hit_count:
                liblog.warning(
                    "The handler of %s was never hit. Programs often get there by another system call: %s.",
                    name,
                    STAND_INS[name],
                )
        self._doubtful = {}


class _Restored:
    """Switches the trace of system calls, and back at the end."""

    def __init__(self, debugger: Handling, value: bool) -> None:
        self._debugger = debugger
        self._before = debugger.pprint_syscalls
        debugger.pprint_syscalls = value

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._debugger._core.debugging:  # noqa: SLF001 - of this module
            self._debugger.pprint_syscalls = self._before


def checked_replacement(
    original: int | str, new: int | str, arguments: dict[str, int]
) -> tuple[int, list[int | None]]:
    """Return the number of the call that is made in the place of another one, and its arguments.

    Raises:
        ValueError: they cannot be.
    """
    if not arguments.keys() <= {*_ARGUMENTS, "syscall_number"}:
        raise ValueError("Invalid keyword arguments in syscall hijack")
    replacement = resolve_syscall(new)
    if replacement == ALL:
        raise ValueError("A syscall is hijacked to one other syscall, not to all.")
    if resolve_syscall(original) == replacement:
        raise ValueError("The original syscall and the new syscall must be different.")
    return replacement, [arguments.get(name) for name in _ARGUMENTS]


def checked_other_signal(original: int | str, new: int | str) -> int:
    """Return the number of the signal that takes the place of another one.

    Raises:
        ValueError: it cannot.
    """
    replacement = resolve_signal(new)
    if replacement == ALL:
        raise ValueError("A signal is hijacked to one other signal, not to all.")
    if resolve_signal(original) == replacement:
        raise ValueError("The original signal and the new signal must be different.")
    return replacement


def or_none(number: int) -> int | None:
    """Return a number as the engine takes it, None for all."""
    return None if number == ALL else number


def check_recursive(recursive: object) -> None:
    """Refuse what is no bool."""
    if not isinstance(recursive, bool):
        raise TypeError("recursive must be a boolean")
