# ruff: noqa: PYI021 - what is native has its documentation here
"""The engine's part in moving a process to another debugger."""

from typing import final

from typing_extensions import Self

from libdebug._native import DebuggerCore

__all__ = ["MigrationCore"]

@final
class MigrationCore:
    """Lends the process of one debugger to another one."""

    def __new__(cls, core: DebuggerCore) -> Self: ...
    def hand_over(self) -> None:
        """Lend the process to another debugger, stopped as it is."""

    def take_back(self) -> None:
        """Take the process back from another debugger."""

    @property
    def handed_over(self) -> bool:
        """Whether another debugger has the process. Does not wait."""
