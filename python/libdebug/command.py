"""The command `libdebug` of the shell, carried out by the engine."""

from __future__ import annotations

import sys

from libdebug import _native


def main() -> None:
    """Run `libdebug` with the arguments of this process, and exit with its status."""
    sys.exit(_native.command(sys.argv))


if __name__ == "__main__":
    main()
