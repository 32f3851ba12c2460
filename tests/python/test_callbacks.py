"""Callbacks: what they are given, what they may do, and what becomes of their exceptions."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from face import ERROR, at, debugging, messages, running
from libdebug import _native

if TYPE_CHECKING:
    from libdebug import Breakpoint, ThreadContext


def test_a_callback_is_given_the_thread_and_the_breakpoint() -> None:
    seen: list[Any] = []

    def on_hit(thread: ThreadContext, bp: Breakpoint) -> None:
        pc = thread.instruction_pointer
        seen.append((thread, bp, bp.hit_count, bp.hit_on(thread), pc == bp.address, thread.regs.edi))

    with running("basic") as d:
        bp = d.breakpoint("counter_function", callback=on_hit, file="binary")
        d.cont()
        d.wait()
        assert seen == [(d.threads[0], bp, n + 1, True, True, n) for n in range(10)]
        assert (bp.hit_count, d.exit_code) == (10, 0)


def test_all_threads_are_counted_and_known() -> None:
    tids: list[int] = []
    with running("threads", 8, 200) as d:
        bp = d.breakpoint("hot", callback=lambda t, _: tids.append(t.thread_id), file="binary")
        d.cont()
        d.wait()
        assert (bp.hit_count, len(tids), d.exit_code) == (1600, 1600, 0)
        assert set(tids) == {thread.tid for thread in d.threads[1:]}
        assert len(d.threads) == 9


def test_true_only_counts() -> None:
    with running("basic") as d:
        bp = d.breakpoint("counter_function", callback=True, file="binary")
        d.cont()
        d.wait()
        assert (bp.hit_count, bp.callback, d.dead) == (10, True, True)


def test_counting_costs_four_system_calls() -> None:
    with running("threads", 1, 1000) as d:
        bp = d.breakpoint("hot", callback=True, file="binary")
        before = _native.tracer_syscalls()
        d.cont()
        d.wait()
        assert bp.hit_count == 1000
        assert (_native.tracer_syscalls() - before) / 1000 < 5.1


def test_the_callback_can_be_replaced_at_any_time() -> None:
    seen: list[str] = []
    with running("basic") as d:

        def first(_: ThreadContext, bp: Breakpoint) -> None:
            seen.append("first")
            bp.callback = second

        def second(_: ThreadContext, bp: Breakpoint) -> None:
            seen.append("second")
            bp.callback = None

        bp = d.breakpoint("counter_function", callback=first, file="binary")
        d.cont()
        d.wait()
        assert (seen, bp.hit_count, bp.hit_on(d), d.regs.edi) == (["first", "second"], 3, True, 2)
        bp.callback = True
        d.cont()
        d.wait()
        assert (bp.hit_count, d.dead) == (10, True)
        with pytest.raises(TypeError, match="callback"):
            bp.callback = "no"  # type: ignore[assignment]


def test_registers_and_memory_in_a_callback() -> None:
    def on_hit(thread: ThreadContext, _: Breakpoint) -> None:
        counter = int.from_bytes(thread.memory["counter", 4, "binary"], "little")
        thread.regs.edi = 1
        thread.memory["table", 8, "binary"] = counter.to_bytes(8, "little")

    with running("basic") as d:
        d.breakpoint("counter_function", callback=on_hit, file="binary")
        at(d, "printf", "libc")
        assert int.from_bytes(d.memory["counter", 4], "little") == 10
        assert int.from_bytes(d.memory["table", 8], "little") == 9


def test_breakpoints_and_steps_in_a_callback() -> None:
    found: dict[str, Any] = {}

    def on_main(thread: ThreadContext, bp: Breakpoint) -> None:
        found["bp"] = thread.debugger.breakpoint("counter_function", callback=True, file="binary")
        thread.step()
        found["stepped"] = thread.regs.rip - bp.address
        bp.disable()

    with running("basic") as d:
        d.breakpoint("main", callback=on_main, file="binary")
        d.cont()
        d.wait()
        assert d.exit_code == 0
        assert found["bp"].hit_count == 10
        assert found["stepped"] > 0


def test_interrupt_in_a_callback_keeps_the_process_stopped() -> None:
    def on_hit(thread: ThreadContext, bp: Breakpoint) -> None:
        if bp.hit_count == 3:
            thread.debugger.interrupt()

    with running("basic") as d:
        bp = d.breakpoint("counter_function", callback=on_hit, file="binary")
        d.cont()
        d.wait()
        assert (d.dead, bp.hit_count, d.regs.rip) == (False, 3, bp.address)
        d.cont()
        d.wait()
        assert (d.exit_code, bp.hit_count) == (0, 10)


def test_steps_still_step_after_an_interrupt_in_a_callback() -> None:
    places: list[int] = []

    def on_hit(thread: ThreadContext, bp: Breakpoint) -> None:
        thread.debugger.interrupt()
        thread.step()
        places.append(thread.instruction_pointer - bp.address)

    with running("basic") as d:
        bp = d.breakpoint("counter_function", callback=on_hit, file="binary")
        d.cont()
        d.wait()
        assert (bp.hit_count, len(places), d.dead) == (1, 1, False)
        assert places[0] > 0


def test_a_callback_sees_what_was_mapped_since_the_last_stop() -> None:
    read: list[bytes] = []

    def on_hit(thread: ThreadContext, _: Breakpoint) -> None:
        maps = thread.debugger.maps.filter("libc")
        read.append(thread.memory[maps[0].start, 4, "libc"])

    with running("basic", continue_to_binary_entrypoint=False) as d:
        assert not d.maps.filter("libc"), "the linker has not run yet"
        d.breakpoint("counter_function", callback=on_hit, file="binary")
        d.cont()
        d.wait()
        assert read == [b"\x7fELF"] * 10


@pytest.mark.parametrize("name", ["cont", "wait", "kill", "run", "detach"])
def test_what_a_callback_must_not_do(name: str) -> None:
    errors: list[str] = []
    with running("basic") as d:

        def on_hit(*_: object) -> None:
            with pytest.raises(RuntimeError) as caught:
                getattr(d, name)()
            errors.append(str(caught.value))

        d.breakpoint("main", callback=on_hit, file="binary")
        d.cont()
        d.wait()
        assert errors == ["This method is not available in a callback."]
        assert d.exit_code == 0


def test_an_exception_comes_out_of_the_next_wait(caplog: Any) -> None:
    def on_hit(*_: object) -> None:
        raise KeyError("Test exception")

    with running("basic") as d, caplog.at_level(ERROR, "libdebug"):
        bp = d.breakpoint("counter_function", callback=on_hit, file="binary")
        for count in (1, 2, 3):
            d.cont()
            with pytest.raises(RuntimeError, match=r"Unhandled exception in .* callback") as caught:
                d.wait()
            cause = caught.value.__cause__
            assert isinstance(cause, KeyError)
            assert cause.__traceback__ is not None
            assert cause.__traceback__.tb_frame.f_code is on_hit.__code__
            assert (bp.hit_count, d.running, d.regs.rip) == (count, False, bp.address)
            assert len([text for text in messages(caplog, ERROR) if "Test exception" in text]) == count
        bp.callback = True
        d.cont()
        d.wait()
        assert d.exit_code == 0


def test_an_exception_does_not_hit_unrelated_code() -> None:
    def on_hit(*_: object) -> None:
        raise ValueError("later")

    with running("basic") as d:
        d.breakpoint("counter_function", callback=on_hit, file="binary")
        d.cont()
        deadline = time.monotonic() + 10
        while d.running and time.monotonic() < deadline:
            sum(range(1000))
        assert not d.running
        with pytest.raises(RuntimeError, match="later"):
            d.cont()
        d.cont()
        with pytest.raises(RuntimeError, match="later"):
            d.wait()


def test_callbacks_run_on_one_thread_that_python_knows() -> None:
    threads: set[threading.Thread] = set()
    with running("basic") as d:
        d.breakpoint(
            "counter_function", callback=lambda *_: threads.add(threading.current_thread()), file="binary"
        )
        d.cont()
        d.wait()
        (thread,) = threads
        assert thread is not threading.main_thread()
        assert (thread.daemon, thread.is_alive()) == (True, True)
    assert not thread.is_alive()


def test_the_switch_interval_is_lowered_while_callbacks_may_come_and_restored() -> None:
    before = sys.getswitchinterval()
    seen: list[float] = []
    with running("basic") as d:
        d.breakpoint("main", callback=lambda *_: seen.append(sys.getswitchinterval()), file="binary")
        d.cont()
        d.wait()
        assert seen == [pytest.approx(1e-4)]
        assert sys.getswitchinterval() == before
        d.run(redirect_pipes=False)
        d.cont()
        d.wait()
        assert sys.getswitchinterval() == before


def test_callbacks_come_while_the_main_thread_computes() -> None:
    hits = 0

    def on_hit(*_: object) -> None:
        nonlocal hits
        hits += 1

    with running("threads", 1, 500) as d:
        d.breakpoint("hot", callback=on_hit, file="binary")
        d.cont()
        start = time.monotonic()
        while d.running and time.monotonic() - start < 60:
            sum(range(1000))
        assert (hits, d.running) == (500, False)


def test_a_dropped_debugger_is_collected_with_its_callbacks_and_its_process() -> None:
    class Marker:
        def __call__(self, *_: object) -> None: ...

    def scene() -> tuple[list[weakref.ref[Any]], int]:
        import build
        from libdebug import debugger

        d = debugger(str(build.program("basic")))
        d.run(redirect_pipes=False)
        marker = Marker()
        marker.d = d  # type: ignore[attr-defined]
        d.breakpoint("main", callback=marker, file="binary")
        return [weakref.ref(d), weakref.ref(marker), weakref.ref(d.threads[0])], d.pid

    references, pid = scene()
    gc.collect()
    assert [reference() for reference in references] == [None, None, None]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_replaced_and_old_callbacks_are_let_go() -> None:
    class Marker:
        def __call__(self, *_: object) -> None: ...

    with running("basic") as d:
        first, second = Marker(), Marker()
        references = [weakref.ref(first), weakref.ref(second)]
        bp = d.breakpoint("main", callback=first, file="binary")
        bp.callback = second
        del first, second
        assert references[0]() is None
        assert references[1]() is not None
        d.run(redirect_pipes=False)
        del bp
        gc.collect()
        assert references[1]() is None


def test_two_debuggers_do_not_disturb_each_other() -> None:
    hits: list[str] = []
    with debugging("basic") as one, debugging("threads", 2, 50) as two:
        one.run(redirect_pipes=False)
        two.run(redirect_pipes=False)
        one.breakpoint("counter_function", callback=lambda *_: hits.append("one"), file="binary")
        two.breakpoint("hot", callback=lambda *_: hits.append("two"), file="binary")
        one.cont()
        two.cont()
        one.wait()
        two.wait()
        assert (hits.count("one"), hits.count("two")) == (10, 100)
        assert (one.exit_code, two.exit_code) == (0, 0)


@pytest.mark.parametrize("end", ["terminated", "collected"])
def test_an_exception_that_nobody_waited_for_goes_with_its_debugger(end: str) -> None:
    def scene() -> weakref.ref[Any]:
        import build
        from libdebug import debugger

        d = debugger(str(build.program("basic")))
        d.run()
        d.breakpoint("counter_function", callback=lambda *_: 1 / 0 if d.pid else None, file="binary")
        d.cont()
        while d.running:
            sum(range(1000))
        if end == "terminated":
            d.terminate()
        return weakref.ref(d)

    gc.collect()
    before = {entry.name for entry in Path("/proc/self/fd").iterdir()}
    reference = scene()
    gc.collect()
    assert reference() is None
    assert {entry.name for entry in Path("/proc/self/fd").iterdir()} == before
