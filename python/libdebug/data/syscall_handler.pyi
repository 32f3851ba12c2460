# ruff: noqa: PYI021 - what is native has its documentation here
"""Handlers of system calls."""

from collections.abc import Callable
from typing import Any, TypeAlias, final

from libdebug.state.thread_context import ThreadContext

__all__ = ["SyscallHandler"]

_Callback: TypeAlias = bool | Callable[[ThreadContext, SyscallHandler], object] | None

@final
class SyscallHandler:
    """A handler of system calls.

    It is equal to itself only, and keeps its count after the process has ended.
    """

    @property
    def syscall_number(self) -> int:
        """The number of the system call, -1 for all."""

    @property
    def thread_id(self) -> int | None:
        """The id of the one thread whose calls it handles, None for all."""

    @property
    def hit_count(self) -> int:
        """How many handled calls have come to their exit, in all threads together. Does not wait."""

    @property
    def on_enter_user(self) -> _Callback:
        """What is called before each call, with the thread and the handler; True for nothing.

        None is for nothing too, unless both sides are None: then the process stops on both. May be replaced
        at any time.
        """

    @on_enter_user.setter
    def on_enter_user(self, callback: _Callback) -> None: ...
    @property
    def on_exit_user(self) -> _Callback:
        """What is called behind each call, see `on_enter_user`."""

    @on_exit_user.setter
    def on_exit_user(self, callback: _Callback) -> None: ...
    @property
    def on_enter_pprint(self) -> None:
        """None: the trace of system calls is told of them without a handler."""

    @property
    def on_exit_pprint(self) -> None:
        """None: the trace of system calls is told of them without a handler."""

    @property
    def recursive(self) -> bool:
        """Whether handlers of a call that `on_enter_user` puts in the place of this one run too."""

    @recursive.setter
    def recursive(self, on: bool) -> None: ...
    @property
    def enabled(self) -> bool:
        """Whether it is enabled. Reading and changing it wait until the process is stopped."""

    @enabled.setter
    def enabled(self, on: bool) -> None: ...
    def is_enabled(self) -> bool:
        """Return whether it is enabled right now. Does not wait."""

    def enable(self) -> None:
        """Enable it, effective from the next system call on."""

    def disable(self) -> None:
        """Disable it, effective at once: of a call that has been entered, the exit is not handled."""

    def hit_on(self, thread_context: Any) -> bool:
        """Return whether the stop that a thread is in was caused by this handler, before or behind a call.

        It must be enabled. For a debugger, its main thread is meant.
        """

    def hit_on_enter(self, thread_context: Any) -> bool:
        """Return whether the stop that a thread is in was caused by this handler, before a call."""

    def hit_on_exit(self, thread_context: Any) -> bool:
        """Return whether the stop that a thread is in was caused by this handler, behind a call."""
