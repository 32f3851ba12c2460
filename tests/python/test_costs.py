"""What a debugger costs its host: CPU, memory copied, threads, wake-ups, descriptors. Counted, not timed."""

from __future__ import annotations

import gc
import mmap
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import build
from face import at, debugging, running
from libdebug import _native, debugger

if TYPE_CHECKING:
    from collections.abc import Callable

    from libdebug import Debugger

# A host of its own, on a CPU other than its program's: what is charged to it is what it spent.
WAITING_HOST = """
import os, resource, sys
from libdebug import debugger
program, own, others = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
d = debugger([program, "60"])
d.run(redirect_pipes=False)
os.sched_setaffinity(d.pid, {others})
d.cont()
os.sched_setaffinity(0, {own})
def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
before = spent()
try:
    d.wait(timeout=5)
except TimeoutError as error:
    after = spent()
    assert f"thread {d.pid} is " in str(error), error
    print(d.running, after - before)
os._exit(0)
"""


def test_a_wait_of_five_seconds_costs_less_than_twenty_milliseconds() -> None:
    cpus = sorted(os.sched_getaffinity(0))
    hosts = {
        name: subprocess.Popen(
            [sys.executable, "-c", WAITING_HOST, build.program(name), str(cpus[0]), str(cpus[-1])],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("sleeper", "spinner")
    }
    answers = {name: host.communicate(timeout=60)[0].split() for name, host in hosts.items()}
    print(answers)
    assert {name: answer[0] for name, answer in answers.items()} == {"sleeper": "True", "spinner": "True"}
    assert all(float(seconds) < 0.020 for _, seconds in answers.values()), answers


# After a copy of the page tables, as fork makes one, each page is write-protected: the next write faults.
BIG_HOST = """
import mmap, os, resource, sys
from libdebug import debugger
SIZE = 1 << 30
block = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
block.madvise(mmap.MADV_NOHUGEPAGE)
words = bytes(SIZE // mmap.PAGESIZE)
def touched():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block[:: mmap.PAGESIZE] = words
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
first = touched()
d = debugger(sys.argv[1])
d.run()
started = touched()
d.run(tty=True)
again = touched()
d.kill()
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
forked = touched()
d.terminate()
print(first, started, again, forked)
"""


def test_starting_a_program_copies_nothing_of_a_big_host() -> None:
    command = [sys.executable, "-c", BIG_HOST, build.program("tiny")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    first, started, again, forked = map(int, done.stdout.split())
    pages = (1 << 30) // mmap.PAGESIZE
    assert min(first, forked) >= pages, "the host is as big as it says, and a copy would be seen"
    assert max(started, again) < pages // 1000, "and there was none"


def test_symbols_are_not_read_again_at_each_run() -> None:
    def faults(act: Callable[[], object]) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        act()
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    def rounds(d: Debugger) -> None:
        for _ in range(5):
            d.run(redirect_pipes=False)
            d.breakpoint("main", file="binary")

    with debugging("basic") as small, debugging("manysyms") as large:
        rounds(small), rounds(large)
        ours, theirs = faults(lambda: rounds(large)), faults(lambda: rounds(small))
    assert ours < 2 * theirs + 100, (ours, theirs)


def tasks() -> set[str]:
    """Return the threads of this process."""
    return {entry.name for entry in Path("/proc/self/task").iterdir()}


def naps(task: str) -> int:
    """Return how often a thread of this process has gone to sleep."""
    words = Path("/proc/self/task", task, "status").read_text().split()
    return int(words[words.index("voluntary_ctxt_switches:") + 1])


def test_one_thread_for_a_debugger_and_none_for_its_children() -> None:
    before = tasks()
    with debugging("forker", 1000, "fork", follow_children=False) as d:
        d.run()
        with running("sleeper"), running("threads", 8, 10):
            assert len(tasks() - before) <= 3
        during = tasks()
        d.cont()
        d.wait()
        assert (d.exit_code, tasks() - during) == (0, set())


def test_debuggers_that_nobody_ends_neither_spin_nor_grow() -> None:
    before = tasks()
    debuggers = [debugger(str(build.program("sleeper"))) for _ in range(20)]
    for d in debuggers:
        d.run(redirect_pipes=False)
        d.cont()
    own = tasks() - before
    assert len(own) <= len(debuggers)
    slept = {task: naps(task) for task in own}
    with running("basic") as d:
        for _ in range(3):
            d.step()
        with pytest.raises(TimeoutError):
            debuggers[0].wait(timeout=0.5)
    woken = {task: naps(task) - count for task, count in slept.items()}
    # The end of a start may still be on its way: a look around, not one every few milliseconds.
    assert max(woken.values()) < 10, woken
    while debuggers:
        debuggers.pop().terminate()


@pytest.mark.parametrize("what", ["register", "vector register", "memory", "written register"])
def test_looking_at_a_stopped_program_wakes_no_thread(what: str) -> None:
    before = tasks()
    with running("basic") as d:
        at(d, "counter_function")
        (tracer,) = tasks() - before
        address = d.regs.rip
        acts: dict[str, Callable[[], Any]] = {
            "register": lambda: d.regs.rip,
            "vector register": lambda: d.regs.xmm3,
            "memory": lambda: d.memory[address, 8, "absolute"],
            "written register": lambda: setattr(d.regs, "rbx", 1),
        }
        acts[what]()
        slept = naps(tracer)
        for _ in range(1000):
            acts[what]()
        assert naps(tracer) - slept < 10


def test_requests_in_a_callback_wake_no_other_thread() -> None:
    main, woken, calls = str(os.getpid()), [], []

    def on_hit(thread: Any, bp: Any) -> None:
        slept, made = naps(main), _native.tracer_syscalls()
        for _ in range(200):
            thread.regs.rip, thread.memory[bp.address, 4, "absolute"]
            thread.step()
        woken.append(naps(main) - slept)
        calls.append(_native.tracer_syscalls() - made)
        bp.disable()

    with running("basic") as d:
        d.breakpoint("counter_function", callback=on_hit, file="binary")
        d.cont()
        d.wait()
    # The main thread waits meanwhile, and lets nobody in between: two hops for each request would be 1,200.
    assert woken[0] < 100
    assert calls[0] < 200 * 8


@pytest.mark.parametrize("others", [0, 200])
@pytest.mark.parametrize("action", ["count", "call"])
def test_a_hit_costs_the_same_among_many_breakpoints(others: int, action: str) -> None:
    with running("insn", 1000, "push") as d:
        start = d.regs.rip
        for number in range(others):
            d.breakpoint(start + number, callback=True, file="absolute")
        callback = True if action == "count" else lambda thread, _: thread.regs.rip
        bp = d.breakpoint("fn_push", callback=callback, file="binary")
        before = _native.tracer_syscalls()
        d.cont()
        d.wait()
        assert bp.hit_count == 1000
        assert (_native.tracer_syscalls() - before) / 1000 < 4.3


def test_run_and_detach_give_all_descriptors_back() -> None:
    def count() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    with debugging("tiny") as d:
        for redirected in (True, False):
            counts = []
            for _ in range(20):
                d.run(redirect_pipes=redirected)
                pid = d.pid
                d.detach()
                os.waitpid(pid, 0)
                counts.append(count())
            assert counts == [counts[0]] * 20
