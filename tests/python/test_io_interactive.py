"""Interactive mode: in a terminal, and without one."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 30
PRELUDE = """
import os, signal, sys, threading
from libdebug import debugger
def start(script, **options):
    d = debugger(["/bin/sh", "-c", script], follow_children=False)
    pipe = d.run(**options)
    d.cont()
    return d, pipe
def on_request(act):
    # In a thread of its own.
    signal.signal(signal.SIGUSR1, lambda *_: threading.Thread(target=act).start())
"""
# The terminal becomes the script's controlling one, as under a shell.
OWN_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
ECHO = "while read a; do echo got $a; done"


class User:
    """Somebody at a terminal in which a script runs."""

    def __init__(self, master: int, child: subprocess.Popen[bytes]) -> None:
        self.master = master
        self.child = child
        self.seen = b""

    def types(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def reads(self, expected: bytes) -> bytes:
        """Return what came up to and including the expected text."""
        deadline = time.monotonic() + SECONDS
        while expected not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{expected!r} did not come, but {self.seen!r}"
            self.seen += self._more()
        before, found, self.seen = self.seen.partition(expected)
        return before + found

    def requests(self) -> None:
        self.child.send_signal(signal.SIGUSR1)

    def _more(self) -> bytes:
        try:
            return os.read(self.master, 4096)
        except OSError:
            pytest.fail(f"the script ended after {self.seen!r}")

    def ends(self) -> None:
        self.reads(b"script over\r\n")
        assert self.child.wait(SECONDS) == 0


@contextmanager
def at_terminal(script: str, home: Path) -> Iterator[User]:
    master, slave = pty.openpty()
    settings = termios.tcgetattr(slave)
    child = subprocess.Popen(
        [sys.executable, "-c", f"{OWN_TERMINAL}{PRELUDE}{script}\nprint('script over')"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**os.environ, "HOME": str(home), "TERM": "xterm"},
    )
    try:
        yield User(master, child)
        assert termios.tcgetattr(slave) == settings
    finally:
        child.kill()
        child.wait()
        os.close(slave)
        os.close(master)


def test_a_conversation_in_a_terminal(tmp_path: Path) -> None:
    script = f"d, pipe = start('{ECHO}; echo bye'); pipe.interactive(); d.terminate()"
    with at_terminal(script, tmp_path) as user:
        user.reads(b"$ ")
        user.types(b"helo\x1b[Dl\r")
        user.reads(b"got hello\r\n")
        user.types(b"\x1b[A\x1b[A\r")
        user.reads(b"got hello\r\n")
        user.types("è\n".encode())
        user.reads("got è\r\n".encode())
        user.types(b"\x04")
        user.reads(b"Exiting interactive mode")
        user.ends()
    history = (tmp_path / ".cache" / "libdebug" / "history").read_text()
    assert [line for line in history.splitlines() if line.startswith("+")] == ["+hello", "+è"]


def test_output_without_a_line_end_is_shown_and_prompt_can_be_chosen(tmp_path: Path) -> None:
    script = """
d, pipe = start("printf name:; read a; echo hello $a >&2; read b")
pipe.interactive("> ")
d.terminate()
"""
    with at_terminal(script, tmp_path) as user:
        user.reads(b"name:")
        user.reads(b"> ")
        user.types(b"you\r")
        user.reads(b"hello you\r\n")
        user.types(b"\x03")
        user.ends()


@pytest.mark.parametrize("key", [b"\x03", b"\x04"])
def test_keys_that_leave_also_leave_ctrl_c_as_it_was(key: bytes, tmp_path: Path) -> None:
    script = """
d, pipe = start("read a; echo got $a; read b")
handler = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGWINCH)
pipe.interactive()
assert handler == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGWINCH))
try:
    print("press")
    pipe.recvline(timeout=None)
except KeyboardInterrupt:
    print("interrupted")
pipe.sendline(b"more")
print(pipe.recvline())
d.terminate()
"""
    with at_terminal(script, tmp_path) as user:
        user.reads(b"$ ")
        user.types(key)
        user.reads(b"press\r\n")
        user.types(b"\x03")
        user.reads(b"interrupted\r\n")
        user.reads(b"b'got more'\r\n")
        user.ends()


def test_the_end_of_the_process_leaves(tmp_path: Path) -> None:
    script = "d, pipe = start('read a; echo last words'); pipe.interactive(); d.terminate()"
    with at_terminal(script, tmp_path) as user:
        user.reads(b"$ ")
        user.types(b"\rtyped too late")
        user.reads(b"last words\r\n")
        user.reads(b"The process has ended.")
        user.ends()


@pytest.mark.parametrize("auto_quit", [False, True])
def test_a_stop_is_told_once_and_leaves_if_asked_to(auto_quit: bool, tmp_path: Path) -> None:
    script = f"""
d, pipe = start("echo ready; read a")
on_request(d.interrupt)
pipe.interactive(auto_quit={auto_quit})
print("left")
d.terminate()
"""
    with at_terminal(script, tmp_path) as user:
        user.reads(b"ready\r\n")
        user.requests()
        user.reads(b"The process has stopped")
        if not auto_quit:
            user.types(b"\x04")
        assert b"has stopped" not in user.reads(b"left\r\n")
        user.ends()


def test_what_python_prints_meanwhile_appears_above_the_line(tmp_path: Path) -> None:
    script = """
d, pipe = start("read a; read b")
streams = sys.stdout, sys.stderr
def talk():
    print("printed")
    sys.stderr.write("complained\\n")
    sys.stdout.buffer.write(b"bytes\\n")
on_request(talk)
pipe.interactive()
assert streams == (sys.stdout, sys.stderr)
d.terminate()
"""
    with at_terminal(script, tmp_path) as user:
        user.reads(b"$ ")
        user.types(b"half")
        user.reads(b"$ half")
        user.requests()
        for text in (b"printed\r\n", b"complained\r\n", b"bytes\r\n"):
            user.reads(text)
            user.reads(b"$ half")
        user.types(b"\x03")
        user.ends()


def test_the_terminal_is_given_back_after_an_exception(tmp_path: Path) -> None:
    script = """
def fail(*_):
    raise ValueError("from a signal handler")
d, pipe = start("read a")
signal.signal(signal.SIGUSR1, fail)
try:
    pipe.interactive()
except ValueError as error:
    print("raised", error)
d.terminate()
"""
    with at_terminal(script, tmp_path) as user:
        user.reads(b"$ ")
        user.requests()
        user.reads(b"raised from a signal handler\r\n")
        user.ends()


def test_a_killed_process_leaves(tmp_path: Path) -> None:
    script = """
d, pipe = start("read a")
def kill():
    d.interrupt()
    d.kill()
on_request(kill)
pipe.interactive()
d.terminate()
"""
    with at_terminal(script, tmp_path) as user:
        user.reads(b"$ ")
        user.requests()
        user.ends()


def test_a_program_that_has_the_terminal_itself_is_in_its_foreground(tmp_path: Path) -> None:
    script = """
d = debugger(["/bin/sh", "-c", "read a; echo $a is mine"])
assert d.run(redirect_pipes=False) is None
print("foreground", os.tcgetpgrp(0) == d.pid == os.getpgid(d.pid))
d.cont()
d.wait()
print("taken back", os.tcgetpgrp(0) == os.getpgrp())
try:
    debugger(["/proc/self/mem"]).run(redirect_pipes=False)
except OSError:
    print("still ours", os.tcgetpgrp(0) == os.getpgrp())
d.terminate()
"""
    with at_terminal(script, tmp_path) as user:
        user.reads(b"foreground True\r\n")
        user.types(b"this\n")
        user.reads(b"this is mine\r\n")
        user.reads(b"taken back True\r\n")
        user.reads(b"still ours True\r\n")
        user.ends()


def test_a_detached_program_gives_the_terminal_back(tmp_path: Path) -> None:
    script = """
d = debugger(["/bin/sleep", "1000"])
d.run(redirect_pipes=False)
pid = d.pid
print("foreground", os.tcgetpgrp(0) == pid)
d.detach()
print("taken back", os.tcgetpgrp(0) == os.getpgrp())
os.kill(pid, signal.SIGKILL)
d.terminate()
"""
    with at_terminal(script, tmp_path) as user:
        user.reads(b"foreground True\r\n")
        user.reads(b"taken back True\r\n")
        user.ends()


def without_terminal(script: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        capture_output=True,
        timeout=SECONDS,
        check=False,
        **options,  # type: ignore[call-overload]
    )


def test_without_a_terminal_bytes_are_passed_on() -> None:
    data = bytes(range(256)) * 2048 + b"\nquit\n"
    script = """
d, pipe = start("head -c 524294; echo done >&2; read a")
pipe.interactive()
"""
    done = without_terminal(script, input=data)
    assert done.stdout == data, done.stderr
    assert b"done\n" in done.stderr
    assert b"Calling interactive mode" in done.stderr
    assert done.returncode == 0


def test_after_the_last_input_the_program_may_finish_or_fall_silent() -> None:
    script = "d, pipe = start('read a; echo first; sleep 0.3; echo second; read b; echo third')\n"
    done = without_terminal(f"{script}pipe.timeout_default = 20\npipe.interactive()", input=b"1\n2\n")
    assert done.stdout == b"first\nsecond\nthird\n"
    assert b"The process has ended." in done.stderr
    # The program waits for a line that will not come.
    script = "d, pipe = start('read a; echo first; echo second; read b; echo third')\n"
    script += "pipe.timeout_default = 1\npipe.interactive()\nd.interrupt()\nprint('still', d.dead)"
    done = without_terminal(script, input=b"1\n")
    assert done.stdout == b"first\nsecond\nstill False\n", done.stderr


def test_without_a_terminal_a_stop_is_told() -> None:
    script = """
d, pipe = start("echo out; kill -STOP $$; echo more; read a")
d.interrupt()
pipe.interactive(auto_quit=True)
"""
    done = without_terminal(script, stdin=subprocess.DEVNULL)
    assert b"The process has stopped" in done.stderr
    assert done.returncode == 0


def test_streams_that_end_alone_are_told() -> None:
    script = """
d, pipe = start("exec >&-; echo err >&2; read a; exec 2>&-; read b")
pipe.interactive()
"""
    with until_ctrl_c(script, b"standard output.") as child:
        assert child.stdin is not None
        assert child.stderr is not None
        os.write(child.stdin.fileno(), b"1\n")
        wait_for(child.stderr.fileno(), b"The process has closed its standard error.")


def test_input_and_output_of_another_kind_are_used() -> None:
    script = """
import io
sys.stdin, sys.stdout = io.StringIO("typed\\nè\\n"), io.StringIO()
d, pipe = start("cat; read a")
pipe.timeout_default = 0.5
pipe.interactive()
text, sys.stdout = sys.stdout.getvalue(), sys.__stdout__
print(ascii(text))
"""
    done = without_terminal(script, stdin=subprocess.DEVNULL)
    assert done.stdout == b"'typed\\n\\xe8\\n'\n", done.stderr


def test_ctrl_c_leaves_without_a_terminal() -> None:
    script = """
d, pipe = start("echo ready >&2; while :; do :; done")
pipe.interactive()
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    with until_ctrl_c(script, b"ready\n"):
        pass


@contextmanager
def until_ctrl_c(script: str, sign: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """Run a script until a sign on its standard error; in the end send it SIGINT, which it survives."""
    with subprocess.Popen(
        [sys.executable, "-c", f"{PRELUDE}{script}\nprint('script over')"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            wait_for(child.stderr.fileno(), sign)
            yield child
            child.send_signal(signal.SIGINT)
            assert child.stdout.read() == b"script over\n"
            assert child.wait(SECONDS) == 0
        finally:
            child.kill()


def wait_for(descriptor: int, expected: bytes) -> None:
    """Read until a text has come."""
    seen = b""
    while expected not in seen:
        more = os.read(descriptor, 4096)
        assert more, seen
        seen += more


def test_nothing_is_written_before_interactive_mode(tmp_path: Path) -> None:
    done = without_terminal(
        "d, pipe = start('echo x')\npipe.recvline()\nd.wait()",
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
