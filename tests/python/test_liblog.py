"""`liblog`: nothing until the first record, then three loggers of the standard library."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from libdebug.liblog import LibLog, liblog
from libdebug.utils.libcontext import libcontext

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("libdebug", "debugger", "pipe")
LINES = {
    "info": "[\x1b[92mINFO\x1b[39m] hello 3\n",
    "warning": "[\x1b[93mWARNING\x1b[39m] hello 3\n",
    "error": "[\x1b[91mERROR\x1b[39m] hello 3\n",
    "debugger": "[\x1b[91mDEBUGGER\x1b[39m] hello 3\n",
    "pipe": "[\x1b[94mPIPE\x1b[39m] hello 3\n",
}


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Give each test loggers as nobody has seen them, and put back those that were there."""
    before = {name: (logging.getLogger(name).handlers, logging.getLogger(name).level) for name in NAMES}
    for name in NAMES:
        logging.getLogger(name).handlers = []
        logging.getLogger(name).setLevel(logging.NOTSET)
    with libcontext.tmp():
        yield
    for name, (handlers, level) in before.items():
        logging.getLogger(name).handlers = handlers
        logging.getLogger(name).setLevel(level)


def run(script: str, *words: str) -> tuple[str, str]:
    """Run a script in an interpreter of its own; return what it printed and what it logged."""
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


@pytest.mark.parametrize("method", LINES)
def test_lines(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    with libcontext.tmp(debugger_logger="DEBUG", pipe_logger="DEBUG"):
        getattr(liblog, method)("hello %d", 3)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", LINES[method])


@pytest.mark.parametrize(
    ("level", "heard"),
    [("DEBUG", "IWE"), ("INFO", "IWE"), ("WARNING", "WE"), ("SILENT", "")],
)
def test_levels_of_the_general_log(level: str, heard: str, capsys: pytest.CaptureFixture[str]) -> None:
    with libcontext.tmp(general_logger=level):
        for method in (liblog.info, liblog.warning, liblog.error):
            method("hello")
    assert "".join(line[6] for line in capsys.readouterr().err.splitlines()) == heard


@pytest.mark.parametrize("method", ["debugger", "pipe"])
def test_traces_are_silent_at_first(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    getattr(liblog, method)("hello")
    assert capsys.readouterr().err == ""


def test_records_go_to_the_stderr_of_their_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = [io.StringIO(), io.StringIO()]
    for stream in streams:
        monkeypatch.setattr(sys, "stderr", stream)
        liblog.info("hello %d", 3)
    assert [stream.getvalue() for stream in streams] == [LINES["info"]] * 2


def test_handlers_swapped_before_the_first_record(capsys: pytest.CaptureFixture[str]) -> None:
    logger, stream = logging.getLogger("libdebug"), io.StringIO()
    before = logger.handlers
    logger.handlers = [logging.StreamHandler(stream)]
    liblog.info("hello %d", 3)
    logger.handlers = before
    assert (stream.getvalue(), capsys.readouterr().err) == (LINES["info"], "")
    liblog.info("hello %d", 3)
    assert capsys.readouterr().err == LINES["info"]


def test_a_level_that_the_user_chose_stays(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("debugger").setLevel(logging.DEBUG)
    liblog.debugger("hello %d", 3)
    assert capsys.readouterr().err == LINES["debugger"]


def test_a_logger_put_in_place_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    mine, stream, log = logging.getLogger("mine"), io.StringIO(), LibLog()
    mine.setLevel(logging.DEBUG)
    mine.propagate = False
    mine.addHandler(logging.StreamHandler(stream))
    log.debugger_logger = log.pipe_logger = log.general_logger = mine
    for method in LINES:
        getattr(log, method)("hello %d", 3)
    assert stream.getvalue() == "".join(LINES.values())
    assert (log.debugger_logger, log.pipe_logger, log.general_logger) == (mine, mine, mine)
    assert capsys.readouterr().err == ""


def test_silent_is_a_level_of_logging() -> None:
    assert liblog.debugger_logger.level == 60
    assert (logging.SILENT, logging.getLevelName(60)) == (60, "SILENT")


@pytest.mark.parametrize(
    ("words", "levels"),
    [
        ((), "SILENT SILENT INFO"),
        (("debugger",), "DEBUG SILENT INFO"),
        (("pipe",), "SILENT DEBUG INFO"),
        (("dbg",), "DEBUG DEBUG DEBUG"),
        (("pipe", "debugger"), "DEBUG SILENT INFO"),
        (("dbg", "pipe"), "SILENT DEBUG INFO"),
    ],
)
def test_words_of_the_command_line(words: tuple[str, ...], levels: str) -> None:
    script = (
        "from libdebug.utils.libcontext import libcontext as c\n"
        "print(c.debugger_logger, c.pipe_logger, c.general_logger)"
    )
    assert run(script, *words) == (f"{levels}\n", "")


def test_import_imports_nothing_and_traces_cost_nothing() -> None:
    script = (
        "import sys\n"
        "from libdebug.liblog import liblog\n"
        "from libdebug.utils.libcontext import libcontext\n"
        "libcontext.debugger_logger = 'SILENT'\n"
        "liblog.debugger('x'); liblog.pipe('x')\n"
        "print([name for name in ('logging', 'typing', 'inspect', 'shutil') if name in sys.modules])\n"
        "liblog.info('hello %d', 3)\n"
        "print('logging' in sys.modules)"
    )
    assert run(script) == ("[]\nTrue\n", LINES["info"])


def test_a_level_set_before_logging_is_imported_holds() -> None:
    script = (
        "from libdebug.liblog import liblog\n"
        "from libdebug.utils.libcontext import libcontext\n"
        "libcontext.general_logger = 'WARNING'; libcontext.pipe_logger = 'DEBUG'\n"
        "liblog.info('no'); liblog.pipe('hello %d', 3)"
    )
    assert run(script) == ("", LINES["pipe"])
