"""The command `libdebug` of the shell, carried out by the engine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from libdebug import _native


def main() -> None:
    """Run `libdebug` with the arguments of this process, and exit with its status."""
    _restore_locale()
    sys.exit(_native.command(sys.argv))


def _restore_locale() -> None:
    """Take out the variable that the interpreter has added to its environment in the C locale (PEP 538).

    The program to be run is to have the shell's environment.
    """
    try:
        variables = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return
    if not any(variable.startswith(b"LC_CTYPE=") for variable in variables):
        os.environ.pop("LC_CTYPE", None)


if __name__ == "__main__":
    main()
