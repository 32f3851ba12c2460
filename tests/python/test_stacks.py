"""Stacks: backtraces, frames, return addresses, and the ends of functions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from face import at, debugging, running
from libdebug.architectures.stack_unwinding_provider import stack_unwinding_provider

if TYPE_CHECKING:
    from libdebug import Breakpoint, Debugger
    from libdebug.state.thread_context import ThreadContext

BOTH = pytest.mark.parametrize("heuristic", ["backtrace", "step-mode"])


def test_a_backtrace_is_addresses_or_symbols_innermost_first() -> None:
    with running("stacks-O2", "sort", 3) as d:
        at(d, "stop_here")
        addresses, symbols = d.backtrace(), d.backtrace(as_symbols=True)
        assert addresses[0] == d.regs.rip
        assert len(addresses) == len(symbols)
        assert symbols[0] == "stop_here+0"
        assert symbols[1].startswith("compare+")
        assert symbols[-1].startswith("_start+")
        assert all(re.fullmatch(r"[\w.@]+\+[0-9a-f]+|0x[0-9a-f]+", symbol) for symbol in symbols)
        assert d.saved_ip == addresses[1]
        assert d.threads[0].backtrace() == addresses
        assert d.threads[0].saved_ip == addresses[1]


def test_frames_tell_their_source_lines() -> None:
    with running("stacks", "sort", 3) as d:
        at(d, "stop_here")
        inner, caller, *_ = d.frames
        assert inner.source_line is not None and caller.source_line is not None
        assert (inner.source_line.function, caller.source_line.function) == ("stop_here", "compare")
        assert inner.source_line.file.endswith("stacks.c")
        # The line of the call, and not what comes behind it.
        calls = caller.source_line
        assert calls == d.source_line(caller.pc - 1)
        assert calls == d.threads[0].frames[1].source_line
        text = Path(calls.file).read_text().splitlines()[calls.line - 1]
        assert "stop_here" in text


def test_frames_tell_what_is_known() -> None:
    with running("stacks-O2", "sort", 3) as d:
        at(d, "stop_here")
        inner, caller, *_ = frames = d.frames
        assert [frame.pc for frame in frames] == d.backtrace()
        assert (inner.symbol, inner.offset, inner.pc) == ("stop_here", 0, d.regs.rip)
        assert inner.cfa == d.regs.rsp + 8 == caller.regs.rsp
        assert (inner.regs.rax, inner.regs.rip) == (d.regs.rax, d.regs.rip)
        assert caller.regs.rbx == d.regs.rbx
        assert "rbx" in caller.regs
        assert not hasattr(caller.regs, "rax"), "a call may change it"
        assert caller.file == str(d.path)
        assert str(caller) == f"compare+{caller.offset:x}"
        assert re.fullmatch(
            r"Frame\(pc=0x\w+, cfa=0x\w+, symbol='compare', offset=0x\w+, file='.*'\)", repr(caller)
        )
        assert frames == d.frames
        assert len({frame.cfa for frame in frames}) == len(frames)


def test_a_signals_frame_is_told() -> None:
    with running("stacks-O2", "signal", 1) as d:
        at(d, "handle")
        [signal] = [frame for frame in d.frames if frame.is_signal_frame]
        names = [frame.symbol for frame in d.frames]
        interrupted = d.frames[d.frames.index(signal) + 1]
        assert "rax" in interrupted.regs
        assert names.index("handle") < d.frames.index(signal) < names.index("interrupted")


def test_every_thread_has_its_own_stack() -> None:
    with running("stacks-O2", "threads", 5) as d:
        at(d, "stop_here")
        depths = [thread.backtrace(as_symbols=True) for thread in d.threads[1:]]
        assert [sum("thread_body" in text for text in depth) for depth in depths] == [1, 2, 3, 4, 5]


def test_memory_read_word_by_word_gives_the_same() -> None:
    with (
        running("stacks-O2", "sort", 3, aslr=False) as fast,
        running("stacks-O2", "sort", 3, aslr=False, fast_memory=False) as slow,
    ):
        at(fast, "stop_here")
        at(slow, "stop_here")
        assert slow.backtrace(as_symbols=True) == fast.backtrace(as_symbols=True)


@BOTH
def test_finish_is_this_frames_end_in_a_recursion(heuristic: str) -> None:
    with running("stacks-O2", "descend", 9) as d:
        bp = d.breakpoint("descend")
        for _ in range(4):
            d.cont()
            d.wait()
        bp.disable()
        frame, caller, *_ = d.frames
        d.finish(heuristic)
        assert (d.regs.rip, d.regs.rsp) == (caller.pc, frame.cfa)
        d.fin(heuristic=heuristic)
        assert d.regs.rsp > frame.cfa
        assert bp.hit_count == 4


@BOTH
def test_breakpoints_on_the_way_stop_finish_unless_disabled(heuristic: str) -> None:
    with running("stacks-O2", "sort", 3) as d:
        at(d, "sort")
        end = d.saved_ip
        inner, off = d.breakpoint("compare"), d.breakpoint("stop_here")
        off.disable()
        d.finish(heuristic)
        assert d.regs.rip == inner.address
        assert inner.hit_on(d)
        assert (inner.hit_count, off.hit_count) == (1, 0)
        inner.disable()
        d.finish(heuristic)
        assert not inner.hit_on(d)
        while d.regs.rip != end:
            d.finish(heuristic)
        assert (inner.hit_count, off.hit_count) == (1, 0)


@BOTH
def test_finish_in_a_callback(heuristic: str) -> None:
    places = []

    def leave(thread: ThreadContext, _: Breakpoint) -> None:
        caller = thread.saved_ip
        thread.finish(heuristic)
        places.append((caller, thread.regs.rip, thread.backtrace()[0]))

    with running("stacks-O2", "sort", 3) as d:
        bp = d.breakpoint("compare", callback=leave)
        d.cont()
        d.wait()
        assert d.dead
        assert len(places) == bp.hit_count > 8
        assert all(caller == pc == innermost for caller, pc, innermost in places)


def test_a_long_step_until_passes_everything() -> None:
    with running("stacks-O2", "sort", 3) as d:
        at(d, "sort")
        end = d.saved_ip
        inner = d.breakpoint("compare")
        watched = d.watchpoint(d.regs.rsp - 16, length=8, file="absolute")
        d.step_until(end)
        assert d.regs.rip == end
        assert (inner.hit_count, watched.hit_count) == (0, 0)


@pytest.mark.parametrize("heuristic", ["", "steps", "nonsense"])
def test_there_are_two_heuristics(heuristic: str) -> None:
    with running("stacks-O2") as d, pytest.raises(ValueError, match=f"Unimplemented heuristic {heuristic}"):
        d.finish(heuristic)


def test_without_a_caller_there_is_no_way_back() -> None:
    text = r"Failed to get the return address\. Check stack frame registers \(e\.g\., base pointer\)\."
    with running("stacks-O2") as d:
        # At the entry point nobody has called.
        assert d.backtrace() == [d.regs.rip]
        for act in (lambda: d.saved_ip, d.finish):
            with pytest.raises(ValueError, match=text):
                act()


def test_a_stack_that_is_none_has_one_frame() -> None:
    with running("stacks", "sort", 3) as d:
        at(d, "stop_here")
        d.step()
        d.regs.rsp = 0x1000
        assert d.backtrace() == [d.regs.rip]
        with pytest.raises(ValueError, match="Failed to get the return address"):
            _ = d.saved_ip


def test_without_a_process_there_is_no_stack() -> None:
    with debugging("stacks") as d:
        for act in (d.backtrace, d.finish, d.pprint_backtrace, lambda: d.frames, lambda: d.saved_ip):
            with pytest.raises(RuntimeError):
                act()


def test_pprint_backtrace_prints_a_line_a_frame(capsys: pytest.CaptureFixture[str]) -> None:
    with running("stacks-O2", "sort", 3) as d:
        at(d, "stop_here")
        d.pprint_backtrace()
        d.threads[0].pprint_backtrace()
        lines = capsys.readouterr().out.splitlines()
        depth = len(d.backtrace())
        assert lines[:depth] == lines[depth:]
        assert re.fullmatch(r"#0 +0x[0-9a-f]{16} <stop_here\+0> /.*/stacks-O2", lines[0])
        assert f"{d.saved_ip:#018x}" in lines[1]


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals(
    no_color: str, coloured: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with running("stacks-O2", "sort", 3) as d:
        at(d, "stop_here")
        d.pprint_backtrace()
    assert ("\x1b[" in capsys.readouterr().out) == coloured


def test_the_unwinder_of_libdebug() -> None:
    with running("stacks", "sort", 3) as d:
        bp = d.breakpoint("sort")
        d.cont()
        d.wait()
        unwinder = stack_unwinding_provider(d.arch)
        expected = return_address(d)
        # Before, between and behind the instructions that make the frame.
        for _ in range(4):
            assert unwinder.get_return_address(d.threads[0], d.maps) == expected
            d.step()
        with pytest.raises(ValueError, match="Failed to get the return address"):
            unwinder.get_return_address(d.threads[0], [])
        assert bp.hit_count == 1
    with pytest.raises(NotImplementedError):
        stack_unwinding_provider("pdp11")


def return_address(d: Debugger) -> int:
    """Return what is on top of the stack."""
    return int.from_bytes(d.memory[d.regs.rsp, 8, "absolute"], "little")
