"""The memory maps of a process, as a list that can be searched."""

from __future__ import annotations

from libdebug.data.memory_map import MemoryMap

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def map_matcher(value: int | str, program: str) -> Callable[[MemoryMap], bool]:
    """Return what says whether a map holds an address, or is of the files that a text names.

    Raises:
        TypeError: the value is neither an integer nor a string.
    """
    if isinstance(value, int):
        return lambda vmap: vmap.start <= value < vmap.end
    if not isinstance(value, str):
        raise TypeError("The value must be an integer or a string.")
    if program and value in ("binary", program, program.rpartition("/")[2]):
        return lambda vmap: vmap.backing_file == program
    return lambda vmap: value in vmap.backing_file


class MemoryMapList(list[MemoryMap]):
    """A list of memory maps.

    Example:
        >>> maps = MemoryMapList([MemoryMap(0x1000, 0x3000, "r-xp", 0x2000, 0, "/bin/true")], "/bin/true")
        >>> maps.filter(0x2FFF) == maps.filter("true") == maps.filter("binary") == maps
        True
    """

    def __init__(self, maps: Iterable[MemoryMap] = (), program: str = "") -> None:
        """Create a list.

        Args:
            maps: its elements.
            program: the path of the process's executable, for which `binary` and its last part stand.
        """
        super().__init__(maps)
        self._program = program

    def filter(self, value: int | str) -> MemoryMapList:
        """Return the map that holds an address, or the maps of the files that a text names.

        Args:
            value: an address; or a part of a backing file's path, where `binary` and the name of the program
                stand for the program itself.

        Raises:
            TypeError: the value is neither.
        """
        fits = map_matcher(value, self._program)
        return self._like(vmap for vmap in self if fits(vmap))

    def _like(self, maps: Iterable[MemoryMap]) -> MemoryMapList:
        return MemoryMapList(maps, self._program)

    def __hash__(self) -> int:  # type: ignore[override]
        """Return what tells this list from others."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        """Say whether the other is a list of equal maps."""
        return super().__eq__(other)

    def _repr_html_(self) -> str:
        from libdebug._native import html_table

        heads = ["start", "end", "permissions", "size", "offset", "backing_file"]
        return html_table(heads, [vmap._cells() for vmap in self])  # noqa: SLF001 - of the same package

    def __repr__(self) -> str:
        """Return the list as its class and elements."""
        return f"MemoryMapList({super().__repr__()})"
