"""What tests of several processes share: a driver for whole trees."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from libdebug import Debugger

LONG = 60


def tree(d: Debugger) -> Iterator[Debugger]:
    """Yield the debuggers of all descendants."""
    for child in d.children:
        yield child
        yield from tree(child)


def drive(d: Debugger, prepare: Callable[[Debugger], object] | None = None) -> None:
    """Let a process and all its descendants run to their ends, each as soon as it is there.

    Each in a thread of its own, as some wait for their siblings.

    Args:
        d: the debugger of a stopped process.
        prepare: called with each debugger before its process goes on.
    """
    failures: list[BaseException] = []

    def follow(one: Debugger) -> None:
        try:
            if prepare is not None and not one.dead:
                prepare(one)
            drive_one(one, follow)
        except BaseException as failure:
            failures.append(failure)

    follow(d)
    if failures:
        raise failures[0]


def drive_one(d: Debugger, follow: Callable[[Debugger], None]) -> None:
    """Let one process run to its end, and `follow` each child in a thread."""
    # A child that ends between vfork and exec is there when it is over.
    d.wait(timeout=LONG)
    threads = []
    if not d.dead:
        d.cont()
        while (child := d.wait_child(LONG)) is not None:
            threads.append(threading.Thread(target=follow, args=(child,)))
            threads[-1].start()
    for thread in threads:
        thread.join(LONG)
        assert not thread.is_alive(), "a child hangs"
    assert d.dead, f"stopped instead: {d}"
