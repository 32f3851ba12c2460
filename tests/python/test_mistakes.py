"""Mistakes of the common kinds: each gets an answer that names the cause and a remedy."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from face import WARNING, messages
from libdebug import debugger

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_program_that_lies_here_is_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[[str], str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").symlink_to(program("basic"))
    with pytest.raises(FileNotFoundError, match=r"No such program in PATH: is ./mine meant\?"):
        debugger("mine")
    with pytest.raises(FileNotFoundError, match=r"arguments go into a list, \['.*mine', 'one', 'two'\]"):
        debugger("./mine one two")
    d = debugger(Path("mine"))
    d.run()
    assert list(d.argv) == ["./mine"]
    d.terminate()


@pytest.mark.parametrize("script", ["#!/no/such/interpreter\n", "#! /no/such/interpreter -x\necho\n"])
def test_an_interpreter_that_is_missing(script: str, tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text(script)
    path.chmod(0o755)
    d = debugger(str(path))
    with pytest.raises(
        FileNotFoundError, match="its interpreter /no/such/interpreter does not exist"
    ) as caught:
        d.run()
    assert caught.value.filename == str(path)
    assert str(caught.value).count(str(path)) == 1
    d.terminate()


def test_scripts_are_programs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\nexit 5\n")
    path.chmod(0o755)
    d = debugger(str(path))
    d.run()
    d.cont()
    d.wait()
    assert d.exit_code == 5
    d.terminate()
    assert "ERROR" not in capfd.readouterr().err


def test_a_directory_is_no_program(tmp_path: Path) -> None:
    d = debugger(str(tmp_path))
    with pytest.raises(PermissionError, match="it is a directory"):
        d.run()
    d.terminate()


@pytest.mark.parametrize(
    ("pid", "said"), [(os.getpid(), "a process cannot debug itself"), (2, "a thread of the kernel")]
)
def test_processes_that_cannot_be_debugged(pid: int, said: str) -> None:
    if pid == 2 and (os.getuid() or Path("/proc/2/maps").read_bytes() or not Path("/proc/2/comm").exists()):
        pytest.skip("process 2 is not a kernel thread here, or we may not look at it")
    d = debugger()
    with pytest.raises(PermissionError, match=said):
        d.attach(pid)
    d.terminate()


def test_a_callback_in_the_wrong_place(program: Callable[[str], str]) -> None:
    d = debugger(program("basic"))
    d.run()
    with pytest.raises(TypeError, match=re.escape("not function: is callback=... meant?")):
        d.breakpoint("main", lambda _thread, _bp: None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="hardware must be a bool, not str"):
        d.breakpoint("main", "hw")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="aslr must be a bool, not str"):
        d.aslr = "off"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="aslr must be a bool, not str"):
        debugger(program("basic"), aslr="no")  # type: ignore[arg-type]
    assert d.breakpoints == {}
    d.terminate()


def test_a_breakpoint_on_data_is_remarked_on(
    program: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    d = debugger(program("basic"))
    d.run()
    d.breakpoint("counter_function")
    assert messages(caplog, WARNING) == []
    d.breakpoint("counter")
    assert "counter is no code" in messages(caplog, WARNING)[0]
    assert "watchpoint" in messages(caplog, WARNING)[0]
    d.terminate()


def test_forgetting_cont(program: Callable[[str], str]) -> None:
    d = debugger(program("basic"))
    pipe = d.run()
    with pytest.raises(
        RuntimeError, match=r"stopped at its start, and nothing has let it go on since \(`cont`\)"
    ):
        pipe.recvline()
    d.terminate()


def test_a_receive_after_a_callback_failed_tells_its_exception(program: Callable[[str], str]) -> None:
    d = debugger(program("basic"))
    pipe = d.run()

    def fail(_thread: object, _bp: object) -> None:
        raise ZeroDivisionError("mine")

    d.breakpoint("counter_function", callback=fail)
    d.cont()
    with pytest.raises(RuntimeError, match="Receive until error") as caught:
        pipe.recvline()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(RuntimeError, match="Unhandled exception in breakpoint callback: mine"):
        d.wait()
    d.terminate()


def test_a_receive_that_takes_too_long_tells_what_the_program_does(program: Callable[[str], str]) -> None:
    d = debugger(program("echo"))
    pipe = d.run()
    d.cont()
    with pytest.raises(TimeoutError, match=r"Timeout reached: thread \d+ is "):
        pipe.recvuntil(b"never", timeout=0.1)
    d.interrupt()
    d.terminate()


def test_a_look_at_a_running_program_says_that_it_waits(program: Callable[[str], str]) -> None:
    """Once for each process, after a second: `kill()` and its kin wait for the next stop."""
    d = debugger(program("echo"))
    d.run()
    d.cont()
    told: list[str] = []

    def stop_it(record: logging.LogRecord) -> bool:
        told.append(record.getMessage())
        d.interrupt()
        return False

    logger = logging.getLogger("libdebug")
    logger.addFilter(stop_it)
    try:
        d.kill()
    finally:
        logger.removeFilter(stop_it)
    assert len(told) == 1
    assert re.search(r"Process \d+ runs, and this call waits for its next stop: thread \d+ is ", told[0])
    d.terminate()


def test_why_a_program_has_died_is_told(program: Callable[[str], str]) -> None:
    d = debugger(program("crash"))
    d.run()
    d.cont()
    d.wait()
    for look in (lambda: d.maps, lambda: d.memory["main", 4], lambda: d.breakpoint("main")):
        with pytest.raises(RuntimeError, match="killed by SIGSEGV: a catcher of SIGSEGV stops it before"):
            look()
    d.terminate()
