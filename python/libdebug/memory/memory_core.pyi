# ruff: noqa: PYI021 - what is native has its documentation here
"""The engine's part of a view of memory."""

from collections.abc import Iterable
from typing import Any

from typing_extensions import Self, disjoint_base

from libdebug._native import DebuggerCore
from libdebug.snapshots.snapshot_core import SnapshotCore

__all__ = ["MemoryCore"]

@disjoint_base
class MemoryCore:
    """The memory of a process, by address, by symbol, and relative to files."""

    def __new__(cls, core: DebuggerCore | SnapshotCore) -> Self: ...
    def __getitem__(self, key: Any, /) -> bytes:
        """Return the bytes that the key names."""

    def __setitem__(self, key: Any, value: bytes, /) -> None:
        """Change the bytes that the key names. All of the value is written, whatever size the key says."""

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes from a virtual address on; OSError if not all of them are mapped."""

    def write(self, address: int, data: bytes) -> None:
        """Write from a virtual address on; OSError if not all of it is mapped."""

    def read_many(self, places: Iterable[tuple[int, int]]) -> list[bytes]:
        """Return the bytes of many places at once, each given by virtual address and size.

        Faster than one by one. OSError if one of them is not mapped.
        """

    def resolve_address(self, address: int, file: str, skip_absolute_address_validation: bool = False) -> int:
        """Return the virtual address that an address means, relative to a file as in the keys.

        An address with the file `absolute` must be mapped, unless that is to be skipped.
        """

    def resolve_symbol(self, symbol: str, file: str) -> int:
        """Return the virtual address of a symbol, which may be followed by `+` and a hexadecimal offset."""

    def find(
        self,
        value: int | bytes | bytearray | str,
        file: str = "all",
        start: int | None = None,
        end: int | None = None,
    ) -> list[int]:
        """Return the addresses at which a value lies, ascending; hits can overlap.

        What cannot be read is skipped. An integer is one byte, a text is meant in UTF-8. `start` and `end`,
        the first address behind, are relative to the file where they lie below its first map.
        """

    def find_pointers(
        self, where: int | str = "*", target: int | str = "*", step: int = 1
    ) -> list[tuple[int, int]]:
        """Return where pointers from some maps into others lie, and where they lead.

        The maps are given by a part of their file's name, or by an address in one of them; `"*"`, `"all"`,
        `"ALL"` and -1 stand for all. Pointers are looked for at every `step`th byte of each map.
        """

    def telescope(
        self, address: int, max_depth: int = 10, min_str_len: int = 3, max_str_len: int = 0x100
    ) -> list[int | str]:
        """Follow at most `max_depth` pointers from an address on; return it and what was found.

        The last value, if it is no address, is returned as the text that begins there when at least
        `min_str_len` letters do; -1 for never.
        """
