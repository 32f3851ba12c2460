"""Snapshots: what they have, what they tell when the process is gone, and files."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from face import WARNING, messages, running
from libdebug import debugger
from libdebug.data.memory_map import MemoryMap
from libdebug.memory.abstract_memory_view import AbstractMemoryView
from libdebug.snapshots.memory.memory_map_snapshot import MemoryMapSnapshot
from libdebug.snapshots.memory.memory_map_snapshot_list import MemoryMapSnapshotList
from libdebug.snapshots.memory.snapshot_memory_view import SnapshotMemoryView
from libdebug.snapshots.process.process_snapshot import ProcessSnapshot
from libdebug.snapshots.registers.snapshot_registers import SnapshotRegisters
from libdebug.snapshots.thread.lw_thread_snapshot import LightweightThreadSnapshot
from libdebug.snapshots.thread.thread_snapshot import ThreadSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from libdebug import Debugger
    from libdebug.snapshots.snapshot import Snapshot

LEVELS = ("base", "writable", "full")
ENDINGS = ("json", "ldsnap", "core")


@contextmanager
def stopped(name: str, position: str) -> Iterator[Debugger]:
    """Give a debugger of a fixture that stands at a symbol."""
    with running(name) as d:
        # Any thread may come there first.
        d.breakpoint(position, file="binary")
        d.cont()
        d.wait()
        yield d


def assert_same_registers(one: object, other: object) -> None:
    """Check every register that the first object has, as scripts do."""
    names = [name for name in dir(one) if isinstance(one.__getattribute__(name), int | float)]
    assert len(names) > 100
    for name in names:
        here, there = one.__getattribute__(name), other.__getattribute__(name)
        assert here == there or (math.isnan(here) and math.isnan(there)), name


@pytest.mark.parametrize("level", LEVELS)
def test_a_snapshot_has_what_the_process_has(level: str) -> None:
    with stopped("basic", "counter_function") as d:
        snapshot = d.create_snapshot(level, "a name")
        assert isinstance(snapshot, ProcessSnapshot)
        assert (snapshot.name, snapshot.level, snapshot.arch) == ("a name", level, "amd64")
        assert (snapshot.process_id, snapshot.pid, snapshot.snapshot_id) == (d.pid, d.pid, 0)
        assert snapshot.aslr_enabled
        assert isinstance(snapshot.regs, SnapshotRegisters)
        assert snapshot.registers is snapshot.regs
        assert_same_registers(d.regs, snapshot.regs)
        assert snapshot.regs.filter(d.regs.rip) == d.regs.filter(d.regs.rip)
        assert snapshot.regs.raw("st0") == d.regs.raw("st0")
        assert snapshot.maps == d.maps
        assert isinstance(snapshot.maps, MemoryMapSnapshotList)
        assert snapshot.maps.filter("binary") == d.maps.filter("binary")
        assert isinstance(snapshot.maps.filter(d.regs.rsp), MemoryMapSnapshotList)
        assert (snapshot._process_full_path, snapshot._process_name) == (d.path, "basic")
        assert "a name" in repr(snapshot)
        assert str(d.pid) in snapshot._repr_html_()


def test_memory_is_looked_at_as_that_of_a_process() -> None:
    with stopped("haystack", "ready") as d:
        chain = d.resolve_symbol("chain")
        expected = {
            "bytes": d.memory[d.regs.rip, 16],
            "symbol": d.memory["text", 17],
            "range": d.memory["text":"text+4"],
            "file": d.memory[0x40, 8, "binary"],
            "find": d.memory.find("a text at the end"),
            "pointers": d.memory.find_pointers("binary", "binary", 8),
            "telescope": d.memory.telescope(chain),
            "backtrace": d.backtrace(as_symbols=True),
            "saved": d.saved_ip,
            "disasm": [str(one) for one in d.disasm("main", 5)],
            "many": d.memory.read_many([(chain, 8), (chain + 8, 4)]),
        }
        rip, snapshot = d.regs.rip, d.create_snapshot("full")
        d.kill()
    memory = snapshot.memory
    assert isinstance(memory, SnapshotMemoryView)
    assert isinstance(memory, AbstractMemoryView)
    assert snapshot.mem is memory
    told = {
        "bytes": memory[rip, 16],
        "symbol": memory["text", 17],
        "range": memory["text":"text+4"],
        "file": memory[0x40, 8, "binary"],
        "find": memory.find("a text at the end"),
        "pointers": memory.find_pointers("binary", "binary", 8),
        "telescope": memory.telescope(chain),
        "backtrace": snapshot.backtrace(as_symbols=True),
        "saved": snapshot.saved_ip,
        "disasm": [str(one) for one in snapshot.disasm("main", 5)],
        "many": memory.read_many([(chain, 8), (chain + 8, 4)]),
    }
    assert told == expected
    assert snapshot.backtrace() == [frame.pc for frame in snapshot.frames]


def test_symbols_outlive_the_process() -> None:
    with stopped("basic", "counter_function") as d:
        symbols, snapshot = d.symbols, d.create_snapshot("writable")
        expected = list(symbols["counter_function"]), len(symbols.filter("counter"))
        rip = d.regs.rip
        d.kill()
    kept = snapshot.memory._symbol_ref
    assert (list(kept["counter_function"]), len(kept.filter("counter"))) == expected
    assert [symbol.name for symbol in kept.filter(rip)] == ["counter_function"]


def test_nothing_of_a_snapshot_can_be_changed() -> None:
    with running("basic") as d:
        snapshot = d.create_snapshot("full")
        with pytest.raises(NotImplementedError):
            snapshot.memory[snapshot.regs.rsp] = b"x"
        with pytest.raises(NotImplementedError):
            snapshot.memory.write(snapshot.regs.rsp, b"x")
        with pytest.raises(AttributeError, match="rax"):
            snapshot.regs.rax = 1
        with pytest.raises(AttributeError, match="no register"):
            _ = snapshot.regs.eip


def test_levels_leave_memory_out() -> None:
    with running("basic") as d:
        base, writable = d.create_snapshot(), d.create_snapshot("writable")
        with pytest.raises(ValueError, match=r"^Memory snapshot is not available at base level\.$"):
            _ = base.memory
        with pytest.raises(
            ValueError, match=r"^Backtrace is not available at base level\. Stack is not available\.$"
        ):
            base.backtrace()
        assert all(vmap.content is None for vmap in base.maps)
        assert writable.memory[d.regs.rsp, 8] == d.memory[d.regs.rsp, 8]
        with pytest.raises(ValueError, match="no content"):
            _ = writable.memory[d.regs.rip]
        with pytest.raises(ValueError, match="Invalid address"):
            _ = writable.memory[8, 8, "absolute"]
        stack = writable.maps.filter("[stack]")[0]
        assert isinstance(stack, MemoryMapSnapshot)
        assert stack.content == d.memory[stack.start : stack.end]
        with pytest.raises(ValueError, match=r"^Invalid snapshot level everything$"):
            d.create_snapshot("everything")
        with pytest.raises(ValueError, match=r"^Invalid snapshot level all$"):
            d.threads[0].create_snapshot("all")


def test_every_map_is_tried() -> None:
    with running("basic") as d:
        snapshot = d.create_snapshot("full")
        for vmap in d.maps:
            kept = snapshot.maps.filter(vmap.start)[0]
            try:
                data = d.memory[vmap.start : vmap.end, "absolute"]
            except (OSError, OverflowError, ValueError):
                assert kept.content is None
                continue
            if "vvar" not in vmap.backing_file:  # the kernel writes there while the program stands
                assert kept.content == data


def test_a_kept_map_equals_a_plain_one() -> None:
    row = (0x1000, 0x1004, "rw-p", 4, 0, "[heap]")
    plain, kept = MemoryMap(*row), MemoryMapSnapshot(*row, b"data")
    assert plain == kept
    assert kept == plain
    assert hash(plain) == hash(kept)
    assert kept != MemoryMapSnapshot(*row, b"else")
    assert kept == MemoryMapSnapshot(*row, b"data")
    grown = MemoryMapSnapshot(0x1000, 0x3000, "rw-p", 0x2000, 0, "[heap]")
    assert kept.is_same_identity(grown)
    assert not kept.is_same_identity(MemoryMap(0x1000, 0x1004, "rw-p", 4, 0, "[stack]"))
    assert kept != "a map"


def test_threads_are_kept_with_the_process_and_alone() -> None:
    with stopped("threads", "hot") as d:
        process = d.create_snapshot("writable", "all")
        assert [thread.thread_id for thread in process.threads] == [thread.tid for thread in d.threads]
        for kept, thread in zip(process.threads, d.threads, strict=True):
            assert isinstance(kept, LightweightThreadSnapshot)
            assert isinstance(kept, ThreadSnapshot)
            assert_same_registers(thread.regs, kept.regs)
            assert kept.backtrace() == thread.backtrace()
            assert kept.maps is process.maps
            assert kept.memory is process.memory
            assert (kept.level, kept.tid) == ("writable", thread.tid)
            with pytest.raises(NotImplementedError):
                kept.save("nowhere.json")
        other = d.threads[2]
        snapshot = other.create_snapshot("full", "one")
        assert (type(snapshot), snapshot.tid, snapshot.thread_id) == (ThreadSnapshot, other.tid, other.tid)
        assert (snapshot.snapshot_id, snapshot.name) == (1, "one")
        other.notify_snapshot_taken()
        assert other.create_snapshot().snapshot_id == 3
        assert (process.snapshot_id, d.create_snapshot().snapshot_id) == (0, 1)


def test_snapshots_are_taken_in_callbacks() -> None:
    taken = []
    with running("basic") as d:
        d.breakpoint("counter_function", callback=lambda t, _: taken.append(t.create_snapshot("writable")))
        d.cont()
        d.wait()
    counter = [int.from_bytes(snapshot.memory["counter", 4], "little") for snapshot in taken]
    assert counter == [0, 0, 1, 3, 6, 10, 15, 21, 28, 36]
    assert [snapshot.snapshot_id for snapshot in taken] == list(range(10))


def test_there_is_nothing_to_take_of_the_dead() -> None:
    with running("basic") as d:
        thread = d.threads[0]
        d.cont()
        d.wait()
        with pytest.raises(RuntimeError):
            d.create_snapshot()
        with pytest.raises(RuntimeError):
            thread.create_snapshot()
    d = debugger("/bin/true")
    with pytest.raises(RuntimeError):
        d.create_snapshot()
    d.terminate()


def test_slow_memory_is_remarked_on(caplog: pytest.LogCaptureFixture) -> None:
    with running("tiny", fast_memory=False) as d:
        assert d.create_snapshot("base").level == "base"
        assert not messages(caplog, WARNING)
        slow = d.create_snapshot("writable")
        assert "Fast memory" in messages(caplog, WARNING)[0]
        d.fast_memory = True
        assert slow.memory[d.regs.rsp, 16] == d.memory[d.regs.rsp, 16]


def assert_same(one: Snapshot, other: Snapshot) -> None:
    """Check all that a file has to keep."""
    for name in ("name", "level", "arch", "snapshot_id", "aslr_enabled", "_process_full_path"):
        assert getattr(one, name) == getattr(other, name), name
    assert type(one) is type(other)
    assert one.maps == other.maps
    assert_same_registers(one.regs, other.regs)
    assert one.regs == other.regs
    if one.level != "base":
        assert one.backtrace(as_symbols=True) == other.backtrace(as_symbols=True)
        symbols = [list(side.memory._symbol_ref["counter_function"]) for side in (one, other)]
        assert symbols[0] == symbols[1]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("level", LEVELS)
def test_snapshots_come_back_from_files(level: str, ending: str, tmp_path: Path) -> None:
    with stopped("basic", "counter_function") as d:
        for snapshot in (d.create_snapshot(level, "naïve"), d.threads[0].create_snapshot(level)):
            file = tmp_path / f"snapshot.{ending}"
            snapshot.save(str(file))
            loaded = d.load_snapshot(str(file))
            assert_same(snapshot, loaded)
            if isinstance(snapshot, ProcessSnapshot):
                assert isinstance(loaded, ProcessSnapshot)
                assert loaded.pid == snapshot.pid
            else:
                assert isinstance(loaded, ThreadSnapshot)
                assert loaded.tid == d.tid


def test_every_bit_of_a_register_comes_back(tmp_path: Path) -> None:
    with stopped("regs", "regs_ready") as d:
        snapshot = d.create_snapshot()
        for ending in ENDINGS:
            snapshot.save(tmp_path / f"x.{ending}")
            assert d.load_snapshot(tmp_path / f"x.{ending}").regs == snapshot.regs, ending


def test_the_format_for_exchange_has_the_keys_that_others_know(tmp_path: Path) -> None:
    with stopped("basic", "counter_function") as d:
        d.create_snapshot("writable", "x").save(tmp_path / "p.json")
        d.threads[0].create_snapshot().save(tmp_path / "t.json")
        rip, rsp, path = d.regs.rip, d.regs.rsp, d.path
    process, thread = (json.loads((tmp_path / name).read_text()) for name in ("p.json", "t.json"))
    common = {"type", "arch", "snapshot_id", "level", "name", "aslr_enabled", "architectural_registers"}
    common |= {"maps", "symbols", "_process_full_path", "_process_name"}
    assert set(process) == common | {"process_id", "threads"}
    assert set(thread) == common | {"thread_id", "regs"}
    assert (process["type"], thread["type"], thread["symbols"]) == ("process", "thread", None)
    assert (process["_process_full_path"], process["_process_name"]) == (path, "basic")
    assert (thread["regs"]["rip"], thread["regs"]["st0"]) == (rip, 0.0)
    assert set(process["threads"][0]) == {"snapshot_id", "thread_id", "regs"}
    assert set(process["architectural_registers"]) == {"generic", "special", "vector_fp"}
    keys = {"start", "end", "permissions", "size", "offset", "backing_file", "content"}
    assert all(set(row) == keys for row in process["maps"])
    assert [row["content"] is not None for row in process["maps"] if row["start"] <= rsp < row["end"]] == [
        True
    ]
    keys = {"start", "end", "name", "backing_file", "reference_file", "reference_build_id", "is_external"}
    assert all(set(row) == keys for row in process["symbols"])
    assert "counter_function" in {row["name"] for row in process["symbols"]}


def test_snapshots_of_others_are_read(tmp_path: Path) -> None:
    content = "AAECAw=="
    regs = {
        "rip": 0x1000,
        "rsp": 0x2000,
        "rax": 2**64 - 1,
        "ymm1": 2**255 + 1,
        "xmm1": 1,
        "st0": float("nan"),
    }
    regs |= {f"st{number}": number / 3 for number in range(1, 8)}
    row = {"start": 0x2000, "end": 0x2004, "permissions": "rw-p", "size": 4, "offset": 0}
    row |= {"backing_file": "[stack]", "content": content}
    document = {"type": "thread", "arch": "amd64", "snapshot_id": 3, "level": "writable", "name": "of others"}
    document |= {"aslr_enabled": False, "maps": [row], "symbols": [], "thread_id": 7, "regs": regs}
    document |= {"_process_full_path": "/x/program", "_process_name": "program"}
    file = tmp_path / "other.json"
    file.write_text(json.dumps(document))
    d = debugger("/bin/true")
    snapshot = d.load_snapshot(file)
    d.terminate()
    assert isinstance(snapshot, ThreadSnapshot)
    assert (snapshot.tid, snapshot.snapshot_id, snapshot.name) == (7, 3, "of others")
    assert (snapshot.regs.rax, snapshot.regs.eax, snapshot.regs.ymm1) == (2**64 - 1, 2**32 - 1, 2**255 + 1)
    assert math.isnan(snapshot.regs.st0)
    assert snapshot.regs.st7 == 7 / 3
    assert snapshot.memory[0x2001, 2] == b"\x01\x02"


def test_names_that_tell_no_format_are_remarked_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running("tiny") as d:
        snapshot = d.create_snapshot()
        snapshot.save(tmp_path / "x.json")
        assert not messages(caplog, WARNING)
        snapshot.save(tmp_path / "x.snapshot")
        assert "x.snapshot" in messages(caplog, WARNING)[0]
        assert d.load_snapshot(tmp_path / "x.snapshot").maps == snapshot.maps


def test_what_is_no_snapshot_is_told(tmp_path: Path) -> None:
    d = debugger("/bin/true")
    with pytest.raises(FileNotFoundError):
        d.load_snapshot(tmp_path / "nothing")
    for content in (b"", b"text", b'{"arch": "amd64"}', b"\x89LDSNAP\nxxxx", b"\x7fELF"):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(ValueError, match="bad"):
            d.load_snapshot(tmp_path / "bad")
    d.terminate()


def test_printing_shows_a_snapshot(capsys: pytest.CaptureFixture[str]) -> None:
    with stopped("basic", "counter_function") as d:
        snapshot = d.create_snapshot("full")
        d.kill()
    for act, word in (
        (snapshot.pprint_registers, "rip"),
        (snapshot.pprint_regs_all, "xmm" if not hasattr(snapshot.regs, "ymm0") else "mm0"),
        (snapshot.pprint_maps, "[stack]"),
        (snapshot.pprint_backtrace, "counter_function"),
        (snapshot.pprint_disasm, "=>"),
        (lambda: snapshot.pprint_memory("message", "message+13"), "the quick"),
        (lambda: snapshot.pprint_memory("table", "table+10", integer_mode=True), "0x0000000000000001"),
    ):
        act()
        assert word in capsys.readouterr().out
