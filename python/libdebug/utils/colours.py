"""Colours, for whoever wants them."""

from __future__ import annotations

import os
import sys


def paint(text: str, code: int) -> str:
    """Return the text in a colour, by its number of ECMA-48 (SGR), if standard output shows colours.

    It does when it is a terminal, and the environment does not say `NO_COLOR` (https://no-color.org).

    Example:
        >>> paint("text", 31)  # doctest: +SKIP
        'text'
    """
    return f"\x1b[{code}m{text}\x1b[0m" if wanted() else text


def wanted() -> bool:
    """Say whether what is printed now is to be in colours."""
    return not os.environ.get("NO_COLOR") and sys.stdout.isatty()
