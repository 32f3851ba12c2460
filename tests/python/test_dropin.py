"""What scripts for libdebug rely on beyond names: messages, log lines, what is behind a debugger."""

from __future__ import annotations

import inspect
import logging
import os
import pydoc
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import build
import upstream_api
from face import ERROR, WARNING, at, debugging, messages, running
from libdebug import Debugger, ThreadContext, debugger
from libdebug.libdebug.debugger import debugger as debugger_of_the_module
from libdebug.utils.libcontext import libcontext

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_FAST = "Fast memory access is not available for the current process."
NO_ARCH = "Failed to get the architecture of the binary:"
NO_ENTRY = "Failed to get the entry point for the given binary:"


def test_the_function_is_in_its_module_too() -> None:
    import libdebug.libdebug

    assert debugger_of_the_module is debugger is libdebug.libdebug.debugger


def test_every_register_can_be_read_and_set() -> None:
    with running("basic") as d:
        at(d, "main")
        assert set(upstream_api.REGISTERS) <= set(dir(d.regs))
        for name in upstream_api.REGISTERS:
            value = getattr(d.regs, name)
            assert isinstance(value, float if name.startswith("st") else int), name
            setattr(d.regs, name, value)
            assert getattr(d.regs, name) == value or value != value, name
        assert "rip" in d.regs.filter(d.regs.rip)


def test_fast_memory_that_is_not_available(caplog: Any) -> None:
    with debugging("basic") as d:
        asked: list[int] = []

        def is_available() -> bool:
            asked.append(d.pid)
            return False

        manager = d._internal_debugger._process_memory_manager
        assert isinstance(manager.is_available, object)
        manager.is_available = is_available
        with caplog.at_level(WARNING, "libdebug"):
            d.run(redirect_pipes=False)
        assert [NOT_FAST in text for text in messages(caplog, WARNING)] == [True]
        assert (d.fast_memory, len(asked)) == (False, 1)
        assert d.memory["message", 9] == b"the quick"
        with pytest.raises(RuntimeError, match=NOT_FAST):
            d.fast_memory = True
        assert (d.fast_memory, len(asked)) == (False, 2)


def test_fast_memory_is_available() -> None:
    with running("basic") as d:
        assert d._internal_debugger._process_memory_manager.is_available()
        d.fast_memory = False
        d.fast_memory = True
        assert d.fast_memory


def test_what_a_process_executes(program: Callable[[str], str]) -> None:
    basic = program("basic")
    with debugging("basic") as d:
        inner: Any = d._internal_debugger
        with pytest.raises(FileNotFoundError):
            _ = inner._process_full_path
        d.run(redirect_pipes=False)
        assert (inner._process_full_path, inner._process_name, inner.arch) == (basic, "basic", "amd64")
        d.kill()
        assert (inner._process_full_path, inner._process_name) == (basic, "basic")
        d.argv = ["/bin/true"]
        for name in ("_process_full_path", "_process_name"):
            with pytest.raises(FileNotFoundError):
                getattr(inner, name)


def test_a_path_that_was_given_outlives_other_arguments(program: Callable[[str], str]) -> None:
    basic = program("basic")
    d = debugger(["anything"], path=basic)
    try:
        inner: Any = d._internal_debugger
        d.run(redirect_pipes=False)
        d.kill()
        d.argv = ["other"]
        assert inner._process_full_path == basic
        d.path = "/bin/true"
        with pytest.raises(FileNotFoundError):
            _ = inner._process_full_path
    finally:
        d.terminate()


def damaged(tmp_path: Path, at: int, value: bytes) -> str:
    """Return the path of a copy of a program with other bytes somewhere in its header."""
    copy = tmp_path / "damaged"
    shutil.copy(build.program("basic"), copy)
    content = bytearray(copy.read_bytes())
    content[at : at + len(value)] = value
    copy.write_bytes(content)
    return str(copy)


@pytest.mark.parametrize(("at", "value"), [(4, b"\x07"), (5, b"\x02"), (0x28, b"\xff" * 7)])
def test_a_damaged_header_is_logged(at: int, value: bytes, tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level(ERROR, "libdebug"):
        d = debugger(damaged(tmp_path, at, value))
        try:
            assert d.arch == "amd64"
            d.run(redirect_pipes=False)
            assert [text.split("]")[1].split(": ")[0] + ":" for text in messages(caplog, ERROR)] == [
                f" {NO_ARCH}",
                f" {NO_ENTRY}",
            ]
            d.cont()
            d.wait()
            assert d.exit_code == 0
        finally:
            d.terminate()


MISTAKES: list[tuple[Callable[[Any], object], type[Exception], str]] = [
    (lambda d: d.breakpoint(1.5), TypeError, "position must be an int or a str, not float"),
    (lambda d: d.breakpoint(b"main"), TypeError, "position must be an int or a str, not bytes"),
    (lambda d: d.breakpoint("main", file=5), TypeError, "file must be a str, not int"),
    (
        lambda d: d.breakpoint("main", hardware=True, condition=1),
        TypeError,
        "condition must be a str, not int",
    ),
    (lambda d: d.breakpoint("main", callback=5), TypeError, "callback must be callable, True or None"),
    (lambda d: d.breakpoint("mian"), ValueError, r"Symbol mian not found .* Did you mean \"main\"\?"),
    (lambda d: d.memory["mesage", 4], ValueError, r"Symbol mesage not found .* Did you mean \"message\"\?"),
    (lambda d: d.resolve_symbol("putss", "libc"), ValueError, r"Did you mean \"puts\"\?"),
    (lambda d: d.resolve_symbol(5), TypeError, "symbol must be a str, not int"),
    (lambda d: d.step_until("conter_function"), ValueError, r"Did you mean \"counter_function\"\?"),
    (
        lambda d: d.handle_syscall("opennat"),
        ValueError,
        r"Syscall \"opennat\" not found. Did you mean \"openat\"\?",
    ),
    (lambda d: d.invoke_syscall("gettpid"), ValueError, r"Did you mean \"get[tp]"),
    (lambda d: d.handle_syscall("no such thing"), ValueError, r"Syscall \"no such thing\" not found$"),
    (lambda d: d.handle_syscall(1.5), TypeError, "syscall must be an int or a str"),
    (lambda d: d.catch_signal("SIGUSR"), ValueError, r"Signal SIGUSR not found\. Did you mean SIGUSR\d\?"),
    (lambda d: d.catch_signal("sigint"), ValueError, r"Did you mean SIGINT\?"),
    (lambda d: d.catch_signal("KILL"), ValueError, r"Did you mean SIGKILL\?"),
    (lambda d: d.catch_signal("SIGFOOBAR"), ValueError, r"Signal SIGFOOBAR not found\.$"),
    (lambda d: setattr(d, "signal", 1.5), TypeError, "signal must be an int or a str"),
    (lambda d: d.breakpoint("main").hit_on(5), TypeError, "hit_on takes a thread or a debugger"),
    (lambda d: d.attach("5"), TypeError, "pid must be an int, not str"),
    (lambda d: d.run(timeout="5"), TypeError, "timeout must be a number of seconds"),
    (lambda d: d.run(timeout=0), ValueError, "Timeout must be a positive number or -1."),
    (lambda d: d.regs.raxx, AttributeError, "raxx"),
    (lambda d: setattr(d.regs, "raxx", 1), AttributeError, "raxx"),
    (lambda d: setattr(d.regs, "rax", "1"), TypeError, "register rax takes an int, not str"),
    (
        lambda d: setattr(d.regs, "rax", 1 << 64),
        TypeError,
        "does not fit into register rax, which has 64 bits",
    ),
]


@pytest.mark.parametrize(("mistake", "error", "text"), MISTAKES, ids=[text for _, _, text in MISTAKES])
def test_mistakes_are_told(mistake: Callable[[Any], object], error: type[Exception], text: str) -> None:
    with running("basic") as d:
        with pytest.raises(error, match=text):
            mistake(d)
        assert not d.dead


def test_a_misspelt_property_is_remarked_on(caplog: Any) -> None:
    with running("basic") as d, caplog.at_level(WARNING, "libdebug"):
        d.fast_memroy = False  # type: ignore[attr-defined]
        d.of_my_own = 1  # type: ignore[attr-defined]
        d.of_my_own = 2  # type: ignore[attr-defined]
        [text] = messages(caplog, WARNING)
        assert "A debugger has no attribute fast_memroy. Did you mean fast_memory?" in text


def test_a_debug_register_may_wait_for_memory(caplog: Any) -> None:
    with running("basic") as d, caplog.at_level(WARNING, "libdebug"):
        bp = d.breakpoint(0x10000, hardware=True, condition="rw", length=8, file="absolute")
        assert bp.enabled
        assert ["Nothing is mapped at 0x10000 yet" in text for text in messages(caplog, WARNING)] == [True]
        with pytest.raises(ValueError, match="not mapped"):
            d.breakpoint(0x20000, file="absolute")


def test_debug_registers_run_out() -> None:
    with running("basic") as d:
        for offset in range(4):
            d.breakpoint(d.regs.rip + offset, hardware=True)
        for kind in (ValueError, RuntimeError):
            with pytest.raises(kind, match="No more hardware breakpoints of this type available"):
                d.watchpoint("message", length=1)


def test_a_hijacked_call_can_be_looked_at_behind_it() -> None:
    with running("basic") as d:
        handler = d.hijack_syscall("write", "getpid")
        returned: list[int] = []
        handler.on_exit_user = lambda thread, _: returned.append(thread.syscall_return)
        d.cont()
        d.wait()
        assert returned == [d.pid] * handler.hit_count != []
        assert handler.on_enter_user is None


def test_a_call_that_is_answered_can_be_looked_at_behind_it() -> None:
    with running("basic") as d:
        handler = d.answer_syscall("write", 3)
        returned: list[int] = []
        handler.on_exit_user = lambda thread, _: returned.append(thread.syscall_return)
        d.cont()
        d.wait()
        assert returned == [3] * handler.hit_count != []


ASAP: list[Callable[[Any], object]] = [
    lambda d: d.regs.rip,
    lambda d: d.memory["main", 4],
    lambda d: d.memory.find(b"ELF", "binary"),
    lambda d: d.maps,
    lambda d: d.symbols,
    lambda d: d.backtrace(),
    lambda d: d.frames,
    lambda d: d.breakpoint("main"),
    lambda d: d.watchpoint("main", "rw", 1),
    lambda d: d.handle_syscall("write", on_enter=True),
    lambda d: d.catch_signal("SIGUSR1", callback=True),
    lambda d: d.hijack_syscall("write", "getpid"),
    lambda d: d.hijack_signal("SIGUSR1", "SIGUSR2"),
    lambda d: d.signal,
    lambda d: d.signal_number,
    lambda d: d.syscall_number,
    lambda d: d.syscall_arg0,
    lambda d: d.instruction_pointer,
    lambda d: d.step(),
    lambda d: d.next(),
    lambda d: d.step_until("main", max_steps=1),
    lambda d: d.disasm(),
    lambda d: d.fast_memory,
    lambda d: d.exit_code,
    lambda d: d.pprint_maps(),
    lambda d: d.pprint_registers(),
    lambda d: d.invoke_syscall("getpid"),
    lambda d: setattr(d, "signals_to_block", ["SIGUSR1"]),
    lambda d: setattr(d, "pprint_syscalls", True),
    lambda d: d.threads[0].regs.rip,
    lambda d: d.threads[0].backtrace(),
    lambda d: setattr(d.regs, "rax", 1),
    lambda d: setattr(d, "signal", "SIGUSR1"),
    lambda d: d.interrupt(),
    lambda d: d.kill(),
]


@pytest.mark.parametrize("command", range(len(ASAP)))
def test_asap_commands_interrupt(command: int) -> None:
    with debugging("spinner", 200, auto_interrupt_on_command=True) as d:
        d.run(redirect_pipes=False)
        pid = d.pid
        d.cont()
        assert d.running
        ASAP[command](d)
        assert not d.running
        assert d.pid == pid


def test_asap_detach() -> None:
    with debugging("spinner", 200, auto_interrupt_on_command=True) as d:
        d.run(redirect_pipes=False)
        pid = d.pid
        d.cont()
        d.detach()
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)


def test_the_names_of_the_documentation_print_too(capsys: Any) -> None:
    names = ["backtrace", "registers", "regs", "registers_all", "regs_all"]
    with running("basic") as d:
        at(d, "main")
        for owner in (d, d.threads[0]):
            for name in names:
                getattr(owner, f"pprint_{name}")()
                expected = capsys.readouterr().out
                getattr(owner, f"print_{name}")()
                assert capsys.readouterr().out == expected != ""


@pytest.mark.parametrize("name", ["print_backtrace", "print_registers", "print_regs", "print_registers_all"])
def test_documented_names_are_aliases(name: str) -> None:
    for owner in (Debugger, ThreadContext):
        assert inspect.getdoc(getattr(owner, name)).startswith("Alias for the `pprint_")  # type: ignore[union-attr]
    assert hasattr(Debugger, "print_regs_all")


def test_what_libdebug_tells_a_thread_changes_nothing() -> None:
    with running("basic") as d:
        d.threads[0].set_as_dead()
        d.threads[0].notify_snapshot_taken()
        assert not d.dead


def test_help_says_what_can_be_done() -> None:
    shown = pydoc.plain(pydoc.render_doc(debugger))
    assert all(
        word in shown
        for word in ("argv", "escape_antidebug", "auto_interrupt_on_command", "FileNotFoundError")
    )
    with running("basic") as d:
        for thing, words in (
            (d.breakpoint, ("position", "hardware", "condition", "callback", "ValueError", "symbol")),
            (d.handle_syscall, ("on_enter", "on_exit", "recursive")),
            (d.wait, ("timeout", "TimeoutError")),
            (d.memory.telescope, ("pointers",)),
        ):
            shown = pydoc.plain(pydoc.render_doc(thing))
            assert [word for word in words if word not in shown] == []
        for kind in (type(d), type(d.memory), type(d.regs), type(d.threads[0])):
            assert len(pydoc.plain(pydoc.render_doc(kind))) > 1000


def test_other_words_for_arguments_and_registers_of_other_names() -> None:
    with running("basic") as d:
        at(d, "write", "libc")
        for index in (3, 4, 5):
            setattr(d, f"syscall_arg{index}", index)
        assert (d.syscall_arg3, d.syscall_arg4, d.syscall_arg5) == (3, 4, 5)
        assert (d.threads[0].syscall_arg3, d.regs.r8) == (3, 4)


def test_second_names_do_the_same() -> None:
    with running("basic") as d:
        bp = d.bp("counter_function")
        wp = d.wp("message", condition="rw", length=1)
        assert (bp.condition, wp.condition, bp.is_enabled(), wp.is_enabled()) == ("x", "rw", True, True)
        d.c()
        d.w()
        assert bp.hit_on(d)
        target = d.resolve_position("counter_function+4", "binary")
        d.su("counter_function+4")
        assert d.regs.rip == target
        d.threads[0].su(d.disasm(n=2)[1].address)
        assert d.regs.rip != target


def test_errors_of_a_program_can_be_received_and_put_back() -> None:
    with debugging("echo") as d:
        pipe = d.run()
        assert pipe is not None
        d.cont()
        pipe.sendline(b"!one")
        line = pipe.recverrline(drop=False)
        pipe.unrecverr(line)
        assert pipe.recverrn(3) == line[:3]
        pipe.unrecverr(line[:3])
        assert pipe.sendlineaftererr(b"one\n", b"quit") == (line, 5)
        assert pipe.recverrall() == b""
        d.wait()
        assert d.exit_code == 7


def test_levels_of_the_log() -> None:
    with libcontext.tmp(general_logger="SILENT"):
        from libdebug.liblog import liblog

        assert logging.getLogger("libdebug").level == 60
        liblog.set_level("general", "DEBUG")
        assert liblog.level("general") == "DEBUG"
    assert libcontext.chosen_debuginfod_server is None
