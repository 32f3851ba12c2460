"""Instructions by stacks of functions: folded, and as flame graphs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from command import count, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SVG = "{http://www.w3.org/2000/svg}"


def folded(tmp_path: Path, *words: str) -> dict[str, int]:
    """Return how many instructions each stack has."""
    output = tmp_path / "folded"
    run("count", "--no-aslr", "--folded", "-o", str(output), *words)
    lines = [line.rpartition(" ") for line in output.read_text().splitlines()]
    assert len({stack for stack, _, _ in lines}) == len(lines)
    return {stack: int(number) for stack, _, number in lines}


@pytest.mark.parametrize("name", ["hello", "thrower", "count_signal", "count_calls", "sixteen", "count_code"])
def test_programs_that_count_themselves_have_the_stacks_of_steps(
    name: str, program: Callable[[str], str], tmp_path: Path
) -> None:
    """Returns, jumps between functions, exceptions that unwind, handlers of signals."""
    if name == "sixteen":  # in which order its threads come to their locks is not the same each time
        stacks = folded(tmp_path, "--", program(name))
        assert sum(stacks.values()) > 16_000
        return
    stacks = folded(tmp_path, "--", program(name))
    assert stacks == folded(tmp_path, "--single-step", "--", program(name))
    counted, _ = count(tmp_path, "--no-aslr", "--", program(name))
    if name.startswith("count_"):
        assert sum(stacks.values()) == counted["instructions"]


def test_stacks_follow_from_the_source(program: Callable[[str], str], tmp_path: Path) -> None:
    stacks = folded(tmp_path, "--", program("basic"))
    calls = {stack: number for stack, number in stacks.items() if stack.endswith(";counter_function")}
    assert list(calls) == [stack for stack in calls if stack.endswith(";main;counter_function")]
    assert len(calls) == 1
    assert all(stack.split(";")[0] == "basic" for stack in stacks)
    by_function, _ = count(tmp_path, "--by", "function", "--no-aslr", "--", program("basic"))
    names = {row["name"]: row["instructions"] for row in by_function["groups"]}
    assert next(iter(calls.values())) == names["counter_function"]


def test_a_flame_graph_is_a_picture_of_all(program: Callable[[str], str], tmp_path: Path) -> None:
    picture = tmp_path / "flames.svg"
    done = run("count", "--flamegraph", str(picture), "--", program("basic"))
    assert done.returncode == 0
    (total,) = re.findall(r"(\d+)  instructions", done.stderr)
    root = ET.parse(picture).getroot()
    titles = [title.text or "" for title in root.iter(f"{_SVG}title")]
    assert f"basic: {total} instructions, 100.00 %" in titles
    assert any(title.startswith("main: ") for title in titles)
    bars = [group.find(f"{_SVG}rect") for group in root.iter(f"{_SVG}g")]
    assert all(bar is not None and 10 <= float(bar.get("x", "0")) <= 1190 for bar in bars)
    assert root.find(f"{_SVG}text").text == f"{program('basic')}: {total} instructions"  # type: ignore[union-attr]


def test_where_the_picture_goes_is_looked_at_first(tmp_path: Path) -> None:
    done = run("count", "--flamegraph", str(tmp_path / "no" / "such"), "--", "/bin/echo", "ran")
    assert (done.returncode, done.stdout) == (125, "")
    assert "cannot write" in done.stderr


def test_a_table_and_stacks_exclude_each_other() -> None:
    assert run("count", "--folded", "--by", "function", "--", "/bin/true").returncode == 2
