"""What concerns one thread of several: handlers of it alone, and letting it alone go on or stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from face import running

if TYPE_CHECKING:
    from libdebug import Debugger, ThreadContext

THREADS, CALLS = 4, 50


def first_at(d: Debugger, symbol: str) -> ThreadContext:
    bp = d.breakpoint(symbol, file="binary")
    d.cont()
    d.wait()
    bp.disable()
    return next(thread for thread in d.threads if not thread.dead and thread.regs.rip == bp.address)


def test_breakpoints_of_one_thread_are_passed_by_the_others() -> None:
    with running("threads", THREADS, CALLS) as d:
        thread = first_at(d, "work")
        seen: list[int] = []
        software = thread.breakpoint("hot", callback=lambda t, _: seen.append(t.tid))
        hardware = thread.breakpoint("hot", hardware=True, callback=True)
        everybody = d.breakpoint("hot", callback=True)
        d.cont()
        d.wait()
        assert d.exit_code == 0
        assert seen == [thread.tid] * CALLS
        assert (software.hit_count, hardware.hit_count) == (CALLS, CALLS)
        assert everybody.hit_count == THREADS * CALLS
        assert (software.thread_id, everybody.thread_id) == (thread.tid, None)
        assert list(d.breakpoints.values()).count(software) == 0


@pytest.mark.parametrize("mode", ["seccomp", "ptrace"])
def test_handlers_of_one_threads_calls_leave_the_others_alone(mode: str) -> None:
    with running("syscall_threads", THREADS, CALLS, syscall_filter=mode) as d:
        thread = first_at(d, "work")
        seen: list[int] = []
        handler = thread.handle_syscall("getpriority", on_enter=lambda t, _: seen.append(t.tid))
        # The numbers of its own calls begin at 1000; another one's are refused too.
        hijacker = thread.hijack_syscall("getppid", "getpriority", syscall_arg0=5000)
        d.cont()
        d.wait()
        assert seen == [thread.tid] * CALLS
        assert (handler.hit_count, hijacker.hit_count) == (CALLS, CALLS)
        # getpriority of an impossible kind fails, which getppid never does.
        assert d.exit_code == 1
        assert d.handled_syscalls == {}


def test_catchers_of_one_threads_signals_leave_the_others_alone() -> None:
    with running("threads", THREADS, CALLS) as d:
        thread = first_at(d, "hot")
        everybody = d.catch_signal("SIGUSR1", callback=lambda t, _: setattr(t, "signal", 0))
        own = thread.catch_signal("SIGUSR1", callback=lambda t, _: setattr(t, "signal", 0))
        living = [t for t in d.threads if not t.dead]
        for each in living:
            assert thread.invoke_syscall("tkill", each.tid, 10) == 0
        d.cont()
        d.wait()
        assert d.exit_code == 0
        assert (own.hit_count, everybody.hit_count) == (1, len(living) - 1)
        assert list(d.caught_signals.values()) == [everybody]


def test_bad_handlers_of_a_thread_are_refused() -> None:
    with running("threads", 1, 1) as d:
        thread = d.threads[0]
        with pytest.raises(ValueError, match="nowhere"):
            thread.breakpoint("nowhere")
        with pytest.raises(ValueError, match="different"):
            thread.hijack_syscall("read", "read")
        with pytest.raises(ValueError, match="different"):
            thread.hijack_signal("SIGINT", "SIGINT")
        with pytest.raises(TypeError):
            thread.handle_syscall("read", recursive=1)  # type: ignore[arg-type]
        with pytest.raises(ValueError):
            thread.catch_signal("SIGKILL")
        d.cont()
        d.wait()
        assert d.exit_code == 0


def test_one_thread_goes_on_alone_and_stands_still_alone() -> None:
    with running("spinners", 2) as d:
        d.cont()
        _, first, second = spinning(d)
        first.interrupt()
        assert first.parked and not second.parked and d.running
        rip, rbx = first.regs.rip, first.regs.rbx
        second.interrupt()
        before = second.regs.rbx
        while second.regs.rbx == before:
            second.cont()
            assert not second.parked
            second.interrupt()
        assert (first.regs.rip, first.regs.rbx) == (rip, rbx)
        first.regs.rbx = 1 << 62
        d.interrupt()
        d.wait()
        assert not d.running and not first.parked
        first.cont()
        assert second.parked
        first.interrupt()
        d.wait()
        assert first.regs.rbx >= 1 << 62
        first.step()
        d.kill()
        with pytest.raises(RuntimeError):
            first.cont()
        with pytest.raises(RuntimeError):
            first.interrupt()


def spinning(d: Debugger) -> list[ThreadContext]:
    """Wait until all threads of `spinners` are there."""
    while len(d.threads) < 3:
        d.interrupt()
        d.wait()
        d.cont()
    return d.threads


def test_one_thread_does_not_go_on_from_a_callback() -> None:
    with running("basic") as d:
        errors: list[str] = []

        def at(thread: ThreadContext, _: object) -> None:
            try:
                thread.cont()
            except RuntimeError as error:
                errors.append(str(error))

        d.breakpoint("counter_function", callback=at)
        d.cont()
        d.wait()
        assert errors == ["This method is not available in a callback."] * 10
