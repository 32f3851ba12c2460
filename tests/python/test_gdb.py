"""Processes that are moved to GDB and back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import build
from face import running
from libdebug import libcontext

if TYPE_CHECKING:
    from libdebug import Breakpoint, Debugger, ThreadContext

pytestmark = pytest.mark.skipif(shutil.which("gdb") is None, reason="GDB is not installed")


class Scripted:
    """GDB, with commands from a file instead of a terminal."""

    def __init__(self, directory: Path, *commands: str) -> None:
        self.said = directory / "said"
        script = directory / "terminal"
        typed = directory / "typed"
        typed.write_text("".join(command + "\n" for command in commands))
        script.write_text(f'#!/bin/sh\nexec "$@" < {typed} > {self.said} 2>&1\n')
        script.chmod(0o700)
        self.terminal = [str(script)]


def moved(d: Debugger, directory: Path, *commands: str) -> str:
    """Move a process to GDB, which executes commands, and back; return what GDB has said."""
    gdb = Scripted(directory, *commands)
    with libcontext.tmp(terminal=gdb.terminal):
        d.gdb()
    assert not d.is_in_gdb
    return gdb.said.read_text()


def test_a_process_goes_to_gdb_and_comes_back(tmp_path: Path) -> None:
    with running("basic") as d:
        bp = d.breakpoint("counter_function", file="binary")
        d.cont()
        d.wait()
        said = moved(d, tmp_path, "print/x $pc", "continue", "print/x $pc", "stepi", "goback")
        # Our breakpoint has stopped it in GDB, where it stood and once more.
        assert said.count(f"{bp.address:#x}") >= 2, said
        assert "Breakpoint 1" in said, said
        assert d.regs.rip != bp.address
        assert not bp.hit_on(d)
        assert d.memory[bp.address, 1] != b"\xcc"
        d.cont()
        d.wait()
        # The first hit was here and the second one in GDB, so this is the third call.
        assert (bp.hit_on(d), bp.hit_count) == (True, 2)
        for _ in range(8):
            d.cont()
        d.wait()
        assert (bp.hit_count, d.exit_code) == (9, 0)


def test_what_gdb_changes_is_there_afterwards(tmp_path: Path) -> None:
    with running("forker", 1, "fork", follow_children=False) as d:
        d.breakpoint("main", file="binary")
        d.cont()
        d.wait()
        stack = d.regs.rsp
        moved(d, tmp_path, "set $rbx = 0x1234", f"set *(char *){stack:#x} = 77", "quit")
        assert d.regs.rbx == 0x1234
        assert d.memory[stack] == b"M"


def test_breakpoints_of_every_kind_go_with_it(tmp_path: Path) -> None:
    with running("basic") as d:
        d.breakpoint("counter_function", file="binary")
        hardware = d.breakpoint("main", hardware=True, file="binary")
        watch = d.watchpoint(d.regs.rsp - 64 & ~7, condition="rw", length=8)
        d.breakpoint("exit", file="libc").disable()
        said = moved(d, tmp_path, "info breakpoints", "goback")
        listed = said[said.index("Num ") :]
        assert listed.count("keep y") == 3, said
        assert "hw breakpoint" in listed and "acc watchpoint" in listed, said
        assert (hardware.enabled, watch.enabled) == (True, True)
        said = moved_without(d, tmp_path)
        assert "No breakpoints" in said


def moved_without(d: Debugger, directory: Path) -> str:
    gdb = Scripted(directory, "info breakpoints", "goback")
    with libcontext.tmp(terminal=gdb.terminal):
        d.gdb(migrate_breakpoints=False)
    return gdb.said.read_text()


def test_meanwhile_nothing_is_to_be_had(tmp_path: Path) -> None:
    with running("basic") as d:
        with pytest.raises(RuntimeError, match=r"Process is not in GDB\."):
            d.wait_for_gdb()
        gdb = Scripted(tmp_path)
        # GDB waits for its commands until the test has opened and closed this.
        typed = tmp_path / "typed"
        typed.unlink()
        os.mkfifo(typed)
        with libcontext.tmp(terminal=gdb.terminal):
            event = d.gdb(blocking=False)
        assert d.is_in_gdb
        refused = (d.cont, d.wait, d.step, d.kill, d.gdb, lambda: d.regs.rip, lambda: d.memory[0, 1])
        for request in refused:
            with pytest.raises(RuntimeError, match=r"Cannot execute this command after migrating to GDB\."):
                request()
        typed.write_text("goback\n")
        event.join()
        with pytest.raises(RuntimeError, match="GdbResumeEvent already joined"):
            event.join()
        d.cont()
        d.wait()
        assert d.exit_code == 0


def test_callbacks_can_move_it(tmp_path: Path) -> None:
    with running("basic") as d:
        seen: list[int] = []

        def at(thread: ThreadContext, bp: Breakpoint) -> None:
            if bp.hit_count == 2:
                said = moved(d, tmp_path, "stepi", "goback")
                assert "counter_function" in said
                seen.append(thread.regs.rip - bp.address)

        bp = d.breakpoint("counter_function", callback=at, file="binary")
        d.cont()
        d.wait()
        assert (len(seen), bp.hit_count, d.exit_code) == (1, 10, 0)
        assert 0 < seen[0] < 16


def test_a_callback_that_does_not_wait_is_an_error(tmp_path: Path) -> None:
    with running("basic") as d:
        gdb = Scripted(tmp_path, "goback")

        def at(_: ThreadContext, __: Breakpoint) -> None:
            with libcontext.tmp(terminal=gdb.terminal):
                d.gdb(blocking=False)

        d.breakpoint("counter_function", callback=at, file="binary")
        d.cont()
        left = "still in GDB at the end of the callback"
        # Which of the two this wait meets depends on whether it begins before the callback does.
        with pytest.raises(RuntimeError, match=f"{left}|after migrating to GDB") as met:
            d.wait()
        d.wait_for_gdb()
        if left not in str(met.value):
            with pytest.raises(RuntimeError, match=left):
                d.wait()
        assert not d.running
        d.kill()


def test_a_program_that_ends_in_gdb_is_dead(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running("basic") as d:
        moved(d, tmp_path, "kill", "quit")
        assert d.dead and d.exit_signal == "SIGKILL"
        with pytest.raises(RuntimeError):
            d.cont()
    assert "ended in GDB" in caplog.text


def test_a_terminal_that_does_not_open_is_an_error() -> None:
    with running("basic") as d:
        for terminal in (["/nonexistent/terminal"], ["false"]):
            with (
                libcontext.tmp(terminal=terminal),
                pytest.raises(RuntimeError, match=r"Failed to open GDB in terminal\."),
            ):
                d.gdb()
            assert not d.is_in_gdb
        d.cont()
        d.wait()
        assert d.exit_code == 0


def test_ctrl_c_still_raises_afterwards(tmp_path: Path) -> None:
    with running("sleeper") as d:
        moved(d, tmp_path, "goback")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        d.kill()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_it_opens_in_tmux_and_comes_back(tmp_path: Path) -> None:
    """A breakpoint is hit on each side, in a real terminal."""
    program = tmp_path / "script.py"
    done = tmp_path / "done"
    program.write_text(_IN_TMUX.format(program=str(build.program("basic")), done=str(done)))
    tmux = ["tmux", "-L", f"libdebug-{os.getpid()}"]
    try:
        command = f"{sys.executable} {program} 2> {tmp_path}/errors"
        subprocess.run([*tmux, "new-session", "-d", "-x", "200", "-y", "50", command], check=True)
        deadline = time.monotonic() + 60
        typed = False
        while not done.exists():
            shown = subprocess.run(
                [*tmux, "capture-pane", "-p", "-t", "0.1"], capture_output=True, text=True, check=False
            ).stdout
            assert time.monotonic() < deadline, shown
            if not typed and "gives it back to libdebug" in shown:
                keys = ["continue", "Enter", "goback", "Enter"]
                # With the script, the last window may close, and tmux with it, before this is answered.
                subprocess.run([*tmux, "send-keys", "-t", "0.1", *keys], check=False)
                typed = True
        assert done.read_text() == "2 True 0"
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


_IN_TMUX = """
from libdebug import debugger
d = debugger({program!r})
d.run()
bp = d.breakpoint("counter_function", file="binary")
d.cont()
d.wait()
d.gdb()
at = d.regs.rip == bp.address
d.cont()
d.wait()
hits = bp.hit_count
bp.disable()
d.cont()
d.wait()
open({done!r}, "w").write(f"{{hits}} {{at}} {{d.exit_code}}")
"""
