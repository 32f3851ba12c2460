"""Build the raw loops and the targets with gcc, on demand, into a directory of their own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE / ".cache"
SYMBOLS = 100_000
WARNINGS = ["-Wall", "-Wextra", "-Wno-unused-function"]

# name -> source and flags; all without optimisation, so that `f` begins as most debugged code does
TARGETS = {
    "loop": ["loop.c"],
    "loop-long": ["loop.c", "-DLONG_FIRST"],
    "threads": ["threads.c", "-pthread"],
    "idle": ["idle.c", "-pthread"],
    "memory": ["memory.c"],
    "haystack": ["haystack.c"],
    "haystack-sparse": ["haystack.c", "-DSPARSE"],
    "rest": ["rest.c"],
    "small": ["small.c"],
    "symbols": ["loop.c"],
    "calls": ["calls.c"],
    "calls-64": ["calls.c", "-DTHREADS=64", "-pthread"],
    "calls-filtered": ["calls.c", "-DFILTERED"],
    "calls-filtered-64": ["calls.c", "-DFILTERED", "-DTHREADS=64", "-pthread"],
    "calls-notified": ["calls.c", "-DNOTIFIED"],
    "forks": ["forks.c"],
}


def newest(paths: list[Path]) -> float:
    """Return the latest modification time among files."""
    return max(path.stat().st_mtime for path in paths)


def outdated(output: Path, inputs: list[Path]) -> bool:
    """Say whether a product is missing or older than what it is made of."""
    return not output.exists() or output.stat().st_mtime < newest([*inputs, Path(__file__)])


def gcc(output: Path, arguments: list[str]) -> None:
    """Compile and link one program; it appears under its name only when it is whole."""
    partial = output.with_suffix(".partial")
    subprocess.run(["gcc", *WARNINGS, "-o", str(partial), *arguments], check=True)
    partial.replace(output)


def build_raw() -> Path:
    """Return the program of raw loops, built if need be."""
    sources, output = sorted((HERE / "raw").glob("*.c")), CACHE / "raw"
    if outdated(output, [*sources, HERE / "raw" / "raw.h"]):
        gcc(output, ["-O2", "-pthread", *map(str, sources)])
    return output


def many_symbols() -> Path:
    """Return an assembly file of functions s000000 and on, 16 bytes apart."""
    output = CACHE / "symbols.s"
    if outdated(output, [Path(__file__)]):
        lines = (
            f".balign 16\n.globl s{i:06}\n.type s{i:06},@function\ns{i:06}: ret\n.size s{i:06},1\n"
            for i in range(SYMBOLS)
        )
        output.write_text(".text\n" + "".join(lines) + '.section .note.GNU-stack,"",@progbits\n')
    return output


def build_target(name: str) -> None:
    """Build one target if its sources are newer."""
    source, *flags = TARGETS[name]
    extra = [many_symbols()] if name == "symbols" else []
    inputs = [HERE / "targets" / source, *(HERE / "targets").glob("*.h"), *extra]
    if outdated(CACHE / name, inputs):
        gcc(CACHE / name, ["-O0", *flags, str(inputs[0]), *map(str, extra)])


def build() -> Path:
    """Build everything that is out of date; return the program of raw loops."""
    if not shutil.which("gcc"):
        raise SystemExit("benches: gcc is needed to build the raw loops and the targets")
    CACHE.mkdir(exist_ok=True)
    for name in TARGETS:
        build_target(name)
    return build_raw()


def compiler_program() -> str | None:
    """Return the path of cc1, the real program with many symbols, if there is one."""
    answer = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True, check=True)
    path = answer.stdout.strip()
    return path if Path(path).is_absolute() and Path(path).exists() else None
