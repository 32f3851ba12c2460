"""The check after each test sees what a test may leave behind."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import build
from conftest import belongings, left_since


def test_an_open_file_is_seen(tmp_path: Path) -> None:
    before = belongings()
    with (tmp_path / "file").open("w"):
        assert [word.split(" -> ")[1] for word in left_since(before)] == [str(tmp_path / "file")]
    assert not left_since(before)


def test_a_child_is_seen_even_as_a_zombie() -> None:
    before = belongings()
    child = subprocess.Popen([build.program("tiny")], stdout=subprocess.DEVNULL)
    # Waits for the end without reaping, which is what a leak looks like.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert left_since(before) == {f"child {child.pid} (tiny)"}
    child.wait()
    assert not left_since(before)


def test_a_thread_is_seen() -> None:
    before, leave = belongings(), threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    assert [word.split()[0] for word in left_since(before)] == ["thread"]
    leave.set()
    thread.join()
