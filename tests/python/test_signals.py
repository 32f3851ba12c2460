"""Catchers of signals: what they are given, what the program gets, and what the kernel tells."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from face import ERROR, WARNING, at, debugging, messages, running
from libdebug import SignalCatcher
from libdebug.data import signal_catcher
from libdebug.data.signal_info import SignalInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from libdebug import Debugger, ThreadContext

USR1, USR2, TERM = 10, 12, 15


def got(numbers: str, prepare: Callable[[Debugger], object]) -> str:
    """Return which signals the program gets of those that it sends itself, after `prepare` was called."""
    with debugging("raises", *numbers.split()) as d:
        pipe = d.run()
        assert pipe is not None
        prepare(d)
        d.cont()
        d.wait()
        return pipe.recvline().decode().removeprefix("got").strip()


def test_without_a_callback_the_program_stops() -> None:
    with running("raises", USR1, TERM) as d:
        catcher = d.catch_signal("SIGUSR1")
        assert isinstance(catcher, SignalCatcher)
        assert signal_catcher.SignalCatcher is SignalCatcher
        d.cont()
        d.wait()
        thread = d.threads[0]
        assert (catcher.hit_on(d), catcher.hit_on(thread), catcher.hit_count) == (True, True, 1)
        assert (d.signal, thread.signal_number) == ("SIGUSR1", USR1)
        d.cont()
        d.wait()
        assert (catcher.hit_on(d), d.exit_code, d.caught_signals) == (False, 0, {USR1: catcher})


def test_a_caught_signal_is_delivered_afterwards() -> None:
    for callback in (True, lambda *_: None):
        assert got("10 15", lambda d, it=callback: d.catch_signal(USR1, callback=it)) == "10 15"


@pytest.mark.parametrize(("new", "expected"), [(0, "15"), ("SIGUSR2", "12 15"), (USR1, "10 15")])
def test_a_callback_may_change_the_signal(new: int | str, expected: str) -> None:
    seen: list[Any] = []

    def on_signal(thread: ThreadContext, catcher: SignalCatcher) -> None:
        seen.append((thread.signal, catcher.hit_count, catcher.hit_on(thread)))
        thread.signal = new

    assert got("10 15", lambda d: d.catch_signal("SIGUSR1", on_signal)) == expected
    assert seen == [("SIGUSR1", 1, True)]


@pytest.mark.parametrize("everything", ["*", "all", "ALL", "pkm", -1])
def test_all_signals(everything: int | str) -> None:
    numbers: list[int] = []
    with running("raises", USR1, 50, TERM) as d:
        own = d.catch_signal("SIGUSR1", callback=True)
        catcher = d.catch_signal(everything, lambda t, _: numbers.append(t.signal_number))
        d.cont()
        d.wait()
        assert (numbers, catcher.hit_count, catcher.signal_number, own.hit_count) == ([50, TERM], 2, -1, 1)


def test_a_catcher_of_all_is_hit_on() -> None:
    with running("raises", 50) as d:
        catcher = d.catch_signal("*")
        d.cont()
        d.wait()
        assert (catcher.hit_on(d), d.signal) == (True, "SIGRTMIN+16")


def test_what_cannot_be_caught(caplog: Any) -> None:
    with running("raises") as d, caplog.at_level(WARNING, "libdebug"):
        for name in ("SIGKILL", "SIGSTOP", 9, 19, 0, 65):
            with pytest.raises(ValueError, match=r"signal|caught"):
                d.catch_signal(name)
        with pytest.raises(ValueError, match=r"^Signal SIGPROVOLA not found\.$"):
            d.catch_signal("SIGPROVOLA")
        with pytest.raises(TypeError, match=r"^signal must be an int or a str$"):
            d.catch_signal(1.5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="recursive must be a boolean"):
            d.catch_signal("SIGINT", recursive=None)  # type: ignore[arg-type]
        assert not messages(caplog, WARNING)
        d.catch_signal("SIGTRAP")
        assert len(messages(caplog, WARNING)) == 1


def test_a_second_catcher_replaces_the_first(caplog: Any) -> None:
    with running("raises", USR1, USR2, USR1, USR1) as d, caplog.at_level(WARNING, "libdebug"):
        first = d.catch_signal("SIGUSR1", callback=True)
        second: list[SignalCatcher] = []
        d.catch_signal("SIGUSR2", lambda *_: second.append(d.catch_signal("SIGUSR1", callback=True)))
        d.cont()
        d.wait()
        assert (first.hit_count, second[0].hit_count, first == second[0]) == (1, 2, False)
        (line,) = messages(caplog, WARNING)
        assert "SIGUSR1 is already caught" in line


def test_a_refused_catcher_leaves_the_old_one() -> None:
    with running("raises", USR1) as d:
        first = d.catch_signal("SIGUSR1", callback=True)
        with pytest.raises(TypeError):
            d.catch_signal("SIGUSR1", callback="no")  # type: ignore[arg-type]
        d.cont()
        d.wait()
        assert first.hit_count == 1


def test_hijacking() -> None:
    assert got("10 15", lambda d: d.hijack_signal("SIGUSR1", "SIGUSR2")) == "12 15"
    assert got("10 15", lambda d: d.hijack_signal("*", 50)) == "50 50"


@pytest.mark.parametrize("recursive", [True, False])
def test_the_catcher_of_a_replacing_signal(recursive: bool) -> None:
    with running("raises", USR1) as d:
        first = d.hijack_signal("SIGUSR1", "SIGUSR2", recursive)
        second = d.catch_signal("SIGUSR2", callback=True)
        d.cont()
        d.wait()
        assert (first.hit_count, second.hit_count, first.recursive) == (1, int(recursive), recursive)


def test_hijacking_in_a_circle_is_an_error() -> None:
    with running("raises", USR1) as d:
        d.hijack_signal("SIGUSR1", "SIGUSR2", recursive=True)
        d.hijack_signal("SIGUSR2", "SIGUSR1", recursive=True)
        d.cont()
        with pytest.raises(RuntimeError, match="Signal hijacking loop detected"):
            d.wait()


def test_what_cannot_be_hijacked() -> None:
    with running("raises") as d:
        for original, new in (("SIGUSR1", 10), ("SIGUSR1", "*"), ("SIGKILL", "SIGINT"), ("SIGINT", "NO")):
            with pytest.raises(ValueError, match=r"ignal|caught"):
                d.hijack_signal(original, new)
        assert d.caught_signals == {}


def test_blocked_signals_are_caught_and_not_delivered() -> None:
    catchers: list[SignalCatcher] = []

    def prepare(d: Debugger) -> None:
        d.signals_to_block = ["SIGUSR1", TERM]
        assert d.signals_to_block == ["SIGUSR1", "SIGTERM"]
        catchers.append(d.catch_signal("SIGUSR1", callback=True))

    assert got("10 12 15", prepare) == "12"
    assert catchers[0].hit_count == 1


def test_what_cannot_be_blocked(caplog: Any) -> None:
    with debugging("raises") as d, caplog.at_level(WARNING, "libdebug"):
        for wrong in ("SIGINT", 2, None, ["SIGINT", 1.5]):
            with pytest.raises(TypeError):
                d.signals_to_block = wrong  # type: ignore[assignment]
        for name, text in (("SIGNO", r"Signal SIGNO not found\."), (65, r"Invalid signal number\.")):
            with pytest.raises(ValueError, match=text):
                d.signals_to_block = [name]
        d.signals_to_block = ["SIGINT"]
        assert d.signals_to_block == []
        assert "after run" in messages(caplog, WARNING)[0]


def test_catchers_can_be_disabled_and_replaced() -> None:
    with running("raises", USR1, USR2, USR1, USR1) as d:
        catcher = d.catch_signal("SIGUSR1", lambda _, c: c.disable())
        d.catch_signal("SIGUSR2", lambda *_: catcher.enable())
        d.cont()
        d.wait()
        assert (catcher.hit_count, catcher.enabled) == (2, False)
        catcher.callback = True
        assert catcher.callback is True
        assert repr(catcher) == "SignalCatcher(signal_number=10, hit_count=2, callback=True, recursive=False)"


def test_an_exception_comes_out_of_the_next_wait(caplog: Any) -> None:
    def on_signal(*_: object) -> None:
        raise ValueError("Test exception")

    with running("raises", USR1) as d, caplog.at_level(ERROR, "libdebug"):
        catcher = d.catch_signal("SIGUSR1", on_signal)
        d.cont()
        with pytest.raises(RuntimeError, match="Unhandled exception in signal callback: Test exception"):
            d.wait()
        assert "ValueError in the callback of SIGUSR1: Test exception" in messages(caplog, ERROR)[0]
        assert (catcher.hit_on(d), d.signal) == (True, "SIGUSR1")


def test_a_signal_can_be_injected_at_any_stop() -> None:
    with debugging("raises", TERM) as d:
        pipe = d.run()
        assert pipe is not None
        at(d, "raise", "libc")
        d.signal = "SIGUSR1"
        d.cont()
        assert pipe.recvline() == b"got 10 15"
        d.wait()


def test_the_programs_own_traps() -> None:
    with running("int3") as d:
        catcher = d.catch_signal("SIGTRAP", callback=True)
        bp = d.breakpoint("own_trap", callback=True, file="binary")
        d.cont()
        d.wait()
        assert (catcher.hit_count, bp.hit_count, d.exit_code) == (5, 5, 0)


def test_the_sender_of_a_signal() -> None:
    with running("raises", "12:77") as d:
        assert d.siginfo is None
        d.catch_signal("SIGUSR2")
        d.cont()
        d.wait()
        info = d.siginfo
        assert isinstance(info, SignalInfo)
        assert (info.signal, info.signal_number, info.code, info.code_name) == ("SIGUSR2", 12, -1, "SI_QUEUE")
        assert (info.pid, info.uid, info.value) == (d.pid, os.getuid(), 77)
        assert (info.address, info.status) == (None, None)
        assert info == d.threads[0].siginfo
        assert repr(info) == (
            f"SignalInfo(signal='SIGUSR2', code_name='SI_QUEUE', pid={d.pid}, uid={os.getuid()}, value=0x4d)"
        )
        d.signal = 0
        assert d.siginfo == info, "dropping the signal does not change where it came from"
        with pytest.raises(AttributeError):
            info.pid = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("how", "code"), [("segv", "SEGV_MAPERR"), ("fpe", "FPE_INTDIV"), ("ill", "ILL_ILLOPN")]
)
def test_the_address_of_a_fault(how: str, code: str) -> None:
    with running("crash", how) as d:
        d.catch_signal(f"SIG{how.upper()}")
        d.cont()
        d.wait()
        info = d.siginfo
        assert info is not None
        assert (info.code_name, info.pid) == (code, None)
        assert info.address == (8 if how == "segv" else d.regs.rip)


def test_a_signal_from_outside() -> None:
    with running("blocked", "pause") as d:
        catcher = d.catch_signal("SIGUSR1")
        at(d, "pause", "libc")
        os.kill(d.pid, signal.SIGUSR1)
        d.cont()
        d.wait()
        info = d.siginfo
        assert catcher.hit_on(d)
        assert info is not None
        assert (info.code_name, info.pid) == ("SI_USER", os.getpid())


def test_a_receiver_is_told_of_a_stop_at_a_signal_at_once() -> None:
    """Not after its time-out, and not as a time-out."""
    with debugging("raises", USR1) as d:
        pipe = d.run()
        assert pipe is not None
        catcher = d.catch_signal(USR1)
        d.cont()
        begun = time.monotonic()
        with pytest.raises(RuntimeError, match=r"SIGUSR1|signal"):
            pipe.recvline(timeout=60)
        assert time.monotonic() - begun < 30
        assert catcher.hit_on(d)
        d.cont()
        assert pipe.recvline() == b"got 10"
