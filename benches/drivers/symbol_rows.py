"""Symbols of large programs: loaded, and looked up by name and by address."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from metering import NOT_OFFERED, Meter, ended, measured, require


def stopped_in(path: str) -> Any:
    """Return a debugger of an installed program at its entry point; symbols come from its files alone."""
    from libdebug import debugger, libcontext

    libcontext.sym_lvl = 1
    d = debugger(path)
    d.run()
    return d


def program(name: str) -> str:
    """Return the path of a large program; end with the status for what is not offered if there is none."""
    if name == "cc1":
        return os.environ.get("BENCH_CC1") or sys.exit(NOT_OFFERED)
    if name == "rustc" and shutil.which("rustc"):
        asked = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True)
        return str(Path(asked.stdout.strip(), "bin", "rustc"))
    if name == "python3":
        return str(Path(os.environ.get("BENCH_PYTHON", sys.executable)).resolve())
    return shutil.which(name) or sys.exit(NOT_OFFERED)


def listed(name: str) -> Meter:
    """All symbols of a process as objects, in a fresh debugger."""
    d = stopped_in(program(name))
    meter = Meter(events=1)
    with measured(meter):
        count = len(list(d.symbols))
    require(min(count, 1000), 1000)
    ended(d)
    return meter


def largest_file(d: Any) -> tuple[str, list[Any]]:
    """Return the largest mapped file and its functions and variables that have a size and a plain name."""
    files = {symbol.backing_file for symbol in d.symbols}
    largest = max(files, key=lambda file: Path(file).stat().st_size if Path(file).exists() else 0)
    mine = [symbol for symbol in d.symbols if symbol.backing_file == largest and symbol.end > symbol.start]
    return largest, mine


def chosen(d: Any, n: int) -> tuple[str, list[Any]]:
    """Return the largest file and n of its symbols, the same in every run."""
    file, symbols = largest_file(d)
    return file, random.Random(1).choices(symbols, k=n)


def by_name(name: str, n: int) -> Meter:
    """N names of one file to addresses, after a first one."""
    d = stopped_in(program(name))
    file, symbols = chosen(d, n)
    names = [getattr(symbol, "linkage_name", symbol.name) for symbol in symbols]
    scope = Path(file).name
    meter = Meter(events=n)
    d.resolve_symbol(names[0], scope)
    with measured(meter):
        for symbol in names:
            d.resolve_symbol(symbol, scope)
    ended(d)
    return meter


def by_address(name: str, n: int) -> Meter:
    """N addresses in one file to the symbols that cover them, after a first one."""
    d = stopped_in(program(name))
    file, symbols = chosen(d, n)
    base = d.maps.filter(Path(file).name)[0].start
    fixed = symbols[0].start > base
    addresses = [symbol.start if fixed else base + symbol.start for symbol in symbols]
    everything = d.symbols
    meter = Meter(events=n)
    everything.filter(addresses[0])
    with measured(meter):
        for address in addresses:
            everything.filter(address)
    ended(d)
    return meter


ROWS = {
    "Y2": (1, lambda _: listed("gdb")),
    "Y3-cc1": (1, lambda _: listed("cc1")),
    "Y3-python": (1, lambda _: listed("python3")),
    "Y3-rustc": (1, lambda _: listed("rustc")),
    "Y4-cc1": (10_000, lambda n: by_name("cc1", n)),
    "Y4-rustc": (10_000, lambda n: by_name("rustc", n)),
    "Y5-cc1": (10_000, lambda n: by_address("cc1", n)),
    "Y5-rustc": (10_000, lambda n: by_address("rustc", n)),
}
