"""A program that counts itself counts what single steps count, and does what it does uncounted."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from command import COMMAND, LONGEST, count
from random_program import Program

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = "--single-step"


def groups(counted: dict[str, Any]) -> dict[str, int]:
    """Return what was counted by name."""
    return {group["name"]: group["instructions"] for group in counted["groups"]}


def numbers(counted: dict[str, Any]) -> list[int]:
    """Return the counts of the threads, without their order."""
    return sorted(thread["instructions"] for thread in counted["threads"])


def both_ways(tmp_path: Path, *words: str) -> dict[str, Any]:
    """Return the count of a program that has counted itself, once it is known to be that of single steps."""
    words = ("--no-aslr", *words)
    itself, done = count(tmp_path, *words, env={})
    stepped, other = count(tmp_path, STEPS, *words, env={})
    assert (done.returncode, done.stdout, done.stderr) == (other.returncode, other.stdout, other.stderr)
    assert groups(itself) == groups(stepped)
    assert numbers(itself) == numbers(stepped)
    assert (itself["instructions"], itself["end"]) == (stepped["instructions"], stepped["end"])
    return itself


@pytest.mark.parametrize("by", ["function", "mnemonic", "module", "syscall"])
@pytest.mark.parametrize("name", ["count_rep", "count_signal", "count_gs", "hello-static", "count_faults"])
def test_programs_count_the_same_by_every_name(
    name: str, by: str, program: Callable[[str], str], tmp_path: Path
) -> None:
    counted = both_ways(tmp_path, "--by", by, "--", program(name))
    assert sum(groups(counted).values()) == counted["instructions"]


@pytest.mark.parametrize(
    "name", ["count_calls", "count_threads", "count_code", "count_family", "ranged", "int3"]
)
def test_programs_count_the_same(name: str, program: Callable[[str], str], tmp_path: Path) -> None:
    both_ways(tmp_path, "--", program(name))


def test_a_whole_command_counts_the_same(tmp_path: Path) -> None:
    both_ways(tmp_path, "--by", "function", "--", "/bin/ls", "-d", "/")


def test_many_threads_at_once_count_the_same(program: Callable[[str], str], tmp_path: Path) -> None:
    words = ("--by", "function", "--", program("count_crowd"))
    itself, stepped = (count(tmp_path, *way, *words)[0] for way in ([], [STEPS]))
    # How a thread begins and ends depends on what others do meanwhile.
    assert groups(itself)["run"] == groups(stepped)["run"] > 16 * 200 * 10
    assert len(itself["threads"]) == len(stepped["threads"]) == 17


@pytest.mark.parametrize("limit", [100, 256, 20_000, 33_001])
def test_a_limit_is_at_the_same_instruction(
    limit: int, program: Callable[[str], str], tmp_path: Path
) -> None:
    words = ("--by", "mnemonic", "--limit", str(limit), "--")
    assert both_ways(tmp_path, *words, program("hello"))["instructions"] == limit
    counted, _ = count(tmp_path, "--limit", "130000", "--", program("count_family"))
    assert (counted["instructions"], counted["end"]) == (130_000, "limit")


@pytest.mark.parametrize("ending", ["exits", "is killed"])
@pytest.mark.parametrize("by", [None, "function", "mnemonic"])
def test_threads_that_are_ended_in_the_middle_of_something_lose_nothing(
    by: str | None, ending: str, program: Callable[[str], str], tmp_path: Path
) -> None:
    words = ("--by", by) if by else ()
    counted, done = count(tmp_path, *words, "--", program("count_abandoned"), *(["x"] * (ending != "exits")))
    assert (done.returncode, done.stdout) == ((0, "10 children\n") if ending == "exits" else (137, ""))
    assert sum(numbers(counted)) == counted["instructions"]
    assert sum(groups(counted).values()) == (counted["instructions"] if by else 0)
    assert len(counted["threads"]) == 5 + (10 if ending == "exits" else 0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("how", ["-static", "-pie"])
def test_random_programs_compute_and_count_the_same(seed: int, how: str, tmp_path: Path) -> None:
    source, built = tmp_path / "random.S", tmp_path / "random"
    source.write_text(Program(seed).text)
    subprocess.run(["gcc", "-nostdlib", how, str(source), "-o", str(built)], check=True, timeout=LONGEST)
    written = tmp_path / "written"
    words = ["/bin/sh", "-c", f"exec {built} > {written}"]
    subprocess.run(["/usr/bin/setarch", "-R", *words], check=True, env={}, timeout=LONGEST)
    plain = written.read_bytes()
    assert plain
    for way in ([], [STEPS]):
        count(tmp_path, *way, "--no-aslr", "--", *words, env={})
        assert written.read_bytes() == plain
    both_ways(tmp_path, "--by", "mnemonic", "--", *words)


def storm_result(written: bytes, output: Path) -> tuple[int, int, dict[str, Any]]:
    """Return how many signals came, what was computed meanwhile, and the count."""
    seen, computed = struct.unpack("QQ", written)
    return seen, computed, json.loads(output.read_text())


def storm(tmp_path: Path, *words: str) -> tuple[int, int, dict[str, Any]]:
    """Count the program that works while signals come, and return what it says."""
    output = tmp_path / "storm.json"
    command = [COMMAND, "count", "--json", "-o", str(output), *words]
    done = subprocess.run(command, capture_output=True, check=True, timeout=LONGEST)
    return storm_result(done.stdout, output)


@pytest.mark.parametrize("words", [(), ("--by", "mnemonic"), ("--by", "function")], ids=str)
def test_signals_at_any_instruction_add_their_handlers(
    words: tuple[str, ...], program: Callable[[str], str], tmp_path: Path
) -> None:
    name = program("count_storm")
    none, computed, calm = storm(tmp_path, *words, "--", name)
    seen, under_fire, counted = storm(tmp_path, *words, "--", name, "storm")
    assert none == 0
    assert seen > 5
    assert under_fire == computed
    assert counted["instructions"] == calm["instructions"] + 4 * seen
    if words:
        assert sum(groups(counted).values()) == counted["instructions"]


def test_stops_and_ignored_signals_count_nothing(program: Callable[[str], str], tmp_path: Path) -> None:
    name, output = program("count_storm"), tmp_path / "storm.json"
    script = f"echo $$ >&2; exec {name}"
    command = [COMMAND, "count", "--json", "-o", str(output), "--", "sh", "-c", script]
    alone = storm(tmp_path, "--", "sh", "-c", script)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as counting:
        assert counting.stdout
        assert counting.stderr
        pid = int(counting.stderr.readline())
        for _ in range(500):
            for number in (signal.SIGWINCH, signal.SIGSTOP, signal.SIGURG, signal.SIGCONT):
                if counting.poll() is None:
                    try_to_send(pid, number)
        written, _ = counting.communicate(timeout=LONGEST)
    stopped = storm_result(written, output)
    assert stopped[:2] == alone[:2]
    assert stopped[2]["instructions"] == alone[2]["instructions"]


def try_to_send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def count_until(most: int, words: list[str]) -> None:
    """Count until the line for people says so many instructions, then end it by Ctrl-C."""
    mine, theirs = pty.openpty()
    with subprocess.Popen([COMMAND, "count", *words], stderr=theirs, stdout=subprocess.DEVNULL) as counting:
        os.close(theirs)
        shown = b""
        while max(map(int, re.findall(rb"(\d+) instructions,", shown)), default=0) < most:
            shown += os.read(mine, 1000)
        counting.send_signal(signal.SIGINT)
        assert counting.wait(LONGEST) == 130
    os.close(mine)


def test_a_process_that_is_let_go_has_nothing_of_ours(program: Callable[[str], str], tmp_path: Path) -> None:
    output = tmp_path / "count.json"
    with subprocess.Popen([program("spinner")], stdout=subprocess.DEVNULL) as spinning:
        maps = Path(f"/proc/{spinning.pid}/maps")
        # It is in its loop once it has counted so much.
        count(tmp_path, "--limit", "100000", "-p", str(spinning.pid))
        before = maps.read_text()
        for _ in range(2):
            count_until(10_000_000, ["--json", "-o", str(output), "-p", str(spinning.pid)])
            assert json.loads(output.read_text())["instructions"] >= 10_000_000
            assert maps.read_text() == before
            assert spinning.poll() is None
        spinning.kill()


def test_a_program_sees_its_own_gs_and_the_addresses_it_would_have(
    program: Callable[[str], str], tmp_path: Path
) -> None:
    counted, done = count(tmp_path, "--", program("count_gs"))
    assert (done.returncode, counted["instructions"]) == (0, 9 + 3 * 10 + 12)
    chosen = 'case $line in *libc*|*heap*|*stack*) echo "$line"; esac'
    shown = ["/bin/sh", "-c", f"while read -r line; do {chosen}; done < /proc/self/maps"]
    plain = subprocess.run(
        ["/usr/bin/setarch", "-R", *shown], capture_output=True, text=True, check=True, env={}
    )
    _, done = count(tmp_path, "--no-aslr", "--", *shown, env={})
    assert done.stdout == plain.stdout
    assert "libc" in done.stdout
