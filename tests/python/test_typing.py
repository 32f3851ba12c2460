"""The stubs say what mypy, at its strictest, needs to check a script that uses everything."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import upstream_api
from conftest import ROOT
from walk_api import members, public_classes

SCRIPT = ROOT / "tests" / "python" / "typed_script.py"

# What Python's own list and dictionary have is in their stubs.
OF_PYTHON = {"ArgumentList", "EnvDict", "SymbolList"}


def mypy(script: Path) -> subprocess.CompletedProcess[str]:
    """Check a script as users do, who have the package but not its sources in their project."""
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", script],
        env={**os.environ, "MYPYPATH": str(ROOT / "python")},
        cwd=script.parent,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_script_that_uses_everything_checks(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.read_text())
    done = mypy(script)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mistakes_are_found(tmp_path: Path) -> None:
    script = tmp_path / "wrong.py"
    script.write_text(
        "from libdebug import debugger\n"
        'd = debugger("program", asrl=True)\n'
        "d.breakpoint(1.5)\n"
        'd.regs.rax = "1"\n'
        "name: str = d.pid\n"
        "d.exit_code = 5\n"
    )
    done = mypy(script)
    lines = [line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line]
    assert lines == ["2", "3", "4", "5", "6"], done.stdout


def test_the_script_uses_everything() -> None:
    used = {
        name
        for node in ast.walk(ast.parse(SCRIPT.read_text()))
        for name in (getattr(node, "attr", None), getattr(node, "id", None), getattr(node, "value", None))
        if isinstance(name, str)
    }
    shown = {
        f"{path.rpartition('.')[2]}.{name}"
        for path, owner in public_classes().items()
        if path.rpartition(".")[0] in upstream_api.UPSTREAM and path.rpartition(".")[2] not in OF_PYTHON
        for name in members(owner)
        if name not in upstream_api.REGISTERS
    }
    assert sorted(name for name in shown if name.partition(".")[2] not in used) == []
