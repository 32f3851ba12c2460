"""The CPython interpreters of this machine, for tests that look into programs of every version.

pyenv's, the system's, and those that the variable LIBDEBUG_PYTHONS lists, with colons between them.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

# What can be looked into, by major and minor number.
SERIES = [(3, minor) for minor in range(8, 16)]

# Some distributions' interpreters come without the module that knows how they were built.
PROBE = """
import sys, json
try:
    from sysconfig import get_config_var
    get_config_var("INCLUDEPY")
except Exception:
    get_config_var = lambda name: None
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "text": sys.version,
    "implementation": getattr(sys, "implementation", sys).__dict__.get("name", "cpython"),
    "free_threaded": bool(get_config_var("Py_GIL_DISABLED")),
    "debug": hasattr(sys, "gettotalrefcount"),
    "library": next((line.split()[-1] for line in open("/proc/self/maps") if "libpython" in line), None),
    "include": (get_config_var("INCLUDEPY") or ""),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter that was found."""

    path: str
    version: tuple[int, int, int]
    # What `sys.version` is in it.
    text: str
    free_threaded: bool
    debug: bool
    # Its shared library, where it uses one, and the directory of headers.
    library: str | None
    include: str

    @property
    def series(self) -> tuple[int, int]:
        """Major and minor number."""
        return self.version[:2]

    @property
    def label(self) -> str:
        """A short name for a test's parameter."""
        kind = ("t" if self.free_threaded else "") + ("d" if self.debug else "")
        place = "pyenv" if ".pyenv" in self.path else Path(self.path).parent.name
        return f"{'.'.join(map(str, self.version))}{kind}-{place}"


def candidates() -> list[Path]:
    """Return the paths where interpreters can be, the newest first of each kind."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    listed = [Path(path) for path in os.environ.get("LIBDEBUG_PYTHONS", "").split(":") if path]
    of_pyenv = sorted(root.glob("versions/*/bin/python"))
    directories = (Path("/usr/bin"), Path("/usr/local/bin"))
    of_system = [path for directory in directories for path in sorted(directory.glob("python[23].*"))]
    return listed + of_pyenv + [path for path in of_system if path.name[8:].rstrip("dt").isdigit()]


@functools.cache
def found() -> list[Interpreter]:
    """Return every CPython of this machine, each file once, by version."""
    by_file: dict[Path, Interpreter] = {}
    for path in candidates():
        if path.exists() and path.resolve() not in by_file:
            interpreter = probe(path)
            if interpreter is not None:
                by_file[path.resolve()] = interpreter
    return sorted(by_file.values(), key=lambda interpreter: (interpreter.version, interpreter.path))


def probe(path: Path) -> Interpreter | None:
    """Ask an interpreter what it is; nothing for what is no CPython or does not run."""
    try:
        ran = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    told = json.loads(ran.stdout)
    if told.pop("implementation") != "cpython":
        return None
    major, minor, micro = told.pop("version")
    return Interpreter(path=str(path), version=(major, minor, micro), **told)


def supported() -> list[Interpreter]:
    """Return those that can be looked into."""
    return [interpreter for interpreter in found() if interpreter.series in SERIES]


def unsupported() -> list[Interpreter]:
    """Return those of other versions."""
    return [interpreter for interpreter in found() if interpreter.series not in SERIES]


def every() -> list[object]:
    """Return a test's parameters: each interpreter that can be looked into; a skip for a series without."""
    parameters: list[object] = [pytest.param(python, id=python.label) for python in supported()]
    there = {python.series for python in supported()}
    for series in SERIES:
        if series not in there:
            name = ".".join(map(str, series))
            absent = pytest.mark.skip(reason=f"there is no CPython {name} here: set LIBDEBUG_PYTHONS")
            parameters.append(pytest.param(None, id=f"{name}-absent", marks=absent))
    return parameters
