"""One memory map at two moments."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.snapshots.memory.memory_map_snapshot import MemoryMapSnapshot


class MemoryMapDiff:
    """One memory map in two snapshots.

    Attributes:
        old_map_state: the map in the older snapshot; None if it is new.
        new_map_state: the map in the newer snapshot; None if it is gone.
        has_changed: whether it is new or gone, or its bounds, permissions or content have changed.
        content_diff: the parts with other content, as slices of the content of the newer map, or of the older
            one if that is gone; none where one of the snapshots has no content of it.
    """

    __slots__ = ("content_diff", "has_changed", "new_map_state", "old_map_state")

    def __init__(
        self,
        old_map_state: MemoryMapSnapshot | None,
        new_map_state: MemoryMapSnapshot | None,
        has_changed: bool,
        content_diff: list[slice] | None = None,
    ) -> None:
        """Hold both, and what the engine says of them."""
        self.old_map_state = old_map_state
        self.new_map_state = new_map_state
        self.has_changed = has_changed
        self.content_diff = content_diff if content_diff is not None else []

    @property
    def _any_state(self) -> MemoryMapSnapshot:
        state = self.new_map_state if self.new_map_state is not None else self.old_map_state
        if state is None:
            raise ValueError("There is no map on either side.")
        return state

    def __repr__(self) -> str:
        """Return what the map is, and how much of it has changed."""
        sign = "+" if self.old_map_state is None else "-" if self.new_map_state is None else " "
        parts = f"{len(self.content_diff)} parts" if self.content_diff else "no content"
        changed = f"changed, {parts}" if self.has_changed else "unchanged"
        return f"MemoryMapDiff({sign.strip()}{self._any_state!r}, {changed})"
