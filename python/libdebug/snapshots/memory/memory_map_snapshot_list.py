"""The memory maps of a snapshot, as a list that can be searched."""

from __future__ import annotations

from libdebug.data.memory_map_list import MemoryMapList
from libdebug.snapshots.memory.memory_map_snapshot import MemoryMapSnapshot

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import SupportsIndex, overload

    from libdebug.data.memory_map import MemoryMap
    from libdebug.snapshots.snapshot_core import SnapshotCore


class MemoryMapSnapshotList(MemoryMapList):
    """A list of the memory maps of a snapshot, by address."""

    if TYPE_CHECKING:

        @overload  # type: ignore[override, no-overload-impl]
        def __getitem__(self, key: SupportsIndex, /) -> MemoryMapSnapshot: ...
        @overload
        def __getitem__(self, key: slice, /) -> list[MemoryMapSnapshot]: ...
        def __iter__(self) -> Iterator[MemoryMapSnapshot]: ...  # noqa: D105 - only for checkers of types
        def filter(self, value: int | str) -> MemoryMapSnapshotList: ...  # noqa: D102 - only for them

    def _like(self, maps: Iterable[MemoryMap]) -> MemoryMapSnapshotList:
        return MemoryMapSnapshotList(maps, self._program)

    def __hash__(self) -> int:  # type: ignore[override]
        """Return what tells this list from others."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        """Say whether the other is a list of equal maps."""
        return super().__eq__(other)

    def __repr__(self) -> str:
        """Return the list as its class and elements."""
        return f"MemoryMapSnapshotList({list.__repr__(self)})"


def kept_maps(core: SnapshotCore) -> MemoryMapSnapshotList:
    """Return the maps of a snapshot; their content stays where it is."""
    maps = [
        MemoryMapSnapshot._of(core, place, row)  # noqa: SLF001 - of the same package
        for place, row in enumerate(core.maps())
    ]
    return MemoryMapSnapshotList(maps, core.program)
