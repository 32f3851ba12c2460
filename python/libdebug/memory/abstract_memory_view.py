"""What all views of a process's memory have in common."""

from __future__ import annotations

from _collections_abc import MutableSequence  # what collections.abc re-exports, and is loaded already

from libdebug._native import MemoryCore
from libdebug.memory.live_maps import live_maps

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from mmap import mmap
    from typing import Any, NoReturn

    from libdebug._native import DebuggerCore
    from libdebug.data.memory_map_list import MemoryMapList
    from libdebug.snapshots.snapshot_core import SnapshotCore

#: What is copied twice stays in the cache of a core in between.
_PIECE = 256 << 10


class AbstractMemoryView(MemoryCore):
    """The memory of a process, indexed by address, symbol, range, and file.

    | key | what it names |
    |---|---|
    | `memory[address]`, `memory["symbol+1f"]` | one byte |
    | `memory[address, size]`, `memory["symbol", size]` | `size` bytes |
    | `memory[start:end]`, `memory["symbol":"symbol+8"]` | the bytes from `start` to before `end` |
    | `memory[key, "file"]`, `memory[address, size, "file"]` | the same, relative to a file |

    The file is `hybrid` (the default: a mapped address stands for itself, another one is relative to the
    program; symbols of the program come first), `absolute`, `binary` or the program's name, or a part of the
    path of a mapped file. Reads show the program's own bytes, never a breakpoint.
    """

    def __init__(self, core: DebuggerCore | SnapshotCore) -> None:
        """Show the memory of an engine's process, or of a snapshot."""
        self._core = core

    @property
    def maps(self) -> MemoryMapList:
        """The memory maps, as they were when the process stopped."""
        return live_maps(self._core)  # type: ignore[arg-type]

    def read_into(self, address: int, buffer: bytearray | memoryview | mmap) -> None:
        """Fill a buffer with what lies from a virtual address on: faster than new bytes each time.

        Args:
            address: where to begin.
            buffer: what to fill, to its end: a `bytearray`, a writable `memoryview`, an array, and the like.

        Raises:
            OSError: not all of it is mapped. The buffer may have been filled in part.
            TypeError: the buffer cannot be written to.

        Example:
            >>> from libdebug import debugger
            >>> d = debugger("./basic")
            >>> pipe = d.run()
            >>> buffer = bytearray(9)
            >>> d.memory.read_into(d.resolve_symbol("message"), buffer)
            >>> buffer
            bytearray(b'the quick')
            >>> d.terminate()
        """
        with memoryview(buffer).cast("B") as view:
            if view.readonly:
                raise TypeError("The buffer cannot be written to.")
            for at in range(0, len(view), _PIECE):
                size = min(_PIECE, len(view) - at)
                view[at : at + size] = self.read(address + at, size)

    def __delitem__(self, key: Any, /) -> NoReturn:
        """Refuse: memory cannot be deleted."""
        raise NotImplementedError("Memory cannot be deleted.")

    def __len__(self) -> int:
        """Refuse: an address space has no length."""
        raise NotImplementedError("Memory has no length.")

    def __bool__(self) -> bool:
        """Return True: without this, Python would ask for the length."""
        return True

    def insert(self, index: int, value: int) -> NoReturn:
        """Refuse: there is no room between two bytes."""
        raise NotImplementedError("Memory cannot be inserted.")


# Registered, not inherited: the mixins of a sequence, such as iteration up to the length, mean nothing here.
MutableSequence.register(AbstractMemoryView)
