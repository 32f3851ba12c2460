"""The maps of the process under debug, as objects."""

from __future__ import annotations

from libdebug.data.memory_map import MemoryMap
from libdebug.data.memory_map_list import MemoryMapList

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug._native import DebuggerCore

    _Row = tuple[int, int, str, int, str]


def live_maps(core: DebuggerCore) -> MemoryMapList:
    """Return the maps as they are at this stop: the same list as long as that lasts."""

    def make(rows: list[_Row]) -> MemoryMapList:
        maps = [
            MemoryMap(start, end, permissions, end - start, offset, path)
            for start, end, permissions, offset, path in rows
        ]
        return MemoryMapList(maps, core.executable or "")

    return core.maps(make)
