"""Handlers of system calls: whom they stop, what they are given, what they may change."""

from __future__ import annotations

import gc
import os
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from face import ERROR, WARNING, at, debugging, messages, running
from libdebug import SyscallHandler, _native
from libdebug.data import syscall_handler

if TYPE_CHECKING:
    from libdebug import Debugger, ThreadContext

WRITE, OPEN, GETCWD = 1, 2, 79


def finish(d: Debugger) -> None:
    """Let the program run to its end."""
    d.cont()
    d.wait()
    assert d.exit_code == 0


def test_without_callbacks_the_program_stops_on_both_sides() -> None:
    with running("calls", "write") as d:
        handler = d.handle_syscall("write")
        assert isinstance(handler, SyscallHandler)
        assert syscall_handler.SyscallHandler is SyscallHandler
        assert not handler.hit_on(d)
        d.cont()
        d.wait()
        assert (handler.hit_on(d), handler.hit_on_enter(d), handler.hit_on_exit(d)) == (True, True, False)
        assert (d.syscall_number, d.syscall_arg0, d.syscall_arg2, handler.hit_count) == (WRITE, 1, 8, 0)
        assert d.syscall_return == 2**64 - 38, "ENOSYS, as the kernel has it"
        d.cont()
        d.wait()
        thread = d.threads[0]
        sides = (handler.hit_on(thread), handler.hit_on_enter(thread), handler.hit_on_exit(thread))
        assert sides == (True, False, True)
        assert (thread.syscall_return, handler.hit_count) == (8, 1)
        d.step()
        assert not handler.hit_on(d)
        finish(d)
        assert d.handled_syscalls == {WRITE: handler}


def test_callbacks_may_change_the_call_and_its_result() -> None:
    seen: list[Any] = []

    def on_enter(thread: ThreadContext, handler: SyscallHandler) -> None:
        seen.append((thread, handler, handler.hit_on_enter(thread), thread.syscall_arg2, handler.hit_count))
        thread.syscall_arg2 = 3

    def on_exit(thread: ThreadContext, handler: SyscallHandler) -> None:
        seen.append((thread, handler, handler.hit_on_exit(thread), thread.syscall_return, handler.hit_count))
        thread.syscall_return = -9

    with debugging("calls", "write") as d:
        pipe = d.run()
        assert pipe is not None
        at(d, "begin")
        handler = d.handle_syscall("write", on_enter, on_exit)
        d.cont()
        assert pipe.recv(3) == b"wri"
        d.wait()
        thread = d.threads[0]
        assert seen[:2] == [(thread, handler, True, 8, 0), (thread, handler, True, 3, 1)]


@pytest.mark.parametrize("side", ["on_enter", "on_exit"])
def test_the_other_side_is_passed_over(side: str) -> None:
    calls: list[int] = []
    with running("calls", "open", "open") as d:
        at(d, "begin")
        handler = d.handle_syscall(OPEN, **{side: lambda t, _: calls.append(t.syscall_number)})
        finish(d)
        assert (calls, handler.hit_count) == ([OPEN, OPEN], 2)


@pytest.mark.parametrize("callbacks", [(True, None), (None, True), (True, True), (True, False)])
def test_true_does_nothing_but_count(callbacks: tuple[Any, Any]) -> None:
    with running("calls", "open") as d:
        handler = d.handle_syscall("open", *callbacks)
        finish(d)
        assert (handler.hit_count, handler.on_enter_user, handler.on_exit_user) == (1, *callbacks)


@pytest.mark.parametrize("everything", ["*", "all", "ALL", "pkm", -1])
def test_all_calls(everything: str | int) -> None:
    numbers: list[int] = []
    with running("calls", "open", "getcwd", "unknown") as d:
        at(d, "begin")
        own = d.handle_syscall("open", on_enter=True)
        handler = d.handle_syscall(everything, lambda t, _: numbers.append(t.syscall_number))
        finish(d)
        assert (handler.syscall_number, own.hit_count) == (-1, 1)
        assert (numbers[:2], handler.hit_count) == ([GETCWD, 0x1337], 2)


def test_a_handler_of_all_is_hit_on() -> None:
    with running("calls", "getcwd") as d:
        at(d, "begin")
        handler = d.handle_syscall("*")
        d.cont()
        d.wait()
        assert (d.syscall_number, handler.hit_on(d), handler.hit_on_enter(d)) == (GETCWD, True, True)


def test_what_is_no_system_call() -> None:
    with running("calls", "unknown") as d:
        with pytest.raises(ValueError, match=r'^Syscall "provola" not found$'):
            d.handle_syscall("provola")
        with pytest.raises(TypeError):
            d.handle_syscall(1.5)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="-7"):
            d.handle_syscall(-7)
        with pytest.raises(TypeError, match="recursive must be a boolean"):
            d.handle_syscall("read", recursive=1)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="callable"):
            d.handle_syscall("read", on_enter="no")  # type: ignore[arg-type]
        handler = d.handle_syscall(0x1337, on_enter=True)
        finish(d)
        assert handler.hit_count == 1


def test_without_a_process_there_is_nothing_to_handle() -> None:
    with debugging("calls") as d, pytest.raises(RuntimeError, match=r"Process not running\."):
        d.handle_syscall("read")


def test_handling_again_keeps_the_handler(caplog: Any) -> None:
    first: list[int] = []
    second: list[int] = []
    with running("calls", "open", "getcwd", "open") as d, caplog.at_level(WARNING, "libdebug"):
        handler = d.handle_syscall("open", lambda *_: first.append(1))

        def again(*_: object) -> None:
            handler.disable()
            assert d.handle_syscall("open", on_exit=lambda *_: second.append(1)) is handler

        d.handle_syscall("getcwd", on_exit=again)
        finish(d)
        assert (first, second, handler.hit_count, handler.on_enter_user) == ([1], [1], 2, None)
        text = "Syscall open is already handled by a user-defined handler. Overriding it."
        assert sum(text in line for line in messages(caplog, WARNING)) == 1


def test_handlers_can_be_disabled() -> None:
    with running("calls", "open", "getcwd", "open") as d:
        handler = d.handle_syscall("open", on_enter=lambda _, h: h.disable(), on_exit=lambda *_: 1 / 0)
        d.handle_syscall("getcwd", on_exit=lambda *_: handler.enable())
        finish(d)
        assert (handler.hit_count, handler.enabled) == (2, False)
        handler.enabled = True
        assert handler.enabled


def test_callbacks_can_be_replaced() -> None:
    names: list[str] = []
    with running("calls", "open", "open", "open") as d:
        handler = d.handle_syscall("open", lambda *_: names.append("one"))
        handler.on_enter_user = lambda *_: names.append("two")
        handler.on_exit_user = lambda *_: names.append("behind")
        finish(d)
        assert names == ["two", "behind"] * 3


def test_hijacking() -> None:
    with debugging("calls", "key", "say") as d:
        pipe = d.run()
        assert pipe is not None
        at(d, "begin")
        key = d.resolve_symbol("key")
        hijack = d.hijack_syscall("read", "write", syscall_arg0=1, syscall_arg1=key, syscall_arg2=7)
        other = d.handle_syscall("write", on_enter=True)
        d.cont()
        assert pipe.recvuntil(b"provola") == b"provola"
        assert pipe.recvline().startswith(b"result=7")
        d.wait()
        assert (hijack.hit_count, other.hit_count) == (1, 1), "only the program's own write"


def test_recursive_hijacking_reaches_the_other_handler() -> None:
    with running("calls", "getcwd") as d:
        at(d, "begin")
        hijack = d.hijack_syscall("getcwd", "getpid", recursive=True)
        other = d.handle_syscall("getpid", on_enter=True)
        finish(d)
        assert (hijack.hit_count, other.hit_count) == (1, 1)


def test_callbacks_can_hijack() -> None:
    def on_enter(thread: ThreadContext, _: SyscallHandler) -> None:
        thread.syscall_number = 39

    results: list[int] = []
    with running("calls", "getcwd") as d:
        d.handle_syscall("getcwd", on_enter, lambda t, _: results.append(t.syscall_return))
        finish(d)
        assert results == [d.pid]


@pytest.mark.parametrize("wait", ["cont", "wait"])
def test_hijacking_in_a_circle_is_an_error(wait: str) -> None:
    with running("calls", "getcwd") as d:
        d.hijack_syscall("getcwd", "getpid", recursive=True)
        d.hijack_syscall("getpid", "getcwd", recursive=True)
        with pytest.raises(RuntimeError, match="Syscall hijacking loop detected"):
            for _ in range(2):
                d.cont()
                if wait == "wait":
                    d.wait()
                while d.running:
                    os.sched_yield()


def test_what_cannot_be_hijacked() -> None:
    with running("calls") as d:
        with pytest.raises(ValueError, match=r"^Invalid keyword arguments in syscall hijack$"):
            d.hijack_syscall("read", "write", syscall_arg6=1)
        for new in ("read", "*", -1, 0):
            with pytest.raises(ValueError, match="syscall"):
                d.hijack_syscall("read", new)
        assert d.hijack_syscall("read", "write", syscall_number=7).recursive is False
        assert list(d.handled_syscalls) == [0]


def test_an_exception_comes_out_of_the_next_wait(caplog: Any) -> None:
    def on_enter(*_: object) -> None:
        raise KeyError("Test exception")

    with running("calls", "getcwd") as d, caplog.at_level(ERROR, "libdebug"):
        handler = d.handle_syscall("getcwd", on_enter)
        d.cont()
        with pytest.raises(RuntimeError, match="Unhandled exception in syscall callback") as caught:
            d.wait()
        assert isinstance(caught.value.__cause__, KeyError)
        (line,) = messages(caplog, ERROR)
        assert "KeyError in the callback of getcwd: 'Test exception'" in line
        assert handler.hit_on_enter(d)
        finish(d)


def test_callbacks_may_set_everything() -> None:
    made: dict[str, Any] = {}

    def on_enter(thread: ThreadContext, _: SyscallHandler) -> None:
        d = thread.debugger
        made["handler"] = d.handle_syscall("getcwd", on_enter=True)
        made["catcher"] = d.catch_signal("SIGUSR1", callback=True)
        made["hijack"] = d.hijack_syscall("mmap", "getpid")
        d.hijack_signal("SIGUSR2", "SIGINT")
        d.signals_to_block = ["SIGTERM"]
        made["pid"] = thread.invoke_syscall("getpid")

    with running("calls", "open", "getcwd", "mmap") as d:
        d.handle_syscall("open", on_enter)
        finish(d)
        assert (made["handler"].hit_count, made["hijack"].hit_count, made["pid"]) == (1, 1, d.pid)
        assert set(d.caught_signals) == {10, 12}


def test_everything_is_forgotten_when_the_program_is_run_again() -> None:
    with running("calls", "open") as d:
        handler = d.handle_syscall("open", on_enter=True)
        d.catch_signal("SIGINT")
        d.signals_to_block = ["SIGTERM"]
        d.pprint_syscalls = True
        d.syscalls_to_pprint = ["read"]
        d.pprint_syscalls = False
        d.run(redirect_pipes=False)
        assert (d.handled_syscalls, d.caught_signals, d.signals_to_block) == ({}, {}, [])
        assert (d.pprint_syscalls, d.syscalls_to_pprint) == (False, None)
        finish(d)
        assert handler.hit_count == 0


def test_every_thread_has_its_own_calls() -> None:
    entered: dict[int, int] = {}
    wrong: list[int] = []

    def on_enter(thread: ThreadContext, _: SyscallHandler) -> None:
        entered[thread.tid] = thread.syscall_arg0

    def on_exit(thread: ThreadContext, _: SyscallHandler) -> None:
        if entered.pop(thread.tid, None) != thread.syscall_arg0:
            wrong.append(thread.tid)

    with running("syscall_threads", 4, 100) as d:
        handler = d.handle_syscall("getpriority", on_enter, on_exit)
        finish(d)
        assert (handler.hit_count, wrong, entered) == (400, [], {})


def test_a_hint_where_the_c_library_makes_another_call(caplog: Any) -> None:
    with running("calls", "nanosleep") as d, caplog.at_level(WARNING, "libdebug"):
        d.handle_syscall("nanosleep", on_enter=True)
        d.handle_syscall("clock_nanosleep", on_enter=True)
        d.handle_syscall(OPEN, on_enter=True)
        finish(d)
        d.wait()
        hints = [line for line in messages(caplog, WARNING) if "never hit" in line]
        assert len(hints) == 1
        assert "nanosleep was never hit" in hints[0]
        assert "clock_nanosleep" in hints[0]


def test_no_hint_where_the_call_was_made_or_the_program_killed(caplog: Any) -> None:
    with running("calls", "open") as d, caplog.at_level(WARNING, "libdebug"):
        d.handle_syscall("open", on_enter=True)
        finish(d)
        d.run(redirect_pipes=False)
        d.handle_syscall("open", on_enter=True)
        d.kill()
    assert not messages(caplog, WARNING)


def test_handlers_look_like_what_they_are() -> None:
    with running("calls") as d:
        handler = d.handle_syscall("read", on_enter=True, recursive=True)
        assert repr(handler) == (
            "SyscallHandler(syscall_number=0, hit_count=0, on_enter_user=True, on_exit_user=None, "
            "recursive=True)"
        )
        assert handler == d.handled_syscalls[0] != d.handle_syscall("write")
        assert len({handler, d.handled_syscalls[0]}) == 1
        assert (handler.on_enter_pprint, handler.on_exit_pprint) == (None, None)


def test_a_dropped_debugger_is_collected_with_its_handlers() -> None:
    class Marker:
        def __call__(self, *_: object) -> None: ...

    def scene() -> list[weakref.ref[Any]]:
        import build
        from libdebug import debugger

        d = debugger(str(build.program("calls")))
        d.run(redirect_pipes=False)
        d.pprint_syscalls = True
        marker = Marker()
        marker.d = d  # type: ignore[attr-defined]
        handler = d.handle_syscall("open", marker)
        catcher = d.catch_signal("SIGINT", marker)
        return [weakref.ref(it) for it in (d, marker, handler, catcher)]

    references = scene()
    gc.collect()
    assert [reference() for reference in references] == [None] * 4


def test_counting_makes_no_python_run() -> None:
    with running("syscall_threads", 1, 500) as d:
        handler = d.handle_syscall("getpriority", on_enter=True, on_exit=True)
        before = _native.tracer_syscalls()
        finish(d)
        assert handler.hit_count == 500
        # The other calls of the program stop it too: 1,000 and a few, twice each.
        assert _native.tracer_syscalls() - before < 1100 * 2 * 8
