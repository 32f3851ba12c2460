"""The trace of system calls: what is printed, exactly, and what is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from face import WARNING, at, debugging, messages, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from libdebug import Debugger, SyscallHandler, ThreadContext

CALLS = ("write", "read", "getcwd", "mmap", "write")
FEWER = ("write", "getcwd", "mmap", "write")
YELLOW, BROWN, PLAIN, RESET = "\x1b[93m", "\x1b[33m", "\x1b[39m", "\x1b[0m"


def trace(capsys: Any, prepare: Callable[[Debugger], object], *calls: str) -> str:
    """Return what is printed while a program makes system calls, after `prepare` was called."""
    with debugging("calls", *(calls or CALLS)) as d:
        pipe = d.run()
        assert pipe is not None
        pipe.sendline(b"12345678")
        at(d, "begin")
        prepare(d)
        d.cont()
        d.wait()
        assert d.exit_code == 0
        return str(capsys.readouterr().out).replace(str(d.pid), "TID")


def enabled(d: Debugger) -> None:
    d.pprint_syscalls = True


def uncoloured(text: str) -> str:
    return re.sub(r"\x1b\[\d+m", "", text)


def test_every_call_is_printed_once(capsys: Any) -> None:
    text = trace(capsys, enabled)
    counts = {name: text.count(name) for name in ("write", "read", "getcwd", "mmap", "exit_group")}
    assert counts == {"write": 2, "read": 1, "getcwd": 1, "mmap": 1, "exit_group": 1}


def test_a_line_exactly(capsys: Any) -> None:
    line = trace(capsys, enabled).splitlines()[1]
    buffer = re.search(r"char \*buf = \x1b\[93m(0x[0-9a-f]+)", line)
    assert buffer
    assert line == (
        f"\x1b[1mTID{RESET} \x1b[94mread{PLAIN}(unsigned int fd = {YELLOW}0x0{PLAIN}, "
        f"char *buf = {YELLOW}{buffer[1]}{PLAIN}, size_t count = {YELLOW}0x8{PLAIN}) = {BROWN}0x8{RESET}"
    )


def test_a_call_without_a_return_ends_its_line(capsys: Any) -> None:
    assert uncoloured(trace(capsys, enabled)).endswith("TID exit_group(int error_code = 0x0) = ?\n")


def test_a_callback_is_marked(capsys: Any) -> None:
    def prepare(d: Debugger) -> None:
        enabled(d)
        d.handle_syscall("read", lambda *_: None)

    text = trace(capsys, prepare)
    assert text.count("(callback) \x1b[94mread\x1b[39m") == 1
    assert (text.count("(callback)"), text.count("read")) == (1, 1)


def test_changed_arguments_and_results_are_struck_through(capsys: Any) -> None:
    def on_enter(thread: ThreadContext, _: SyscallHandler) -> None:
        thread.syscall_arg2 = 4

    def on_exit(thread: ThreadContext, _: SyscallHandler) -> None:
        thread.syscall_return = 0xDEADBEEF

    def prepare(d: Debugger) -> None:
        enabled(d)
        d.handle_syscall("read", on_enter, on_exit)
        d.handle_syscall("getcwd", on_exit=on_exit)

    text = trace(capsys, prepare)
    assert f"size_t count = {YELLOW}\x1b[9m0x8{RESET} {YELLOW}0x4{PLAIN}) = " in text
    assert f"= {BROWN}\x1b[9m0x4{RESET} {BROWN}0xdeadbeef{RESET}\n" in text
    assert text.count("0xdeadbeef") == 2


@pytest.mark.parametrize("recursive", [True, False])
def test_a_hijacked_call_and_what_is_executed(capsys: Any, recursive: bool) -> None:
    def prepare(d: Debugger) -> None:
        enabled(d)
        d.hijack_syscall("getcwd", "write", recursive=recursive, syscall_arg0=9)

    text = trace(capsys, prepare)
    assert "(hijacked) \x1b[9m\x1b[94mgetcwd\x1b[39m" in text
    assert (text.count("getcwd"), text.count("write")) == (1, 3)
    hijacked, executed = uncoloured(text).splitlines()[2:4]
    assert hijacked.startswith("TID (hijacked) getcwd(char *buf = ")
    assert " = 0x" in hijacked
    assert not hijacked.endswith("= ")
    assert executed.startswith("TID (executed) write(unsigned int fd = 0x9, ")
    assert executed.endswith(") = 0xfffffffffffffff7")


def test_only_some_calls(capsys: Any) -> None:
    def prepare(d: Debugger) -> None:
        d.syscalls_to_pprint = ["write", 0]
        assert d.syscalls_to_pprint == ["write", "read"]
        enabled(d)

    text = trace(capsys, prepare)
    assert (text.count("write"), text.count("read"), text.count("\n")) == (2, 1, 3)


def test_all_but_some_calls(capsys: Any) -> None:
    def prepare(d: Debugger) -> None:
        enabled(d)
        d.syscalls_to_not_pprint = ["write", "getcwd"]
        assert d.syscalls_to_not_pprint == ["write", "getcwd"]

    text = trace(capsys, prepare)
    assert [text.count(name) for name in ("write", "getcwd", "read", "mmap")] == [0, 0, 1, 1]


def test_filters_that_leave_nothing(capsys: Any) -> None:
    def prepare(d: Debugger) -> None:
        enabled(d)
        d.syscalls_to_pprint = []

    assert trace(capsys, prepare) == ""


def test_a_filter_of_all(capsys: Any) -> None:
    def prepare(d: Debugger) -> None:
        enabled(d)
        d.syscalls_to_pprint = ["*"]

    assert trace(capsys, prepare).count("\n") == 6


def test_filters_can_be_taken_back(capsys: Any) -> None:
    def prepare(d: Debugger) -> None:
        enabled(d)
        d.syscalls_to_pprint = ["read"]
        d.syscalls_to_not_pprint = ["read"]
        d.syscalls_to_pprint = d.syscalls_to_not_pprint = None

    assert trace(capsys, prepare).count("\n") == 6


def test_the_trace_can_be_switched_while_the_program_runs(capsys: Any) -> None:
    def prepare(d: Debugger) -> None:
        enabled(d)
        assert d.pprint_syscalls

        def off(thread: ThreadContext, _: SyscallHandler) -> None:
            thread.debugger.pprint_syscalls = False

        d.handle_syscall("getcwd", on_exit=off)

    text = trace(capsys, prepare)
    assert [text.count(name) for name in ("write", "read", "getcwd", "mmap")] == [1, 1, 1, 0]


def test_a_context(capsys: Any) -> None:
    with running("calls", *FEWER) as d:
        at(d, "begin")
        handler = d.handle_syscall("getcwd")
        with d.pprint_syscalls_context(value=True):
            assert d.pprint_syscalls
            d.cont()
            d.wait()
            assert handler.hit_on_enter(d)
        assert not d.pprint_syscalls
        d.handle_syscall("getcwd", on_enter=True)
        d.cont()
        d.wait()
        text = capsys.readouterr().out
        assert (text.count("write"), text.count("mmap")) == (1, 0)


def test_a_context_restores_what_was_before(capsys: Any) -> None:
    def prepare(d: Debugger) -> None:
        enabled(d)
        with d.pprint_syscalls_context(value=False):
            assert not d.pprint_syscalls
        assert d.pprint_syscalls

    assert trace(capsys, prepare).count("write") == 2


def test_calls_that_no_table_has(capsys: Any) -> None:
    text = uncoloured(trace(capsys, enabled, "unknown"))
    arguments = ", ".join(f"arg{n} = {n + 1:#x}" for n in range(6))
    assert text.startswith(f"TID 0x1337({arguments}) = 0xffffffffffffffda\n")


def test_settings_are_checked(caplog: Any) -> None:
    with debugging("calls") as d, caplog.at_level(WARNING, "libdebug"):
        for name in ("pprint_syscalls", "pprint_syscalls_decoded"):
            with pytest.raises(TypeError, match=f"{name} must be a boolean"):
                setattr(d, name, 1)
        for name in ("syscalls_to_pprint", "syscalls_to_not_pprint"):
            assert getattr(d, name) is None
            for wrong in ("read", [1.5], (1, 2)):
                with pytest.raises(
                    ValueError, match=rf"^{name} must be a list of integers or strings or None\.$"
                ):
                    setattr(d, name, wrong)
            with pytest.raises(ValueError, match=r'^Syscall "provola" not found$'):
                setattr(d, name, ["provola"])
        d.pprint_syscalls = True
        assert not d.pprint_syscalls
        assert "pprint_syscalls is of one process" in messages(caplog, WARNING)[0]


def test_calls_in_words(capsys: Any) -> None:
    def prepare(d: Debugger) -> None:
        enabled(d)
        d.pprint_syscalls_decoded = True
        assert d.pprint_syscalls_decoded

    text = trace(capsys, prepare, "write", "read", "open", "missing", "mmap")
    lines = [re.sub(r"0x[0-9a-f]{5,}", "ADDRESS", line) for line in uncoloured(text).splitlines()]
    assert re.fullmatch(
        r'TID write\(unsigned int fd = 0x1 1</dev/pts/\d+>, const char \*buf = ADDRESS "written\\n", '
        r"size_t count = 0x8\) = 0x8",
        lines[0],
    )
    assert lines[1].endswith(', char *buf = ADDRESS, size_t count = 0x8) = 0x8 "12345678"')
    assert lines[2] == (
        'TID open(const char *filename = ADDRESS "/dev/null", int flags = ADDRESS O_RDONLY|O_CLOEXEC, '
        "umode_t mode = 0x0 0000) = 0x3 3</dev/null>"
    )
    assert '"/dev/there is no such file"' in lines[3]
    assert lines[3].endswith("= ADDRESS ENOENT (No such file or directory)")
    assert "unsigned long prot = 0x1 PROT_READ, " in lines[4]
    assert "unsigned long flags = 0x22 MAP_PRIVATE|MAP_ANONYMOUS, " in lines[4]


def test_lines_of_threads_are_told_apart(capsys: Any) -> None:
    with running("syscall_threads", 4, 20) as d:
        d.syscalls_to_pprint = ["getpriority", "futex", "wait4"]
        d.pprint_syscalls = True
        d.cont()
        d.wait()
        assert d.exit_code == 0
        lines = uncoloured(capsys.readouterr().out).splitlines()
        assert {line.split()[0] for line in lines} <= {str(thread.tid) for thread in d.threads}
    called = [line for line in lines if " getpriority(" in line]
    resumed = [line for line in lines if "(resumed) getpriority = " in line]
    assert len(called) == 80
    assert sum(line.endswith("...") for line in called) == len(resumed)
    assert all(line.endswith(("= 0xffffffffffffffea", "...")) for line in called)


def test_printing_that_fails_is_an_error_of_the_next_wait(monkeypatch: Any) -> None:
    class Broken:
        def write(self, _: str) -> None:
            raise OSError("no paper")

    with running("calls", "getcwd") as d:
        at(d, "begin")
        d.pprint_syscalls = True
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", Broken())
            d.cont()
            with pytest.raises(RuntimeError, match="no paper"):
                d.wait()
        d.pprint_syscalls = False
        d.cont()
        d.wait()
        assert d.exit_code == 0
