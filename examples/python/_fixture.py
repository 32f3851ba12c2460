"""Programs to debug: those of the test suite, built on demand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_BUILD = Path(__file__).parents[2] / "tests" / "fixtures" / "build.py"


def fixture(name: str) -> str:
    """Return the path of a program, whose source is `tests/fixtures/NAME.c`."""
    command = [sys.executable, str(_BUILD), name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
