"""What every row of the Python driver is made of: a target that is debugged, and a meter of the hot part."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOT_OFFERED = 64
TARGETS = Path(os.environ.get("BENCH_TARGETS", "."))


def target(name: str) -> str:
    """Return the path of a built target."""
    return str(TARGETS / name)


def tracer_syscalls() -> int | None:
    """Return the tracer's system calls so far, or None when the package does not count them."""
    counter = getattr(sys.modules.get("libdebug._native"), "tracer_syscalls", None)
    return counter() if counter else None


def cpu_seconds(who: int = resource.RUSAGE_SELF) -> float:
    """Return user plus system time, by default of this process without its children."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


@dataclass
class Meter:
    """What the hot part of a row costs; filled by `measured`."""

    events: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    syscalls: int | None = None

    def line(self, row: str) -> str:
        """Return the line of JSON that `run.py` reads."""
        per_event = None if self.syscalls is None or not self.events else self.syscalls / self.events
        measured = {"events": self.events, "wall_s": self.wall_s, "cpu_s": self.cpu_s}
        return json.dumps({"row": row, **measured, "syscalls_per_event": per_event})


@contextmanager
def measured(meter: Meter, who: int = resource.RUSAGE_SELF) -> Any:
    """Time what the block does, and nothing around it."""
    calls, cpu, wall = tracer_syscalls(), cpu_seconds(who), time.perf_counter()
    yield
    meter.wall_s = time.perf_counter() - wall
    meter.cpu_s = cpu_seconds(who) - cpu
    after = tracer_syscalls()
    meter.syscalls = None if after is None or calls is None else after - calls


def started(name: str, *arguments: object, **options: Any) -> Any:
    """Return a debugger stopped at the entry point of a target."""
    from libdebug import debugger

    d = debugger([target(name), *map(str, arguments)], **options)
    d.run()
    return d


def ended(d: Any) -> None:
    """Kill the target and let the debugger go."""
    d.kill()
    d.terminate()


def to_the_end(d: Any, meter: Meter) -> None:
    """Time the program from here to its end."""
    with measured(meter):
        d.cont()
        d.wait()


def require(seen: int, expected: int) -> None:
    """Refuse a figure that was reached by losing events."""
    if seen != expected:
        raise SystemExit(f"{seen} events seen, {expected} expected")
