"""The registers of a snapshot."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from typing import Any

    from libdebug.snapshots.snapshot_core import KeptThreadCore

_GENERAL_BITS = 64


class SnapshotRegisters:
    """The registers of a thread as they were, each a plain attribute."""

    def __init__(self, core: KeptThreadCore) -> None:
        """Take the registers of a thread of a snapshot."""
        self.__dict__.update(core.registers())
        self.__dict__["_core"] = core

    if TYPE_CHECKING:
        _core: KeptThreadCore

    def __getattr__(self, name: str) -> Any:
        """Refuse: all registers that there are have been set."""
        raise AttributeError(f"there is no register called {name!r} in the snapshot")

    def filter(self, value: float) -> list[str]:
        """Return the names of all registers, of whatever width, that hold the value."""
        return [name for name, _, _ in self._core.register_table() if self.__dict__[name] == value]

    def raw(self, name: str) -> bytes:
        """Return a register's bytes, least significant first: for the `st` registers all 80 bits."""
        return self._core.raw(name)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: what was cannot be changed."""
        raise AttributeError(f"The registers of a snapshot cannot be changed: {name}")

    def __eq__(self, other: object) -> bool:
        """Say whether the other are registers of a snapshot with the same values."""
        if not isinstance(other, SnapshotRegisters):
            return NotImplemented
        return self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]

    def _values(self) -> dict[str, bytes]:
        # By their bytes: a float that is no number does not equal itself.
        return {name: self._core.raw(name) for name, _, _ in self._core.register_table()}

    def __repr__(self) -> str:
        """Return the general registers, a line each."""
        general = [
            f"\n  {name}: {self.__dict__[name]:#x}"
            for name, kind, bits in self._core.register_table()
            if kind == "general" and bits == _GENERAL_BITS
        ]
        return f"Registers(thread_id={self._core.thread_id}){''.join(general)}"
