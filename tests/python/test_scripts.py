"""Scripts as people write them for libdebug, unchanged, each against a program of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import build
from conftest import ROOT

SCRIPTS = ROOT / "tests" / "python" / "scripts"

# script -> program, and what is printed
RUNS: dict[str, tuple[str, list[str]]] = {
    "brute_force": ("ctf_flag", ["flag{d0n3!}"]),
    "patch_check": ("ctf_gate", ["given: 0", "Access granted.", "exit code: 0"]),
    "dump_memory": ("ctf_packed", ["b'Checksum dfd9175f, and nothing to see here.'", "flag{m0m3nt}"]),
    "fake_syscalls": ("ctf_dice", ["You win: flag{4ll_f4k3}"]),
    "escape_antidebug": ("ctf_shy", ["b'Debugger detected.'", "b'flag{sh00_g0_4w4y}'"]),
    "follow_forks": (
        "ctf_shards",
        [
            "child 0 exit code 7",
            "child 1 exit code 7",
            "child 2 exit code 6",
            "b'The children are silent.'",
            "flag{fork_and_f3cts}",
        ],
    ),
    "hijack_signals": ("ctf_bomb", ["b'Boom.'", "b'flag{d3fus3d}'", "b'flag{d3fus3d}'"]),
    "heap_pointers": ("ctf_chain", ["flag{l1k35_ln1k5}"]),
    "exploit": ("ctf_pwn", ["flag{0v3rwr1tt3n}"]),
    "asap": ("ctf_spin", ["b'Waiting for ever.'", "b'flag{4s4p}'", "b'Left with 42.'", "exit code: 0"]),
}


def test_every_script_is_run() -> None:
    assert {path.stem for path in SCRIPTS.glob("*.py")} == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_script(name: str, tmp_path: Path) -> None:
    program, expected = RUNS[name]
    (tmp_path / program).symlink_to(build.program(program))
    done = subprocess.run(
        [sys.executable, SCRIPTS / f"{name}.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected
