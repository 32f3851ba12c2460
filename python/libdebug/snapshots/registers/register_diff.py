"""One register at two moments."""

from __future__ import annotations


class RegisterDiff:
    """One register at two moments.

    Attributes:
        old_value: its value in the older snapshot; None if that processor did not have it.
        new_value: its value in the newer snapshot; None if that processor did not have it.
        has_changed: whether they are different.

    Example:
        >>> RegisterDiff(1, 2, True)
        RegisterDiff(old_value=0x1, new_value=0x2, has_changed=True)
    """

    __slots__ = ("has_changed", "new_value", "old_value")

    def __init__(self, old_value: float | None, new_value: float | None, has_changed: bool) -> None:
        """Hold both values."""
        self.old_value = old_value
        self.new_value = new_value
        self.has_changed = has_changed

    def __repr__(self) -> str:
        """Return all of it in one line."""
        old, new = _text(self.old_value), _text(self.new_value)
        return f"RegisterDiff(old_value={old}, new_value={new}, has_changed={self.has_changed})"


def _text(value: float | None) -> str:
    return f"{value:#x}" if isinstance(value, int) else str(value)
