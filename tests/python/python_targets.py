"""Python programs of every version, as targets of tests."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pythons import Interpreter

SCRIPTS = ROOT / "tests" / "fixtures" / "python"


@contextlib.contextmanager
def started(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a program, wait for its first line, which is kept in `first_line`, and kill it at the end."""
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", **options
    )
    try:
        assert child.stdout is not None
        child.first_line = child.stdout.readline()  # type: ignore[attr-defined]
        yield child
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def running(
    python: Interpreter, script: str, *arguments: str, **options: Any
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    """Start one of the scripts of `tests/fixtures/python`."""
    return started([python.path, str(SCRIPTS / script), *arguments], **options)


def let_end(child: subprocess.Popen[str]) -> int:
    """Give the program its line, and return its exit status."""
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()
    return child.wait(timeout=60)


def state_of(pid: int) -> str:
    """Return the letter of the process's state, as ps(1) shows it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def tracer_of(pid: int) -> int:
    """Return the tid of the process's tracer, 0 without one."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("TracerPid"))


def children_of(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    lists = (Path(f"/proc/{pid}/task/{tid}/children").read_text().split() for tid in tasks_of(pid))
    return [int(child) for children in lists for child in children]


def executable_of(pid: int) -> str:
    """Return the file that a process executes."""
    return str(Path(f"/proc/{pid}/exe").readlink())


def tasks_of(pid: int) -> set[int]:
    """Return the tids of a process's threads."""
    return {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}
