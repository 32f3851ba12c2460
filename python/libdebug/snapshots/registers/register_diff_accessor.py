"""The registers of a thread at two moments."""

from __future__ import annotations

from libdebug.snapshots.registers.register_diff import RegisterDiff

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from libdebug.snapshots.snapshot_core import KeptThreadCore


class RegisterDiffAccessor:
    """The registers of a thread at two moments: each an attribute, a `RegisterDiff`.

    All that either of the processors had are there.
    """

    def __init__(self, old: KeptThreadCore, new: KeptThreadCore) -> None:
        """Compare the registers of two threads of snapshots."""
        before, after = old.registers(), new.registers()
        for name in {**before, **after}:
            has_both = name in before and name in after
            # By their bytes: a float that is no number does not equal itself.
            has_changed = not has_both or old.raw(name) != new.raw(name)
            self.__dict__[name] = RegisterDiff(before.get(name), after.get(name), has_changed)

    def __getattr__(self, name: str) -> Any:
        """Refuse: all registers that there are have been set."""
        raise AttributeError(f"there is no register called {name!r} in the snapshot")

    @property
    def changed(self) -> list[str]:
        """The names of the registers that have changed, of whatever width."""
        return [name for name in self if self.__dict__[name].has_changed]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all registers."""
        return iter(self.__dict__)

    def __repr__(self) -> str:
        """Return the registers that have changed, a line each."""
        lines = [f"\n  {name}: {self.__dict__[name]!r}" for name in self.changed]
        return f"RegisterDiffAccessor({len(lines)} changed){''.join(lines)}"
