"""The command `libdebug`, as tests run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).parent / "libdebug")
LONGEST = 100


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Return what the command made of these words."""
    return subprocess.run(
        [COMMAND, *words], capture_output=True, text=True, timeout=LONGEST, check=False, **options
    )


def count(
    tmp_path: Path, *words: str, **options: Any
) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    """Return the object of `libdebug count --json`, and how it ended."""
    output = tmp_path / "count.json"
    done = run("count", "--json", "-o", str(output), *words, **options)
    return json.loads(output.read_text()), done


def trace(
    tmp_path: Path, *words: str, **options: Any
) -> tuple[list[dict[str, Any]], subprocess.CompletedProcess[str]]:
    """Return the objects of `libdebug trace --json`, and how it ended."""
    output = tmp_path / "trace.json"
    done = run("trace", "--json", "-o", str(output), *words, **options)
    return [json.loads(line) for line in output.read_text().splitlines()], done
