"""Rows of what a program asks the kernel for: system calls, seen or injected, and children."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from metering import NOT_OFFERED, Meter, ended, measured, require, started, to_the_end

if TYPE_CHECKING:
    from collections.abc import Callable

RARE, GETPID = 1_000, 39
# The peer tells nobody of a child: its list is looked at this often.
LOOK_S = 1e-4


def is_peer() -> bool:
    """Say whether the package is the released libdebug, which has neither filters nor a wait for children."""
    import libdebug  # noqa: F401

    return "libdebug._native" not in sys.modules


def refuse_to_peer() -> None:
    """End where the peer has nothing to compare."""
    if is_peer():
        sys.exit(NOT_OFFERED)


def filter_option(mode: str) -> dict[str, Any]:
    """Return how the debugger is to tell handled calls from others, where it has a choice."""
    return {} if is_peer() else {"syscall_filter": mode}


def handled_calls(n: int, mode: str, *, every: int = 1, exits: bool = True, threads: int = 1) -> Meter:
    """N calls, every so many of them with a callback before it, and behind it too if `exits`."""
    meter, seen = Meter(events=n), [0, 0]

    def on_enter(thread: Any, _: Any) -> None:
        seen[0] += thread.syscall_number > 0

    def on_exit(thread: Any, _: Any) -> None:
        seen[1] += thread.syscall_return >= 0

    name = "calls" if threads == 1 else f"calls-{threads}"
    d = started(name, n, every, **filter_option(mode))
    d.handle_syscall("getuid", on_enter, on_exit if exits else None)
    to_the_end(d, meter)
    ended(d)
    rare = n // threads // every * threads
    require(seen[0], rare)
    require(seen[1], rare if exits else 0)
    return meter


def filtered_threads(n: int) -> Meter:
    """Rare calls of 64 threads; without a filter that is nothing but S2 again."""
    refuse_to_peer()
    return handled_calls(n, "seccomp", every=RARE, threads=64)


def counted_calls(n: int) -> Meter:
    """Calls that are counted and nothing else."""
    meter = Meter(events=n)
    d = started("calls", n, 1, **filter_option("seccomp"))
    handler = d.handle_syscall("getuid", on_enter=True)
    to_the_end(d, meter)
    ended(d)
    require(handler.hit_count, n)
    return meter


def invoked_calls(n: int) -> Meter:
    """A call that the stopped program is made to execute."""
    meter, answered = Meter(events=n), 0
    refuse_to_peer()
    d = started("loop", 1)
    number, pid = GETPID, d.pid
    with measured(meter):
        for _ in range(n):
            answered += d.invoke_syscall(number) == pid
    ended(d)
    require(answered, n)
    return meter


def next_child(d: Any, place: int) -> Any:
    """Return the next child as soon as it is there."""
    if not is_peer():
        return d.wait_child()
    while len(d.children) <= place:
        time.sleep(LOOK_S)
    return d.children[place]


def followed_children(n: int) -> Meter:
    """Children that get a debugger each, and are let go on at once."""
    meter = Meter(events=n)
    d = started("forks", n, follow_children=True)
    with measured(meter):
        d.cont()
        for place in range(n):
            next_child(d, place).cont()
        d.wait()
    require(len(d.children), n)
    ended(d)
    return meter


def free_children(n: int) -> Meter:
    """Children that are nobody's business."""
    meter = Meter(events=n)
    d = started("forks", n, follow_children=False)
    to_the_end(d, meter)
    require(len(d.children), 0)
    ended(d)
    return meter


ROWS: dict[str, tuple[int, Callable[[int], Meter]]] = {
    "S1": (1_000_000, lambda n: handled_calls(n, "seccomp", every=RARE)),
    "S1-64": (1_024_000, filtered_threads),
    "S2": (20_000, lambda n: handled_calls(n, "ptrace", every=RARE)),
    "S3-both": (20_000, lambda n: handled_calls(n, "seccomp")),
    "S3-enter": (20_000, lambda n: handled_calls(n, "seccomp", exits=False)),
    "S3-both-ptrace": (20_000, lambda n: handled_calls(n, "ptrace")),
    "S3-enter-ptrace": (20_000, lambda n: handled_calls(n, "ptrace", exits=False)),
    "S4": (20_000, counted_calls),
    "invoke": (20_000, invoked_calls),
    "P3-followed": (500, followed_children),
    "P3-free": (500, free_children),
}
