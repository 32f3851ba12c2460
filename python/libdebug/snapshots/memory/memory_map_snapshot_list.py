"""The memory maps of a snapshot, as a list that can be searched."""

from __future__ import annotations

from libdebug.data.memory_map_list import MemoryMapList
from libdebug.snapshots.memory.memory_map_snapshot import MemoryMapSnapshot

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable

    from libdebug.data.memory_map import MemoryMap
    from libdebug.snapshots.snapshot_core import SnapshotCore


class MemoryMapSnapshotList(MemoryMapList):
    """A list of the memory maps of a snapshot, by address."""

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
