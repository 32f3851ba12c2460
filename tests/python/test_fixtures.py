"""The targets by themselves: what they say when nobody disturbs them is what other tests expect."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import build
from programs import PROGRAMS, VARIANTS

BASIC = "basic: counter=45 message=the quick brown fox table[15]=225"

# arguments, input, exit status, last line of output
RUNS: list[tuple[str, str, int, str]] = [
    ("basic", "", 0, BASIC),
    ("basic 9", "", 9, BASIC),
    *[(f"basic-{variant}", "", 0, BASIC) for variant in VARIANTS],
    ("echo", "one\n!two\nquit\n", 7, "echo: one"),
    ("blocked read", "line\n", 0, "done line"),
    ("blocked nanosleep 20", "", 0, "done slept"),
    ("calls", "", 0, ""),
    (
        "calls write mmap open unknown nanosleep read say",
        "8 bytes.",
        0,
        "result=8 buffer=8 bytes. key=provola",
    ),
    ("crash segv", "", -signal.SIGSEGV, ""),
    ("crash abort", "", -signal.SIGABRT, ""),
    ("crash ill", "", -signal.SIGILL, ""),
    ("crash fpe", "", -signal.SIGFPE, ""),
    ("crash exit 5", "", 5, ""),
    ("exec_off_leader", "", 0, "ok"),
    ("forker 3", "", 0, "ok"),
    ("forker 3 vfork", "", 0, "ok"),
    ("insn", "", 0, "ok"),
    ("insn-nopie", "", 0, "ok"),
    ("insn-static", "", 0, "ok"),
    ("int3", "", 0, "traps=5"),
    ("leader_exits", "", 0, "ok"),
    ("raises 10 12:5 50 15", "", 0, "got 10 12 50 15"),
    ("regs", "", 0, "changes=0"),
    ("regs mmx", "", 0, "changes=0"),
    ("regs x87 avx", "", 0, "changes=0"),
    ("regs x87 sse", "", 0, "changes=0"),
    ("sandboxed filter", "", 0, "ok"),
    ("sandboxed strict", "", 0, "ok"),
    ("sleeper 0", "", 0, ""),
    ("spinner 0.01", "", 0, ""),
    ("threads 32 100", "", 0, f"total={sum((t + i) * 3 + 1 for t in range(32) for i in range(100))} ok"),
    ("tiny", "", 42, "tiny"),
]


def start(command: str, **options: object) -> subprocess.Popen[str]:
    """Start a fixture with pipes."""
    name, *arguments = command.split()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([str(build.program(name)), *arguments], **{**pipes, **options})  # type: ignore[call-overload]


def line_of(process: subprocess.Popen[str]) -> str:
    """Return the next line of a fixture's output."""
    assert process.stdout
    return process.stdout.readline()


@pytest.mark.parametrize(("command", "given", "status", "last"), RUNS, ids=[run[0] for run in RUNS])
def test_runs(command: str, given: str, status: int, last: str) -> None:
    with start(command) as process:
        output, _ = process.communicate(given)
    assert (process.returncode, (["", *output.splitlines()])[-1]) == (status, last)


@pytest.mark.parametrize("how", ["pause", "busy"])
def test_blocked_until_signalled(how: str) -> None:
    with start(f"blocked {how}") as process:
        assert line_of(process) == "ready\n"
        process.send_signal(signal.SIGUSR1)
        assert process.communicate()[0] == "done signalled\n"
    assert process.returncode == 0


def test_churn_until_told() -> None:
    with start("churn") as process:
        assert line_of(process) == "ready\n"
        output, _ = process.communicate("x")
    assert process.returncode == 0
    assert output.startswith("threads=")
    assert output.endswith(" ok\n")


def test_signals_all_arrive() -> None:
    with start("signals 500") as process:
        output, _ = process.communicate()
    assert process.returncode == 0
    assert output.startswith("sent=500 received=500 hot=")


def test_selfcheck_gives_one_sum() -> None:
    with start("selfcheck") as process:
        output, _ = process.communicate("\n\n")
    assert len(output.splitlines()) == 3
    assert len(set(output.splitlines())) == 1


def test_argenv_shows_all(tmp_path: Path) -> None:
    with start("argenv a 'b", env={"B": "2", "A": "1"}, cwd=tmp_path, start_new_session=True) as process:
        output, _ = process.communicate()
    assert output.splitlines() == [
        "argc 3",
        f"argv[0] {build.program('argenv')}",
        "argv[1] a",
        "argv[2] 'b",
        "env A=1",
        "env B=2",
        f"cwd {tmp_path.resolve()}",
        "tty 000",
        "group own",
    ]


def test_pi_has_all_its_bits() -> None:
    with start("regs") as process:
        output, _ = process.communicate()
    assert "st0 35c26821a2da0fc90040" in output.splitlines()


def test_no_sections_means_none() -> None:
    header = build.program("basic-nosections").read_bytes()[:64]
    assert (header[0x28:0x30], header[0x3C:0x40]) == (bytes(8), bytes(4))


def test_names_that_the_table_lacks() -> None:
    for name in ("no_such", "basic-no_such"):
        with pytest.raises(KeyError, match="no fixture"):
            build.program(name)


def test_a_product_follows_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "one.c"
    monkeypatch.setattr(build, "HERE", tmp_path)
    monkeypatch.setattr(build, "CACHE", tmp_path / ".cache")
    monkeypatch.setitem(PROGRAMS, "one", build.Program(("one.c",)))
    products = []
    for text in (
        "int main(void) { return 1; }",
        "int main(void) { return 2; }",
        "int main(void) { return 1; }",
    ):
        source.write_text(text)
        products.append(build.program("one"))
    assert products[0] == products[2] != products[1]
    assert [subprocess.run([path], check=False).returncode for path in products] == [1, 2, 1]
    source.write_text("int main(void) { oops }")
    with pytest.raises(RuntimeError, match="oops"):
        build.program("one")


def test_builders_side_by_side_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "CACHE", tmp_path / ".cache")
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(build.program, ["tiny"] * 8))
    assert len(set(paths)) == 1
    assert [entry.name for entry in (tmp_path / ".cache" / "tiny").iterdir()] == [paths[0].parent.name]


def test_the_builder_is_a_command() -> None:
    done = subprocess.run(
        [sys.executable, build.__file__, "basic", "tiny"], capture_output=True, text=True, check=True, cwd="/"
    )
    paths = done.stdout.split()
    assert [Path(path).name for path in paths] == ["basic", "tiny"]
    assert all(os.access(path, os.X_OK) for path in paths)
