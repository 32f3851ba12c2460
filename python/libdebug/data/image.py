"""What a mapped file says of itself."""

from __future__ import annotations

from typing import NamedTuple


class Section(NamedTuple):
    """A named part of a file."""

    #: Its name, for example `.text`.
    name: str
    #: Its address in the process; 0 when it is not loaded.
    address: int
    #: Its size in bytes.
    size: int
    #: `r`, `w` and `x`, with `-` where absent; `---` when it is not loaded.
    permissions: str
    #: Where it is in the file.
    offset: int


class Segment(NamedTuple):
    """A part of a file that the loader maps."""

    #: Its address in the process.
    address: int
    #: Its size in memory in bytes.
    size: int
    #: `r`, `w` and `x`, with `-` where absent.
    permissions: str
    #: Where it is in the file.
    offset: int
    #: Its size in the file in bytes; the rest is zero.
    file_size: int


class Mitigations(NamedTuple):
    """What a file was built with that makes attacks harder."""

    #: The loader may place it anywhere.
    pie: bool
    #: What is read-only after relocation: `none`, `partial`, or `full`.
    relro: str
    #: Stack and data are not executable.
    nx: bool
    #: Functions look after a canary on the stack.
    canary: bool
    #: It allows that indirect branches are checked (Intel's IBT, Arm's BTI).
    ibt: bool
    #: It allows a shadow stack (on Arm: signed return addresses).
    shstk: bool
    #: There is no table of all symbols.
    stripped: bool


class Image(NamedTuple):
    """A mapped file."""

    #: Its path.
    path: str
    #: By how much addresses in the process are greater than in the file.
    base: int
    #: Where the program begins, in the process.
    entry: int
    #: The build id in hexadecimal; None without one.
    build_id: str | None
    #: Its sections; none when their headers were stripped.
    sections: list[Section]
    #: What is mapped.
    segments: list[Segment]
    #: What makes attacks harder.
    mitigations: Mitigations

    def section(self, name: str) -> Section:
        """Return the section of that name.

        Raises:
            KeyError: there is none.
        """
        for section in self.sections:
            if section.name == name:
                return section
        raise KeyError(f"Section '{name}' not found.")
