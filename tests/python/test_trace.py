"""System calls are told as strace tells them."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from command import COMMAND, LONGEST, run, trace
from libdebug import debugger

if TYPE_CHECKING:
    from collections.abc import Callable

LINE = re.compile(r"^(\d+) +(.*)$")
CALL = re.compile(r"^(\w+)\(.*= +(\S+)(?: (E\w+))?[^=]*$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>.*= +(\S+)(?: (E\w+))?[^=]*$")

Call = tuple[str, str]


def straces(text: str) -> dict[str, list[Call]]:
    """Return what strace wrote: the calls of each thread with their results."""
    threads: dict[str, list[Call]] = {}
    for line in text.splitlines():
        found = LINE.match(line)
        assert found, line
        tid, rest = found.groups()
        calls = threads.setdefault(tid, [])
        call = RESUMED.match(rest) or CALL.match(rest)
        if call and "<unfinished ...>" not in rest:
            name, value, error = call.groups()
            calls.append((name, error or value))
    return threads


def ours(events: list[dict[str, Any]]) -> dict[str, list[Call]]:
    """Return the same of our objects."""
    threads: dict[str, list[Call]] = {}
    for event in events:
        calls = threads.setdefault(str(event["thread"]), [])
        if event["event"] == "call":
            result = event["result"]
            calls.append((event["name"], event.get("error") or ("?" if result is None else str(result))))
    return threads


def comparable(threads: dict[str, list[Call]]) -> list[list[Call]]:
    """Return the threads in their order, with the tids in results by their number, addresses as numbers."""
    number = {tid: f"thread {index}" for index, tid in enumerate(threads)}

    def value(text: str) -> str:
        return number.get(text) or (str(int(text, 16)) if text.startswith("0x") else text)

    def of(name: str, result: str) -> Call:
        return (name, "tracer" if name == "getppid" and result not in number else value(result))

    return [[of(name, result) for name, result in calls] for calls in threads.values()]


PROGRAMS = {
    "ls": ["/bin/ls", "-d", "/"],
    "cat": ["/bin/cat", "/etc/passwd", "/no/such/file"],
    "python": [sys.executable, "-S", "-E", "-c", "pass"],
    "shell": ["/bin/sh", "-c", "/bin/ls -d /; /bin/cat /dev/null; exit 4"],
    "gcc": ["gcc", "-c", "hello.c", "-o", "hello.o"],
}


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_calls_are_those_of_strace(name: str, tmp_path: Path) -> None:
    words, output = PROGRAMS[name], tmp_path / "strace"
    (tmp_path / "hello.c").write_text("int main(void) { return 0; }\n")
    environment = {"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0"}
    theirs = subprocess.run(
        ["setarch", "-R", "strace", "-f", "-o", str(output), *words],
        capture_output=True, text=True, check=False, env=environment, cwd=tmp_path, timeout=LONGEST,
    )  # fmt: skip
    (tmp_path / "hello.o").unlink(missing_ok=True)
    events, done = trace(tmp_path, "--no-aslr", "--", *words, env=environment, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)
    assert comparable(ours(events)) == comparable(straces(output.read_text()))


def lines(*words: str, **options: Any) -> list[str]:
    return run("trace", *words, **options).stderr.splitlines()


def test_lines_read_as_straces_do(program: Callable[[str], str]) -> None:
    told = lines("--", "./tiny", cwd=Path(program("tiny")).parent)  # a long path would be shown in part
    assert told[0].startswith('execve("./tiny", ["./tiny"], /* ')
    assert told[1:] == [
        'write(1, "tiny\\n", 5)                   = 5',
        "exit(42)                                = ?",
        "+++ exited with 42 +++",
    ]


def test_signals_and_what_they_interrupt(program: Callable[[str], str]) -> None:
    told = lines("--", program("interrupted"))
    at = next(index for index, line in enumerate(told) if "SIGALRM {" in line)
    assert told[at - 1].endswith("= ? ERESTARTSYS (To be restarted if SA_RESTART is set)")
    assert told[at].startswith("--- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL")
    assert re.match(r"rt_sigreturn\(\) +(= -1 EINTR \(Interrupted system call\))", told[at + 1])
    assert told[-2].startswith("--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=")
    assert told[-1] == "+++ killed by SIGTERM +++"


@pytest.mark.parametrize("more", [[], ["--no-seccomp"]], ids=["filter", "every-stop"])
def test_filters(more: list[str], tmp_path: Path) -> None:
    words = ["--", "/bin/sh", "-c", "/bin/cat /etc/hostname /no/such/file; exit 2"]

    def names(choice: str) -> set[str]:
        events, done = trace(tmp_path, "-e", choice, *more, *words)
        assert done.returncode == 2
        return {event["name"] for event in events if event["event"] == "call"}

    assert names("openat") == {"openat"}
    assert names("openat,write") == {"openat", "write"}
    assert {"execve", "openat"} <= names("%file")
    assert "write" not in names("%file")
    assert "openat" not in names("!openat")
    assert {"execve", "exit_group"} <= names("%process")


def test_only_calls_of_a_path(tmp_path: Path) -> None:
    words = ["--", "/bin/cat", "/etc/passwd", "/etc/group"]
    events, _ = trace(tmp_path, "-P", "/etc/group", *words)
    names = [event["name"] for event in events if event["event"] == "call"]
    assert names[0] == "openat"
    assert {"read", "close"} <= set(names)
    assert '"/etc/group"' in events[0]["arguments"]
    assert names.count("openat") == 1


def test_unknown_names_are_refused() -> None:
    done = run("trace", "-e", "no_such_call", "--", "/bin/true")
    assert done.returncode == 125
    assert "no_such_call" in done.stderr


def test_a_summary_counts_calls_and_errors() -> None:
    done = run("trace", "-c", "--", "/bin/cat", "/no/such/file")
    rows = {row.split()[-1]: row.split() for row in done.stderr.splitlines() if row[:1] in " 1"}
    assert int(rows["openat"][4]) >= 1
    assert rows["total"][-1] == "total"


def test_files_of_descriptors() -> None:
    told = lines("-y", "-e", "openat,read", "--", "/bin/cat", "/etc/passwd")
    assert any(line.endswith("</etc/passwd>") and line.startswith("openat(") for line in told)
    assert any(line.startswith("read(3</etc/passwd>, ") for line in told)


def test_a_process_that_runs_is_traced_and_goes_on(tmp_path: Path) -> None:
    output = tmp_path / "lines"
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        words = [COMMAND, "trace", "-o", str(output), "-p", str(cat.pid)]
        with subprocess.Popen(words, stderr=subprocess.PIPE) as tracing:
            assert cat.stdin
            assert cat.stdout
            assert tracing.stderr
            assert tracing.stderr.readline() == f"libdebug: process {cat.pid} attached\n".encode()
            cat.stdin.write(b"text\n")
            cat.stdin.flush()
            assert cat.stdout.readline() == b"text\n"
            tracing.send_signal(signal.SIGINT)
            tracing.communicate(timeout=LONGEST)
        assert tracing.returncode == 130
        assert 'write(1, "text\\n", 5)' in output.read_text()
        assert cat.poll() is None
        cat.stdin.close()
        assert cat.wait(LONGEST) == 0


def test_calls_are_recorded_beside_the_debugger(program: Callable[[str], str]) -> None:
    d = debugger([program("calls"), "write", "getcwd"])
    d.run()
    with d.trace_syscalls(["write", "getcwd"]) as calls:
        d.cont()
        d.wait()
    assert [call.name for call in calls][:2] == ["write", "getcwd"]
    assert all(call.thread_id == d.process_id for call in calls)
    assert calls[0].arguments[0].startswith("1<")
    assert calls[0].result
    d.terminate()


def test_unknown_calls_are_not_recorded(program: Callable[[str], str]) -> None:
    d = debugger(program("calls"))
    with pytest.raises(ValueError, match="no_such_call"):
        d.trace_syscalls(["no_such_call"])
    d.terminate()
