"""What all tests share: fixtures to debug, and a check that each test leaves the process as it found it."""

from __future__ import annotations

import gc
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]

# A thread that was joined, or a child that was killed and reaped, leaves the kernel's lists a moment later.
GRACE_SECONDS = 2.0


def pytest_configure() -> None:
    """Make Ctrl-C an exception also where a script's shell has started the tests in the background.

    Such a shell has SIGINT ignored, and Python leaves it so: tests of Ctrl-C would wait for ever. And have no
    test depend on what servers of debug information say, but those that start one.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["DEBUGINFOD_URLS"] = ""


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return a function from a fixture's name, such as `basic` or `basic-static`, to its path."""
    return lambda name: str(build.program(name))


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """Fail a test after which there are more children, threads or open files than before."""
    before = belongings()
    yield
    if left_since(before):
        # Whatever only objects keep that refer to each other, as a caught exception and its frame do.
        gc.collect()
    left = left_since(before)
    deadline = time.monotonic() + GRACE_SECONDS
    while left and time.monotonic() < deadline:
        os.sched_yield()
        left = left_since(before)
    assert not left, f"left behind by the test: {', '.join(sorted(left))}"


def left_since(before: set[str]) -> set[str]:
    """Return what the process has now and had not then."""
    return belongings() - before


def belongings() -> set[str]:
    """Return the children, threads and open files of this process, each as a readable word."""
    tasks = [Path(entry) for entry in Path("/proc/self/task").iterdir()]
    words = {f"thread {task.name} ({read(task / 'comm')})" for task in tasks}
    for task in tasks:
        words |= {
            f"child {pid} ({read(Path('/proc', pid, 'comm'))})" for pid in read(task / "children").split()
        }
    return words | {f"fd {fd} -> {target}" for fd, target in open_files()}


def open_files() -> Iterator[tuple[str, str]]:
    """Yield the open files of this process, without the one that the listing itself needs."""
    for link in list(Path("/proc/self/fd").iterdir()):
        with suppress(FileNotFoundError):
            yield link.name, str(link.readlink())


def read(path: Path) -> str:
    """Return the text of a file under /proc, or nothing if what it tells about has gone."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
