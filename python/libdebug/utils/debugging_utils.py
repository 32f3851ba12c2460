"""Addresses in files and in memory maps."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Sequence

    from libdebug.data.memory_map import MemoryMap


def resolve_address_in_maps(address: int, maps: Sequence[MemoryMap]) -> str:
    """Return what is at an address: `symbol+hexadecimal`, or the address in hexadecimal.

    The mapped files are looked at as they are now; no process is needed.

    Args:
        address: the address.
        maps: the memory maps of the process, as `maps` has them.

    Example:
        >>> resolve_address_in_maps(0x1010, [])
        '0x1010'
    """
    from libdebug._native import symbol_in_maps

    rows = [(vmap.start, vmap.end, vmap.offset, vmap.backing_file) for vmap in maps]
    return symbol_in_maps(address, rows)


def offset_in_file(address: int, maps: Sequence[MemoryMap]) -> tuple[str, int]:
    """Return the file that is mapped at an address, and the distance from the first map of that file.

    Raises:
        ValueError: nothing is mapped there.
    """
    for vmap in maps:
        if vmap.start <= address < vmap.end:
            first = min(other.start for other in maps if other.backing_file == vmap.backing_file)
            return vmap.backing_file, address - first
    raise ValueError(f"Address {address:#x} is not mapped.")
