"""pdb and consoles in live Python programs without a terminal, and every way to leave them."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

import command
import pythons
from python_targets import SCRIPTS, let_end, running, started
from test_python_exec import MARKER, belongings, settled, value

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from pythons import Interpreter

every_python = pytest.mark.parametrize("python", pythons.every())


class Session:
    """The command `libdebug python`, with lines of ours as its input."""

    def __init__(self, pid: int, *words: str) -> None:
        self.process = subprocess.Popen(
            [command.COMMAND, "python", str(pid), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            errors="replace",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def read(self, end: str) -> str:
        """Return what comes up to `end`."""
        text = ""
        assert self.process.stdout is not None
        while not text.endswith(end):
            letter = os.read(self.process.stdout.fileno(), 1).decode(errors="replace")
            assert letter, f"the command has ended after {text!r}"
            text += letter
        return text

    def say(self, line: str, end: str = "(Pdb) ") -> str:
        """Type a line; return what comes up to the next prompt."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read(end)

    def leave(self, line: str | None = None) -> int:
        """Type a last line, if there is one, and no more; return the exit status."""
        assert self.process.stdin is not None
        if line is not None:
            self.process.stdin.write(line + "\n")
        self.process.stdin.close()
        return self.process.wait(60)


@every_python
def test_the_loop_of_a_program_without_a_terminal(python: Interpreter, tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("SECRET = 'hush'\n")
    script = tmp_path / "loop.py"
    script.write_text((SCRIPTS / "loop.py").read_text())
    output = tmp_path / "output"
    with output.open("w") as file:
        child = subprocess.Popen(
            [python.path, "-u", str(script)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        until(output, "= 1\n")
        before = belongings(child.pid)
        assert value(child.pid, "SECRET") == "hush"
        assert command.run("python", str(child.pid), "--exec", "globals()['i'] = 1000").returncode == 0
        until(output, "= 1001\n")
        with Session(child.pid, "--pdb") as session:
            assert "mysleep()" in session.read("(Pdb) ")
            assert session.say("p SECRET").startswith("'hush'")
            assert "time.sleep" in session.say("w")
            session.say("up")
            session.say("!i = 5000")
            assert "<module>" in session.say("n")
            session.say("n")
            assert "loop.py" in session.say("s")
            assert session.leave("q") == 0
        until(output, "= 5001\n")
        until(output, "= 5002\n")
        assert settled(child.pid, before)
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def until(path: Path, text: str) -> None:
    """Wait until a file has a text."""
    following = subprocess.Popen(["tail", "-n", "+1", "-f", path], stdout=subprocess.PIPE, text=True)
    assert following.stdout is not None
    try:
        seen = ""
        while text not in seen:
            seen += following.stdout.readline()
    finally:
        following.kill()
        following.wait()
        following.stdout.close()


@every_python
@pytest.mark.parametrize("end", ["q", "c", "EOF", "detach", None])
def test_every_way_to_leave_pdb_lets_the_program_go_on(python: Interpreter, end: str | None) -> None:
    with running(python, "states.py", "busy") as child:
        before = belongings(child.pid)
        with Session(child.pid, "--pdb") as session:
            session.read("(Pdb) ")
            session.say("n")
            session.say("b 1" if end == "q" else "s")
            assert session.leave(end) == 0
        assert settled(child.pid, before)
        assert value(child.pid, MARKER) == "busy"
        assert let_end(child) == 42


@every_python
def test_assignments_in_pdb_stay(python: Interpreter) -> None:
    with running(python, "states.py", "sleep") as child:
        with Session(child.pid, "--pdb") as session:
            session.read("(Pdb) ")
            session.say("!marker = 'other'")
            session.say("w")
            assert session.say("p marker").startswith("'other'")
            assert "ZeroDivisionError" in session.say("1 / 0")
            assert session.leave("c") == 0
        assert value(child.pid, "marker") == "other"
        assert let_end(child) == 42


@every_python
def test_breakpoints_of_pdb_and_ctrl_c(python: Interpreter) -> None:
    with running(python, "states.py", "busy") as child:
        before = belongings(child.pid)
        with Session(child.pid, "--pdb") as session:
            session.read("(Pdb) ")
            line = line_of("count += 1")
            assert "Breakpoint" in session.say(f"b {SCRIPTS / 'states.py'}:{line}")
            assert f"states.py({line})busy()" in session.say("c")
            assert f"states.py({line})busy()" in session.say("c")
            # One that is never reached: then the program runs until Ctrl-C.
            session.say("clear " + number_of(session.say("b")))
            session.say(f"b {SCRIPTS / 'states.py'}:{line_of('return marker')}")
            assert session.process.stdin is not None
            session.process.stdin.write("c\n")
            session.process.stdin.flush()
            # Ctrl-C at a prompt, for which this would be too early, drops the line and nothing else.
            while value(child.pid, "type(__import__('sys').stdin.previous).__name__") != "TextIOWrapper":
                os.sched_yield()
            session.process.send_signal(signal.SIGINT)
            assert "busy()" in session.read("(Pdb) ")
            assert session.leave("q") == 0
        assert settled(child.pid, before)
        assert let_end(child) == 42


def number_of(listing: str) -> str:
    """Return the number of the breakpoint that pdb lists."""
    return next(line.split()[0] for line in listing.splitlines() if line[:1].isdigit())


def line_of(text: str) -> int:
    """Return the number of the first line of the script that has this text."""
    lines = (SCRIPTS / "states.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@every_python
@pytest.mark.parametrize(
    "code",
    ["while True: pass", "import time; time.sleep(1000)", "import threading; threading.Event().wait()"],
)
def test_ctrl_c_ends_what_was_executed(python: Interpreter, code: str) -> None:
    with running(python, "states.py", "sleep") as child:
        before = belongings(child.pid)
        with Session(child.pid, "--exec", f"print('begun')\n{code}") as session:
            session.read("begun\n")
            session.process.send_signal(signal.SIGINT)
            assert "KeyboardInterrupt" in session.read("KeyboardInterrupt\n")
            assert session.process.wait(60) == 1
        assert settled(child.pid, before)
        assert value(child.pid, MARKER) == "sleep"
        assert let_end(child) == 42


@every_python
@pytest.mark.parametrize("words", [["--pdb"], ["--console"]])
def test_the_program_survives_its_client(python: Interpreter, words: list[str]) -> None:
    with running(python, "states.py", "sleep") as child:
        before = belongings(child.pid)
        for _ in range(3):
            with Session(child.pid, *words) as session:
                session.read(") " if words == ["--pdb"] else ">>> ")
                session.process.send_signal(signal.SIGKILL)
                session.process.wait()
            assert settled(child.pid, before)
            assert value(child.pid, MARKER) == "sleep"
        assert let_end(child) == 42


@every_python
def test_a_console(python: Interpreter) -> None:
    with running(python, "states.py", "queue") as child:
        before = belongings(child.pid)
        with Session(child.pid, "--console") as session:
            assert "in wait" in session.read(">>> ")
            assert session.say("1 + 1", ">>> ").startswith("2\n")
            session.say("for i in range(2):", "... ")
            session.say("    print(i)", "... ")
            assert session.say("", ">>> ").startswith("0\n1\n")
            assert "ZeroDivisionError" in session.say("1 / 0", ">>> ")
            assert session.say("import threading; threading.current_thread().name", ">>> ").startswith(
                "'MainThread'"
            )
            assert session.leave("exit()") == 0
        assert settled(child.pid, before)
        assert let_end(child) == 42


@every_python
def test_a_breakpoint_in_a_loop_that_runs(python: Interpreter) -> None:
    with running(python, "states.py", "busy") as child:
        before = belongings(child.pid)
        with Session(child.pid, "--breakpoint", f"states.py:{line_of('count += 1')}") as session:
            text = session.read("(Pdb) ")
            assert "waiting for states.py" in text
            assert "busy()" in text
            assert session.say("p marker").startswith("'busy'")
            assert "busy()" in session.say("c")
            assert session.leave("q") == 0
        assert settled(child.pid, before)
        assert let_end(child) == 42


@every_python
def test_no_terminal_is_needed_at_all(python: Interpreter) -> None:
    words = [python.path, str(SCRIPTS / "states.py"), "sleep"]
    with started(words, start_new_session=True) as child:
        done = command.run("python", str(child.pid), "--pdb", input="p marker\nq\n", start_new_session=True)
        assert done.returncode == 0
        assert "'sleep'" in done.stdout
        assert let_end(child) == 42
