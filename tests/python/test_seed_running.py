"""What the guide shows about running a program: the same calls with the same arguments, on fixtures."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from libdebug import debugger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from libdebug import Debugger


@pytest.fixture
def ended() -> Iterator[list[Debugger]]:
    """Give a list of debuggers that are ended after the test."""
    debuggers: list[Debugger] = []
    yield debuggers
    for d in debuggers:
        d.terminate()
    debuggers.clear()


def test_run_leaves_the_program_stopped_for_commands(
    program: Callable[[str], str], ended: list[Debugger]
) -> None:
    d = debugger(program("basic"))
    ended.append(d)
    d.run()
    assert not d.running
    assert not d.dead
    assert d.maps.filter(d.regs.rip) == [m for m in d.maps.filter("binary") if "x" in m.permissions]


def test_breakpoints_belong_to_one_run(program: Callable[[str], str], ended: list[Debugger]) -> None:
    d = debugger(program("basic"))
    ended.append(d)
    with pytest.raises(RuntimeError):
        d.breakpoint("main")
    d.run()
    d.breakpoint("main")
    d.run()
    d.cont()
    d.wait()
    assert d.dead


def test_the_output_comes_through_the_pipe(program: Callable[[str], str], ended: list[Debugger]) -> None:
    d = debugger(program("basic"))
    ended.append(d)
    pipe = d.run()
    assert pipe is not None
    d.cont()
    assert pipe.recvline().decode().startswith("basic: counter=45 ")
    d.wait()
    assert pipe.recverrline() == b"basic: to stderr"


def test_the_default_timeout_can_be_set(program: Callable[[str], str], ended: list[Debugger]) -> None:
    d = debugger(program("echo"))
    ended.append(d)
    pipe = d.run()
    assert pipe is not None
    assert pipe.timeout_default == 2
    pipe.timeout_default = 10
    assert pipe.timeout_default == 10
    pipe.timeout_default = 0.05
    d.cont()
    with pytest.raises(TimeoutError):
        pipe.recvline()


def test_every_method_of_the_pipe(program: Callable[[str], str], ended: list[Debugger]) -> None:
    d = debugger(program("echo"))
    ended.append(d)
    pipe = d.run()
    assert pipe is not None
    d.cont()
    assert pipe.send(b"one\n") == 4
    assert pipe.recv(numb=6, timeout=5) == b"echo: "
    assert pipe.recvuntil(delims=b"\n", occurrences=1, drop=True, timeout=5, optional=False) == b"one"
    pipe.sendline(b"two")
    assert pipe.recvline(numlines=1, drop=True, timeout=5, optional=False) == b"echo: two"
    pipe.sendline(b"!three")
    assert pipe.recverr(numb=5, timeout=5) == b"err: "
    assert pipe.recverruntil(delims=b"!", occurrences=1, drop=False, timeout=5, optional=False) == b"!"
    assert pipe.recverrline(numlines=1, drop=True, timeout=5, optional=False) == b"three"
    pipe.sendline(b"four")
    assert pipe.sendafter(
        delims=b"four\n", data=b"five\n", occurrences=1, drop=False, timeout=5, optional=False
    ) == (b"echo: four\n", 5)
    received, sent = pipe.sendlineafter(
        delims=b"five\n", data=b"quit", occurrences=1, drop=True, timeout=5, optional=False
    )
    assert (received, sent) == (b"echo: ", 5)
    d.wait()
    assert d.exit_code == 7
    pipe.close()


def test_receiving_while_the_process_is_stopped(program: Callable[[str], str], ended: list[Debugger]) -> None:
    d = debugger(program("echo"))
    ended.append(d)
    pipe = d.run()
    assert pipe is not None
    with pytest.raises(RuntimeError):
        pipe.recvline(optional=False)
    assert pipe.recvline(optional=True) == b""
    assert pipe.sendline(b"kept by the kernel") == 19
    d.cont()
    assert pipe.recvline() == b"echo: kept by the kernel"


def test_interactive_mode_has_the_documented_signature(
    program: Callable[[str], str], ended: list[Debugger]
) -> None:
    d = debugger(program("echo"))
    ended.append(d)
    pipe = d.run()
    assert pipe is not None
    parameters = inspect.signature(pipe.interactive).parameters
    assert list(parameters) == ["prompt", "auto_quit"]
    assert parameters["auto_quit"].default is False
    assert type(pipe).prompt_default == "$ "


def test_attach_stops_the_process(program: Callable[[str], str], ended: list[Debugger]) -> None:
    command = [program("blocked"), "read"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        d = debugger(program("basic"))
        ended.append(d)
        pid = process.pid
        d.attach(pid)
        assert (d.pid, d.running) == (pid, False)
        assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "t"
        d.detach()
        assert process.communicate(b"free\n")[0] == b"done free\n"


def test_without_redirection_the_program_has_our_streams(program: Callable[[str], str]) -> None:
    script = f"""if True:
        from libdebug import debugger
        d = debugger({program("echo")!r})
        assert d.run(redirect_pipes=False) is None
        d.cont()
        d.wait()
        d.terminate()
    """
    done = subprocess.run(
        [sys.executable, "-c", script], input="hello\n!oops\n", capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("echo: hello\n", "err: !oops\n")
