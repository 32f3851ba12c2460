"""The memory maps of two snapshots, as a list that can be searched."""

from __future__ import annotations

from libdebug.data.memory_map_list import map_matcher
from libdebug.snapshots.memory.memory_map_diff import MemoryMapDiff

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable

    from libdebug.snapshots.memory.memory_map_snapshot import MemoryMapSnapshot


class MemoryMapDiffList(list[MemoryMapDiff]):
    """A list of what has become of memory maps, by address; unchanged ones are among them."""

    def __init__(self, diffs: Iterable[MemoryMapDiff] = (), program: str = "") -> None:
        """Create a list.

        Args:
            diffs: its elements.
            program: the path of the process's executable, for which `binary` and its last part stand.
        """
        super().__init__(diffs)
        self._program = program

    def filter(self, value: int | str) -> MemoryMapDiffList:
        """Return the maps that hold an address at either moment, or those of the files that a text names.

        Args:
            value: an address; or a part of a backing file's path, where `binary` and the name of the program
                stand for the program itself.

        Raises:
            TypeError: the value is neither.
        """
        fits = map_matcher(value, self._program)
        return self._like(diff for diff in self if any(map(fits, _states(diff))))

    def _like(self, diffs: Iterable[MemoryMapDiff]) -> MemoryMapDiffList:
        return MemoryMapDiffList(diffs, self._program)

    def __hash__(self) -> int:  # type: ignore[override]
        """Return what tells this list from others."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        """Say whether the other is a list of the same elements."""
        return super().__eq__(other)

    def __repr__(self) -> str:
        """Return the list as its class and elements."""
        return f"MemoryMapDiffList({super().__repr__()})"


def _states(diff: MemoryMapDiff) -> tuple[MemoryMapSnapshot, ...]:
    return tuple(state for state in (diff.old_map_state, diff.new_map_state) if state is not None)
