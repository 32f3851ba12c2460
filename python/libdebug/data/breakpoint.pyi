# ruff: noqa: PYI021 - what is native has its documentation here
"""Breakpoints and watchpoints."""

from collections.abc import Callable
from typing import Any, Literal, final

from libdebug.state.thread_context import ThreadContext

__all__ = ["Breakpoint"]

@final
class Breakpoint:
    """A breakpoint or watchpoint.

    It is equal to itself only, and keeps its count after the process has ended.
    """

    @property
    def address(self) -> int:
        """The virtual address."""

    @property
    def symbol(self) -> str:
        """The symbol as it was given, or the address in hexadecimal."""

    @property
    def thread_id(self) -> int | None:
        """The id of the one thread that it stops, None for all."""

    @property
    def hit_count(self) -> int:
        """How often all threads together have hit it. Does not wait for the process to stop."""

    @property
    def old_value(self) -> int | None:
        """What the watched bytes held at the hit before the last one, or when the watchpoint was set.

        An unsigned number; None before the first hit, and for what is no watchpoint or only counts.
        """

    @property
    def new_value(self) -> int | None:
        """What the watched bytes held at the last hit, or when the watchpoint was set."""

    @property
    def hardware(self) -> bool:
        """Whether it uses a debug register."""

    @property
    def condition(self) -> str:
        """What it waits for: `x` execution, `w` writing, `rw` reading or writing."""

    @property
    def length(self) -> int:
        """How many bytes it watches."""

    @property
    def callback(self) -> Literal[True] | Callable[[ThreadContext, Breakpoint], object] | None:
        """What is called at each hit, with the thread and the breakpoint.

        None stops the process instead, True does nothing but count. May be replaced at any time.
        """

    @callback.setter
    def callback(
        self, callback: Literal[True] | Callable[[ThreadContext, Breakpoint], object] | None
    ) -> None: ...
    @property
    def enabled(self) -> bool:
        """Whether it is enabled. Reading and changing it wait until the process is stopped."""

    @enabled.setter
    def enabled(self, on: bool) -> None: ...
    def is_enabled(self) -> bool:
        """Return whether it is enabled right now. Does not wait."""

    def enable(self) -> None:
        """Enable it, effective when the process goes on."""

    def disable(self) -> None:
        """Disable it, effective when the process goes on."""

    def _repr_html_(self) -> str: ...
    def hit_on(self, thread_context: Any) -> bool:
        """Return whether the stop that a thread is in was caused by this breakpoint, which is enabled.

        For a debugger, its main thread is meant.
        """
