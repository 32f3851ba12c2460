# ruff: noqa: PYI021 - what is native has its documentation here
"""All symbols of a process, as the engine lists them, and where it looks for them."""

from os import PathLike
from typing import final

from libdebug._native import DebuggerCore
from libdebug.data.symbol import Symbol

__all__ = ["SymbolTable", "set_symbol_level", "set_symbol_servers", "symbol_in_maps", "symbol_table"]

@final
class SymbolTable:
    """All symbols of the files that the process had mapped."""

    def __len__(self) -> int: ...
    def all(self) -> list[Symbol]:
        """Return all of them, file by file."""

    def named(self, name: str) -> list[Symbol]:
        """Return those that a name means: as in the file, or demangled, with parameters or without."""

    def containing(self, text: str) -> list[Symbol]:
        """Return those whose name contains a text, demangled or not."""

    def covering(self, address: int) -> list[Symbol] | None:
        """Return those that cover a virtual address; None if no file is mapped there."""

def symbol_table(core: DebuggerCore) -> SymbolTable:
    """Return all symbols of the files that the process has mapped."""

def set_symbol_level(level: int) -> None:
    """Choose how far to go for symbols, from 0 to 5."""

def set_symbol_servers(urls: list[str], cache: str | PathLike[str]) -> None:
    """Choose which servers are asked for debug files, by URL, and the directory of their answers."""

def symbol_in_maps(address: int, maps: list[tuple[int, int, int, str]]) -> str:
    """Return what is at an address of a process with these maps (start, end, offset, file).

    It is `symbol+hexadecimal`, or the address in hexadecimal where no symbol is known.
    """
