"""Rows of the command `libdebug`: instructions counted, system calls traced; GDB's steps beside them."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from metering import NOT_OFFERED, Meter, measured, require, target

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = Path(sys.executable).parent / "libdebug"
RARE = 1_000


def offered() -> None:
    """End where the package brings no such command."""
    if not COMMAND.exists():
        sys.exit(NOT_OFFERED)


def counted(n: int) -> Meter:
    """N instructions of a program; the time is that from its start to its end."""
    offered()
    meter = Meter(events=n)
    with tempfile.NamedTemporaryFile("r") as result:
        words = [COMMAND, "count", "--json", "--limit", str(n), "-o", result.name]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*words, "--", target("loop"), "1000000000"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = json.load(result)
    require(found["instructions"], n)
    meter.wall_s = found["seconds"]
    meter.cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return meter


def stepped_by_gdb(n: int) -> Meter:
    """N instructions by one `stepi`."""
    meter = Meter(events=n)
    script = (
        "import gdb, time\n"
        "gdb.execute('starti', to_string=True)\n"
        "begin = time.perf_counter()\n"
        f"gdb.execute('stepi {n}', to_string=True)\n"
        "print('took', time.perf_counter() - begin)\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(script)
        file.flush()
        command = ["gdb", "-q", "-nx", "-batch", "-x", file.name, "--args", target("loop"), "1000000000"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    meter.wall_s = meter.cpu_s = float(done.stdout.split("took")[1].split()[0])
    return meter


def traced(n: int, *options: str) -> Meter:
    """N system calls, told into a file; the time is that of the whole run."""
    offered()
    meter = Meter(events=n)
    with tempfile.NamedTemporaryFile("r") as result:
        words = [COMMAND, "trace", *options, "-o", result.name]
        with measured(meter, resource.RUSAGE_CHILDREN):
            subprocess.run([*words, "--", target("calls"), str(n), str(RARE)], check=True)
        lines = [line for line in result if line.startswith("getuid")]
    require(len(lines), n // RARE)
    return meter


ROWS: dict[str, tuple[int, Callable[[int], Meter]]] = {
    "T4": (50_000, counted),
    "T4-gdb": (10_000, stepped_by_gdb),
    "S5": (20_000, traced),
    "S6": (1_000_000, lambda n: traced(n, "-e", "getuid")),
}
