"""A thousand debuggers, one after the other, leave nothing behind: no objects, files, threads or memory."""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from conftest import belongings
from libdebug import debugger

if TYPE_CHECKING:
    from collections.abc import Callable

CYCLES = 1000
MEBIBYTE = 1 << 20
#: What the interpreter's own caches may take, in all cycles together.
GROWTH = 3 * MEBIBYTE


def one_life(path: str) -> None:
    """Run a program to a callback, look at it, kill it, and end the debugger."""
    d = debugger(path)
    pipe = d.run()
    bp = d.breakpoint("main", callback=lambda thread, _: thread.regs.rip)
    handler = d.handle_syscall("write", on_enter=lambda thread, _: thread.memory[thread.regs.rsp, 8])
    d.cont()
    d.wait()
    assert bp.hit_count == 1
    assert handler.hit_count > 0
    assert d.threads[0].dead
    assert pipe is not None
    d.kill()
    d.terminate()


def objects() -> Counter[str]:
    """Return how many objects there are of each of the package's classes, and of all together."""
    gc.collect()
    found = gc.get_objects()
    kinds = Counter(type(one).__name__ for one in found if type(one).__module__.startswith("libdebug"))
    kinds["all"] = len(found)
    return kinds


def resident() -> int:
    """Return how much memory this process has, in bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])


def test_a_thousand_lives_leave_nothing(program: Callable[[str], str]) -> None:
    path = program("basic")
    # What is loaded and cached at first use is no growth.
    for _ in range(CYCLES // 20):
        one_life(path)
    before, had, memory = objects(), belongings(), resident()
    for _ in range(CYCLES):
        one_life(path)
    after = objects()
    grown = after - before
    # Python's own, of which this test makes some.
    assert grown.pop("all", 0) < 200
    assert grown == {}
    assert belongings() - had == set()
    assert resident() - memory < GROWTH


def runs_of_one_debugger(path: str, cycles: int) -> tuple[Counter[str], int]:
    """Run and kill a program again and again; return the growth of objects and of memory."""
    d = debugger(path)
    try:
        for _ in range(CYCLES // 20):
            d.run()
            d.kill()
        before, memory = objects(), resident()
        for _ in range(cycles):
            d.run()
            d.kill()
        return objects() - before, resident() - memory
    finally:
        d.terminate()


def test_runs_of_one_debugger_leave_nothing(program: Callable[[str], str]) -> None:
    had = belongings()
    grown, memory = runs_of_one_debugger(program("basic"), CYCLES)
    assert grown.pop("all", 0) < 200
    assert grown == {}
    assert memory < GROWTH
    gc.collect()
    assert belongings() - had == set()
