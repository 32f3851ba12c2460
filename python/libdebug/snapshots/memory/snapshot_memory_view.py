"""The memory of a snapshot."""

from __future__ import annotations

from libdebug.memory.abstract_memory_view import AbstractMemoryView
from libdebug.snapshots.memory.memory_map_snapshot_list import MemoryMapSnapshotList, kept_maps

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.data.symbol_list import SymbolList
    from libdebug.snapshots.snapshot_core import SnapshotCore


class SnapshotMemoryView(AbstractMemoryView):
    """The memory of a snapshot: the same keys and searches as of a process; nothing can be written.

    What the snapshot's level leaves out raises `ValueError`.
    """

    def __init__(self, core: SnapshotCore) -> None:
        """Show the memory of a snapshot."""
        super().__init__(core)
        self._snapshot = core
        self._maps: MemoryMapSnapshotList | None = None
        self._symbols: SymbolList | None = None

    @property
    def maps(self) -> MemoryMapSnapshotList:
        """The memory maps."""
        if self._maps is None:
            self._maps = kept_maps(self._snapshot)
        return self._maps

    @property
    def _symbol_ref(self) -> SymbolList:
        if self._symbols is None:
            from libdebug.data.symbol_list import SymbolList

            self._symbols = SymbolList(maps=self.maps, table=self._snapshot.symbols())
        return self._symbols
