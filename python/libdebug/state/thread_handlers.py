"""Handlers of what happens to one thread only."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from libdebug.data.breakpoint import Breakpoint
    from libdebug.data.signal_catcher import SignalCatcher
    from libdebug.data.syscall_handler import SyscallHandler
    from libdebug.debugger.debugger import Debugger
    from libdebug.debugger.handling_core import HandlingCore
    from libdebug.state.thread_context import ThreadContext

    _AtBreakpoint = Callable[[ThreadContext, Breakpoint], object] | Literal[True] | None
    _OnSyscall = Callable[[ThreadContext, SyscallHandler], object] | bool | None
    _OnSignal = Callable[[ThreadContext, SignalCatcher], object] | bool | None


class ThreadHandlers:
    """Handlers of one thread: the other threads pass what they handle, and cost nothing.

    Each takes what the method of that name on the debugger takes. Several may be at one address, call or
    signal: of those, and of the debugger's own, the newest enabled one handles a call or a signal, and all of
    them a breakpoint. The debugger's `breakpoints`, `handled_syscalls` and `caught_signals` do not list them.
    """

    __slots__ = ()

    _debugger: Debugger

    @property
    def thread_id(self) -> int:
        """The thread's id."""
        raise NotImplementedError

    def breakpoint(
        self,
        position: int | str,
        hardware: bool = False,
        condition: str = "x",
        length: int = 1,
        callback: _AtBreakpoint = None,
        file: str = "hybrid",
    ) -> Breakpoint:
        """Set a breakpoint that only this thread stops at: see `Debugger.breakpoint`.

        Example:
            >>> from libdebug import debugger
            >>> d = debugger("/bin/true")
            >>> d.run(redirect_pipes=False)
            >>> bp = d.threads[0].breakpoint("exit", file="libc", callback=True)
            >>> d.cont()
            >>> d.wait()
            >>> bp.hit_count, bp.thread_id == d.pid
            (1, True)
            >>> d.terminate()
        """
        return self._debugger._set_breakpoint(  # noqa: SLF001 - of the same package
            position, hardware, condition, length, callback, file, self.thread_id
        )

    def watchpoint(
        self,
        position: int | str,
        condition: str = "w",
        length: int = 1,
        callback: _AtBreakpoint = None,
        file: str = "hybrid",
    ) -> Breakpoint:
        """Watch what only this thread writes, or reads or writes: see `Debugger.watchpoint`."""
        return self.breakpoint(
            position, hardware=True, condition=condition, length=length, callback=callback, file=file
        )

    def handle_syscall(
        self,
        syscall: int | str,
        on_enter: _OnSyscall = None,
        on_exit: _OnSyscall = None,
        recursive: bool = False,
    ) -> SyscallHandler:
        """Handle a system call of this thread: see `Debugger.handle_syscall`."""
        from libdebug.debugger.handling import check_recursive, or_none
        from libdebug.utils.syscall_utils import resolve_syscall

        number = or_none(resolve_syscall(syscall))
        check_recursive(recursive)
        return self._handling().handle_syscall(number, on_enter, on_exit, recursive)

    def hijack_syscall(
        self, original_syscall: int | str, new_syscall: int | str, recursive: bool = False, **kwargs: int
    ) -> SyscallHandler:
        """Put a system call in the place of one that this thread makes: see `Debugger.hijack_syscall`."""
        from libdebug.debugger.handling import check_recursive, checked_replacement, or_none
        from libdebug.utils.syscall_utils import resolve_syscall

        replacement, arguments = checked_replacement(original_syscall, new_syscall, kwargs)
        check_recursive(recursive)
        number = or_none(resolve_syscall(original_syscall))
        return self._handling().hijack_syscall(number, replacement, arguments, recursive)

    def answer_syscall(self, syscall: int | str, value: int) -> SyscallHandler:
        """Give this thread a value in the place of a system call: see `Debugger.answer_syscall`."""
        from libdebug.debugger.handling import or_none
        from libdebug.utils.syscall_utils import resolve_syscall

        return self._handling().answer_syscall(or_none(resolve_syscall(syscall)), value)

    def catch_signal(
        self, signal: int | str, callback: _OnSignal = None, recursive: bool = False
    ) -> SignalCatcher:
        """Catch a signal that this thread is about to get: see `Debugger.catch_signal`."""
        from libdebug.debugger.handling import check_recursive, or_none
        from libdebug.utils.signal_utils import resolve_signal

        number = or_none(resolve_signal(signal))
        check_recursive(recursive)
        return self._handling().catch_signal(number, callback, recursive)

    def hijack_signal(
        self, original_signal: int | str, new_signal: int | str, recursive: bool = False
    ) -> SignalCatcher:
        """Put a signal in the place of one that this thread is about to get: see `Debugger.hijack_signal`."""
        from libdebug.debugger.handling import check_recursive, checked_other_signal, or_none
        from libdebug.utils.signal_utils import resolve_signal

        replacement = checked_other_signal(original_signal, new_signal)
        check_recursive(recursive)
        number = or_none(resolve_signal(original_signal))
        return self._handling().hijack_signal(number, replacement, recursive)

    def _handling(self) -> HandlingCore:
        from libdebug.debugger.handling_core import HandlingCore

        return HandlingCore(self._debugger._core, self.thread_id)  # noqa: SLF001 - of the same package
