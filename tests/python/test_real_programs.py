"""Real programs of many processes end as they do without a debugger: same output, same exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from families import LONG, drive, tree
from libdebug import debugger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from libdebug import Debugger

HELLO_C = '#include <stdio.h>\nint main(void) { puts("hello"); return 3; }\n'
HELLO_RS = """
use std::process::Command;
fn main() {
    let thread = std::thread::spawn(|| Command::new("/bin/echo").arg("child").output().unwrap().stdout);
    print!("{}", String::from_utf8(thread.join().unwrap()).unwrap());
    std::process::exit(4);
}
"""
HELLO_GO = """package main
import ("fmt"; "os"; "os/exec")
func main() {
    out, _ := exec.Command("/bin/echo", "child").Output()
    fmt.Print(string(out))
    os.Exit(4)
}
"""
PIPELINE = (
    "for i in 3 1 2; do echo $i; done | sort | (cat; echo end) | tr a-z A-Z; ls /none 2>/dev/null; exit $?"
)
PYTHON = """
import subprocess, sys
from concurrent.futures import ThreadPoolExecutor
def run(code):
    command = [sys.executable, '-S', '-c', f'print({code}); exit({code})']
    return subprocess.run(command, capture_output=True)
with ThreadPoolExecutor(3) as pool:
    done = list(pool.map(run, range(5)))
print([(one.returncode, one.stdout) for one in done])
sys.exit(9)
"""
GIT = """
export GIT_CONFIG_GLOBAL=/dev/null HOME=$PWD GIT_PAGER=cat
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_AUTHOR_DATE=2020-01-01T00:00:00Z
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_COMMITTER_DATE=2020-01-01T00:00:00Z
rm -rf repo && git init -q -b main repo && cd repo && echo text > file && git add . || exit 1
git commit -q -m first && git log --oneline --no-color --no-decorate || exit 2
git gc --quiet && git fsck --no-progress && git rev-parse HEAD
"""


class Outcome(NamedTuple):
    """What a program leaves."""

    stdout: bytes
    code: int | None


def compiled(tmp_path: Path, name: str, text: str, *command: str) -> str:
    """Return the path of a program made of a source."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    (tmp_path / name).write_text(text)
    subprocess.run([*command, name], cwd=tmp_path, check=True, capture_output=True, env=home(tmp_path))
    return str(tmp_path / "program")


def home(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which a compiler finds a place for its caches."""
    return {**os.environ, "GOCACHE": str(tmp_path / "go")}


def command_of(name: str, tmp_path: Path) -> list[str]:
    """Return a command that leaves nothing but its output."""
    match name:
        case "gcc":
            (tmp_path / "hello.c").write_text(HELLO_C)
            return ["/bin/sh", "-c", f"cd {tmp_path}; gcc -o hello hello.c && ./hello"]
        case "python":
            return [sys.executable, "-S", "-c", PYTHON]
        case "git":
            if shutil.which("git") is None:
                pytest.skip("git is not installed")
            return ["/bin/sh", "-c", f"cd {tmp_path}; {GIT}"]
        case "rust":
            flags = ["--target", "x86_64-unknown-linux-gnu", "-C", "target-feature=+crt-static"]
            return [compiled(tmp_path, "hello.rs", HELLO_RS, "rustc", *flags, "-o", "program")]
        case "go":
            return [compiled(tmp_path, "hello.go", HELLO_GO, "go", "build", "-o", "program")]
        case _:
            return ["/bin/bash", "-c", PIPELINE]


PROGRAMS = ["bash", "gcc", "python", "git", "rust", "go"]


def plainly(command: list[str]) -> Outcome:
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    return Outcome(done.stdout, done.returncode)


def under_debug(command: list[str], act: Callable[[Debugger], object], **settings: Any) -> Outcome:
    d = debugger(command, **settings)
    try:
        pipe = d.run()
        assert pipe is not None
        act(d)
        return Outcome(pipe.recvall(timeout=LONG), d.exit_code)
    finally:
        d.terminate()


@pytest.mark.parametrize("name", PROGRAMS)
def test_with_all_children_followed(name: str, tmp_path: Path) -> None:
    command = command_of(name, tmp_path)

    def act(d: Debugger) -> None:
        drive(d)
        assert len(list(tree(d))) >= 1
        assert all(child.dead for child in tree(d))

    assert under_debug(command, act) == plainly(command)


@pytest.mark.parametrize("name", PROGRAMS)
def test_with_every_system_call_handled(name: str, tmp_path: Path) -> None:
    command = command_of(name, tmp_path)
    handlers: list[Any] = []

    def handle(d: Debugger) -> None:
        handlers.append(d.handle_syscall("all", on_enter=lambda *_: None, on_exit=lambda *_: None))

    assert under_debug(command, lambda d: drive(d, handle)) == plainly(command)
    assert len(handlers) >= 2
    assert all(handler.hit_count > 0 for handler in handlers)


@pytest.mark.parametrize("name", PROGRAMS)
def test_with_children_left_alone(name: str, tmp_path: Path) -> None:
    command = command_of(name, tmp_path)

    def act(d: Debugger) -> None:
        if name not in ("rust", "go"):
            d.breakpoint("malloc", callback=True, file="libc")
        d.cont()
        d.wait(timeout=LONG)
        assert d.children == []

    assert under_debug(command, act, follow_children=False) == plainly(command)
