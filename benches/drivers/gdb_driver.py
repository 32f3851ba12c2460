"""gdb_driver.py ROW [N]: symbols as GDB has them, timed by the Python that is built into it.

The file executes itself inside GDB, a fresh one for each row.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import symbol_rows
from metering import NOT_OFFERED, Meter, measured, require

ROWS = ("Y3-cc1", "Y3-rustc", "Y4-cc1", "Y4-rustc", "Y5-cc1", "Y5-rustc")
_LISTED = re.compile(r"^(0x[0-9a-f]+)  (.*)$", re.MULTILINE)


def largest_file(path: str) -> str:
    """Return the program, or the library beside it that has nearly everything."""
    beside = Path(path).parent.parent / "lib"
    libraries = sorted(beside.glob("librustc_driver*.so"), key=lambda file: file.stat().st_size)
    return str(libraries[-1] if libraries and Path(path).name == "rustc" else path)


def listed(gdb: Any, file: str) -> list[tuple[str, str]]:
    """Return address and name of every function of a file."""
    gdb.execute(f"file {file}")
    return _LISTED.findall(gdb.execute("info functions .", to_string=True))


def commands(gdb: Any, row: str, functions: list[tuple[str, str]], n: int) -> list[str]:
    """Return N questions for addresses or names; names only that GDB understands as they are."""
    if row.startswith("Y5"):
        return [f"info symbol {address}" for address, _ in random.Random(1).choices(functions, k=n)]
    plain = [f"info address {name}" for _, name in functions if re.fullmatch(r"\w+", name)]
    return random.Random(1).choices([question for question in plain if answers(gdb, question)], k=n)


def answers(gdb: Any, question: str) -> bool:
    """Say whether GDB has an answer."""
    try:
        gdb.execute(question, to_string=True)
    except gdb.error:
        return False
    return True


def inside(gdb: Any, row: str, n: int) -> Meter:
    """Run a row inside GDB."""
    file = largest_file(symbol_rows.program(row.partition("-")[2]))
    if row.startswith("Y3"):
        meter = Meter(events=1)
        with measured(meter):
            count = len(listed(gdb, file))
        require(min(count, 1000), 1000)
        return meter
    meter = Meter(events=n)
    questions = commands(gdb, row, listed(gdb, file), n)
    with measured(meter):
        for question in questions:
            gdb.execute(question, to_string=True)
    return meter


def main() -> int:
    """Start GDB with this file, and say what it has measured."""
    if len(sys.argv) < 2 or sys.argv[1] not in ROWS or not shutil.which("gdb"):
        return NOT_OFFERED
    count = sys.argv[2] if len(sys.argv) > 2 else "1000"
    env = os.environ | {"BENCH_GDB_ROW": sys.argv[1], "BENCH_GDB_N": count}
    options = ["-iex", "set debuginfod enabled off", "-iex", "set pagination off"]
    done = subprocess.run(["gdb", "-batch", "-nx", *options, "-x", __file__], env=env, check=False)
    return done.returncode


if "BENCH_GDB_ROW" in os.environ:
    import gdb  # type: ignore[import-not-found]

    measurement = inside(gdb, os.environ["BENCH_GDB_ROW"], int(os.environ["BENCH_GDB_N"]))
    print(measurement.line(os.environ["BENCH_GDB_ROW"]), flush=True)
elif __name__ == "__main__":
    sys.exit(main())
