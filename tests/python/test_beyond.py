"""What the debugger does beyond handling events: calls of functions, filters, disguise, new programs."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from face import running
from libdebug import debugger

if TYPE_CHECKING:
    from libdebug import Breakpoint
    from libdebug.state.thread_context import ThreadContext


def test_functions_of_the_program_can_be_called() -> None:
    with running("callee") as d:
        bp = d.breakpoint("work", file="binary")
        d.cont()
        assert bp.hit_on(d)
        before = (d.regs.rip, d.regs.rsp, d.regs.rax, d.regs.xmm0)
        assert d.call("add", 2, -3) == 2**64 - 1
        assert d.threads[0].call("weigh", *range(1, 10)) == sum(n * n for n in range(1, 10))
        text = d.resolve_symbol("text")
        assert d.call("strlen", text) == len("hello world")
        assert d.call(d.resolve_symbol("add"), 40, 2) == 42
        with pytest.raises(RuntimeError, match="SIGSEGV at 0x10"):
            d.call("strlen", 16)
        with pytest.raises(ValueError, match="nowhere"):
            d.call("nowhere")
        with pytest.raises(TypeError):
            d.call("add", "two")  # type: ignore[arg-type]
        assert (d.regs.rip, d.regs.rsp, d.regs.rax, d.regs.xmm0) == before
        d.cont()
        d.wait()
        assert d.exit_code == 0


def test_a_program_that_looks_for_a_debugger_finds_none() -> None:
    for escape in (True, False):
        with running("antidebug", escape_antidebug=escape) as d:
            d.cont()
            d.wait()
            assert (d.exit_code == 0) is escape


@pytest.mark.parametrize("mode", ["auto", "seccomp", "ptrace"])
def test_handlers_work_with_every_filter(mode: str) -> None:
    with running("syscall_threads", 4, 100, syscall_filter=mode) as d:
        entered: list[int] = []
        handler = d.handle_syscall("getpriority", on_enter=lambda t, _: entered.append(t.tid))
        d.cont()
        d.wait()
        assert (handler.hit_count, len(entered), len(set(entered))) == (400, 400, 4)
        assert d.exit_code == 0


def test_a_filtered_program_is_not_let_go() -> None:
    with running("syscall_threads", 4, 100, syscall_filter="seccomp") as d:
        d.handle_syscall("getpriority", on_enter=True)
        with pytest.raises(RuntimeError, match="ptrace"):
            d.detach()
    with pytest.raises(ValueError, match="syscall_filter"):
        debugger("/bin/true", syscall_filter="always")  # type: ignore[arg-type]


def test_a_new_program_is_told_of_before_it_runs() -> None:
    d = debugger(["/bin/sh", "-c", "exec /bin/echo there"])
    pipe = d.run()
    assert pipe is not None
    told: list[str] = []

    def executed(thread: ThreadContext) -> None:
        told.append(next(page.backing_file for page in d.maps if "x" in page.permissions))
        assert thread.tid == d.pid

    d.on_exec = executed
    assert d.on_exec is executed
    with pytest.raises(TypeError, match="on_exec"):
        d.on_exec = 5  # type: ignore[assignment]
    d.cont()
    assert pipe.recvline() == b"there"
    d.wait()
    assert len(told) == 1
    assert not told[0].endswith("sh")
    d.terminate()


def test_a_watchpoint_tells_the_old_and_the_new_value() -> None:
    with running("basic") as d:
        seen: list[tuple[int | None, int | None]] = []

        def note(_: ThreadContext, bp: Breakpoint) -> None:
            seen.append((bp.old_value, bp.new_value))

        bp = d.watchpoint("counter", length=4, callback=note, file="binary")
        assert (bp.old_value, bp.new_value) == (None, 0)
        other = d.breakpoint("counter_function", callback=True, file="binary")
        d.cont()
        d.wait()
        assert len(seen) == bp.hit_count > 0
        assert seen[0][0] == 0
        assert all(before[1] == after[0] for before, after in pairwise(seen))
        assert (other.old_value, other.new_value) == (None, None)


def test_who_is_told_of_new_programs_is_told_in_every_run() -> None:
    d = debugger(["/bin/sh", "-c", "exec /bin/true"])
    told: list[int] = []
    d.on_exec = lambda thread: told.append(thread.tid)
    for runs in (1, 2):
        d.run(redirect_pipes=False)
        d.cont()
        d.wait()
        assert (len(told), told[-1]) == (runs, d.pid)
        d.kill()
    d.on_exec = None
    d.run(redirect_pipes=False)
    d.cont()
    d.wait()
    assert len(told) == 2
    d.terminate()
