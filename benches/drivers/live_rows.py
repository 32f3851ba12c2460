"""Rows of live Python programs: code run in one that sleeps, attached to anew; GDB's recipe beside it."""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from metering import NOT_OFFERED, Meter, measured, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLEEPER = "import time\nhits = []\nprint('ready', flush=True)\nwhile True:\n    time.sleep(1000)\n"
CODE = "hits.append(1)"
RECIPE = [
    "call (int)PyGILState_Ensure()",
    f'call (int)PyRun_SimpleString("{CODE}")',
    "call (void)PyGILState_Release($1)",
]


@contextlib.contextmanager
def sleeper() -> Iterator[int]:
    """A program that sleeps; its pid."""
    child = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def by_attaching(n: int) -> Meter:
    """Find the interpreter, attach, run code, let go; N times."""
    try:
        from libdebug import python
    except ImportError:
        sys.exit(NOT_OFFERED)
    meter = Meter(events=n)
    with sleeper() as pid:
        with measured(meter):
            for _ in range(n):
                with python.attach(pid) as program:
                    program.exec(CODE)
        with python.attach(pid) as program:
            require(program.eval("len(hits)").json, n)
    return meter


def by_gdb(n: int) -> Meter:
    """GDB, which attaches and calls three functions; N times."""
    if shutil.which("gdb") is None:
        sys.exit(NOT_OFFERED)
    meter = Meter(events=n)
    # Its last call fails where GDB has lost track of the first one's value: the recipe is what people write.
    commands = [word for command in RECIPE for word in ("-ex", command)]
    with sleeper() as pid, measured(meter, resource.RUSAGE_CHILDREN):
        for _ in range(n):
            words = ["gdb", "-q", "-nx", "-batch", "-p", str(pid), *commands]
            subprocess.run(words, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    return meter


ROWS: dict[str, tuple[int, Callable[[int], Meter]]] = {"L1": (50, by_attaching), "L1-gdb": (3, by_gdb)}
