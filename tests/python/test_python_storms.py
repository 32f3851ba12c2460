"""Code run in a live program again and again, while many threads of it check their own work.

LIBDEBUG_STORM is how many times per interpreter: 30 unless it says otherwise. The long run is
`LIBDEBUG_STORM=1000 pytest tests/python/test_python_storms.py`.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

import pythons
from libdebug import python as live
from python_targets import SCRIPTS, started
from test_python_exec import belongings, settled

if TYPE_CHECKING:
    from pythons import Interpreter

every_python = pytest.mark.parametrize("python", pythons.every())
TIMES = int(os.environ.get("LIBDEBUG_STORM", "30"))
# The counter is of the main program, whichever file's code is being executed.
COUNT = "__import__('__main__').hits += 1"
CHECKED = {
    "plain": {},
    "malloc": {"PYTHONMALLOC": "debug", "PYTHONDEVMODE": "1", "MALLOC_PERTURB_": "165"},
}


@every_python
@pytest.mark.parametrize("kind", CHECKED)
def test_nothing_is_lost(python: Interpreter, kind: str) -> None:
    environment = {**os.environ, **CHECKED[kind]}
    words = [python.path, str(SCRIPTS / "invariants.py")]
    with started(words, env=environment, stderr=subprocess.PIPE) as child:
        before = belongings(child.pid)
        with live.attach(child.pid) as program:
            workers = [thread.tid for thread in program.threads]
            for place in range(TIMES):
                # One in five in another thread than the main one.
                thread = workers[place % len(workers)] if place % 5 == 4 else None
                assert program.exec(COUNT, thread=thread, timeout=60) == ""
            assert settled(child.pid, before)
            program.exec("__import__('__main__').ending = True", timeout=60)
        output, errors = child.communicate(timeout=100)
        assert (child.returncode, output) == (42, f"hits {TIMES}\n"), errors
        assert "Error" not in errors
