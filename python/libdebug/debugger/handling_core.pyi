# ruff: noqa: PYI021 - what is native has its documentation here
"""The engine's part in handling system calls and signals."""

from collections.abc import Callable
from typing import TypeAlias, final

from typing_extensions import Self

from libdebug._native import DebuggerCore
from libdebug.data.signal_catcher import SignalCatcher
from libdebug.data.syscall_handler import SyscallHandler
from libdebug.state.thread_context import ThreadContext

__all__ = ["HandlingCore", "SyscallEnter", "SyscallExit"]

_OnSyscall: TypeAlias = bool | Callable[[ThreadContext, SyscallHandler], object] | None

@final
class HandlingCore:
    """The system calls and signals of one debugger's process, or of one thread of it."""

    def __new__(cls, core: DebuggerCore, thread_id: int | None = None) -> Self: ...
    @property
    def on_exec(self) -> Callable[[ThreadContext], object] | None:
        """Who is told, with the thread, of a program that the process has executed in place of its own."""

    @on_exec.setter
    def on_exec(self, callback: Callable[[ThreadContext], object] | None) -> None: ...
    def handle_syscall(
        self,
        number: int | None,
        on_enter: _OnSyscall,
        on_exit: _OnSyscall,
        recursive: bool,
        handler: SyscallHandler | None = None,
    ) -> SyscallHandler:
        """Handle a system call by its number, or all for None.

        With `handler`, this one takes the callbacks, and is enabled.
        """

    def hijack_syscall(
        self,
        number: int | None,
        new: int,
        arguments: list[int | None],
        recursive: bool,
        handler: SyscallHandler | None = None,
    ) -> SyscallHandler:
        """Put the system call `new` in the place of `number`, or of all for None.

        Its arguments are those that are not None. With `handler`, this one does that from now on, and is
        enabled.
        """

    def answer_syscall(
        self, number: int | None, value: int, handler: SyscallHandler | None = None
    ) -> SyscallHandler:
        """Give the program `value` in the place of a system call, or of all for None.

        The kernel never makes the call. With `handler`, this one does that from now on, and is enabled.
        """

    def copy_handler(self, handler: SyscallHandler) -> SyscallHandler:
        """Handle what a handler of another process handles, in the same way."""

    def copy_catcher(self, catcher: SignalCatcher) -> SignalCatcher:
        """Catch what a catcher of another process catches, in the same way."""

    def catch_signal(
        self,
        number: int | None,
        callback: bool | Callable[[ThreadContext, SignalCatcher], object] | None,
        recursive: bool,
    ) -> SignalCatcher:
        """Catch a signal by its number, or all for None."""

    def hijack_signal(self, number: int | None, new: int, recursive: bool) -> SignalCatcher:
        """Put the signal `new` in the place of `number`, or of all for None."""

    def remove_catcher(self, catcher: SignalCatcher) -> None:
        """Remove a catcher."""

    @property
    def blocked_signals(self) -> list[int]:
        """The numbers of the signals that are never delivered."""

    @blocked_signals.setter
    def blocked_signals(self, numbers: list[int]) -> None: ...
    def observe_syscalls(
        self,
        observer: Callable[[ThreadContext, SyscallEnter | SyscallExit], object] | None,
        only: list[int],
        except_: list[int],
        decoded: bool,
    ) -> None:
        """Have `observer` told of system calls, with the thread and a `SyscallEnter` or `SyscallExit`.

        Only of those numbers, unless there are none, and not of the excepted ones. None for nobody.
        """

@final
class SyscallEnter:
    """A system call that is about to be made."""

    @property
    def name(self) -> str:
        """Its name, `0x` and the number for one that is in no table."""

    @property
    def arguments(self) -> list[tuple[str, int, int, str | None]]:
        """One tuple for each argument.

        Its C declaration, the value that the program gave, the value that callbacks have left, and what that
        says in words, or None.
        """

    @property
    def called(self) -> bool:
        """Whether a handler's callback ran."""

    @property
    def hijacked(self) -> bool:
        """Whether another call is made in its place."""

    @property
    def replaces(self) -> bool:
        """Whether it is made in the place of another call."""

@final
class SyscallExit:
    """A system call that is over."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def value(self) -> int:
        """What the kernel returned, unsigned."""

    @property
    def new_value(self) -> int:
        """What callbacks have made of it."""

    @property
    def called(self) -> bool:
        """Whether a handler's callback ran."""

    @property
    def text(self) -> str | None:
        """What the result says in words, or None."""
