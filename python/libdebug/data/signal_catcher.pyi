# ruff: noqa: PYI021 - what is native has its documentation here
"""Catchers of signals."""

from collections.abc import Callable
from typing import Any, TypeAlias, final

from libdebug.state.thread_context import ThreadContext

__all__ = ["SignalCatcher"]

_Callback: TypeAlias = bool | Callable[[ThreadContext, SignalCatcher], object] | None

@final
class SignalCatcher:
    """A catcher of signals.

    It is equal to itself only, and keeps its count after the process has ended.
    """

    @property
    def signal_number(self) -> int:
        """The number of the signal, -1 for all."""

    @property
    def thread_id(self) -> int | None:
        """The id of the one thread whose signals it catches, None for all."""

    @property
    def hit_count(self) -> int:
        """How many signals it has caught, in all threads together. Does not wait."""

    @property
    def callback(self) -> _Callback:
        """What is called at each signal, with the thread and the catcher.

        None stops the process instead, True does nothing but count. May be replaced at any time.
        """

    @callback.setter
    def callback(self, callback: _Callback) -> None: ...
    @property
    def recursive(self) -> bool:
        """Whether catchers of a signal that the callback puts in the place of this one run too."""

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
        """Enable it, effective from the next signal on."""

    def disable(self) -> None:
        """Disable it, effective from the next signal on."""

    def hit_on(self, thread_context: Any) -> bool:
        """Return whether the stop that a thread is in was caused by this catcher, which is enabled.

        For a debugger, its main thread is meant.
        """
