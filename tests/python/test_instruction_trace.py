"""Instructions one by one, in files, and the code that they cover."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from libdebug import debugger
from libdebug.data.instruction_trace import InstructionTrace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_trace_is_what_steps_show(program: Callable[[str], str]) -> None:
    d = debugger(program("basic"), aslr=False)

    def run_to_main() -> None:
        d.run()
        d.breakpoint("main")
        d.cont()
        d.wait()

    run_to_main()
    trace = d.trace_instructions(limit=300, registers=["rsp", "al", "eflags"])
    run_to_main()
    stepped = []
    for _ in range(300):
        stepped.append((d.regs.rip, d.regs.rsp, d.regs.al, d.regs.eflags))
        d.step()
    assert list(trace.rows()) == stepped
    assert list(trace) == [row[0] for row in stepped]
    assert list(trace.column("rsp")) == [row[1] for row in stepped]
    assert trace[5] == stepped[5][0]
    assert list(trace[10:20:3]) == [row[0] for row in stepped[10:20:3]]
    assert repr(trace) == "InstructionTrace(300 instructions, columns=('pc', 'rsp', 'al', 'eflags'))"
    d.terminate()


def test_it_ends_at_a_place_or_with_the_thread(program: Callable[[str], str]) -> None:
    d = debugger(program("count_line"))
    d.run()
    whole = d.count_instructions()
    d.run()
    start = d.regs.rip
    trace = d.trace_instructions()
    assert d.dead
    assert len(trace) == whole
    assert trace[0] == start
    d.run()
    trace = d.trace_instructions(until=d.regs.rip + 1, limit=2)
    assert len(trace) == 2, "nothing begins there"
    d.terminate()


def test_breakpoints_on_the_way_are_passed(program: Callable[[str], str]) -> None:
    d = debugger(program("basic"))
    d.run()
    bp = d.breakpoint("counter_function")
    trace = d.trace_instructions(until="counter_function")
    assert d.regs.rip == bp.address
    trace = d.trace_instructions(limit=50)
    assert trace[0] == bp.address
    assert bp.hit_count == 0
    d.terminate()


def test_a_trace_that_is_kept(program: Callable[[str], str], tmp_path: Path) -> None:
    d = debugger(program("basic"))
    d.run()
    kept = tmp_path / "kept.ldtrace"
    trace = d.threads[0].trace_instructions(limit=100, registers=["rdi"], path=kept)
    d.terminate()
    again = InstructionTrace.load(kept)
    assert (again.columns, list(again.rows())) == (("pc", "rdi"), list(trace.rows()))
    with pytest.raises(ValueError, match="does not know what was mapped"):
        again.save_drcov(tmp_path / "none")
    kept.write_bytes(kept.read_bytes()[:-3])
    assert len(InstructionTrace.load(kept)) == 99, "one that was cut off ends with its last whole row"
    kept.write_bytes(b"something else")
    with pytest.raises(ValueError, match="no trace of instructions"):
        InstructionTrace.load(kept)


def test_what_cannot_be_traced_changes_nothing(program: Callable[[str], str]) -> None:
    d = debugger(program("basic"))
    d.run()
    at = d.regs.rip
    with pytest.raises(ValueError, match="ymm0 is wider than 64 bits"):
        d.trace_instructions(limit=1, registers=["ymm0"])
    with pytest.raises(AttributeError, match='no register called "foo"'):
        d.trace_instructions(limit=1, registers=["foo"])
    with pytest.raises(ValueError, match="nowhere"):
        d.trace_instructions(until="nowhere")
    with pytest.raises(ValueError, match="was not traced: there are pc"):
        d.trace_instructions(limit=0).column("rax")
    assert d.regs.rip == at
    d.terminate()


def covered(drcov: bytes) -> tuple[list[tuple[int, int, str]], list[tuple[int, int, int]]]:
    """Return modules (start, end, path) and blocks (module, offset, size) of a drcov file."""
    head, _, rest = drcov.partition(b"BB Table: ")
    lines = head.decode().splitlines()
    assert lines[:2] == ["DRCOV VERSION: 2", "DRCOV FLAVOR: drcov"]
    assert lines[3] == "Columns: id, base, end, entry, path"
    modules = []
    for number, line in enumerate(lines[4:]):
        index, base, end, _, path = line.split(", ", 4)
        assert int(index) == number
        modules.append((int(base, 16), int(end, 16), path))
    assert lines[2] == f"Module Table: version 2, count {len(modules)}"
    count, _, table = rest.partition(b" bbs\n")
    blocks = [(module, offset, size) for offset, size, module in struct.iter_unpack("<IHH", table)]
    assert len(blocks) == int(count)
    return modules, blocks


def test_coverage_is_the_code_that_was_executed(program: Callable[[str], str], tmp_path: Path) -> None:
    d = debugger(program("basic"))
    d.run()
    d.breakpoint("counter_function")
    d.cont()
    d.wait()
    trace = d.trace_instructions(limit=2000)
    lengths = {pc: len(d.disasm(pc, 1)[0].bytes) for pc in set(trace)}
    trace.save_drcov(tmp_path / "code.drcov")
    modules, blocks = covered((tmp_path / "code.drcov").read_bytes())
    ours = {byte for pc, length in lengths.items() for byte in range(pc, pc + length)}
    theirs = {
        byte
        for module, offset, size in blocks
        for byte in range(modules[module][0] + offset, modules[module][0] + offset + size)
    }
    assert theirs == ours
    assert {modules[module][2] for module, _, _ in blocks} >= {program("basic")}
    assert all(modules[module][0] + offset < modules[module][1] for module, offset, _ in blocks)
    d.terminate()
