"""Breakpoints and watchpoints, without callbacks."""

from __future__ import annotations

from typing import Any

import pytest

from face import WARNING, at, debugging, messages, running
from libdebug import Breakpoint


def test_a_breakpoint_stops_the_process_each_time() -> None:
    with running("basic") as d:
        bp = d.breakpoint("counter_function", file="binary")
        for count in range(1, 11):
            d.cont()
            d.wait()
            assert (bp.hit_count, bp.hit_on(d), bp.hit_on(d.threads[0])) == (count, True, True)
            assert d.instruction_pointer == d.regs.rip == bp.address
            assert d.regs.edi == count - 1
        d.cont()
        d.wait()
        assert (d.dead, d.exit_code, bp.hit_count, bp.hit_on(d)) == (True, 0, 10, False)


def test_what_a_breakpoint_tells() -> None:
    with running("basic") as d:
        bp = d.breakpoint("counter_function+4", file="binary")
        other = d.bp(bp.address + 1)
        assert isinstance(bp, Breakpoint)
        assert (bp.symbol, other.symbol) == ("counter_function+4", hex(bp.address + 1))
        assert (bp.hardware, bp.condition, bp.length, bp.callback) == (False, "x", 1, None)
        assert d.breakpoints == {bp.address: bp, other.address: other}
        assert {bp: 1}[bp] == 1
        assert bp != other
        text = repr(bp)
        assert all(
            part in text for part in (hex(bp.address), "hit_count=0", "hardware=False", "callback=None")
        )


@pytest.mark.parametrize("position", ["symbol", "offset", "absolute", "relative", "name"])
def test_positions(position: str) -> None:
    with running("basic") as d:
        absolute = d.resolve_symbol("counter_function")
        base = d.maps.filter("binary")[0].start
        bp = {
            "symbol": lambda: d.breakpoint("counter_function"),
            "offset": lambda: d.breakpoint("counter_function+0", file="binary"),
            "absolute": lambda: d.breakpoint(absolute, file="absolute"),
            "relative": lambda: d.breakpoint(absolute - base, file="binary"),
            "name": lambda: d.breakpoint(absolute - base, file="basic"),
        }[position]()
        assert bp.address == absolute
        d.cont()
        assert bp.hit_on(d)


def test_hit_on_waits_and_is_over_after_a_step() -> None:
    with running("basic") as d:
        bp = d.breakpoint("counter_function", file="binary")
        d.cont()
        assert bp.hit_on(d)
        d.step()
        assert not bp.hit_on(d)
        assert bp.hit_count == 1


def test_disabled_breakpoints_neither_stop_nor_count() -> None:
    with running("basic") as d:
        bp = d.breakpoint("counter_function", file="binary")
        d.cont()
        assert bp.enabled
        bp.disable()
        assert (bp.enabled, bp.hit_on(d)) == (False, False)
        last = d.breakpoint("printf", file="libc")
        d.cont()
        assert last.hit_on(d)
        assert bp.hit_count == 1
        bp.enabled = True
        assert bp.enabled


def test_a_second_breakpoint_at_an_address_replaces_the_first() -> None:
    with running("basic") as d:
        first = d.breakpoint("counter_function", file="binary")
        second = d.breakpoint("counter_function", file="binary")
        assert d.breakpoints == {second.address: second}
        d.cont()
        d.wait()
        assert (first.hit_count, second.hit_count, first.hit_on(d), second.hit_on(d)) == (0, 1, False, True)


def test_hardware_breakpoints() -> None:
    with running("basic") as d:
        bp = d.breakpoint("counter_function", hardware=True, file="binary")
        for count in range(1, 4):
            d.cont()
            assert bp.hit_on(d)
            assert (bp.hit_count, d.regs.edi) == (count, count - 1)
        assert bp.hardware


@pytest.mark.parametrize("condition", ["w", "rw", "RW"])
def test_watchpoints(condition: str) -> None:
    with running("basic") as d:
        at(d, "main")
        bp = d.watchpoint("counter", condition, 4, file="binary")
        values = []
        for _ in range(3):
            d.cont()
            assert bp.hit_on(d)
            values.append(int.from_bytes(d.memory["counter", 4], "little"))
        assert bp.condition == condition.lower()
        assert bp.length == 4
        assert bp.hit_count == 3
        assert values == ([0, 1, 3] if condition == "w" else [0, 0, 0])


def test_a_fifth_hardware_breakpoint_is_refused() -> None:
    with running("basic") as d:
        table = d.resolve_symbol("table")
        four = [d.watchpoint(table + 8 * i, "w", 8) for i in range(4)]
        with pytest.raises(ValueError, match="No more hardware breakpoints of this type available"):
            d.watchpoint(table + 32, "w", 8)
        assert list(d.breakpoints.values()) == four


def test_what_cannot_be() -> None:
    with running("basic") as d:
        table = d.resolve_symbol("table")
        cases: list[tuple[Any, str]] = [
            (
                lambda: d.breakpoint("main", file="absolute"),
                "Cannot use `absolute` backing file with symbols.",
            ),
            (lambda: d.breakpoint("nowhere", file="binary"), "Symbol nowhere not found"),
            (lambda: d.breakpoint("nowhere"), "Symbol nowhere not found"),
            (lambda: d.breakpoint(0xDEADBEEF, file="absolute"), "not mapped"),
            (lambda: d.breakpoint(-1), "Invalid address"),
            (lambda: d.breakpoint(1 << 64, file="absolute"), "Invalid address"),
            (lambda: d.breakpoint("main", condition="w"), "only for hardware watchpoints"),
            (lambda: d.watchpoint(table, "r"), "Invalid condition for watchpoints"),
            (lambda: d.watchpoint(table, "w", 3), "length"),
            (lambda: d.watchpoint(table, "w", 16), "length"),
            (lambda: d.watchpoint(table + 1, "w", 4), "aligned"),
        ]
        for act, text in cases:
            with pytest.raises(ValueError, match=text):
                act()
        with pytest.raises(TypeError, match="callback"):
            d.breakpoint("main", callback=5)  # type: ignore[arg-type]
        assert d.breakpoints == {}


def test_execution_watches_one_byte(caplog: Any) -> None:
    with running("basic") as d, caplog.at_level(WARNING, "libdebug"):
        bp = d.breakpoint("counter_function", hardware=True, length=8, file="binary")
        assert bp.length == 1
        assert any("Forcing length to 1 byte." in text for text in messages(caplog, WARNING))


def test_nothing_is_kept_over_a_new_run() -> None:
    with running("basic") as d:
        old = d.breakpoint("counter_function", file="binary")
        d.cont()
        d.wait()
        d.run(redirect_pipes=False)
        assert d.breakpoints == {}
        d.cont()
        d.wait()
        assert (d.exit_code, old.hit_count) == (0, 1)
        with pytest.raises(RuntimeError):
            d.step()


def test_breakpoints_need_a_process() -> None:
    with debugging("basic") as d, pytest.raises(RuntimeError):
        d.breakpoint("main", file="binary")


def test_steps() -> None:
    with running("basic") as d:
        at(d, "counter_function")
        start = d.regs.rip
        d.step()
        assert 0 < d.regs.rip - start < 16
        inside = d.resolve_symbol("counter_function+8")
        seen = [d.regs.rip]
        while d.regs.rip < inside:
            d.si()
            seen.append(d.regs.rip)
        d.step_until("main+0", max_steps=3)
        assert d.regs.rip != start
        d.breakpoints[start].disable()
        d.step_until("counter_function", file="binary")
        assert d.regs.rip == start
        assert d.regs.edi == 1


def test_next_passes_over_calls() -> None:
    with running("basic") as d:
        at(d, "main")
        bp = d.breakpoint("counter_function", file="binary")
        main = d.regs.rip
        bp.disable()
        for _ in range(30):
            d.next()
            assert main <= d.regs.rip < main + 0x200, "it left main"


def test_next_stops_at_breakpoints_of_the_called_function() -> None:
    with running("basic") as d:
        at(d, "main")
        bp = d.breakpoint("counter_function", file="binary")
        for _ in range(100):
            d.ni()
            if bp.hit_on(d):
                break
        assert (d.regs.rip, bp.hit_count) == (bp.address, 1)


def test_a_refused_breakpoint_leaves_the_one_that_is_there() -> None:
    with running("basic") as d:
        bp = d.breakpoint("counter_function", callback=True, file="binary")
        with pytest.raises(TypeError):
            d.breakpoint("counter_function", callback=5, file="binary")  # type: ignore[arg-type]
        assert d.breakpoints == {bp.address: bp}
        d.cont()
        d.wait()
        assert bp.hit_count == 10


def test_a_hardware_breakpoint_right_behind_a_software_one_fires() -> None:
    with running("basic") as d:
        soft = d.breakpoint("counter_function", callback=True, file="binary")
        hard = d.breakpoint("counter_function+1", hardware=True, callback=True, file="binary")
        d.cont()
        d.wait()
        assert (soft.hit_count, hard.hit_count) == (10, 10)


def test_a_step_at_a_hardware_breakpoint_executes_its_instruction_and_counts_nothing() -> None:
    with running("basic") as d:
        d.breakpoint("counter_function", file="binary")
        d.cont()
        d.wait()
        start = d.regs.rip
        hard = d.breakpoint(start + 1, hardware=True, callback=True)
        places = []
        for _ in range(3):
            d.step()
            places.append(d.regs.rip - start)
        assert places == sorted(set(places))
        assert hard.hit_count == 0


@pytest.mark.parametrize("callback", [True, None, lambda *_: None], ids=["count", "stop", "call"])
@pytest.mark.parametrize("sandbox", ["strict", "filter"])
def test_a_program_may_be_in_a_sandbox(sandbox: str, callback: Any) -> None:
    """Passing a breakpoint makes no system call that the program itself would not have made."""
    with running("sandboxed", sandbox) as d:
        bp = d.breakpoint("inside", callback=callback, file="binary")
        while not d.dead:
            d.cont()
            d.wait(timeout=30)
        assert (bp.hit_count, d.exit_code) == (10, 0)
