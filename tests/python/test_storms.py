"""In the middle of everything: nothing that a script asks for is lost, and whoever waits is told."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from face import debugging, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from libdebug import Breakpoint, Debugger, ThreadContext

# Far less than a time-out of a receive here, and more than what happens "at once" takes on a busy machine.
AT_ONCE, LONG = 2.0, 30.0


def storm(d: Debugger) -> Breakpoint:
    """Let a callback be called as often as can be, and return once it has been called."""
    called = threading.Event()
    bp = d.breakpoint("hot", callback=lambda *_: called.set(), file="binary")
    d.cont()
    assert called.wait(LONG)
    return bp


@pytest.mark.parametrize("threads", [1, 4])
def test_no_interrupt_is_lost_among_callbacks(threads: int) -> None:
    with running("threads", threads, 10_000_000) as d:
        bp, hits = storm(d), [0]
        for _ in range(50):
            d.interrupt()
            d.wait(timeout=LONG)
            assert not d.running
            assert d.regs.rip > 0
            assert bp.hit_count >= hits[-1]
            hits.append(bp.hit_count)
            d.cont()
            while bp.hit_count == hits[-1]:
                os.sched_yield()


def test_a_request_interrupts_a_storm_of_callbacks_if_it_is_to() -> None:
    with running("threads", 1, 10_000_000, auto_interrupt_on_command=True) as d:
        storm(d)
        for _ in range(50):
            assert d.regs.rip > 0
            assert not d.running
            d.cont()


@pytest.mark.parametrize("end", ["kill", "terminate", "detach", "run"])
def test_every_end_comes_through_a_storm_of_callbacks(end: str) -> None:
    with running("threads", 2, 10_000_000, auto_interrupt_on_command=True) as d:
        storm(d)
        pid = d.pid
        thread = threading.Thread(target=getattr(d, end), daemon=True)
        thread.start()
        thread.join(LONG)
        assert not thread.is_alive(), f"{end} hangs"
        if end == "detach":
            assert "TracerPid:\t0" in Path(f"/proc/{pid}/status").read_text()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        else:
            assert not Path(f"/proc/{pid}").exists()


def test_after_an_exception_a_wait_returns_because_the_program_is_stopped() -> None:
    with running("threads", 1, 1000) as d:
        d.breakpoint("hot", callback=lambda *_: [].pop(), file="binary")
        d.cont()
        with pytest.raises(RuntimeError, match="pop from empty list"):
            d.wait(timeout=LONG)
        before = time.monotonic()
        for _ in range(3):
            d.wait(timeout=LONG)
        assert time.monotonic() - before < AT_ONCE
        assert not d.running
        assert d.regs.rip > 0


def test_a_callback_is_never_left_half_done() -> None:
    steps, lock = itertools.count(), threading.Lock()
    entered, left = [0], [0]

    def on_hit(*_: object) -> None:
        with lock:
            entered[0] += 1
            for _ in range(200):
                next(steps)
            left[0] += 1
        raise KeyError("after the work")

    work = 0
    with running("basic") as d:
        d.breakpoint("counter_function", callback=on_hit, file="binary")
        for count in range(1, 11):
            d.cont()
            # The exception comes out of a blocking call of the debugger, not of this loop.
            while d.running:
                with lock:
                    work += 1
                    assert entered == left
            with pytest.raises(RuntimeError, match="after the work"):
                d.wait(timeout=LONG)
            assert entered == left == [count]
            assert not lock.locked()


STOPS: dict[str, Callable[[Debugger], object]] = {
    "breakpoint": lambda d: d.breakpoint("answer", file="binary"),
    "hardware breakpoint": lambda d: d.breakpoint("answer", hardware=True, file="binary"),
    "interrupt in a callback": lambda d: d.breakpoint(
        "answer", callback=lambda thread, _: thread.debugger.interrupt(), file="binary"
    ),
    "exception in a callback": lambda d: d.breakpoint("answer", callback=lambda *_: 1 / 0, file="binary"),
}
# What cannot be answered is an error; what takes anything is content with nothing.
RECEIVES: dict[str, Callable[[Any], object]] = {
    "recvline": lambda pipe: pipe.recvline(timeout=LONG),
    "recvuntil": lambda pipe: pipe.recvuntil(b"never", timeout=LONG),
    "recv": lambda pipe: pipe.recv(timeout=LONG),
    "recverrline": lambda pipe: pipe.recverrline(timeout=LONG),
    "sendlineafter": lambda pipe: pipe.sendlineafter(b"never", b"", timeout=LONG),
    "recvall": lambda pipe: pipe.recvall(timeout=LONG),
}


@pytest.mark.parametrize("receive", RECEIVES)
@pytest.mark.parametrize("stop", STOPS)
def test_whoever_waits_for_output_is_told_of_the_stop_when_it_comes(stop: str, receive: str) -> None:
    with debugging("echo") as d:
        pipe = d.run()
        assert pipe is not None
        STOPS[stop](d)
        d.cont()
        # The wait is on its way when the program is given what leads it to the stop.
        later = threading.Timer(0.1, pipe.sendline, [b"text"])
        later.start()
        before = time.monotonic()
        if receive in ("recv", "recvall"):
            assert RECEIVES[receive](pipe) == b""
        else:
            with pytest.raises(RuntimeError, match="has stopped"):
                RECEIVES[receive](pipe)
        assert time.monotonic() - before < AT_ONCE
        later.join()
        assert not d.running
        if stop.startswith("exception"):
            with pytest.raises(RuntimeError, match="division by zero"):
                d.wait(timeout=LONG)
        pipe.close()


def life(name: str) -> Iterator[Any]:
    """Run a program, talk to it, and come by each kind of error; yield what is found on the way."""

    def on_hit(_: ThreadContext, bp: Breakpoint) -> None:
        if bp.hit_count == 2:
            raise LookupError("in the worker")

    with debugging(name) as d:
        pipe = d.run()
        assert pipe is not None
        d.breakpoint("answer", callback=on_hit, file="binary")
        d.cont()
        pipe.sendline(b"one")
        yield pipe.recvline()
        pipe.sendline(b"two")
        yield error_of(lambda: d.wait(timeout=LONG))
        d.cont()
        yield pipe.recvline()
        yield error_of(lambda: d.wait(timeout=0.05))
        yield error_of(lambda: pipe.recvline(timeout=0.05))
        pipe.close()


def error_of(act: Callable[[], object]) -> type[BaseException]:
    """Return the type of an act's error, or of what caused it."""
    with pytest.raises((RuntimeError, TimeoutError)) as caught:
        act()
    return type(caught.value.__cause__ or caught.value)


def test_a_worker_gets_its_own_answers_and_errors_while_the_main_thread_computes() -> None:
    found: list[Any] = []
    worker = threading.Thread(target=lambda: found.extend(life("echo")))
    worker.start()
    # An exception that were thrown in here would fail the test.
    while worker.is_alive():
        sum(range(1000))
    assert found[0] == b"echo: one"
    assert found[1] is LookupError
    assert found[2] == b"echo: two"
    assert [issubclass(kind, TimeoutError) for kind in found[3:]] == [True, True]


# As in the moment in which the main thread blocks all signals: another thread handles this one.
PRESSED_ELSEWHERE = """
import os, signal, sys, threading, time
from libdebug import debugger
d = debugger(sys.argv[1])
pipe = d.run()
d.cont()
leave = threading.Event()
other = threading.Thread(target=leave.wait, daemon=True)
other.start()
pressed = []
def press():
    pressed.append(time.monotonic())
    signal.pthread_kill(other.ident, signal.SIGINT)
threading.Timer(0.2, press).start()
try:
    try:
        d.wait(timeout=4) if sys.argv[2] == "wait" else pipe.recvline(timeout=4)
    except TimeoutError:
        pass
    signal.sigtimedwait([], 1)
except KeyboardInterrupt:
    print(time.monotonic() - pressed[0])
d.terminate()
os._exit(0)
"""


@pytest.mark.parametrize("how", ["wait", "recvline"])
def test_ctrl_c_ends_a_wait_whichever_thread_the_kernel_gives_it_to(
    how: str, program: Callable[[str], str]
) -> None:
    command = [sys.executable, "-c", PRESSED_ELSEWHERE, program("sleeper"), how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert float(done.stdout) < AT_ONCE


# Like an event loop, which is told of signals over the one descriptor that the interpreter has for that.
LISTENING = """
import signal, socket, sys, threading
from libdebug import debugger
outer, inner = (debugger(sys.argv[1]) for _ in range(2))
for d in (outer, inner):
    d.run(redirect_pipes=False)
    d.cont()
loop, rope = socket.socketpair()
for end in (loop, rope):
    end.setblocking(False)
def on_first(*_):
    # A wait in the middle of another debugger's.
    inner.interrupt()
    inner.wait()
    signal.pthread_kill(other.ident, signal.SIGUSR2)
def on_second(*_):
    outer.interrupt()
signal.signal(signal.SIGUSR1, on_first)
signal.signal(signal.SIGUSR2, on_second)
signal.set_wakeup_fd(rope.fileno())
leave = threading.Event()
other = threading.Thread(target=leave.wait)
other.start()
threading.Timer(0.1, signal.pthread_kill, (other.ident, signal.SIGUSR1)).start()
outer.wait(timeout=60)
leave.set()
print(signal.set_wakeup_fd(-1) == rope.fileno(), *sorted(loop.recv(100)))
for d in (outer, inner):
    d.terminate()
"""


def test_whoever_listens_to_signals_hears_those_of_a_wait(program: Callable[[str], str]) -> None:
    command = [sys.executable, "-c", LISTENING, program("sleeper")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", str(int(signal.SIGUSR1)), str(int(signal.SIGUSR2))]
    assert done.stderr == ""


def test_children_of_the_host_are_its_own_while_a_debugger_waits() -> None:
    with running("sleeper") as d:
        d.cont()
        children = [subprocess.Popen(["sh", "-c", f"exit {code}"]) for code in range(20)]
        for child in children:
            # Until it has ended, without reaping it: whoever reaps all children could have by then.
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert [child.wait(timeout=LONG) for child in children] == list(range(20))
        assert d.running
        d.interrupt()
        d.wait(timeout=LONG)


def test_a_wait_of_a_program_for_its_children_ends() -> None:
    with running("forker", 5, follow_children=False) as d:
        bp = d.breakpoint("child_code", callback=True, file="binary")
        d.cont()
        d.wait(timeout=LONG)
        assert (d.dead, d.exit_code, bp.hit_count) == (True, 0, 0)


def test_importing_changes_nothing_that_the_kernel_knows(tmp_path: Path) -> None:
    code = """if True:
        import os
        def known():
            lines = open("/proc/self/status").read().splitlines()
            kept = ("SigBlk", "SigIgn", "SigCgt", "Threads", "TracerPid", "Cpus_allowed")
            return [line for line in lines if line.split(":")[0] in kept], len(os.listdir("/proc/self/fd"))
        before = known()
        import libdebug
        assert known() == before, (before, known())
    """
    environment = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "-B", "-c", code]
    subprocess.run(command, env=environment | {"PATH": os.environ["PATH"]}, cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []
