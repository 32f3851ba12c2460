"""The number of instructions is exact, and counting changes nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from command import COMMAND, LONGEST, count, run
from libdebug import debugger

if TYPE_CHECKING:
    from collections.abc import Callable

KNOWN = {
    "count_line": (7, [16]),
    "count_rep": (0, [163]),
    "count_calls": (0, [4, 23]),
    "count_signal": (1, [20]),
    "count_threads": (0, [20, 2012]),
}


@pytest.mark.parametrize("name", KNOWN)
def test_counts_that_follow_from_the_source(name: str, program: Callable[[str], str], tmp_path: Path) -> None:
    status, each = KNOWN[name]
    counted, done = count(tmp_path, "--", program(name))
    assert done.returncode == status
    assert sorted(thread["instructions"] for thread in counted["threads"]) == each
    assert counted["instructions"] == sum(each)


GDB = """
import gdb
for setting in ("startup-with-shell off", "disable-randomization on", "pagination off"):
    gdb.execute("set " + setting)
gdb.execute("unset environment")
gdb.execute("starti")
count = 0
while gdb.selected_inferior().pid:
    gdb.execute("stepi", to_string=True)
    count += 1
print("steps:", count)
"""


@pytest.mark.skipif(shutil.which("gdb") is None, reason="needs gdb")
def test_as_many_as_gdb_steps(program: Callable[[str], str], tmp_path: Path) -> None:
    script = tmp_path / "steps.py"
    script.write_text(GDB)
    hello = program("hello-static")
    command = ["gdb", "-q", "-nx", "-batch", "-x", str(script), hello]
    stepped = subprocess.run(
        command, capture_output=True, text=True, timeout=LONGEST, check=True, stdin=subprocess.DEVNULL
    )
    steps = int(stepped.stdout.rsplit("steps:", 1)[1])
    counted, _ = count(tmp_path, "--no-aslr", "--", hello, env={})
    assert counted["instructions"] == steps


# What callgrind leaves out at the end of a program, and adds for each repeated instruction that runs out.
CALLGRIND = {"count_line": 16 - 3, "count_rep": 163 - 3 + 2}


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind")
@pytest.mark.parametrize("name", CALLGRIND)
def test_as_many_as_callgrind_but_for_what_the_guide_says(name: str, program: Callable[[str], str]) -> None:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program(name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    assert int(done.stderr.rsplit(":", 1)[1].replace(",", "")) == CALLGRIND[name]


def test_ten_runs_count_the_same(program: Callable[[str], str], tmp_path: Path) -> None:
    hello = program("hello-static")
    counts = {count(tmp_path, "--no-aslr", "--", hello)[0]["instructions"] for _ in range(10)}
    assert len(counts) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["/bin/ls", "-d", "/"],
        ["sh", "-c", "echo $((6 * 7)) | cat; exit 3"],
        ["nproc"],
        ["sixteen"],
        ["int3"],
    ],
    ids=["ls", "pipe", "nproc", "threads", "int3"],
)
def test_programs_do_as_they_do_uncounted(
    words: list[str], program: Callable[[str], str], tmp_path: Path
) -> None:
    words = [program(word) if word in ("sixteen", "int3") else word for word in words]
    plain = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST, check=False, cwd=tmp_path)
    counted, done = count(tmp_path, "--", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    assert counted["end"] == "finished"
    assert counted["exit_code"] == plain.returncode
    assert sum(thread["instructions"] for thread in counted["threads"]) == counted["instructions"]


def test_every_thread_is_counted(program: Callable[[str], str], tmp_path: Path) -> None:
    counted, _ = count(tmp_path, "--", program("sixteen"))
    assert len(counted["threads"]) == 17
    assert min(thread["instructions"] for thread in counted["threads"]) > 10


@pytest.mark.parametrize("by", ["function", "module", "syscall", "mnemonic", "thread"])
def test_groups_sum_up_to_all(by: str, program: Callable[[str], str], tmp_path: Path) -> None:
    counted, _ = count(tmp_path, "--by", by, "--", program("hello-static"))
    assert sum(group["instructions"] for group in counted["groups"]) == counted["instructions"]


def test_groups_have_names(program: Callable[[str], str], tmp_path: Path) -> None:
    def groups(by: str, name: str) -> dict[str, int]:
        counted, _ = count(tmp_path, "--by", by, "--", program(name))
        return {group["name"]: group["instructions"] for group in counted["groups"]}

    assert groups("mnemonic", "count_line") == {
        "nop": 1,
        "mov": 3,
        "dec": 5,
        "jne": 5,
        "xor": 1,
        "syscall": 1,
    }
    assert groups("syscall", "count_line") == {"exit": 16}


def test_only_inside_a_function(program: Callable[[str], str], tmp_path: Path) -> None:
    counted, _ = count(tmp_path, "--by", "function", "--", program("ranged"))
    everywhere = {group["name"]: group["instructions"] for group in counted["groups"]}
    ranged, done = count(tmp_path, "--range", "counted", "--by", "function", "--", program("ranged"))
    inside = {group["name"]: group["instructions"] for group in ranged["groups"]}
    assert done.stdout == "6\n"
    assert inside == {name: everywhere[name] for name in ("counted", "inner")}
    assert ranged["instructions"] == everywhere["counted"] + everywhere["inner"]


def test_a_function_that_is_not_there_is_named(program: Callable[[str], str]) -> None:
    done = run("count", "--range", "no_such_function", "--", program("hello-static"))
    assert done.returncode == 125
    assert "no_such_function" in done.stderr


def test_the_limit_is_exact(program: Callable[[str], str], tmp_path: Path) -> None:
    counted, _ = count(tmp_path, "--limit", "1000", "--", program("spinner"))
    assert (counted["instructions"], counted["end"]) == (1000, "limit")


def test_ends_by_signals_are_told(program: Callable[[str], str], tmp_path: Path) -> None:
    counted, done = count(tmp_path, "--", program("interrupted"))
    assert (done.returncode, counted["signal"]) == (128 + signal.SIGTERM, "SIGTERM")
    assert counted["instructions"] > 1000


def test_another_program_in_its_place_is_counted_too(program: Callable[[str], str], tmp_path: Path) -> None:
    counted, done = count(tmp_path, "--", "sh", "-c", f"exec {program('count_line')}")
    alone, _ = count(tmp_path, "--", "sh", "-c", "exit 7")
    assert done.returncode == 7
    assert len(counted["threads"]) == 1
    assert counted["instructions"] > alone["instructions"] // 2


def test_ctrl_c_shows_what_was_counted_and_leaves_nothing(program: Callable[[str], str]) -> None:
    words = [COMMAND, "count", "--", "sh", "-c", f"echo $$; exec {program('spinner')}"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as counting:
        assert counting.stdout
        pid = int(counting.stdout.readline())
        counting.send_signal(signal.SIGINT)
        _, errors = counting.communicate(timeout=LONGEST)
    assert counting.returncode == 130
    assert "until it was stopped" in errors
    assert not Path(f"/proc/{pid}").exists()


def test_a_process_that_runs_is_counted_and_goes_on(program: Callable[[str], str], tmp_path: Path) -> None:
    with subprocess.Popen([program("spinner")], stdout=subprocess.DEVNULL) as spinning:
        counted, _ = count(tmp_path, "--limit", "5000", "-p", str(spinning.pid))
        assert (counted["instructions"], counted["end"]) == (5000, "limit")
        assert "TracerPid:\t0" in Path(f"/proc/{spinning.pid}/status").read_text()
        assert spinning.poll() is None
        os.kill(spinning.pid, signal.SIGKILL)


def test_a_process_that_waits_is_let_go_unharmed() -> None:
    """A step into a call that blocks is still to end when the process is let go."""
    for _ in range(5):
        with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
            assert cat.stdin
            assert cat.stdout
            cat.stdin.write(b"one\n")
            cat.stdin.flush()
            assert cat.stdout.readline() == b"one\n"  # and now it waits again, or is about to
            words = [COMMAND, "count", "-p", str(cat.pid)]
            with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as counting:
                assert counting.stderr
                assert counting.stderr.readline() == f"libdebug: process {cat.pid} attached\n"
                counting.send_signal(signal.SIGINT)
                counting.communicate(timeout=LONGEST)
            assert counting.returncode == 130
            assert cat.communicate(b"two\n", timeout=LONGEST) == (b"two\n", None)
        assert cat.returncode == 0


def test_threads_that_wait_are_let_go_unharmed() -> None:
    script = (
        "import threading; lock = threading.Lock(); lock.acquire()\n"
        "threads = [threading.Thread(target=lambda: lock.acquire() and lock.release()) for _ in range(4)]\n"
        "[thread.start() for thread in threads]; print('ready', flush=True)\n"
        "for _ in range(3_000_000): pass\n"
        "lock.release(); [thread.join() for thread in threads]; print('done')"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as threads:
        assert threads.stdout
        assert threads.stdout.readline() == "ready\n"
        done = run("count", "--limit", "500", "-p", str(threads.pid))
        assert done.returncode == 0, done.stderr
        assert threads.communicate(timeout=LONGEST)[0] == "done\n"
    assert threads.returncode == 0


def test_a_pipe_never_sees_progress(program: Callable[[str], str]) -> None:
    done = run("count", "--", program("count_line"))
    assert done.stderr.split()[:2] == ["16", "instructions"]
    assert "\r" not in done.stderr


def test_a_thread_counts_its_way(program: Callable[[str], str]) -> None:
    d = debugger(program("count_line"))
    d.run()
    start = d.regs.rip
    assert d.count_instructions(until=start + 8) == 3
    assert d.count_instructions(limit=4) == 4
    assert d.count_instructions(until=start + 10) == 1
    assert d.count_instructions(until=start + 10) == 2
    d.kill()
    d.run()
    assert d.threads[0].count_instructions() == 15
    assert d.exit_code == 7
    d.terminate()
