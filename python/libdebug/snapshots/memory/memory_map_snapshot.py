"""A memory map with its content."""

from __future__ import annotations

from libdebug.data.memory_map import MemoryMap

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.snapshots.snapshot_core import SnapshotCore


class MemoryMapSnapshot(MemoryMap):
    """A memory map as it was, with its content. It equals a plain map with the same fields.

    Example:
        >>> kept = MemoryMapSnapshot(0x1000, 0x1004, "rw-p", 4, 0, "[heap]", b"data")
        >>> kept == MemoryMap(0x1000, 0x1004, "rw-p", 4, 0, "[heap]"), kept.content
        (True, b'data')
    """

    __slots__ = ("_bytes", "_core", "_place")

    def __init__(
        self,
        start: int,
        end: int,
        permissions: str,
        size: int,
        offset: int,
        backing_file: str,
        content: bytes | None = None,
    ) -> None:
        """Hold what a line says, and the bytes that were there."""
        super().__init__(start, end, permissions, size, offset, backing_file)
        self._bytes = content
        self._core: SnapshotCore | None = None
        self._place = 0

    @classmethod
    def _of(cls, core: SnapshotCore, place: int, row: tuple[int, int, str, int, str]) -> MemoryMapSnapshot:
        start, end, permissions, offset, name = row
        made = cls(start, end, permissions, end - start, offset, name)
        made._core, made._place = core, place
        return made

    @property
    def content(self) -> bytes | None:
        """The bytes of the map, a new copy each time.

        None if the snapshot's level leaves them out, or not all of them could be read.
        """
        return self._bytes if self._core is None else self._core.content(self._place)

    def is_same_identity(self, other: MemoryMap) -> bool:
        """Say whether another map is this one at another moment: of its file, with its start or end."""
        if self.backing_file != other.backing_file and not (self._is_anonymous and _is_anonymous(other)):
            return False
        return self.start == other.start or self.end == other.end

    @property
    def _is_anonymous(self) -> bool:
        return _is_anonymous(self)

    def _has_same_content(self, other: MemoryMapSnapshot) -> bool:
        if self._core is not None and other._core is not None:
            return self._core.has_same_content(self._place, other._core, other._place)
        return self.content == other.content

    def __eq__(self, other: object) -> bool:
        """Say whether the other is a map with the same fields, and the same content if it has one."""
        if isinstance(other, MemoryMapSnapshot):
            return self._content() == other._content() and self._has_same_content(other)
        return super().__eq__(other)

    def __hash__(self) -> int:
        """Return the same for equal maps."""
        return super().__hash__()

    def __repr__(self) -> str:
        """Return all of it in one line, but for the content."""
        return super().__repr__().replace("MemoryMap", "MemoryMapSnapshot", 1)


def _is_anonymous(vmap: MemoryMap) -> bool:
    return vmap.backing_file == f"anon_{vmap.start:x}"
