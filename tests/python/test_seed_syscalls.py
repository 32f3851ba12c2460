"""What the guide shows about system calls: the same calls with the same arguments, on fixtures."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from face import at
from libdebug import debugger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from libdebug import Debugger, SyscallHandler, ThreadContext

SYSCALL = b"\x0f\x05"


@pytest.fixture
def ended() -> Iterator[list[Debugger]]:
    """Give a list of debuggers that are ended after the test."""
    debuggers: list[Debugger] = []
    yield debuggers
    for d in debuggers:
        d.terminate()
    debuggers.clear()


def text_in_libc(d: Debugger, text: bytes) -> int:
    """Return where the C library has a text."""
    for part in d.maps.filter("libc"):
        if "r" in part.permissions and (place := d.memory[part.start, part.size].find(text)) >= 0:
            return part.start + place
    raise AssertionError(text)


def test_the_call_that_an_instruction_is_about_to_make_can_be_replaced(
    program: Callable[[str], str], ended: list[Debugger]
) -> None:
    d = debugger([program("calls"), "getcwd"])
    ended.append(d)
    pipe = d.run()
    assert pipe is not None
    at(d, "begin")
    binsh_str = text_in_libc(d, b"/bin/sh\x00")
    at(d, "syscall", "libc")
    while d.memory[d.instruction_pointer, 2] != SYSCALL:
        d.step()

    d.syscall_arg0 = binsh_str
    d.syscall_arg1 = 0x0
    d.syscall_arg2 = 0x0
    d.syscall_number = 0x3B

    d.step()

    d.cont()
    pipe.sendline(b"echo a shell; exit 9")
    assert pipe.recvline() == b"a shell"
    d.wait()
    assert d.exit_code == 9


def test_the_signatures_are_the_documented_ones(program: Callable[[str], str], ended: list[Debugger]) -> None:
    d = debugger(program("calls"))
    ended.append(d)

    def parameters(method: object) -> dict[str, Any]:
        found = inspect.signature(method).parameters  # type: ignore[arg-type]
        return {name: it.default for name, it in found.items() if it.kind is not it.VAR_KEYWORD}

    required = inspect.Parameter.empty
    assert parameters(d.handle_syscall) == {
        "syscall": required,
        "on_enter": None,
        "on_exit": None,
        "recursive": False,
    }
    assert parameters(d.hijack_syscall) == {
        "original_syscall": required,
        "new_syscall": required,
        "recursive": False,
    }


def test_asynchronous_handlers(program: Callable[[str], str], ended: list[Debugger]) -> None:
    said: list[str] = []

    def on_enter_open(t: ThreadContext, _: SyscallHandler) -> None:
        said.append("entering open")
        t.syscall_arg0 = 0x1

    def on_exit_open(t: ThreadContext, _: SyscallHandler) -> None:
        said.append(f"exiting open: {t.syscall_return - 2**64}")
        t.syscall_return = 0x0

    d = debugger([program("calls"), "open", "say"])
    ended.append(d)
    pipe = d.run()
    assert pipe is not None
    handler = d.handle_syscall(syscall="open", on_enter=on_enter_open, on_exit=on_exit_open)
    d.cont()
    d.wait()
    assert said == ["entering open", "exiting open: -14"], "EFAULT: 1 is no address of a path"
    assert pipe.recvline().startswith(b"result=0 ")
    assert handler.hit_count == 1


def test_synchronous_handling(program: Callable[[str], str], ended: list[Debugger]) -> None:
    d = debugger([program("calls"), "open"])
    ended.append(d)
    d.run()
    handler = d.handle_syscall(syscall="open")
    d.cont()
    assert handler.hit_on_enter(d)
    assert not handler.hit_on_exit(d)
    d.cont()
    assert handler.hit_on_exit(d)
    assert handler.hit_on(d)


def test_hijacking_leaks_what_was_to_be_overwritten(
    program: Callable[[str], str], ended: list[Debugger]
) -> None:
    d = debugger([program("calls"), "secret"])
    ended.append(d)
    pipe = d.run()
    assert pipe is not None
    d.hijack_syscall("read", "write")
    d.cont()
    d.wait()
    assert pipe.recvuntil(b"678").decode() == "The password is 12345678"


def test_hijacking_with_arguments(program: Callable[[str], str], ended: list[Debugger]) -> None:
    d = debugger([program("calls"), "key"])
    ended.append(d)
    pipe = d.run()
    assert pipe is not None
    buffer = d.resolve_symbol("manufacturer")
    d.hijack_syscall("read", "write", syscall_arg0=0x1, syscall_arg1=buffer, syscall_arg2=0x100)
    d.cont()
    d.wait()
    assert b"provola" in pipe.recvuntil(b"provola")
