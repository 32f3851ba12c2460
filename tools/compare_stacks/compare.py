"""Compares libdebug's stacks with GDB's, frame by frame, at random moments: `python3 compare.py [KIND…]`.

Both look at the same stopped process (see stub.py). For each kind of program the share of stacks is printed
whose addresses are equal, and of frames whose function is, and the first stacks that differ.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))
sys.path.insert(0, str(Path(__file__).parent))

from stub import Stub  # noqa: E402

import build  # noqa: E402
from libdebug import debugger  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from libdebug import Debugger
    from libdebug.data.frame import Frame

_PROGRAMS = Path(__file__).parent / "programs"


def fixture(name: str, *arguments: str) -> Callable[[Path], list[str]]:
    """Return what makes the command line of a fixture."""
    return lambda _: [str(build.program(name)), *arguments]


def compiled(source: str, *command: str) -> Callable[[Path], list[str]]:
    """Return what compiles a program beside this file and makes its command line."""

    def make(work: Path) -> list[str]:
        output = work / Path(source).stem
        subprocess.run([*command, "-o", str(output), str(_PROGRAMS / source)], check=True, cwd=work)
        return [str(output)]

    return make


KINDS: dict[str, Callable[[Path], list[str]]] = {
    "c-O2": fixture("stacks-O2", "for-ever", "1"),
    "c-O0": fixture("stacks", "for-ever", "0"),
    "c-static": fixture("stacks-static", "for-ever", "1"),
    "c-debug_frame": fixture("stacks_plain-O2", "for-ever", "0"),
    "c-no-tables": fixture("stacks_plain-stripped", "for-ever", "0"),
    "c-stripped": fixture("stacks-stripped", "for-ever", "1"),
    "c++-exceptions": fixture("thrower-O2", "for-ever"),
    "reads": lambda _: [
        shutil.which("dd") or "dd",
        "if=/dev/zero",
        "of=/dev/null",
        "bs=1",
        "count=1000000000",
    ],
    "rust": compiled("work.rs", "rustc", "-O", "--edition=2021"),
    "rust-32-threads": lambda work: [*compiled("work.rs", "rustc", "-O", "--edition=2021")(work), "32"],
    "go": compiled("work.go", "go", "build"),
    "python3": lambda _: [os.path.realpath("/usr/bin/python3"), str(_PROGRAMS / "work.py")],
}


def main() -> None:
    """Compare the kinds that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--stacks", type=int, default=1000, help="how many stacks of each kind")
    parser.add_argument("--show", type=int, default=2, help="how many different stacks of each kind to print")
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        compare(kind, arguments.stacks, arguments.show)


def compare(kind: str, stacks: int, show: int) -> None:
    """Compare one kind of program, and print the outcome."""
    with tempfile.TemporaryDirectory() as work:
        command = KINDS[kind](Path(work))
        threads = 33 if kind.endswith("32-threads") else 1
        ours, theirs = sample(command, Path(work), -(-stacks // threads))
    pairs = [
        (own[tid], other)
        for own, stops in zip(ours, theirs, strict=False)
        for tid, other in ((int(tid), rows) for tid, rows in stops.items())
        if tid in own
    ]
    report(kind, pairs, show)


def sample(
    command: list[str], work: Path, samples: int
) -> tuple[list[dict[int, list[Frame]]], list[dict[str, list[list]]]]:
    """Return what libdebug and what GDB say at the same moments."""
    listener = socket.create_server(("127.0.0.1", 0))
    environment = {
        **os.environ,
        # Stripping moves nothing: GDB gets the tables, and so knows what is right.
        "COMPARE_PROGRAM": whole(command[0]),
        "COMPARE_PORT": str(listener.getsockname()[1]),
        "COMPARE_OUTPUT": str(work / "gdb.json"),
        "COMPARE_SAMPLES": str(samples),
        "PYTHONPATH": "",
    }
    d = debugger(command)
    d.run()
    started = d.threads[0]
    d.cont()
    time.sleep(0.5)
    d.interrupt()
    assert not started.dead, f"{command} has ended"
    ours: list[dict[int, list[Frame]]] = []
    gdb = subprocess.Popen(
        ["gdb", "-nx", "-batch", "-x", str(Path(__file__).parent / "in_gdb.py")],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(work / "gdb.err").open("w"),
    )
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, listener:
        Stub(d, connection, lambda: run_on(d, ours)).serve()
    gdb.wait()
    d.terminate()
    lines = (work / "gdb.json").read_text().splitlines()
    if len(lines) < samples:
        print((work / "gdb.err").read_text()[-2000:])
    return ours, [json.loads(line) for line in lines]


def whole(program: str) -> str:
    """Return the fixture that a stripped one was made of; any other program is its own."""
    stem, is_stripped, _ = Path(program).name.partition("-stripped")
    return str(build.program(stem)) if is_stripped else program


def run_on(d: Debugger, ours: list[dict[int, list[Frame]]]) -> None:
    """Let the process run for a moment, and look at its stacks."""
    d.cont()
    drain = threading.Event()
    drain.wait(random.uniform(0, 0.003))  # noqa: S311 - nobody's secret
    d.interrupt()
    ours.append({thread.tid: thread.frames for thread in d.threads if not thread.dead})


def report(kind: str, pairs: list[tuple[list[Frame], list[list]]], show: int) -> None:
    """Print the shares, and examples of what differs."""
    classes, names, depth = Counter[str](), Counter[str](), 0
    unlike = Counter[str]()
    for own, rows in pairs:
        # GDB takes the 0 that ends the stacks of Go for one more caller, and looks for others behind.
        ends = len(own) < len(rows) and rows[len(own)][0] == 0
        other = rows[: len(own)] if ends else rows
        difference = classify([frame.pc for frame in own], [row[0] for row in other])
        classes[difference] += 1
        depth += len(own)
        if difference == "equal":
            of_frames = [(name_class(frame, row), frame, row) for frame, row in zip(own, other, strict=True)]
            names.update(name for name, _, _ in of_frames)
            unlike.update(f"{frame} / {row[1]}" for name, frame, row in of_frames if name == "different")
        elif show > 0:
            show -= 1
            print_both(difference, own, other)
    total, frames = max(1, len(pairs)), max(1, sum(names.values()))
    print(f"{kind}: {len(pairs)} stacks, {depth / total:.1f} frames each")
    print("  addresses:", ", ".join(f"{name} {count / total:.1%}" for name, count in classes.most_common()))
    print("  functions:", ", ".join(f"{name} {count / frames:.1%}" for name, count in names.most_common()))
    for pair, count in unlike.most_common(4):
        print(f"    {count} times {pair}")
    sys.stdout.flush()


def classify(own: list[int], other: list[int]) -> str:
    """Say how two stacks differ."""
    if own == other:
        return "equal"
    common = 0
    while common < min(len(own), len(other)) and own[common] == other[common]:
        common += 1
    if common == len(own):
        return f"GDB goes on ({len(other) - common} more)"
    if common == len(other):
        return f"GDB ends before ({len(own) - common} fewer)"
    return "different"


def name_class(frame: Frame, row: list) -> str:
    """Say how the names of one frame differ."""
    _, name, start = row
    if name == frame.symbol or (name is None and frame.symbol is None):
        return "equal"
    if name == "<signal handler called>" or frame.is_signal_frame:
        return "signal frame"
    if frame.symbol is None:
        return "known to GDB alone"
    if name is None:
        return "known to libdebug alone"
    if start == frame.pc - (frame.offset or 0):
        return "another name of the same function"
    return "different"


def print_both(difference: str, own: list[Frame], other: list[list]) -> None:
    """Print two stacks side by side."""
    print(f"  {difference}:")
    for place in range(max(len(own), len(other))):
        left = f"{own[place].pc:#x} {own[place]}" if place < len(own) else ""
        right = f"{other[place][0]:#x} {other[place][1]}" if place < len(other) else ""
        mark = " " if left.split(" ", maxsplit=1)[0] == right.split(" ", maxsplit=1)[0] else "!"
        print(f"   {mark} {left:60} {right}")
        if place > 25:
            break


if __name__ == "__main__":
    main()
