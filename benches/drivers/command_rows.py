"""Rows of the command `libdebug`: instructions counted, system calls traced; GDB's steps beside them."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
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


def counted(n: int, *words: str, expect: int | None = None) -> Meter:
    """Count a program; the time is that from its start to its end, and an event is an instruction."""
    offered()
    meter = Meter()
    with tempfile.NamedTemporaryFile("r") as result:
        command = [COMMAND, "count", "--json", "-o", result.name]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, *words], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = json.load(result)
    meter.events = found["instructions"]
    require(meter.events, expect or max(meter.events, n))
    meter.wall_s = found["seconds"]
    meter.cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return meter


def interpreter() -> list[str]:
    """Return a program of many functions that is started and ended."""
    return [os.environ.get("BENCH_PYTHON", sys.executable), "-c", "pass"]


def counted_by_valgrind(tool: str, pattern: str, *words: str) -> Meter:
    """Count a program by another means; the time is that of the whole run."""
    if not shutil.which("valgrind"):
        sys.exit(NOT_OFFERED)
    meter = Meter()
    with measured(meter, resource.RUSAGE_CHILDREN):
        command = ["valgrind", f"--tool={tool}", *words, *interpreter()]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    meter.events = int(re.findall(pattern, done.stderr)[-1].replace(",", ""))
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
    "T4": (20_000_000, lambda n: counted(10 * n, "--", target("loop"), str(n))),
    "T4-python": (1_000_000, lambda n: counted(n, "--", *interpreter())),
    "T4-step": (
        50_000,
        lambda n: counted(n, "--limit", str(n), "--", target("loop"), "1000000000", expect=n),
    ),
    "T4-callgrind": (
        1,
        lambda _: counted_by_valgrind("callgrind", r"Collected : (\d+)", "--callgrind-out-file=/dev/null"),
    ),
    "T4-lackey": (1, lambda _: counted_by_valgrind("lackey", r"guest instrs: +([\d,]+)")),
    "T4-gdb": (10_000, stepped_by_gdb),
    "S5": (20_000, traced),
    "S6": (1_000_000, lambda n: traced(n, "-e", "getuid")),
}
