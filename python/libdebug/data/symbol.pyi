# ruff: noqa: PYI021 - what is native has its documentation here
"""Symbols."""

from typing import final

__all__ = ["Symbol", "demangle"]

@final
class Symbol:
    """One symbol of a file."""

    def __new__(
        cls,
        start: int,
        end: int,
        name: str,
        backing_file: str,
        reference_file: str | None = None,
        reference_build_id: str | None = None,
        is_external: bool = False,
    ) -> Symbol: ...
    @property
    def start(self) -> int:
        """Where it begins, relative to where its file is loaded; in a file of fixed place, its address."""

    @property
    def end(self) -> int:
        """The first address behind it, counted as `start` is."""

    @property
    def name(self) -> str:
        """Its name, demangled if it is one of C++ or Rust."""

    @property
    def linkage_name(self) -> str:
        """Its name as it stands in the file."""

    @property
    def backing_file(self) -> str:
        """The mapped file that it is in."""

    @property
    def reference_file(self) -> str:
        """The file that says so: the mapped one, or one of debug information."""

    @property
    def reference_build_id(self) -> str | None:
        """The build id of that file in hexadecimal; None without one."""

    @property
    def is_external(self) -> bool:
        """Whether the file that says so is not the mapped one."""

    def is_named(self, name: str) -> bool:
        """Whether a name means it: as it stands in the file, or demangled, with parameters or without."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[object, ...]: ...

def demangle(name: str) -> str | None:
    """Return a name as people write it; None if it is not mangled."""
