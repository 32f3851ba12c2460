"""Rows of stacks: looks at one, and long ways to a place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metering import Meter, ended, measured, require, started

if TYPE_CHECKING:
    from collections.abc import Callable

# Frames beside those of the recursion: f, main, and three of the C library and the program's start.
OTHERS = 5


def stopped_in_f(name: str, number: int) -> Any:
    """Return a debugger whose target stands at the first instruction of `f`."""
    d = started(name, number)
    bp = d.breakpoint("f", file="binary")
    d.cont()
    d.wait()
    bp.disable()
    return d


def backtraces(n: int) -> Meter:
    """The same stack of 16 frames again and again, in one stop."""
    meter, depth = Meter(events=n), 16 - OTHERS - 1
    d = stopped_in_f("stack", depth)
    thread = d.threads[0]
    with measured(meter):
        for _ in range(n):
            stack = thread.backtrace()
    require(len(stack), depth + 1 + OTHERS)
    ended(d)
    return meter


def long_way(calls: int) -> Meter:
    """From the entry point to `exit`, past that many calls, without a limit."""
    meter = Meter(events=1)
    d = started("loop", calls)
    with measured(meter):
        d.step_until("exit", file="libc")
    require(int(d.dead), 0)
    ended(d)
    return meter


ROWS: dict[str, tuple[int, Callable[[int], Meter]]] = {
    "T3-short": (1, lambda _: long_way(10)),
    "T3-long": (1, lambda _: long_way(100_000)),
    "Y3": (5_000, backtraces),
}
