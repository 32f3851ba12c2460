"""run.py: time the raw loops, this project and its peers in one interleaved run, and print the table.

python benches/run.py [--rounds 5] [--rows B1,B3] [--quick] [--json FILE] [--pinned-peer]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import report
from rows import BY_KEY, ROWS, Row

import build

HERE = build.HERE
DRIVER = HERE / "drivers" / "python_driver.py"
PEER_VERSION = "0.9.0"
NOT_OFFERED = 64
LIMIT_S = 300
RAW_ONLY = {"B1-slot", "B5-8-each", "B5-64-each"}


@dataclass(frozen=True)
class Contender:
    """Somebody to time: the command before ROW and N, or why it is absent."""

    name: str
    command: list[str]
    absent: str = ""
    pinned: bool = False


def probe(python: str, code: str) -> str:
    """Return what a line of Python prints in that interpreter, or nothing."""
    try:
        answer = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def ours(python: str) -> Contender:
    """Return this project's package in the given interpreter."""
    built = probe(python, "import libdebug._native as n; print(n.__name__)")
    return Contender("ours", [python, str(DRIVER)], "" if built else f"no libdebug._native in {python}")


def peer(python: str, *, pinned: bool) -> Contender:
    """Return the released libdebug in its own environment."""
    version = probe(python, "from importlib.metadata import version; print(version('libdebug'))")
    absent = "" if version == PEER_VERSION else f"libdebug {PEER_VERSION} is not installed in {python}"
    return Contender("peer-pinned" if pinned else "peer", [python, str(DRIVER)], absent, pinned)


def strace() -> Contender:
    """Return the tracer of system calls, where it is installed."""
    absent = "" if shutil.which("strace") else "strace is not installed"
    return Contender("strace", [sys.executable, str(HERE / "drivers" / "strace_driver.py")], absent)


def gdb() -> Contender:
    """Return the debugger that knows most of symbols, where it is installed."""
    absent = "" if shutil.which("gdb") else "gdb is not installed"
    return Contender("gdb", [sys.executable, str(HERE / "drivers" / "gdb_driver.py")], absent)


def rust(program: str) -> Contender:
    """Return the Rust driver, if it was built."""
    absent = "" if os.access(program, os.X_OK) else f"{program} is not built"
    return Contender("rust", [program], absent)


def environment(contender: Contender, interpreter: str) -> dict[str, str]:
    """Return the environment of a driver; compiled files of Python are kept, as they are by default."""
    cc1 = build.compiler_program()
    own = {"BENCH_TARGETS": str(build.CACHE), "BENCH_CC1_SYMBOL": "main", "BENCH_PYTHON": interpreter}
    own |= {"BENCH_CC1": cc1} if cc1 else {}
    own |= {"BENCH_PIN": "0"} if contender.pinned else {}
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | own


def offers(contender: Contender, row: Row) -> bool:
    """Say whether it makes sense to ask a contender for a row."""
    if row.key == "Y1" and not build.compiler_program():
        return False
    if contender.name == "strace":
        return row.strace > 0
    if contender.name == "gdb":
        return row.key.startswith(("Y3-", "Y4-", "Y5-"))
    return contender.name == "raw" or row.key not in RAW_ONLY


def measure(contender: Contender, row: Row, interpreter: str, *, quick: bool) -> dict[str, Any] | str | None:
    """Run a driver once: its line of JSON, what went wrong, or None for a row that it does not offer."""
    command = [*contender.command, row.key, str(row.work(contender.name, quick=quick))]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            env=environment(contender, interpreter),
        )
    except subprocess.TimeoutExpired:
        return f"no end after {LIMIT_S} s"
    if answer.returncode == NOT_OFFERED:
        return None
    return parsed(answer, row)


def parsed(answer: subprocess.CompletedProcess[str], row: Row) -> dict[str, Any] | str:
    """Return the measurement in a driver's output, or its last words."""
    if answer.returncode:
        words = answer.stderr.strip().splitlines() or ["no message"]
        return f"status {answer.returncode}: {words[-1][:200]}"
    try:
        line = json.loads(answer.stdout.strip().splitlines()[-1])
        return (
            line if line["row"] == row.key and line["events"] > 0 and line["wall_s"] > 0 else f"odd: {line}"
        )
    except (ValueError, IndexError, KeyError, TypeError) as error:
        return f"output not understood: {error!r}"


def take(results: report.Results, row: Row, name: str, found: dict[str, Any] | str | None) -> None:
    """File one outcome."""
    if found is None:
        return
    series = results.setdefault(row.key, {}).setdefault(name, report.Series())
    if isinstance(found, str):
        series.failures.append(found)
    else:
        series.take(row, found)


def bare_interpreter(contenders: list[Contender]) -> str:
    """Return the interpreter that is the floor under an import: ours, else the peer's, else this one."""
    present = {c.name: c.command[0] for c in contenders}
    return present.get("ours") or present.get("peer") or sys.executable


def tell(text: str) -> None:
    """Show progress to somebody who watches."""
    if sys.stderr.isatty():
        print(f"\r{text:40}\r", end="", file=sys.stderr, flush=True)


def run_rounds(rows: list[Row], contenders: list[Contender], rounds: int, *, quick: bool) -> report.Results:
    """Run everybody once per row and round, so that a change of the machine's mood meets all of them."""
    results: report.Results = {}
    interpreter = bare_interpreter(contenders)
    for turn in range(rounds):
        for row in (row for row in rows if row.due(turn)):
            tell(f"round {turn + 1} of {rounds}: {row.key}")
            for contender in contenders:
                if offers(contender, row):
                    take(results, row, contender.name, measure(contender, row, interpreter, quick=quick))
    tell("")
    return results


def options() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="Time raw loops, this project and its peer side by side.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", default="", help="comma-separated; a prefix such as B5 takes all its rows")
    parser.add_argument("--quick", action="store_true", help="one round with a tenth of the work")
    parser.add_argument("--json", type=Path, default=HERE / "results.json")
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter that has this project's package"
    )
    parser.add_argument("--peer-python", default=str(HERE / ".peer-venv" / "bin" / "python"))
    parser.add_argument("--rust", default=str(HERE.parent / "target" / "release" / "examples" / "bench"))
    parser.add_argument("--pinned-peer", action="store_true", help="also time the peer pinned to one CPU")
    return parser.parse_args()


def chosen(wanted: str) -> list[Row]:
    """Return the rows that were asked for."""
    names = [name for name in wanted.split(",") if name]
    rows = [
        row for row in ROWS if not names or any(row.key == n or row.key.startswith(f"{n}-") for n in names)
    ]
    if not rows:
        raise SystemExit(f"no such row; there are {', '.join(BY_KEY)}")
    return rows


def everybody(asked: argparse.Namespace, raw: Path) -> list[Contender]:
    """Return all contenders, present or not."""
    pinned = [peer(asked.peer_python, pinned=True)] if asked.pinned_peer else []
    return [
        Contender("raw", [str(raw)]),
        rust(asked.rust),
        ours(asked.python),
        peer(asked.peer_python, pinned=False),
        *pinned,
        strace(),
        gdb(),
    ]


def machine() -> dict[str, Any]:
    """Return what the figures were taken on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "?")
    return {"cpu": cpu, "cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]}


def not_offered(results: report.Results, present: list[Contender]) -> list[str]:
    """Return, per contender that is asked for all rows, those that it does not have."""
    asked = [c.name for c in present if c.name != "strace"]
    missing = {name: [key for key, found in results.items() if name not in found] for name in asked}
    return [f"not offered by {name}: {', '.join(keys)}" for name, keys in missing.items() if keys]


def publish(
    asked: argparse.Namespace, results: report.Results, absent: list[Contender], about: dict[str, Any]
) -> None:
    """Print the table and write the file."""
    where = f"{about['cpu']}, {about['cpus']} CPUs, Linux {about['kernel']}"
    print(f"{where}, load {about['load']:.2f} at the start")
    print(report.table(results))
    for line in [f"absent: {c.name}: {c.absent}" for c in absent] + report.failures(results):
        print(line)
    whole = {"machine": about, "absent": {c.name: c.absent for c in absent}, "rows": report.as_json(results)}
    asked.json.write_text(json.dumps(whole, indent=1) + "\n")


def main() -> int:
    """Run it all; the status is 1 only when the raw loops, which depend on nobody, failed."""
    asked = options()
    rows, about = chosen(asked.rows), machine()
    contenders = everybody(asked, build.build())
    present = [c for c in contenders if not c.absent]
    results = run_rounds(rows, present, 1 if asked.quick else asked.rounds, quick=asked.quick)
    publish(asked, results, [c for c in contenders if c.absent], about)
    for line in report.doubtful(results) + not_offered(results, present):
        print(line)
    return int(any(line.split()[1] == "raw:" for line in report.failures(results)))


if __name__ == "__main__":
    sys.exit(main())
