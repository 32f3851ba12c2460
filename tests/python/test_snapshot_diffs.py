"""What has changed between two snapshots."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from face import WARNING, at, messages, running
from libdebug.snapshots.memory.memory_map_diff import MemoryMapDiff
from libdebug.snapshots.memory.memory_map_diff_list import MemoryMapDiffList
from libdebug.snapshots.process.process_snapshot_diff import ProcessSnapshotDiff
from libdebug.snapshots.registers.register_diff import RegisterDiff
from libdebug.snapshots.registers.register_diff_accessor import RegisterDiffAccessor
from libdebug.snapshots.thread.lw_thread_snapshot_diff import LightweightThreadSnapshotDiff
from libdebug.snapshots.thread.thread_snapshot_diff import ThreadSnapshotDiff


def test_what_has_changed_is_told() -> None:
    with running("basic") as d:
        at(d, "counter_function")
        before = d.create_snapshot("full")
        d.memory["message+4"] = b"slow!"
        d.regs.r12 = 0x1234
        after = d.create_snapshot("writable")
        start = d.resolve_symbol("message")
    diff = before.diff(after)
    assert isinstance(diff, ProcessSnapshotDiff)
    assert (diff.snapshot1, diff.snapshot2, diff.level) == (before, after, "writable")
    assert after.diff(before).snapshot1 is before
    assert isinstance(diff.regs, RegisterDiffAccessor)
    assert diff.registers is diff.regs
    assert isinstance(diff.regs.r12, RegisterDiff)
    assert (diff.regs.r12.new_value, diff.regs.r12.has_changed) == (0x1234, True)
    assert diff.regs.r12.old_value == before.regs.r12
    assert not diff.regs.rip.has_changed
    assert not diff.regs.st0.has_changed
    assert set(diff.regs.changed) == {"r12", "r12d", "r12w", "r12b"}
    assert isinstance(diff.maps, MemoryMapDiffList)
    [change] = [one for one in diff.maps if one.has_changed]
    assert isinstance(change, MemoryMapDiff)
    assert change in diff.maps.filter(start)
    assert change in diff.maps.filter("binary")
    assert not diff.maps.filter("no such file")
    [part] = change.content_diff
    assert change.old_map_state is not None
    assert change.new_map_state is not None
    assert change.new_map_state.start + part.start == start + 4
    assert change.old_map_state.content is not None
    assert change.new_map_state.content is not None
    assert change.old_map_state.content[part] == b"quick"
    assert change.new_map_state.content[part] == b"slow!"
    assert "writable" in repr(diff)
    with pytest.raises(AttributeError, match="no register"):
        _ = diff.regs.eip


def test_maps_and_threads_that_come_and_go_are_told() -> None:
    with running("threads") as d:
        before = d.create_snapshot("full")
        d.breakpoint("hot")
        d.cont()
        d.wait()
        after = d.create_snapshot("full")
        tids = [thread.tid for thread in d.threads]
    diff = before.diff(after)
    assert [thread.tid for thread in diff.born_threads] == tids[1:]
    assert not diff.dead_threads
    assert [type(thread) for thread in diff.threads_diff] == [LightweightThreadSnapshotDiff]
    assert diff.threads == diff.threads_diff
    assert diff.threads_diff[0].maps is diff.maps
    assert diff.threads_diff[0].regs.rip.has_changed
    heap = diff.maps.filter("[heap]")[0]
    assert heap.old_map_state is None
    assert heap.has_changed
    assert heap.content_diff == [slice(0, heap.new_map_state.size)] if heap.new_map_state else False
    back = ProcessSnapshotDiff(after, before)
    assert [thread.tid for thread in back.dead_threads] == tids[1:]
    assert back.maps.filter("[heap]")[0].new_map_state is None


def test_levels_without_memory_are_compared_too() -> None:
    with running("basic") as d:
        base = d.create_snapshot("base")
        at(d, "counter_function")
        full = d.create_snapshot("full")
    diff = base.diff(full)
    assert diff.level == "base"
    assert diff.regs.rip.has_changed
    assert not any(one.content_diff for one in diff.maps if one.old_map_state and one.new_map_state)
    with pytest.raises(ValueError, match="base level"):
        diff.pprint_backtrace()


def test_threads_are_compared_with_threads() -> None:
    with running("basic") as d:
        thread = d.threads[0]
        before, process = thread.create_snapshot(), d.create_snapshot()
        d.step()
        after = thread.create_snapshot()
        diff = after.diff(before)
        assert isinstance(diff, ThreadSnapshotDiff)
        assert diff.snapshot1 is before
        assert diff.regs.rip.new_value == d.regs.rip
        for other in (process, process.threads[0]):
            with pytest.raises(TypeError):
                before.diff(other)
        with pytest.raises(TypeError):
            process.diff(before)
        other = d.create_snapshot()
        other.arch = "aarch64"
        with pytest.raises(ValueError, match="architectures"):
            process.diff(other)
        assert isinstance(
            process.threads[0].diff(d.create_snapshot().threads[0]), LightweightThreadSnapshotDiff
        )


def test_two_runs_are_compared(caplog: pytest.LogCaptureFixture) -> None:
    for aslr in (False, True):
        snapshots = []
        with running("basic", aslr=aslr) as d:
            at(d, "counter_function")
            snapshots.append(d.create_snapshot("full"))
            d.run(redirect_pipes=False)
            at(d, "counter_function")
            snapshots.append(d.create_snapshot("full"))
        diff = snapshots[0].diff(snapshots[1])
        warned = any("aslr=False" in text for text in messages(caplog, WARNING))
        assert warned == aslr
        if not aslr:
            assert not diff.regs.rip.has_changed
            assert not diff.maps.filter(snapshots[0].regs.rip)[0].has_changed


def test_a_processor_without_vectors_is_compared(tmp_path: Path) -> None:
    with running("tiny") as d:
        snapshot = d.create_snapshot()
        snapshot.save(tmp_path / "x.json")
        document = json.loads((tmp_path / "x.json").read_text())
        regs = document["threads"][0]["regs"]
        names = [name for name in regs if not name.startswith(("ymm", "zmm"))]
        document["threads"][0]["regs"] = {name: regs[name] for name in names}
        (tmp_path / "x.json").write_text(json.dumps(document))
        old = d.load_snapshot(tmp_path / "x.json")
        assert not hasattr(old.regs, "ymm0")
        diff = old.diff(snapshot)
    assert not diff.regs.rax.has_changed
    if hasattr(snapshot.regs, "ymm0"):
        assert diff.regs.ymm0.old_value is None
        assert diff.regs.ymm0.has_changed
    diff.pprint_registers_all()


def test_printing_shows_what_has_changed(capsys: pytest.CaptureFixture[str]) -> None:
    with running("basic") as d:
        at(d, "main")
        before = d.create_snapshot("full")
        at(d, "counter_function")
        d.memory["message"] = b"THE"
        after = d.create_snapshot("full")
        d.kill()
    diff = before.diff(after)
    diff.pprint_maps()
    maps = capsys.readouterr().out
    assert "basic" in maps
    assert "[stack]" in maps
    assert "[vdso]" not in maps
    diff.pprint_regs()
    registers = capsys.readouterr().out
    assert "rip" in registers
    assert "->" in registers
    assert "gs_base" not in registers
    diff.pprint_backtrace()
    frames = capsys.readouterr().out.splitlines()
    assert [line[0] for line in frames[:3]] == ["-", "+", "+"]
    assert "counter_function" in frames[1]
    assert frames[-1].startswith("  ")
    diff.pprint_memory("message", "message+20")
    memory = capsys.readouterr().out.splitlines()
    assert len(memory) == 2
    assert "the quick" in memory[0]
    assert "THE quick" in memory[1]
    diff.pprint_registers_all()
    assert "rip" in capsys.readouterr().out
