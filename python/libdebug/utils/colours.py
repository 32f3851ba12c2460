"""Colours of what is printed, where they are wanted."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from typing import TextIO

RESET, BOLD, DIM, UNDERLINE, STRIKE, UNSTRUCK = (
    "\x1b[0m",
    "\x1b[1m",
    "\x1b[2m",
    "\x1b[4m",
    "\x1b[9m",
    "\x1b[29m",
)
RED, GREEN, YELLOW, BLUE, BROWN, PLAIN = (
    "\x1b[91m",
    "\x1b[92m",
    "\x1b[93m",
    "\x1b[94m",
    "\x1b[33m",
    "\x1b[39m",
)


def are_wanted(stream: TextIO, *, in_memory: bool = False) -> bool:
    """Say whether what is printed to a stream should have colours: a terminal's should.

    Args:
        stream: where it is printed to.
        in_memory: what holds for a stream that is no file at all, such as `io.StringIO`.

    The environment decides first: no colours where `NO_COLOR` is set, colours where `FORCE_COLOR` is.

    Example:
        >>> import io
        >>> are_wanted(io.StringIO()), are_wanted(open(os.devnull))
        (False, False)
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return in_memory
    return os.isatty(descriptor)


def without(text: str) -> str:
    """Return a text without its colours.

    Example:
        >>> without(f"{RED}red{PLAIN} {BOLD}bold{RESET}")
        'red bold'
    """
    import re

    return re.sub(r"\x1b\[\d*m", "", text)


def show(text: str, *, end: str = "\n", flush: bool = False, in_memory: bool = False) -> None:
    """Print a text to `sys.stdout`: without its colours, unless they are wanted there."""
    if not are_wanted(sys.stdout, in_memory=in_memory):
        text = without(text)
    print(text, end=end, flush=flush)
