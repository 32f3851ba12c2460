"""From run or attach to the end: waits, time limits, Ctrl-C, forks, and the interpreter's end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import build
from face import WARNING, debugging, messages, running
from libdebug import debugger
from libdebug.debugger.internal_debugger_holder import _cleanup_internal_debugger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def started(name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Give a fixture that runs without a debugger and has said `ready`."""
    command = [str(build.program(name)), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def script(text: str) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter of its own."""
    program = str(build.program("sleeper"))
    lines = f"from libdebug import debugger\nimport os, sys, signal\nP = {program!r}\n{text}"
    return subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, timeout=60, check=False
    )


def is_gone(pid: int) -> bool:
    """Say whether a process ends within a moment: who kills it need not be who reaps it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state in "ZX":
            return True
        os.sched_yield()
    return False


def test_a_whole_life() -> None:
    with debugging("basic", 5) as d:
        assert (d.process_id, d.pid, d.thread_id, d.tid, d.threads, d.running) == (0, 0, 0, 0, [], False)
        d.run(redirect_pipes=False)
        assert d.signal == "SIGTRAP"
        assert d.process_id == d.pid == d.thread_id == d.threads[0].thread_id > 0
        assert (d.dead, d.running, d.zombie) == (False, False, False)
        assert Path(f"/proc/{d.pid}/comm").read_text() == "basic\n"
        d.cont()
        d.wait()
        assert (d.dead, d.running, d.exit_code) == (True, False, 5)
        d.wait()
        with pytest.raises(RuntimeError, match=r"All threads are dead\."):
            d.cont()
        d.kill()
        assert d.exit_code == 5
        with pytest.raises(RuntimeError, match="cannot kill"):
            d.kill()


def test_threads_are_the_same_objects_and_stay() -> None:
    with running("threads", 3, 1) as d:
        threads, main = d.threads, d.threads[0]
        d.breakpoint("hot", callback=True, file="binary")
        d.cont()
        d.wait()
        assert d.threads is threads
        assert threads[0] is main
        assert len(threads) == 4
        assert [thread.dead for thread in threads] == [True] * 4
        assert main.debugger is d
        assert (main.pid, main.process_id) == (d.pid, d.pid)


@pytest.mark.parametrize("number", [-1, 65, 1000])
def test_a_number_that_is_no_signal_is_refused_and_changes_nothing(number: int) -> None:
    with running("basic") as d:
        d.signal = "SIGWINCH"
        with pytest.raises(ValueError, match=f"no signal {number}"):
            d.signal = number
        assert d.signal == "SIGWINCH"
        d.signal = 0
        assert (d.signal, d.signal_number) == (None, 0)
        d.cont()
        d.wait()
        assert d.exit_code == 0


def test_exit_signal_and_code(caplog: Any) -> None:
    with running("crash", "segv") as d, caplog.at_level(WARNING, "libdebug"):
        d.cont()
        d.wait()
        assert (d.dead, d.exit_signal) == (True, "SIGSEGV")
        assert d.regs.rip > 0
        assert messages(caplog, WARNING) == []
        assert d.exit_code is None
        assert len([text for text in messages(caplog, WARNING) if "No exit code available." in text]) == 1
        d.run(redirect_pipes=False)
        d.kill()
        assert d.exit_signal == "SIGKILL"


def test_signals_that_are_assigned_are_delivered() -> None:
    with running("basic") as d:
        assert (d.signal, d.signal_number) == ("SIGTRAP", signal.SIGTRAP)
        d.signal = "SIGTERM"
        assert (d.signal, d.threads[0].signal_number) == ("SIGTERM", signal.SIGTERM)
        d.signal = 0
        assert (d.signal, d.signal_number) == (None, 0)
        with pytest.raises(ValueError, match=r"Signal SIGNONE not found\."):
            d.signal = "SIGNONE"
        d.cont()
        d.wait()
        assert d.exit_code == 0
        d.run(redirect_pipes=False)
        d.signal = signal.SIGTERM
        d.cont()
        d.wait()
        assert d.exit_signal == "SIGTERM"


def test_run_again_and_again() -> None:
    with debugging("basic") as d:
        pids = set()
        for _ in range(20):
            d.run(redirect_pipes=False)
            pids.add(d.pid)
        assert len(pids) == 20
        d.cont()
        d.wait()
        assert d.exit_code == 0


def test_the_first_instruction() -> None:
    with running("basic", continue_to_binary_entrypoint=False) as d:
        assert d.maps.filter(d.regs.rip)[0].backing_file.rpartition("/")[2].startswith("ld")
        assert d.maps.filter("libc.so") == []


def test_without_address_randomization() -> None:
    with running("basic", aslr=False) as one, running("basic", aslr=False) as two:
        assert one.maps.filter("binary") == two.maps.filter("binary")


@pytest.mark.parametrize("timeout", [0, -2, -0.5])
def test_time_limits_that_mean_nothing(timeout: float) -> None:
    with (
        debugging("basic") as d,
        pytest.raises(ValueError, match=r"Timeout must be a positive number or -1\."),
    ):
        d.run(timeout=timeout)


def test_the_program_is_killed_at_its_time_limit() -> None:
    with debugging("sleeper") as d:
        start = time.monotonic()
        d.run(timeout=0.2, redirect_pipes=False)
        d.cont()
        d.wait()
        assert (d.dead, d.exit_signal) == (True, "SIGKILL")
        assert 0.15 < time.monotonic() - start < 5
        d.run(timeout=30, redirect_pipes=False)
        d.kill()


def test_a_very_short_time_limit_is_remarked_on(caplog: Any) -> None:
    with debugging("sleeper") as d, caplog.at_level(WARNING, "libdebug"):
        d.run(timeout=0.01, redirect_pipes=False)
        assert len(messages(caplog, WARNING)) == 1


def test_a_callback_that_outlasts_the_limit_is_remarked_on(caplog: Any) -> None:
    warned = threading.Event()
    with debugging("basic") as d, caplog.at_level(WARNING, "libdebug"):
        d.run(timeout=0.2, redirect_pipes=False)

        def on_hit(*_: object) -> None:
            deadline = time.monotonic() + 20
            while not messages(caplog, WARNING) and time.monotonic() < deadline:
                warned.wait(0.01)

        d.breakpoint("main", callback=on_hit, file="binary")
        d.cont()
        d.wait()
        assert d.dead
        assert ["Asynchronous callbacks cannot be interrupted" in t for t in messages(caplog, WARNING)] == [
            True
        ]


def test_a_wait_can_be_limited() -> None:
    with running("sleeper") as d:
        d.cont()
        start = time.monotonic()
        with pytest.raises(TimeoutError, match=f"thread {d.pid} is ") as caught:
            d.wait(timeout=0.1)
        assert 0.1 <= time.monotonic() - start < 2
        assert "sleep" in str(caught.value)
        assert d.running
        d.interrupt()
        d.wait(timeout=10)
        assert not d.running
        for wrong in (-1, float("nan")):
            with pytest.raises(ValueError, match="timeout"):
                d.wait(timeout=wrong)
        d.wait(timeout=float("inf"))


def interrupted(act: Any) -> float:
    """Return how long after Ctrl-C an act was ended by it."""
    sent: list[float] = []

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.2, send)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            act()
        return time.monotonic() - sent[0]
    finally:
        timer.join()


@pytest.mark.parametrize("how", ["wait", "registers", "memory", "hit_on", "step"])
def test_ctrl_c_ends_every_wait_and_the_debugger_stays_usable(how: str) -> None:
    with running("sleeper") as d:
        bp = d.breakpoint("main", file="binary")
        d.cont()
        assert bp.hit_on(d)
        acts = {
            "wait": d.wait,
            "registers": lambda: d.regs.rip,
            "memory": lambda: d.memory["main", 1],
            "hit_on": lambda: bp.hit_on(d),
            "step": d.step,
        }
        d.cont()
        assert interrupted(acts[how]) < 0.05
        assert d.running
        d.interrupt()
        d.wait(timeout=10)
        assert not d.running
        assert d.regs.rip > 0
        d.kill()


def test_waits_of_other_threads_get_their_own_errors() -> None:
    errors: list[BaseException | None] = []

    def work() -> None:
        try:
            with running("basic") as d:
                d.breakpoint("main", callback=lambda *_: "".index("x"), file="binary")
                d.cont()
                d.wait()
        except RuntimeError as error:
            errors.append(error.__cause__)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert [type(error) for error in errors] == [ValueError]


def test_interrupt() -> None:
    with running("spinner") as d:
        d.cont()
        assert d.running
        d.interrupt()
        d.wait(timeout=10)
        assert not d.running
        d.interrupt()
        assert d.regs.rip > 0


def test_asap_mode_interrupts_instead_of_waiting() -> None:
    with running("sleeper", auto_interrupt_on_command=True) as d:
        d.cont()
        assert d.regs.rip > 0
        assert not d.running


@pytest.mark.parametrize("how", ["read", "pause", "nanosleep", "busy"])
def test_attach_and_detach(how: str) -> None:
    with started("blocked", how, "1000") as process:
        d = debugger()
        try:
            d.attach(process.pid)
            assert (d.pid, d.running, len(d.threads)) == (process.pid, False, 1)
            assert d.regs.rip > 0
            d.breakpoint("finish", callback=True, file="binary")
            d.detach()
            with pytest.raises(RuntimeError, match="cannot kill"):
                d.kill()
        finally:
            d.terminate()
        if how in ("pause", "busy"):
            process.send_signal(signal.SIGUSR1)
        out, _ = process.communicate(b"hello\n", timeout=30)
        assert out == {"read": b"done hello\n", "nanosleep": b"done slept\n"}.get(how, b"done signalled\n")


def test_attaching_to_nobody_is_an_error_at_once() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    d = debugger()
    try:
        with pytest.raises(ProcessLookupError):
            d.attach(process.pid)
        with pytest.raises(RuntimeError, match="No binary file specified"):
            d.run()
    finally:
        d.terminate()


def test_attaching_to_nobody_keeps_the_process_that_is_there() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with running("sleeper") as d:
        with pytest.raises(ProcessLookupError):
            d.attach(process.pid)
        assert not d.dead
        d.step()


def test_32_bit_programs_are_refused_and_unharmed(program: Callable[[str], str]) -> None:
    d = debugger(program("narrow"))
    with pytest.raises(ValueError, match="narrow is a 32-bit program: only 64-bit programs"):
        d.run()
    with subprocess.Popen([program("narrow")], stdin=subprocess.PIPE) as process:
        with pytest.raises(ValueError, match="is a 32-bit program"):
            d.attach(process.pid)
        process.communicate(b"\n", timeout=30)
    assert process.returncode == 3
    d.terminate()


def test_attaching_to_what_is_traced_already_is_explained() -> None:
    with running("sleeper") as d:
        other = debugger()
        try:
            with pytest.raises(PermissionError, match="already traced") as caught:
                other.attach(d.pid)
            assert caught.value.errno == 1
        finally:
            other.terminate()
        assert d.regs.rip > 0


def test_after_terminate_everything_says_so() -> None:
    with running("basic") as d:
        d.terminate()
        d.terminate()
        for act in (d.run, d.cont, d.kill, d.wait, d.detach, lambda: d.breakpoint("main")):
            with pytest.raises(RuntimeError):
                act()


def test_descriptors_do_not_leak_over_runs() -> None:
    with debugging("sleeper") as d:
        d.run()
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            d.run()
        assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "d.cont()",
        "sys.exit(3)",
        "raise ValueError",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "d.cont(); os.kill(os.getpid(), signal.SIGKILL)",
        "del d",
    ],
)
def test_no_process_is_left_behind(ending: str) -> None:
    done = script(f"d = debugger(P)\nd.run(redirect_pipes=False)\nprint(d.pid, flush=True)\n{ending}")
    assert is_gone(int(done.stdout))


@pytest.mark.parametrize("ending", ["d.cont()", "d.cont(); d.terminate()"])
def test_without_kill_on_exit_a_running_process_lives_on(ending: str) -> None:
    done = script(f"d = debugger(P, kill_on_exit=False)\nd.run()\nprint(d.pid, flush=True)\n{ending}")
    pid = int(done.stdout)
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        assert state in "RS"
    finally:
        os.kill(pid, signal.SIGKILL)
    assert done.stderr == ""


def test_the_cleanup_can_be_called_at_any_time() -> None:
    _cleanup_internal_debugger()
    with running("sleeper") as d:
        os.kill(d.pid, signal.SIGKILL)
        _cleanup_internal_debugger()
        _cleanup_internal_debugger()
        assert is_gone(d.pid)


def test_a_forked_child_harms_nobody_and_can_debug_by_itself() -> None:
    done = script("""
one = debugger(P)
one.run(redirect_pipes=False)
child = os.fork()
if child == 0:
    try:
        one.kill()
        os._exit(9)
    except RuntimeError:
        pass
    try:
        one.regs.rip
        one.cont()
        os._exit(8)
    except RuntimeError:
        pass
    one.terminate()
    two = debugger(["/bin/sh", "-c", "exit 4"])
    two.run(redirect_pipes=False)
    two.cont()
    two.wait()
    code = two.exit_code
    from libdebug.debugger.internal_debugger_holder import _cleanup_internal_debugger
    _cleanup_internal_debugger()
    os._exit(code)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(code, one.regs.rip > 0, one.dead)
one.kill()
one.terminate()
""")
    assert (done.stdout, done.stderr) == ("4 True False\n", "")


def test_children_of_the_host_are_left_alone() -> None:
    with running("basic") as d, subprocess.Popen(["sh", "-c", "exit 6"]) as child:
        d.cont()
        d.wait()
        assert child.wait(timeout=10) == 6
