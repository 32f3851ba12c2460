"""System calls that a thread is made to make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from face import at, debugging, running

if TYPE_CHECKING:
    from libdebug import SyscallHandler, ThreadContext

REGISTERS = (
    "rax",
    "rbx",
    "rcx",
    "rdx",
    "rsi",
    "rdi",
    "rbp",
    "rsp",
    "r8",
    "r9",
    "r10",
    "r11",
    "rip",
    "eflags",
)


def test_a_call_leaves_no_trace() -> None:
    with running("basic") as d:
        before = [getattr(d.regs, name) for name in REGISTERS]
        assert d.invoke_syscall("getpid") == d.threads[0].invoke_syscall(39) == d.pid
        assert [getattr(d.regs, name) for name in REGISTERS] == before
        at(d, "counter_function")
        assert d.invoke_syscall("getppid") > 0
        d.cont()
        d.wait()


def test_arguments_and_errors() -> None:
    with running("basic") as d:
        page = d.invoke_syscall("mmap", 0, 4096, 3, 0x22, -1, 0)
        d.memory[page, 12] = b"/etc/passwd\0"
        descriptor = d.invoke_syscall("openat", -100, page, 0)
        assert descriptor > 2
        assert d.invoke_syscall("read", descriptor, page, 4) == 4
        assert d.memory[page, 4] == b"root"
        assert d.invoke_syscall("close", descriptor) == 0
        assert d.invoke_syscall("close", descriptor) == -9, "EBADF"
        assert any(m.start <= page < m.end for m in d.maps)
        assert d.invoke_syscall("munmap", page, 4096) == 0
        assert not any(m.start <= page < m.end for m in d.maps)


def test_what_cannot_be_invoked() -> None:
    with running("basic") as d:
        with pytest.raises(ValueError, match="provola"):
            d.invoke_syscall("provola")
        with pytest.raises(ValueError, match="not all"):
            d.invoke_syscall("*")
        with pytest.raises(ValueError, match="argument"):
            d.invoke_syscall("read", *range(7))
        with pytest.raises(TypeError):
            d.invoke_syscall("read", "0")  # type: ignore[arg-type]
        with pytest.raises(OverflowError):
            d.invoke_syscall("read", 1 << 64)
        assert d.invoke_syscall(0x1337) == -38, "ENOSYS"
        with pytest.raises(RuntimeError):
            d.invoke_syscall("exit_group", 5)
        assert d.dead
        assert d.exit_code == 5


def test_without_a_process() -> None:
    with debugging("basic") as d, pytest.raises(RuntimeError):
        d.invoke_syscall("getpid")


def test_in_callbacks_and_between_the_sides_of_another_call() -> None:
    pids: list[int] = []

    def on_side(thread: ThreadContext, _: SyscallHandler) -> None:
        pids.append(thread.invoke_syscall("getpid"))

    with debugging("calls", "write") as d:
        pipe = d.run()
        assert pipe is not None
        handler = d.handle_syscall("write", on_side, on_side)
        d.cont()
        assert pipe.recvline() == b"written"
        d.wait()
        assert (pids, handler.hit_count, d.exit_code) == ([d.pid, d.pid], 1, 0)


def test_on_a_thread_of_ones_choice() -> None:
    with running("threads", 2, 50) as d:
        d.breakpoint("hot", file="binary")
        d.cont()
        d.wait()
        tids = [thread.invoke_syscall("gettid") for thread in d.threads if not thread.dead]
        assert tids == [thread.tid for thread in d.threads if not thread.dead]
