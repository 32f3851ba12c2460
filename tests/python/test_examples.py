"""Every example runs to its end and says what it found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

EXAMPLES = sorted((ROOT / "examples" / "python").glob("*.py"))

# What each must print, whatever the addresses of the day.
SAYS = {
    "demo.py": [
        "stopped at its entry point, rip = 0x",
        "said b'/'",
        "called malloc ",
        "hit 3, edi = 2",
        "message: b'the quick brown ",
        "answered b'echo: hello'",
        "complained b'err: !oh'",
        "exit code 7",
    ],
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example(example: Path) -> None:
    """It ends with status 0, without a word on standard error, and says what it should."""
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for words in SAYS[example.name]:
        assert words in done.stdout
