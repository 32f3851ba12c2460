"""Talking to a program from Python."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

from libdebug import debugger
from libdebug.commlink.pipe_manager import PipeManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libdebug import Debugger

# Less than any time-out here, and more than what happens "at once" takes on a busy machine.
AT_ONCE = 1.0


@contextmanager
def talking(*argv: str, cont: bool = True, tty: bool = False) -> Iterator[tuple[Debugger, PipeManager]]:
    d = debugger(list(argv), follow_children=False)
    pipe = d.run(tty=tty)
    assert pipe is not None
    if cont:
        d.cont()
    try:
        yield d, pipe
    finally:
        d.terminate()
        pipe.close()


@contextmanager
def shell(script: str, *, cont: bool = True, tty: bool = False) -> Iterator[tuple[Debugger, PipeManager]]:
    with talking("/bin/sh", "-c", script, cont=cont, tty=tty) as pair:
        yield pair


@contextmanager
def at_once() -> Iterator[None]:
    before = time.monotonic()
    yield
    assert time.monotonic() - before < AT_ONCE


def test_recv_returns_what_has_arrived_without_waiting_for_more() -> None:
    with shell("printf abcdef; read end") as (_, pipe), at_once():
        assert pipe.recvn(2) == b"ab"
        assert pipe.recv(3, timeout=30) == b"cde"
        assert pipe.recv(timeout=30) == b"f"
        assert pipe.recv(timeout=0.01) == b""
        assert pipe.recv(0) == b""


def test_lines_and_delimiters() -> None:
    with shell("printf 'a::b::c\\none\\ntwo\\nthree\\n'; echo bad >&2; read end") as (_, pipe):
        assert pipe.recvuntil(b"::", occurences=2, drop=True) == b"ab"
        assert pipe.recvuntil(b"c", occurrences=1) == b"c"
        assert pipe.recvuntil(b"\n") == b"\n"
        assert pipe.recvline(2) == b"onetwo"
        assert pipe.recvline(drop=False) == b"three\n"
        assert pipe.recverruntil(b"a") == b"ba"
        assert pipe.recverrline() == b"d"


def test_sending_after_receiving() -> None:
    with shell("printf 'name? '; read a; printf 'more? ' >&2; read b; echo $a-$b; read end") as (_, pipe):
        assert pipe.sendlineafter(b"? ", b"x") == (b"name? ", 2)
        assert pipe.sendaftererr(b"? ", b"y") == (b"more? ", 1)
        assert pipe.sendline(b"z") == 2
        assert pipe.recvline() == b"x-yz"


@pytest.mark.parametrize("spelling", ["occurences", "occurrences"])
def test_counts_that_mean_nothing_are_refused(spelling: str) -> None:
    with shell("read end") as (_, pipe):
        for bad in (0, -1):
            with pytest.raises(ValueError, match="must be positive"):
                pipe.recvuntil(b"x", **{spelling: bad})
            with pytest.raises(ValueError, match="must be positive"):
                pipe.sendafter(b"x", b"y", **{spelling: bad})
        with pytest.raises(ValueError, match="must be positive"):
            pipe.recvline(0)
        with pytest.raises(ValueError, match="negative"):
            pipe.recv(-1)
        assert pipe.recvuntil(b"") == b""
        with pytest.raises(TypeError):
            pipe.send(12)  # type: ignore[arg-type]


def test_text_is_encoded_with_a_remark(caplog: pytest.LogCaptureFixture) -> None:
    with shell("read a; echo $a; read end") as (_, pipe):
        assert pipe.sendline("è") == 3  # type: ignore[arg-type]
        assert pipe.recvuntil("\n") == "è\n".encode()  # type: ignore[arg-type]
    assert caplog.text.count("WARNING") >= 2
    with shell("read a; echo $a; read end") as (_, pipe):
        pipe.send(memoryview(b"buf"))  # type: ignore[arg-type]
        pipe.sendline(bytearray(b"fer"))  # type: ignore[arg-type]
        assert pipe.recvline() == b"buffer"


def test_the_time_out_is_that_of_the_object_of_the_class_or_of_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with shell("printf part; read end") as (_, pipe):
        assert pipe.can_recv(timeout=10)
        assert PipeManager.timeout_default == 2
        for owner, seconds in ((PipeManager, 0.05), (pipe, 0.1)):
            monkeypatch.setattr(owner, "timeout_default", seconds)
            before = time.monotonic()
            with pytest.raises(TimeoutError, match=r"^Timeout reached"):
                pipe.recvline()
            assert seconds <= time.monotonic() - before < AT_ONCE
        with pytest.raises(TimeoutError):
            pipe.recvuntil(b"x", timeout=-1)
        with at_once(), pytest.raises(TimeoutError):
            pipe.recvline(timeout=0)
        assert pipe.recv() == b"part"


def test_a_stop_is_told_at_once_and_loses_nothing() -> None:
    with shell("printf part; read a; echo ial; read end") as (d, pipe):
        assert pipe.can_recv(timeout=30)
        d.interrupt()
        with at_once():
            with pytest.raises(RuntimeError, match="has stopped due to the following event"):
                pipe.recvline(timeout=30)
            assert pipe.recvline(timeout=30, optional=True) == b""
            assert pipe.sendlineafter(b"never", b"", timeout=30, optional=True) == (b"", 1)
        d.cont()
        assert pipe.recvline(timeout=30) == b"partial"


def test_at_a_breakpoint_the_output_before_it_is_received(program) -> None:  # noqa: ANN001
    with talking(program("echo"), cont=False) as (d, pipe):
        stop = d.breakpoint("answer")
        d.cont()
        pipe.sendline(b"one")
        d.wait()
        for _ in range(200):
            assert stop.hit_on(d)
            pipe.sendline(b"again")
            d.cont()
            assert pipe.recvline() in (b"echo: one", b"echo: again")
            with at_once(), pytest.raises(RuntimeError, match="has stopped"):
                pipe.recvline(timeout=30)


def test_what_the_dead_left_is_received_and_then_the_end() -> None:
    with shell("echo last; echo words >&2; printf tail") as (d, pipe):
        d.wait()
        assert d.dead
        assert (pipe.recvline(), pipe.recverrline()) == (b"last", b"words")
        with at_once():
            with pytest.raises(RuntimeError, match="Broken stdout pipe"):
                pipe.recvline(timeout=30)
            assert pipe.recv(timeout=30) == b"tail"
            for receive in (pipe.recv, pipe.recverr, pipe.recvline, pipe.recverrline):
                with pytest.raises(RuntimeError, match="Is the child process still alive"):
                    receive(timeout=30)
            with pytest.raises(RuntimeError, match="Is the child process still running"):
                pipe.send(b"x")


def test_more_than_the_kernel_keeps_does_not_stop_a_waited_for_program() -> None:
    with shell("i=0; while [ $i -lt 50000 ]; do echo $i; i=$((i+1)); done") as (d, pipe):
        d.wait(timeout=60)
        assert d.dead
        lines = pipe.recvall().split()
    assert lines == [b"%d" % number for number in range(50000)]


def test_kill_and_close_end_it() -> None:
    with shell("echo x; read end") as (d, pipe):
        assert pipe.can_recv(timeout=10)
        d.interrupt()
        d.kill()
        with pytest.raises(RuntimeError):
            pipe.recv()
        with pytest.raises(RuntimeError, match="No stdin pipe of the child process"):
            pipe.sendline(b"x")
        pipe.close()
        pipe.close()


def test_each_run_has_its_own_streams_and_leaves_no_descriptors() -> None:
    d = debugger(["/bin/sh", "-c", "echo $$; read end"])
    before: set[Path] | None = None
    for _ in range(5):
        pipe = d.run()
        assert pipe is not None
        d.cont()
        assert int(pipe.recvline()) == d.pid
        d.interrupt()
        open_now = set(Path("/proc/self/fd").iterdir())
        before = before or open_now
        assert len(open_now) == len(before)
    d.kill()
    d.terminate()
    del pipe
    gc.collect()


def test_sending_waits_for_room_and_a_full_pipe_of_a_stopped_program_is_an_error() -> None:
    data = bytes(range(256)) * 4096
    with talking("/bin/cat") as (_, pipe):
        received: list[bytes] = []
        reader = threading.Thread(target=lambda: received.append(pipe.recvn(len(data), timeout=60)))
        reader.start()
        assert pipe.send(data) == len(data)
        reader.join()
        assert received == [data]
    with shell("read end", cont=False) as (_, pipe), at_once():
        assert pipe.send(b"kept") == 4
        with pytest.raises(RuntimeError, match="the process is stopped"):
            pipe.send(data)


def test_a_host_that_dies_of_sigpipe_elsewhere_does_not_die_here() -> None:
    script = """
import signal
from libdebug import debugger
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
for _ in range(100):
    d = debugger("/bin/true")
    pipe = d.run()
    d.cont()
    try:
        while True:
            pipe.send(b"x")
    except RuntimeError as error:
        assert "Broken pipe" in str(error)
    d.terminate()
assert signal.SIGPIPE not in signal.sigpending()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_input_can_end_alone() -> None:
    with shell("wc -c; echo end") as (_, pipe):
        pipe.send(b"12345")
        pipe.close_stdin()
        assert pipe.recvline() == b"5"
        assert pipe.recvline() == b"end"
        with pytest.raises(RuntimeError, match="No stdin pipe"):
            pipe.send(b"x")


def test_bytes_can_be_put_back_and_thrown_away() -> None:
    with shell("echo abc; echo err >&2; read end") as (_, pipe):
        assert pipe.recvline() == b"abc"
        pipe.unrecv(b"xyz")
        assert pipe.clean() == b"xyz"
        assert pipe.clean() == b""
        assert not pipe.can_recv()
        assert pipe.can_recverr(timeout=10)
        assert pipe.cleanerr() == b"err\n"


@pytest.mark.parametrize("method", ["recv", "recvline", "recvall", "send"])
def test_ctrl_c_ends_a_wait_soon(method: str) -> None:
    pressed: list[float] = []
    seconds: list[float] = []

    def press() -> None:
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    with shell("while :; do :; done") as (d, pipe):
        arguments = [bytes(1 << 20)] if method == "send" else []
        for _ in range(7):
            timer = threading.Timer(0.02, press)
            with pytest.raises(KeyboardInterrupt):
                timer.start()
                getattr(pipe, method)(*arguments, timeout=None)
            seconds.append(time.monotonic() - pressed[-1])
            timer.join()
        d.interrupt()
        assert not d.running
    assert median(seconds) < 0.05


def test_another_thread_of_python_runs_meanwhile() -> None:
    with shell("read a; echo $a; read end") as (_, pipe):
        other = threading.Timer(0.05, lambda: pipe.sendline(b"from another thread"))
        other.start()
        assert pipe.recvline(timeout=30) == b"from another thread"
        other.join()


def test_in_a_callback_the_program_is_known_to_stand_still(program) -> None:  # noqa: ANN001
    answers: list[object] = []

    with talking(program("echo"), cont=False) as (d, pipe):

        def callback(_thread: object, _breakpoint: object) -> None:
            try:
                pipe.recvline(timeout=30)
            except RuntimeError as error:
                answers.append(str(error))
            answers.append(pipe.recv(timeout=30))

        d.breakpoint("answer", callback=callback)
        d.cont()
        with at_once():
            pipe.sendline(b"hello")
            assert pipe.recvline(timeout=30) == b"echo: hello"
    assert "has stopped" in str(answers[0])
    assert answers[1] == b""


def test_a_terminal_is_one_for_all_streams() -> None:
    with shell("[ -t 0 ] && tty <&1; echo err >&2; read a; echo got $a", tty=True) as (_, pipe):
        assert pipe.recvline(drop=False).startswith(b"/dev/pts/")
        assert pipe.recvline() == b"err\r"
        pipe.sendline(b"typed")
        assert pipe.recvuntil(b"got typed\r\n") == b"typed\r\ngot typed\r\n"
        with pytest.raises(RuntimeError, match="No stderr pipe"):
            pipe.recverr()


def test_after_detach_the_conversation_goes_on() -> None:
    with shell("read a; echo got $a; read b; echo got $b", cont=False) as (d, pipe):
        pid = d.pid
        d.detach()
        assert pipe.sendline(b"one") == 4
        assert pipe.recvline() == b"got one"
        pipe.sendline(b"two")
        assert pipe.recvall() == b"got two\n"
        with at_once(), pytest.raises(RuntimeError, match="Broken stdout pipe"):
            pipe.recvline(timeout=30)
        assert os.waitpid(pid, 0) == (pid, 0)
