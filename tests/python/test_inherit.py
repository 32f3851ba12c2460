"""Children that come with the handlers of their creator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from face import running
from libdebug import debugger

if TYPE_CHECKING:
    from libdebug import Breakpoint, SignalCatcher, SyscallHandler, ThreadContext


def test_children_come_with_the_handlers_of_their_creator() -> None:
    seen: list[tuple[str, int, int]] = []

    def at_code(thread: ThreadContext, bp: Breakpoint) -> None:
        seen.append(("code", thread.pid, bp.hit_count))

    def on_write(thread: ThreadContext, handler: SyscallHandler) -> None:
        seen.append(("write", thread.pid, handler.hit_count))

    with running("forker", 2, "fork") as d:
        d.inherit_handlers = True
        bp = d.breakpoint("child_code", callback=at_code, file="binary")
        d.breakpoint("main", file="binary").disable()
        handler = d.handle_syscall("exit_group", on_enter=on_write)
        d.signals_to_block = ["SIGUSR1"]
        d.cont()
        children = []
        while child := d.wait_child(timeout=20):
            assert child.inherit_handlers
            assert list(child.breakpoints) == [bp.address]
            assert child.breakpoints[bp.address].symbol == bp.symbol
            assert child.breakpoints[bp.address] is not bp
            assert list(child.handled_syscalls) == list(d.handled_syscalls)
            assert child.signals_to_block == ["SIGUSR1"]
            children.append(child)
            child.cont()
            child.wait()
            assert child.dead
        d.wait()
        pids = [child.pid for child in children]
        assert len(pids) == 2
        assert [(kind, pid) for kind, pid, _ in seen if pid != d.pid] == [
            (kind, pid) for pid in pids for kind in ("code", "write")
        ]
        assert bp.hit_count == 0
        assert handler.hit_count == 0, "an exit_group has no exit"
        assert all(child.breakpoints[bp.address].hit_count == 1 for child in children)


def test_hijackers_answers_and_catchers_are_inherited_too() -> None:
    caught: list[int] = []

    def at_signal(thread: ThreadContext, _: SignalCatcher) -> None:
        caught.append(thread.pid)
        thread.signal = 0

    d = debugger(["/bin/sh", "-c", "sh -c 'kill -USR1 $$; exit $PPID'; echo $?"])
    pipe = d.run()
    d.inherit_handlers = True
    d.answer_syscall("getppid", 42)
    catcher = d.catch_signal("SIGUSR1", callback=at_signal)
    d.cont()
    child = d.wait_child(timeout=20)
    assert child is not None
    assert child.caught_signals[10] is not catcher
    child.cont()
    d.wait()
    assert (child.exit_code, d.exit_code, pipe.recvline()) == (42, 0, b"42")
    assert caught == [child.pid]
    d.terminate()


def test_nothing_is_inherited_unless_asked_for() -> None:
    with running("forker", 1, "fork") as d:
        assert d.inherit_handlers is False
        d.breakpoint("child_code", callback=True, file="binary")
        d.cont()
        child = d.wait_child(timeout=20)
        assert child is not None and child.breakpoints == {} and not child.inherit_handlers
        child.cont()
        d.wait()
        with pytest.raises(TypeError):
            d.inherit_handlers = 1  # type: ignore[assignment]
