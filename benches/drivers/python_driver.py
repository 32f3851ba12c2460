"""python_driver.py ROW [N]: one row of the table through the Python API of `libdebug`.

The same program times this project's package and the released libdebug, whichever the interpreter that runs
it has installed. It prints one line of JSON and ends with status 64 for a row that it does not offer.
"""

from __future__ import annotations

import mmap
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import command_rows
import event_rows
import live_rows
import memory_rows
import stack_rows
import symbol_rows
from metering import NOT_OFFERED, Meter, ended, measured, require, started, target, to_the_end

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
# f begins with `push %rbp` (1 byte) and `mov %rsp,%rbp` (3 bytes): no instruction begins at f + 2
INSIDE_AN_INSTRUCTION = 2


def pin_if_asked() -> None:
    """Share one CPU with the target when the caller wants to see what that alone changes."""
    if cpu := os.environ.get("BENCH_PIN"):
        os.sched_setaffinity(0, {int(cpu)})


def breakpoint_callback(name: str, n: int, *, hardware: bool = False, others: int = 0) -> Meter:
    """A callback that reads one register at each hit."""
    meter, hits = Meter(events=n), 0

    def on_hit(thread: Any, _: Any) -> None:
        nonlocal hits
        hits += thread.regs.rip != 0

    d = started(name, n)
    set_others(d, others)
    d.breakpoint("f", hardware=hardware, callback=on_hit, file="binary")
    to_the_end(d, meter)
    ended(d)
    require(hits, n)
    return meter


def set_others(d: Any, count: int) -> None:
    """Set breakpoints that are never hit."""
    if not count:
        return
    first = d.resolve_symbol("s000000", "binary")
    for index in range(count):
        d.breakpoint(first + 16 * index, callback=True, file="absolute")


def breakpoint_count(name: str, n: int, *, others: int = 0) -> Meter:
    """Hits that are counted and nothing else."""
    meter = Meter(events=n)
    d = started(name, n)
    set_others(d, others)
    bp = d.breakpoint("f", callback=True, file="binary")
    to_the_end(d, meter)
    ended(d)
    require(bp.hit_count, n)
    return meter


def breakpoint_synchronous(n: int) -> Meter:
    """Continue, wait, read the program counter."""
    meter = Meter(events=n)
    d = started("loop", n + 1)
    bp = d.breakpoint("f", file="binary")
    with measured(meter):
        for _ in range(n):
            d.cont()
            d.wait()
            d.regs.rip  # noqa: B018
    require(bp.hit_count, n)
    ended(d)
    return meter


def threads_on_one(threads: int, n: int, *, counting: bool) -> Meter:
    """One breakpoint that many threads run through."""
    hits = 0

    def on_hit(thread: Any, _: Any) -> None:
        nonlocal hits
        hits += thread.regs.rip != 0

    meter = Meter(events=n // threads * threads)
    d = started("threads", threads, n // threads)
    bp = d.breakpoint("f", callback=True if counting else on_hit, file="binary")
    to_the_end(d, meter)
    ended(d)
    require(bp.hit_count if counting else hits, meter.events)
    return meter


def register_reads(name: str, n: int) -> Meter:
    """One register, many times, in one stop, the loop's own cost included."""
    meter = Meter(events=n)
    d = started("loop", 1)
    thread = d.threads[0]
    read = compile(f"for _ in range(n): thread.regs.{name}", "read", "exec")
    with measured(meter):
        exec(read, {"n": n, "thread": thread})
    ended(d)
    return meter


def stepping(n: int) -> Meter:
    """One instruction at a time."""
    meter = Meter(events=n)
    d = started("loop", n)
    with measured(meter):
        for _ in range(n):
            d.step()
    ended(d)
    return meter


def stepping_until(n: int) -> Meter:
    """Steps towards an address that is not reached, up to a limit."""
    meter = Meter(events=n)
    d = started("loop", n)
    never = d.resolve_symbol("f", "binary") + INSIDE_AN_INSTRUCTION
    with measured(meter):
        d.step_until(never, max_steps=n, file="absolute")
    require(int(d.regs.rip == never or d.dead), 0)
    ended(d)
    return meter


def grown(size: int) -> mmap.mmap:
    """Return resident memory in pages of 4 KiB, as a grown heap has it."""
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    block.madvise(mmap.MADV_NOHUGEPAGE)
    block[:: mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)
    return block


def start_and_kill(name: str, n: int, host: int = 40 * MIB) -> Meter:
    """Run to the entry point and kill."""
    from libdebug import debugger

    block, meter = grown(host), Meter(events=n)
    d = debugger(target(name))
    with measured(meter):
        for _ in range(n):
            d.run()
            d.kill()
    d.terminate()
    block.close()
    return meter


def attach_and_detach(n: int) -> Meter:
    """All 201 threads of a running program."""
    from libdebug import debugger

    meter = Meter(events=n)
    with subprocess.Popen([target("idle"), "200"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as idle:
        assert idle.stdout and idle.stdout.readline() == b"ready\n"
        d = debugger(target("idle"))
        with measured(meter):
            for _ in range(n):
                d.attach(idle.pid)
                d.detach()
        d.terminate()
        idle.kill()
    return meter


def waiting(n: int) -> Meter:
    """What the debugger burns while the program sleeps for N milliseconds."""
    meter = Meter(events=1)
    d = started("rest", n)
    to_the_end(d, meter)
    ended(d)
    return meter


def interpreter(code: str, n: int) -> Meter:
    """A whole interpreter that runs `code`. Its CPU time is that of the children."""
    meter = Meter(events=n)
    command = [sys.executable, "-c", code]
    with measured(meter, resource.RUSAGE_CHILDREN):
        for _ in range(n):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    meter.syscalls = None
    return meter


def hello() -> str:
    """Return the first script that anybody writes."""
    run = f"d = debugger({target('small')!r}); d.run(); d.cont(); d.wait(); d.kill(); d.terminate()"
    return f"from libdebug import debugger; {run}"


def first_symbol() -> Meter:
    """The first breakpoint by symbol in a compiler; symbols come from its file, never from a network."""
    from libdebug import debugger, libcontext

    libcontext.sym_lvl = 1
    meter = Meter(events=1)
    d = debugger(os.environ["BENCH_CC1"])
    d.run()
    with measured(meter):
        d.breakpoint(os.environ["BENCH_CC1_SYMBOL"], file="binary")
    ended(d)
    return meter


ROWS: dict[str, tuple[int, Callable[[int], Meter]]] = {
    "B1": (20_000, lambda n: breakpoint_callback("loop", n)),
    "B1-long": (20_000, lambda n: breakpoint_callback("loop-long", n)),
    "B1-10000": (20_000, lambda n: breakpoint_callback("symbols", n, others=10_000)),
    "B2-count": (20_000, lambda n: breakpoint_count("loop", n)),
    "B2-10000": (20_000, lambda n: breakpoint_count("symbols", n, others=10_000)),
    "B3": (20_000, breakpoint_synchronous),
    "B4": (20_000, lambda n: breakpoint_callback("loop", n, hardware=True)),
    "B5-8-call": (8_000, lambda n: threads_on_one(8, n, counting=False)),
    "B5-64-call": (6_400, lambda n: threads_on_one(64, n, counting=False)),
    "B5-8-count": (8_000, lambda n: threads_on_one(8, n, counting=True)),
    "B5-64-count": (6_400, lambda n: threads_on_one(64, n, counting=True)),
    "R1-rip": (500_000, lambda n: register_reads("rip", n)),
    "R1-xmm0": (500_000, lambda n: register_reads("xmm0", n)),
    "T1": (10_000, stepping),
    "T2": (10_000, stepping_until),
    "P1-40M": (100, lambda n: start_and_kill("small", n)),
    "P1-4G": (100, lambda n: start_and_kill("small", n, 4096 * MIB)),
    "P1-symbols": (100, lambda n: start_and_kill("symbols", n)),
    "P2": (10, attach_and_detach),
    "C1": (2_000, waiting),
    "C2-import": (10, lambda n: interpreter("import libdebug", n)),
    "C2-hello": (10, lambda n: interpreter(hello(), n)),
    "Y1": (1, lambda _: first_symbol()),
    **command_rows.ROWS,
    **event_rows.ROWS,
    **live_rows.ROWS,
    **stack_rows.ROWS,
    **memory_rows.ROWS,
    **symbol_rows.ROWS,
}


def main() -> int:
    """Run the row that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] not in ROWS:
        return NOT_OFFERED
    default, work = ROWS[sys.argv[1]]
    pin_if_asked()
    meter = work(int(sys.argv[2]) if len(sys.argv) > 2 else default)
    print(meter.line(sys.argv[1]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
