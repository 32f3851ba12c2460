"""Memory for people to read: of a process, and of a snapshot."""

from __future__ import annotations

from libdebug.liblog import liblog

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.data.memory_map_list import MemoryMapList
    from libdebug.memory.abstract_memory_view import AbstractMemoryView

_WORD = 8


class MemoryPrinting:
    """What has memory and maps, and knows where things are."""

    __slots__ = ()

    def resolve_position(self, position: int | str, file: str = "hybrid") -> int:
        """Return the virtual address of an address or a symbol."""
        raise NotImplementedError

    @property
    def _printed(self) -> tuple[AbstractMemoryView, MemoryMapList]:
        """The memory, and the maps that its words may point into."""
        return self.memory, self.maps  # type: ignore[attr-defined]

    def pprint_memory(
        self,
        start: int | str,
        end: int | str,
        file: str = "hybrid",
        override_word_size: int | None = None,
        integer_mode: bool = False,
    ) -> None:
        """Print memory: bytes with the letters that they are, or numbers.

        Args:
            start: the first address, or a symbol.
            end: the first address behind; where it lies before `start`, they are exchanged, with a warning.
            file: what both are relative to, as for `breakpoint`.
            override_word_size: how many bytes belong together; None for a pointer's 8.
            integer_mode: whether words are shown as numbers, least significant byte first in memory.

        Raises:
            ValueError: something is not mapped, there is no such symbol, or the size is not positive.
        """
        from libdebug.utils.pretty import memory_lines, print_lines

        word = word_size(override_word_size)
        first, behind = self._resolve_range(start, end, file)
        memory, maps = self._printed
        data = memory[first, behind - first, "absolute"]
        print_lines(memory_lines(first, data, word, maps if integer_mode else None))

    def _resolve_range(self, start: int | str, end: int | str, file: str) -> tuple[int, int]:
        """Return the first address of a range, and the first behind it."""
        first, behind = self.resolve_position(start, file), self._resolve_end(end, file)
        if first > behind:
            liblog.warning("The start lies behind the end: they are exchanged.")
            first, behind = self.resolve_position(end, file), self._resolve_end(start, file)
        return first, behind

    def _resolve_end(self, end: int | str, file: str) -> int:
        """Return an address that need not be mapped itself, as nothing is read there."""
        if isinstance(end, str) or end == 0:
            return self.resolve_position(end, file)
        return self.resolve_position(end - 1, file) + 1


def word_size(override: int | None) -> int:
    """Return how many bytes belong together; ValueError unless they are some."""
    size = _WORD if override is None else override
    if size < 1:
        raise ValueError("override_word_size must be greater than 0.")
    return size
