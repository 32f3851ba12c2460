"""Places in the source of a program."""

from __future__ import annotations

from typing import NamedTuple


class InlinedCall(NamedTuple):
    """A function whose code was put in place of a call of it."""

    #: The function.
    function: str
    #: The file of the call; None if it is not known.
    file: str | None
    #: The line of the call; None if it is not known.
    line: int | None


class SourceLine(NamedTuple):
    """Where an instruction comes from."""

    #: The source file, as the compiler was told.
    file: str
    #: The line, from 1.
    line: int
    #: The column, from 1; 0 when it is not known.
    column: int
    #: The function; of an inlined one, that one; None if it is not known.
    function: str | None
    #: The functions that were inlined there, the innermost first.
    inlined: list[InlinedCall]
