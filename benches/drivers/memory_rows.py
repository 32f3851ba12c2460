"""Rows about memory: reading much, reading often, searching."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

from metering import NOT_OFFERED, Meter, ended, measured, require, started

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
BLOCK = 64 * MIB
DENSE, SPARSE = 256 * MIB, 2048 * MIB


def stopped_with(name: str) -> tuple[Any, int]:
    """Return a debugger whose target has filled its memory, and the address of `block`."""
    d = started(name)
    d.breakpoint("ready", file="binary")
    d.cont()
    d.wait()
    return d, d.resolve_symbol("block", "binary")


def memory_whole(n: int) -> Meter:
    """64 MiB as new bytes."""
    meter = Meter(events=n)
    d, block = stopped_with("memory")
    require(len(d.memory[block, BLOCK]), BLOCK)
    with measured(meter):
        for _ in range(n):
            data = d.memory[block, BLOCK]
            del data
    ended(d)
    return meter


def memory_random(n: int) -> Meter:
    """Eight bytes at random places."""
    meter = Meter(events=n)
    d, block = stopped_with("memory")
    dice = random.Random(1)
    places = [block + dice.randrange(BLOCK // 8) * 8 for _ in range(n)]
    memory = d.memory
    with measured(meter):
        for place in places:
            data = memory[place, 8]
    require(int.from_bytes(data, "little"), places[-1] - block)
    ended(d)
    return meter


def memory_into(n: int) -> Meter:
    """64 MiB into the same buffer."""
    meter = Meter(events=n)
    d, block = stopped_with("memory")
    if not hasattr(d.memory, "read_into"):
        d.terminate()
        sys.exit(NOT_OFFERED)
    buffer = bytearray(BLOCK)
    d.memory.read_into(block, buffer)
    with measured(meter):
        for _ in range(n):
            d.memory.read_into(block, buffer)
    require(int.from_bytes(buffer[-8:], "little"), BLOCK - 8)
    ended(d)
    return meter


def memory_batch(n: int) -> Meter:
    """Eight bytes at random places, all asked for at once."""
    meter = Meter(events=n)
    d, block = stopped_with("memory")
    if not hasattr(d.memory, "read_many"):
        d.terminate()
        sys.exit(NOT_OFFERED)
    dice = random.Random(1)
    places = [(block + dice.randrange(BLOCK // 8) * 8, 8) for _ in range(n)]
    with measured(meter):
        data = d.memory.read_many(places)
    require(int.from_bytes(data[-1], "little"), places[-1][0] - block)
    ended(d)
    return meter


def search(name: str, size: int, n: int, events: int) -> Meter:
    """One text, in all of the target's memory."""
    meter = Meter(events=events)
    d, block = stopped_with(name)
    start = int.from_bytes(d.memory[block, 8], "little")
    with measured(meter):
        for _ in range(n):
            # The last byte is left out: the peer refuses an end that is exclusive.
            found = d.memory.find(b"needle in a haystack", start=start, end=start + size - 1)
    require(found[0] - start, size - 64)
    ended(d)
    return meter


ROWS: dict[str, tuple[int, Callable[[int], Meter]]] = {
    "M1": (5, memory_whole),
    "M1-into": (5, memory_into),
    "M2": (100_000, memory_random),
    "M2-batch": (100_000, memory_batch),
    "M3-dense": (2, lambda n: search("haystack", DENSE, n, n * (DENSE // BLOCK))),
    "M3-sparse": (10, lambda n: search("haystack-sparse", SPARSE, n, n)),
}
