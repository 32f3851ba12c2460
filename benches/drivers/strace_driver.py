"""strace_driver.py ROW [N]: rare system calls counted by strace; timed is its whole run.

The CPU time is that of strace and of the program, which it starts and waits for.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile

from metering import NOT_OFFERED, Meter, measured, require, target

RARE = 1_000
ROWS = {"S1": ["--seccomp-bpf"], "S2": []}
# Told into a file, not counted: every call, and those of a filter.
TOLD = {"S5": [], "S6": ["--seccomp-bpf", "-e", "trace=getuid"]}


def counted(table: str) -> int:
    """Return how often the rare call stands in the table that `strace -c` writes."""
    lines = [line.split() for line in table.splitlines()]
    return next((int(words[3]) for words in lines if words and words[-1] == "getuid"), 0)


def rare_calls(n: int, options: list[str]) -> Meter:
    """N calls, every so many of them counted."""
    meter = Meter(events=n)
    with tempfile.NamedTemporaryFile("r") as table:
        command = ["strace", "-f", "-c", "-e", "trace=getuid", *options, "-o", table.name]
        with measured(meter, resource.RUSAGE_CHILDREN):
            subprocess.run([*command, target("calls"), str(n), str(RARE)], check=True)
        require(counted(table.read()), n // RARE)
    return meter


def told_calls(n: int, options: list[str]) -> Meter:
    """N calls, told into a file."""
    meter = Meter(events=n)
    with tempfile.NamedTemporaryFile("r") as lines:
        with measured(meter, resource.RUSAGE_CHILDREN):
            command = ["strace", "-f", *options, "-o", lines.name, target("calls"), str(n), str(RARE)]
            subprocess.run(command, check=True)
        require(sum("getuid(" in line for line in lines), n // RARE)
    return meter


def main() -> int:
    """Run the row that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] not in {*ROWS, *TOLD}:
        return NOT_OFFERED
    row, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    meter = rare_calls(n, ROWS[row]) if row in ROWS else told_calls(n, TOLD[row])
    print(meter.line(sys.argv[1]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
