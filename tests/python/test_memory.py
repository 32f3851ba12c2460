"""Memory: every form of key, both ways of access, and what cannot be read or written."""

from __future__ import annotations

import os
from collections.abc import MutableSequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from face import WARNING, at, both_accesses, debugging, messages, running
from libdebug import _native
from libdebug.data.memory_map import MemoryMap
from libdebug.data.memory_map_list import MemoryMapList
from libdebug.memory.chunked_memory_view import ChunkedMemoryView
from libdebug.memory.direct_memory_view import DirectMemoryView

if TYPE_CHECKING:
    from libdebug import Debugger

MESSAGE = b"the quick brown fox"


def base(d: Debugger) -> int:
    return d.maps.filter("binary")[0].start


@both_accesses
def test_every_form_of_key_reads_the_same(d: Debugger) -> None:
    address = d.resolve_symbol("message")
    offset = address - base(d)
    name = Path(d.path or "").name
    m: Any = d.memory
    assert m[address] == b"t"
    assert m[address, 5] == b"the q"
    assert m[address : address + 5] == b"the q"
    assert m[address : address + 5 : 3] == b"the q"
    assert m["message"] == b"t"
    assert m["message", 19] == MESSAGE
    assert m["message+4", 5] == b"quick"
    assert m["message+a", 5] == b"brown"
    assert m["message":"message+3"] == b"the"
    assert m["message", "binary"] == b"t"
    assert m[offset, "binary"] == b"t"
    assert m[offset, 5, "binary"] == b"the q"
    assert m[offset, 5, name] == b"the q"
    assert m[offset : offset + 3, "binary"] == b"the"
    assert m["message":"message+3", "binary"] == b"the"
    assert m["message", 3, "binary"] == b"the"
    assert m[address, 3, "absolute"] == b"the"
    assert m[address, 0] == b""


@both_accesses
def test_every_form_of_key_writes(d: Debugger) -> None:
    address = d.resolve_symbol("message")
    offset = address - base(d)
    m: Any = d.memory
    keys: list[Any] = [
        address,
        (address, 3),
        slice(address, address + 3),
        slice(address, None),
        "message",
        ("message", 3),
        (offset, "binary"),
        (offset, 3, "binary"),
        (slice(offset, offset + 3), "binary"),
        slice("message", "message+3"),
    ]
    for number, key in enumerate(keys):
        value = f"{number:03}".encode()
        m[key] = value
        assert m[address, 5] == value + b" q", key


@both_accesses
def test_the_program_sees_what_was_written(d: Debugger) -> None:
    d.memory["counter", 4] = (40).to_bytes(4, "little")
    at(d, "counter_function")
    assert d.memory["counter", 4] == (40).to_bytes(4, "little")
    assert d.memory[d.resolve_symbol("table") + 8 * 7, 8] == (49).to_bytes(8, "little")


@both_accesses
def test_all_of_the_value_is_written_and_a_mismatch_is_remarked(d: Debugger, caplog: Any) -> None:
    with caplog.at_level(WARNING, "libdebug"):
        d.memory["message", 2] = b"xyz"
        address = d.resolve_symbol("message")
        d.memory[address : address + 9] = b"XY"
    assert d.memory["message", 5] == b"XYz q"
    assert ["Mismatch" in text for text in messages(caplog, WARNING)] == [True, True]


@both_accesses
@pytest.mark.parametrize(
    ("key", "error", "text"),
    [
        (lambda a: slice(a + 3, a), ValueError, "Invalid slice range."),
        (lambda a: slice(a, None), ValueError, "Invalid slice range."),
        (lambda a: (a, 1.5), TypeError, "Invalid type for the size"),
        (lambda a: (a, None), TypeError, "Invalid type for the size"),
        (lambda a: (a, -1), ValueError, "Invalid size"),
        (lambda _: (1.5, 3), TypeError, "Invalid type for the address"),
        (lambda _: (None, "binary"), TypeError, "Invalid type for the address"),
        (lambda a: (a, 3, 4), TypeError, "Invalid type for the backing file"),
        (lambda a: (a, 3, "no such file"), ValueError, "No memory maps available to resolve the address"),
        (lambda _: 0xDEADBEEF, ValueError, "Invalid address."),
        (lambda _: (0xDEADBEEF, 4), ValueError, "Invalid address."),
        (lambda _: 1 << 79, ValueError, "Invalid address."),
        (lambda _: (1 << 79, 4), ValueError, "Invalid address."),
        (lambda _: (-1, 4), ValueError, "Invalid address."),
        (lambda _: (0xFFFFFFFFFFFFFFF0, 0x20), ValueError, "Invalid address."),
        (lambda a: (a, 1 << 32), ValueError, "Invalid address."),
        (lambda a: (a, 1 << 62), ValueError, "Invalid address."),
        (lambda _: (0x7FFFFFFF, 4, "binary"), ValueError, "does not belong to any memory map"),
        (lambda a: (a,), TypeError, "Tuple must have 2 or 3 elements."),
        (lambda a: (a, 1, "binary", 1), TypeError, "Tuple must have 2 or 3 elements."),
        (lambda _: 1.5, TypeError, "Invalid key type."),
        (lambda _: None, TypeError, "Invalid key type."),
        (lambda _: ("message", 3, "absolute"), ValueError, "absolute"),
        (lambda _: "no_such_symbol", ValueError, "no_such_symbol"),
        (lambda _: "message+xyz", ValueError, "message"),
    ],
)
def test_keys_that_name_nothing(d: Debugger, key: Any, error: type[Exception], text: str) -> None:
    address = d.resolve_symbol("message")
    with pytest.raises(error, match=text.replace(".", r"\.")):
        d.memory[key(address)]
    assert d.memory["message", 19] == MESSAGE


@both_accesses
@pytest.mark.parametrize("value", [bytearray(b"abc"), "abc", 3, None])
def test_only_bytes_can_be_written(d: Debugger, value: Any) -> None:
    with pytest.raises(TypeError, match=r"Invalid type for the value to write to memory. Expected bytes\."):
        d.memory["message", 3] = value
    assert d.memory["message", 19] == MESSAGE


@both_accesses
def test_writing_over_the_end_of_a_map_changes_nothing(d: Debugger) -> None:
    last = [m for m in d.maps.filter("binary") if "w" in m.permissions][-1]
    end = next(m.end for m in d.maps if m.start <= last.end - 1 < m.end)
    while rest := d.maps.filter(end):
        end = rest[0].end
    before = d.memory[end - 8, 8]
    with pytest.raises(ValueError, match="Invalid address"):
        d.memory[end - 8, 16] = b"x" * 16
    assert d.memory[end - 8, 8] == before


@both_accesses
def test_an_unmapped_address_is_relative_to_the_program_with_a_warning(d: Debugger, caplog: Any) -> None:
    offset = d.resolve_symbol("message") - base(d)
    with caplog.at_level(WARNING, "libdebug"):
        assert d.memory[offset, 3] == b"the"
    assert any("relative" in text for text in messages(caplog, WARNING))


@both_accesses
def test_symbols_of_libraries(d: Debugger, caplog: Any) -> None:
    with caplog.at_level(WARNING, "libdebug"):
        code = d.memory["puts", 8]
    assert code == d.memory["puts", 8, "libc"]
    assert any("puts" in text for text in messages(caplog, WARNING))


@both_accesses
def test_code_pages_can_be_written_and_breakpoints_are_never_seen(d: Debugger) -> None:
    before = d.memory["counter_function", 16]
    bp = d.breakpoint("counter_function", file="binary")
    assert d.memory["counter_function", 16] == before
    d.memory["counter_function"] = before[:1]
    d.cont()
    d.wait()
    assert bp.hit_on(d)


@both_accesses
def test_a_view_is_no_sequence_but_for_its_keys(d: Debugger) -> None:
    m: Any = d.memory
    assert isinstance(m, MutableSequence)
    assert m
    for act in (lambda: len(m), lambda: m.insert(0, 1), lambda: m.__delitem__(0)):
        with pytest.raises(NotImplementedError):
            act()


@both_accesses
def test_raw_access(d: Debugger) -> None:
    address = d.resolve_symbol("message")
    m = d.memory
    m.write(address, b"THE")
    assert m.read(address, 5) == b"THE q"
    assert m.read_many([(address, 3), (address + 4, 5)]) == [b"THE", b"quick"]
    for act in (
        lambda: m.read(0xDEADBEEF, 4),
        lambda: m.write(0xDEADBEEF, b"abcd"),
        lambda: m.read_many([(address, 3), (0xDEADBEEF, 4)]),
    ):
        with pytest.raises(OSError, match="0xdeadbeef"):
            act()


@both_accesses
def test_many_places_at_once(d: Debugger) -> None:
    address = d.resolve_symbol("table")
    before = d.memory["counter_function", 8, "binary"]
    bp = d.breakpoint("counter_function+1", file="binary")
    places = [(address + 8 * (index % 16), 8 - index % 3) for index in range(3000)]
    squares = [((index % 16) ** 2).to_bytes(8, "little")[: 8 - index % 3] for index in range(3000)]
    assert d.memory.read_many(places) == squares
    assert d.memory.read_many([]) == []
    assert d.memory.read_many([(bp.address - 1, 8), (bp.address, 0), (bp.address, 1)]) == [
        before,
        b"",
        before[1:2],
    ], "never a trap"
    large = (d.maps.filter("libc")[0].start, 1 << 16)
    assert d.memory.read_many([large] * 20) == [d.memory[large]] * 20
    with pytest.raises(OSError, match="0xdeadbeef"):
        d.memory.read_many([*places, (0xDEADBEEF, 8)])


def test_many_places_that_only_a_tracer_can_read() -> None:
    with running("haystack") as d:
        at(d, "ready")
        hidden = int.from_bytes(d.memory["hidden", 8, "binary"], "little")
        across = int.from_bytes(d.memory["across", 8, "binary"], "little")
        places = [(across + 4090, 6), (hidden + 8, 8), (across + 4096, 3)]
        assert d.memory.read_many(places) == [b"across", b"a hidden", b" th"]


def test_the_view_tells_how_memory_is_accessed() -> None:
    with running("basic") as d:
        direct = d.memory
        assert isinstance(direct, DirectMemoryView)
        assert d.memory is direct is d.mem is d.threads[0].memory
        d.fast_memory = False
        chunked: object = d.memory
        assert isinstance(chunked, ChunkedMemoryView)
        assert d.memory is chunked
        assert d.memory["message", 19] == MESSAGE
        d.fast_memory = True
        assert d.memory is direct
        with pytest.raises(TypeError):
            d.fast_memory = 1  # type: ignore[assignment]


def test_memory_without_a_process() -> None:
    with debugging("basic") as d:
        with pytest.raises(RuntimeError, match="cannot access memory"):
            d.memory  # noqa: B018
        d.run(redirect_pipes=False)
        view, address = d.memory, d.resolve_symbol("message")
        d.kill()
        with pytest.raises(RuntimeError, match="cannot access memory"):
            d.memory  # noqa: B018
        with pytest.raises(RuntimeError, match="cannot access memory"):
            view[address]
        d.run(redirect_pipes=False)
        d.detach()
        os.waitpid(d.pid, 0)
        with pytest.raises(RuntimeError, match="cannot access memory"):
            d.memory  # noqa: B018


def test_a_large_read_is_one_system_call_and_right() -> None:
    with running("regs") as d:
        libc = d.maps.filter("libc")
        code = next(m for m in libc if "x" in m.permissions)
        content = Path(code.backing_file).read_bytes()[code.offset : code.offset + code.size]
        before = _native.tracer_syscalls()
        assert d.memory[code.start, code.size] == content
        assert _native.tracer_syscalls() - before <= 2


@both_accesses
def test_maps(d: Debugger) -> None:
    maps = d.maps
    assert isinstance(maps, MemoryMapList)
    lines = Path(f"/proc/{d.pid}/maps").read_text().splitlines()
    assert maps == [MemoryMap.parse(line) for line in lines]
    assert maps == d.maps
    code = next(m for m in maps.filter("binary") if "x" in m.permissions)
    assert maps.filter(code.start) == maps.filter(code.end - 1) == [code]
    assert maps.filter(0) == []
    assert maps.filter("binary") == maps.filter(Path(d.path or "").name)
    assert {m.backing_file for m in maps.filter("stack")} == {"[stack]"}
    assert (code.base, code.size) == (code.start, code.end - code.start)
    assert len({*maps, *d.maps}) == len(maps)
    with pytest.raises(TypeError, match=r"The value must be an integer or a string\."):
        maps.filter(1.5)  # type: ignore[arg-type]


def test_maps_are_read_again_after_a_stop() -> None:
    with running("threads", 3, 1) as d:
        before = d.maps
        d.breakpoint("hot", file="binary")
        d.cont()
        assert len(d.maps) > len(before)
