"""System calls are told as strace tells them."""

from __future__ import annotations

import itertools
import os
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
    text = "= ? ERESTARTSYS (To be restarted if SA_RESTART is set)"
    interrupted = next(index for index, line in enumerate(told) if line.endswith(text))
    assert told[interrupted].startswith("read(3, ")
    at = interrupted + 1
    assert told[at].startswith("--- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL")
    assert re.match(r"rt_sigreturn\(\) +(= -1 EINTR \(Interrupted system call\))", told[at + 1])
    assert any(line.startswith("--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=") for line in told)
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


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("no_such_call", 'Syscall "no_such_call" not found'),
        ("", "a name is missing"),
        ("read,!write", "`!` goes before the whole list"),
        ("%files", "there is no class %files, only %file, %desc"),
    ],
)
def test_what_is_no_choice_is_refused(choice: str, said: str) -> None:
    done = run("trace", "-e", choice, "--", "/bin/true")
    assert done.returncode == 125
    assert said in done.stderr


@pytest.mark.parametrize("command", ["trace", "count"])
def test_an_option_that_there_is_not_is_no_program(command: str) -> None:
    done = run(command, "-f", "--", "/bin/true")
    assert (done.returncode, done.stdout) == (125, "")
    assert "there is no option -f: children are always followed" in done.stderr


@pytest.mark.parametrize("command", ["trace", "count"])
def test_where_the_result_goes_is_looked_at_first(command: str, tmp_path: Path) -> None:
    done = run(command, "-o", str(tmp_path / "no" / "such"), "--", "/bin/echo", "ran")
    assert (done.returncode, done.stdout) == (125, "")
    assert "cannot write" in done.stderr


@pytest.mark.parametrize("command", ["trace", "count"])
def test_a_second_ctrl_c_changes_nothing(command: str, program: Callable[[str], str]) -> None:
    with subprocess.Popen([program("spinner")], stdout=subprocess.DEVNULL) as spinning:
        words = [COMMAND, command, "-p", str(spinning.pid)]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as looking:
            assert looking.stderr
            assert "attached" in looking.stderr.readline()
            for _ in range(3):
                looking.send_signal(signal.SIGINT)
            errors = looking.communicate(timeout=LONGEST)[1]
        assert looking.returncode == 130
        assert "Traceback" not in errors
        assert spinning.poll() is None
        spinning.kill()


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


def test_stacks_of_calls(program: Callable[[str], str], tmp_path: Path) -> None:
    words = ["-k", "-e", "write,exit_group", "--", program("hello")]
    told = lines(*words)
    at = next(index for index, line in enumerate(told) if line.startswith("write(1, "))
    assert re.match(r" > /.*libc.*\((__)?(libc_)?write\+0x[0-9a-f]+\) \[0x[0-9a-f]+\]$", told[at + 1])
    frames = list(itertools.takewhile(lambda line: line.startswith(" > "), told[at + 1 :]))
    assert frames[-1].startswith(f" > {program('hello')}(_start+0x")
    at = next(index for index, line in enumerate(told) if line.startswith("exit_group(0)"))
    assert "(_exit+0x" in told[at + 1], "the call that does not return has its stack too"
    assert told[-1] == "+++ exited with 0 +++"

    events, _ = trace(tmp_path, *words)
    write = next(event for event in events if event.get("name") == "write")
    start = write["stack"][-1]
    assert (start["symbol"], start["file"]) == ("_start", program("hello"))
    assert start["pc"] > start["offset"] > 0


def test_stacks_cost_nothing_where_they_are_not_asked_for(tmp_path: Path) -> None:
    events, _ = trace(tmp_path, "-e", "exit_group", "--", "/bin/true")
    assert all("stack" not in event for event in events)


def test_a_call_that_blocks_is_seen_while_it_does() -> None:
    with subprocess.Popen(
        [COMMAND, "trace", "-e", "read", "--", "/bin/cat"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as tracing:
        assert tracing.stderr
        assert tracing.stdin
        told = b""
        while b"read(0, " not in told:
            part = tracing.stderr.read1()  # type: ignore[attr-defined]
            assert part, told
            told += part
        assert not told.endswith(b"\n"), "nothing has been typed"
        tracing.stdin.close()
        rest = tracing.stderr.read()
        assert (
            rest.split(b"\n")[0].endswith(b'"", 131072)             = 0') or b" = 0" in rest.split(b"\n")[0]
        )
    assert tracing.returncode == 0


def test_job_control_is_told() -> None:
    words = [COMMAND, "trace", "-e", "kill", "--", "/bin/sh", "-c", "kill -STOP $$"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as tracing:
        assert tracing.stderr
        told = []
        while not told or not told[-1].startswith("--- stopped by SIGSTOP ---"):
            told.append(tracing.stderr.readline())
            assert told[-1], told
        assert any("--- SIGSTOP {" in line for line in told)
        os.kill(int(told[0].removeprefix("kill(").split(",")[0]), signal.SIGCONT)
        assert tracing.stderr.readline().startswith("--- SIGCONT {")
    assert tracing.returncode == 0


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
