"""Every example runs to its end and says what it found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

EXAMPLES = sorted((ROOT / "examples" / "python").glob("[!_]*.py"))

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
    "count_hits.py": ["the flag is flag{d0n3!}"],
    "diff_runs.py": [
        "rdi: 0x32 -> 0x5",
        "writers: 1 bytes, from 64 to 77 first",
        "[stack]",
        "(1 bytes in 1 parts)",
    ],
    "follow_server.py": [
        "child 1 is at serve: True, asked for one",
        "the child says served eno",
        "child 2 is at serve: True, asked for two",
        "the child says served owt",
        "the server ended with exit code 0",
    ],
    "leak_buffer.py": [
        "asks     Password?",
        "leaks    correct horse battery staple",
        "answers  Welcome.",
    ],
    "sandbox_report.py": [
        "files    /etc/passwd, /etc/hostname",
        "refused  fadvise64, 2 times",
        "exit_group 1",
        "ended    with exit code 0",
    ],
    "who_writes.py": [
        "deposit     100 -> 150",
        "withdraw    150 -> 120",
        "charge_fee  120 -> 119",
        "deposit     119 -> 124",
        "the program says balance=124",
        "written 4 times",
    ],
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example(example: Path) -> None:
    """It ends with status 0, without a word on standard error, and says what it should."""
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for words in SAYS[example.name]:
        assert words in done.stdout
