"""Callbacks and waits: Ctrl-C ends what waits for a callback, and no wait keeps one from beginning."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import build

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 60
PPOLL = "271"

SCRIPT = """if True:
    import signal, sys, threading, time
    from libdebug import debugger
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begun, go_on = threading.Event(), threading.Event()

    def spin(*_):
        begun.set()
        while not go_on.is_set():
            pass
        d.interrupt()

    def block(*_):
        begun.set()
        go_on.wait()
        d.interrupt()

    def sleep(*_):
        begun.set()
        time.sleep(1000)

    d = debugger({program!r}, kill_on_exit={kill_on_exit})
    d.run(redirect_pipes=False)
    d.breakpoint("main", callback={callback}, file="binary")
    d.cont()
    begun.wait()
    print("pid", d.pid, flush=True)
"""


@contextmanager
def interpreter(rest: str, callback: str, *, kill_on_exit: bool = True) -> Iterator[subprocess.Popen[str]]:
    """Give an interpreter whose debugger is in a callback that does not return."""
    script = SCRIPT.format(program=str(build.program("basic")), kill_on_exit=kill_on_exit, callback=callback)
    child = subprocess.Popen(
        [sys.executable, "-c", script + rest], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def pid_of_program(child: subprocess.Popen[str]) -> int:
    assert child.stdout is not None
    word, pid = child.stdout.readline().split()
    assert word == "pid"
    return int(pid)


def press_ctrl_c(child: subprocess.Popen[str]) -> None:
    """Interrupt the interpreter once its main thread is in a wait that can be interrupted."""
    call = Path(f"/proc/{child.pid}/task/{child.pid}/syscall")
    while call.read_text().split()[0] != PPOLL:
        os.sched_yield()
    child.send_signal(signal.SIGINT)


@pytest.mark.parametrize("callback", ["spin", "block"])
@pytest.mark.parametrize("name", ["kill", "terminate", "detach"])
def test_ctrl_c_ends_what_waits_for_a_callback(callback: str, name: str) -> None:
    rest = f"""
    try:
        d.{name}()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    go_on.set()
    bp = d.breakpoint("counter_function", file="binary")
    d.cont()
    d.wait()
    print(bp.hit_on(d), d.regs.rip == bp.address)
    d.{name}()
    # In one piece: the program that was let go may be printing too.
    sys.stdout.write("over\\n")
    """
    with interpreter(rest, callback) as child:
        pid_of_program(child)
        press_ctrl_c(child)
        output, _ = child.communicate(timeout=SECONDS)
        lines = [line for line in output.splitlines() if not line.startswith("basic:")]
        assert (lines, child.returncode) == (["interrupted", "True True", "over"], 0)


@pytest.mark.parametrize("callback", ["spin", "block", "sleep"])
def test_ctrl_c_lets_the_interpreter_end(callback: str) -> None:
    rest = """
    import atexit
    from libdebug.debugger import internal_debugger_holder
    # After the debuggers' own, which was registered before.
    atexit.unregister(internal_debugger_holder._cleanup_internal_debugger)
    atexit.register(print, "what was registered before runs", flush=True)
    atexit.register(internal_debugger_holder._cleanup_internal_debugger)
    """
    with interpreter(rest, callback) as child:
        pid = pid_of_program(child)
        press_ctrl_c(child)
        output, _ = child.communicate(timeout=SECONDS)
        assert (output, child.returncode) == ("what was registered before runs\n", 0)
        # Who ended with its tracer may not have been reaped yet.
        while is_alive(pid):
            os.sched_yield()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


LOOKING = """if True:
    import threading
    from libdebug import debugger

    d = debugger([{program!r}, "1", "{rounds}"])
    d.run(redirect_pipes=False)
    seen = []

    def on_hit(thread, bp):
        seen.append(thread.regs.rip == bp.address)
        thread.debugger.interrupt()

    stop = d.breakpoint("hot", callback=on_hit, file="binary")
    place = d.regs.rip
    over = threading.Event()

    def look():
        while not over.is_set():
            {look}

    # A second cont waits for the stop and goes on at once, while the other thread looks at that stop.
    looking = threading.Thread(target=look)
    looking.start()
    for _ in range({rounds}):
        d.cont()
    d.wait()
    over.set()
    looking.join()
    print(stop.hit_count, seen.count(True), d.dead)
    d.terminate()
"""


@pytest.mark.parametrize(
    "look", ["d.memory[place, 8]", "d.regs.rip", "stop.hit_on(d)", 'd.memory["hot", 1]', "d.wait()"]
)
def test_a_thread_that_looks_keeps_no_callback_of_another_from_running(look: str) -> None:
    rounds = 3000
    script = LOOKING.format(program=str(build.program("threads")), rounds=rounds, look=f"{look}")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.stdout.splitlines()[-1:], done.stderr) == ([f"{rounds} {rounds} False"], "")
