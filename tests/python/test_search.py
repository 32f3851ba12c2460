"""Searching memory: bytes, pointers, chains of pointers, and what ends a search."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from face import WARNING, at, both_accesses, messages, running

if TYPE_CHECKING:
    from libdebug import Debugger

PAGE = 4096


def ready(d: Debugger) -> Debugger:
    """Bring `haystack` to where its memory is filled."""
    at(d, "ready")
    return d


def pointer(d: Debugger, symbol: str) -> int:
    return int.from_bytes(d.memory[symbol, 8, "binary"], "little")


@both_accesses
def test_every_kind_of_value_is_found(d: Debugger) -> None:
    message = d.resolve_symbol("message")
    assert d.memory.find(b"the quick", file="binary")[-1] == message
    assert d.memory.find("quick", file="binary")[-1] == message + 4
    assert d.memory.find(bytearray(b"quick"), file="binary")[-1] == message + 4
    assert d.memory.find(ord("q"), file="binary", start=message, end=message + 20) == [message + 4]
    assert d.memory.find("o", "binary", message, message + 19) == [message + 12, message + 17]


@pytest.mark.parametrize(
    ("value", "error"),
    [(256, OverflowError), (-1, OverflowError), (1.5, TypeError), (None, TypeError), (b"", ValueError)],
)
def test_values_that_cannot_be_searched_for(value: Any, error: type[Exception]) -> None:
    with running("basic") as d, pytest.raises(error):
        d.memory.find(value)


def test_the_end_of_a_map_is_an_end() -> None:
    with running("basic") as d:
        last = d.maps.filter("binary")[-1]
        stack = d.maps.filter("stack")[0]
        found = d.memory.find(b"the quick", file="binary", start=last.start, end=last.end)
        assert found == [d.resolve_symbol("message")]
        assert d.memory.find("basic\0", file="stack", start=stack.start, end=stack.end)
        assert d.memory.find(b"the quick", start=last.start, end=last.end) == found
        assert d.memory[stack.end - 8 : stack.end] == d.memory[stack.end - 8, 8]
        base = d.maps.filter("binary")[0].start
        relative = d.memory.find(b"the quick", file="binary", start=last.start - base, end=last.end - base)
        assert relative == found
        assert d.memory[last.start - base : last.end - base, "binary"] == d.memory[last.start, last.size]


def test_files_and_ranges_that_are_not_there() -> None:
    with running("basic") as d:
        with pytest.raises(ValueError, match=r"No memory map found for the specified backing file\."):
            d.memory.find(b"x", file="no such file")
        with pytest.raises(ValueError, match="does not belong to any memory map"):
            d.memory.find(b"x", file="binary", start=0x7FFFFFFF)
        with pytest.raises(ValueError, match="range"):
            d.memory.find(b"x", start=0x2000, end=0x1000)


def test_memory_of_every_kind_is_searched() -> None:
    with running("haystack") as d:
        ready(d)
        assert d.memory.find(b"across the maps") == [pointer(d, "across") + PAGE - 6]
        assert d.memory.find(b"nedle in the reserved") == [pointer(d, "reserved") + (1 << 30)]
        assert d.memory.find(b"\0\0nedle in") == [pointer(d, "reserved") + (1 << 30) - 2]
        assert d.memory.find(b"a hidden page") == [pointer(d, "hidden") + 8], "as keys read it"


def test_what_was_reserved_and_never_touched_costs_nothing() -> None:
    with running("haystack") as d:
        start = pointer(ready(d), "reserved")
        resident = resident_pages(d)
        began = time.process_time()
        assert len(d.memory.find(b"nedle in the reserved", start=start, end=start + (2 << 30))) == 1
        # Reading 2 GiB takes ten times as long on any machine.
        assert time.process_time() - began < 0.05
        assert resident_pages(d) - resident < 16, "looking at it does not fill it"


def resident_pages(d: Debugger) -> int:
    return int(Path(f"/proc/{d.pid}/statm").read_text().split()[1])


def test_breakpoints_are_never_found() -> None:
    with running("basic") as d:
        code = next(m for m in d.maps.filter("binary") if "x" in m.permissions)
        before = d.memory.find(0xCC, start=code.start, end=code.end)
        start = d.memory["counter_function", 4, "binary"]
        d.breakpoint("counter_function", file="binary")
        d.breakpoint("main", file="binary")
        assert d.memory.find(0xCC, start=code.start, end=code.end) == before
        assert d.resolve_symbol("counter_function") in d.memory.find(start, file="binary")


def test_pointers_are_found_by_file_and_by_address() -> None:
    with running("haystack") as d:
        ready(d)
        text, chain = d.resolve_symbol("text"), d.resolve_symbol("chain")
        found = d.memory.find_pointers("binary", "binary", 8)
        assert {(chain + 8 * i, chain + 8 * (i + 1)) for i in range(2)} | {(chain + 16, text)} <= {*found}
        assert found == sorted(found)
        odd = (d.resolve_symbol("packed") + 1, pointer(d, "across"))
        by_address = d.memory.find_pointers(where=chain, target=pointer(d, "across"))
        assert odd in by_address
        assert odd not in d.memory.find_pointers(chain, pointer(d, "across"), 8)
        assert {*by_address} < {*d.memory.find_pointers("*", "*")}
        every = d.memory.find_pointers(-1, pointer(d, "across"))
        assert every == d.memory.find_pointers("all", pointer(d, "across"))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("*", "no such file"), r"No memory map found for the specified target\."),
        (("no such file", "*"), r"No memory map found for the specified where parameter\."),
        ((0xDEADBEEF, "*"), r"No memory map found for the specified where parameter\."),
        (("*", 1 << 80), r"No memory map found for the specified target\."),
        (("*", "*", 0), "step"),
        (("*", "*", -8), "step"),
    ],
)
def test_pointers_of_nothing(arguments: Any, text: str) -> None:
    with running("basic") as d, pytest.raises(ValueError, match=text):
        d.memory.find_pointers(*arguments)


def test_telescopes_end_at_a_text(caplog: Any) -> None:
    with running("haystack") as d, caplog.at_level(WARNING, "libdebug"):
        ready(d)
        chain, text = d.resolve_symbol("chain"), d.resolve_symbol("text")
        whole = [chain, chain + 8, chain + 16, text]
        number = int.from_bytes(b"a text a", "little")
        m = d.memory
        assert m.telescope(chain) == [*whole, "a text at the end"]
        assert m.telescope(chain, max_str_len=6) == [*whole, "a text"]
        assert m.telescope(chain, min_str_len=17) == [*whole, "a text at the end"]
        assert m.telescope(chain, min_str_len=18) == [*whole, number]
        assert m.telescope(chain, min_str_len=-1) == [*whole, number]
        assert m.telescope(chain, max_depth=2) == whole[:3]
        assert m.telescope(0xDEADBEEF) == [0xDEADBEEF]
        assert not messages(caplog, WARNING)


def test_telescopes_tell_a_loop(caplog: Any) -> None:
    with running("haystack") as d, caplog.at_level(WARNING, "libdebug"):
        ready(d)
        loop = d.resolve_symbol("loop")
        assert d.memory.telescope(loop, max_depth=3) == [loop, loop + 8, loop, loop + 8]
        assert [text for text in messages(caplog, WARNING) if "The telescope chain contains a loop" in text]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"min_str_len": -2, "max_str_len": 0}, r"min_str_len must be -1 or greater\."),
        ({"max_str_len": 0, "max_depth": 0}, r"max_str_len must be greater than 0\."),
        ({"max_depth": 0, "min_str_len": 9, "max_str_len": 8}, r"depth must be greater than 0\."),
        ({"min_str_len": 9, "max_str_len": 8}, r"min_str_len must be less than or equal to max_str_len\."),
    ],
)
def test_telescopes_of_nonsense(arguments: dict[str, int], text: str) -> None:
    with running("basic") as d, pytest.raises(ValueError, match=text):
        d.memory.telescope(d.regs.rsp, **arguments)


class EnoughError(Exception):
    """What the alarm raises."""


def test_a_search_that_takes_for_ever_is_interrupted() -> None:
    def ring(*_: object) -> None:
        raise EnoughError

    previous = signal.signal(signal.SIGALRM, ring)
    try:
        with running("haystack") as d:
            start = pointer(ready(d), "reserved")
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(EnoughError):
                # At each of 2 ** 30 places 4 MiB are the same.
                d.memory.find(bytes(1 << 22), start=start, end=start + (1 << 30))
            assert d.memory.find(b"nedle in the", start=start)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def test_a_search_in_a_callback() -> None:
    found = []
    with running("basic") as d:
        d.breakpoint("counter_function", callback=lambda t, _: found.append(t.memory.find("the quick")))
        d.cont()
        d.wait()
    assert len(found) == 10
    assert found[0]
    assert found[0][0] == found[-1][0]


@both_accesses
def test_reading_into_a_buffer(d: Debugger) -> None:
    address = d.resolve_symbol("message")
    buffer = bytearray(b"." * 30)
    d.memory.read_into(address, memoryview(buffer)[5:14])
    assert buffer == b".....the quick" + b"." * 16
    d.memory.read_into(address, bytearray())
    for refused in (bytes(4), "text"):
        with pytest.raises(TypeError):
            d.memory.read_into(address, refused)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="0xdeadbeef"):
        d.memory.read_into(0xDEADBEEF, buffer)


def test_reading_much_into_a_buffer() -> None:
    with running("heap") as d:
        at(d, "filled")
        block, buffer = d.regs.rdi, bytearray((1 << 20) + 5)
        d.memory.read_into(block, buffer)
        assert buffer == d.memory[block, len(buffer)]
        assert buffer[PAGE * 9] == 9


@both_accesses
def test_what_a_view_knows_of_places(d: Debugger) -> None:
    m, message = d.memory, d.resolve_symbol("message")
    base = d.maps.filter("binary")[0].start
    assert m.maps is d.maps
    assert m.resolve_symbol("message+4", "binary") == message + 4
    assert m.resolve_address(message - base, "binary") == message
    assert m.resolve_address(message, "hybrid") == m.resolve_address(message, "absolute") == message
    with pytest.raises(ValueError, match="does not belong to any memory map"):
        m.resolve_address(0xDEADBEEF, "absolute")
    assert m.resolve_address(0xDEADBEEF, "absolute", skip_absolute_address_validation=True) == 0xDEADBEEF
    with pytest.raises(ValueError, match="no_such_symbol"):
        m.resolve_symbol("no_such_symbol", "binary")


def test_a_search_without_a_process() -> None:
    with running("basic") as d:
        memory = d.memory
        d.kill()
        for act in (lambda: memory.find(b"x"), memory.find_pointers, lambda: memory.telescope(0)):
            with pytest.raises(RuntimeError, match="cannot access memory"):
                act()
