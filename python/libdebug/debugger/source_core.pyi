# ruff: noqa: PYI021 - what is native has its documentation here
"""The engine's part in source lines, variables and mapped files."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from libdebug._native import DebuggerCore, ThreadCore

__all__ = ["image_of", "line_addresses", "source_line", "variable", "variables"]

_Variable: TypeAlias = tuple[str, Literal["argument", "local", "global"], str, int | None, Any, bytes | None]
_Line: TypeAlias = tuple[str, int, int, str | None, list[tuple[str, str | None, int | None]]]

def source_line(core: DebuggerCore, address: int) -> _Line | None:
    """Return the source line of an address: file, line, column, function, functions inlined; or None."""

def line_addresses(core: DebuggerCore, file: str, line: int) -> list[int]:
    """Return the virtual addresses where the code of a source line begins."""

def variable(core: DebuggerCore, name: str, enumerator: Callable[[int, str | None], int]) -> _Variable:
    """Return a global variable: name, kind, type, address, value, and the text that it points to.

    Enumerators are made by `enumerator(value, name)`.
    """

def variables(thread: ThreadCore, enumerator: Callable[[int, str | None], int]) -> list[_Variable]:
    """Return arguments and local variables of the function that a thread is in, as `variable` does."""

def image_of(core: DebuggerCore, file: str) -> dict[str, Any]:
    """Return what a mapped file says of itself.

    It has path, load bias, entry, build id, sections (name, address, size, permissions, offset), segments
    (address, size, permissions, offset, size in the file), and mitigations.
    """
