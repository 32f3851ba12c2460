"""One line of a process's memory map."""

from __future__ import annotations

_PERMISSIONS = 4
_FIELDS = 6


class MemoryMap:
    """A range of addresses with its permissions and the file behind it.

    Attributes:
        start: the first address.
        end: the first address after it.
        permissions: `r`, `w`, `x` and `p` or `s`, with `-` for what is absent.
        size: how many bytes it covers.
        offset: where in the file it starts, in bytes.
        backing_file: the file's path, a name in brackets, or `anon_` and the start in hexadecimal.

    Example:
        >>> MemoryMap(0x1000, 0x3000, "rw-p", 0x2000, 0, "")
        MemoryMap(start=0x1000, end=0x3000, permissions=rw-p, size=0x2000, offset=0x0, backing_file=anon_1000)
    """

    __slots__ = ("backing_file", "end", "offset", "permissions", "size", "start")

    def __init__(
        self, start: int, end: int, permissions: str, size: int, offset: int, backing_file: str
    ) -> None:
        """Hold what a line says; a map without a file gets a name."""
        self.start = start
        self.end = end
        self.permissions = permissions
        self.size = size
        self.offset = offset
        self.backing_file = backing_file or f"anon_{start:x}"

    @property
    def base(self) -> int:
        """The first address."""
        return self.start

    @staticmethod
    def parse(vmap: str) -> MemoryMap:
        """Return what one line of /proc/PID/maps says.

        Raises:
            ValueError: it is no such line.

        Example:
            >>> MemoryMap.parse("55d0c000-55d0d000 r-xp 00001000 fe:00 1234      /bin/true").backing_file
            '/bin/true'
        """
        fields = vmap.strip().split(maxsplit=_FIELDS - 1)
        if len(fields) < _FIELDS - 1 or len(fields[1]) != _PERMISSIONS:
            raise ValueError(f"not a line of a memory map: {vmap!r}")
        start, end = (int(address, 16) for address in fields[0].split("-"))
        path = fields[_FIELDS - 1] if len(fields) == _FIELDS else ""
        return MemoryMap(start, end, fields[1], end - start, int(fields[2], 16), path)

    def _content(self) -> tuple[int, int, str, int, int, str]:
        return self.start, self.end, self.permissions, self.size, self.offset, self.backing_file

    def _cells(self) -> list[str]:
        place = [f"{self.start:#x}", f"{self.end:#x}", self.permissions]
        return [*place, f"{self.size:#x}", f"{self.offset:#x}", self.backing_file]

    def _repr_html_(self) -> str:
        from libdebug._native import html_table

        names = ["start", "end", "permissions", "size", "offset", "backing_file"]
        return html_table([], [list(pair) for pair in zip(names, self._cells(), strict=True)])

    def __eq__(self, other: object) -> bool:
        """Say whether the other is a map with the same content."""
        if not isinstance(other, MemoryMap):
            return NotImplemented
        return self._content() == other._content()

    def __hash__(self) -> int:
        """Return the same for equal maps."""
        return hash(self._content())

    def __repr__(self) -> str:
        """Return all of it in one line."""
        return (
            f"MemoryMap(start={self.start:#x}, end={self.end:#x}, permissions={self.permissions}, "
            f"size={self.size:#x}, offset={self.offset:#x}, backing_file={self.backing_file})"
        )
