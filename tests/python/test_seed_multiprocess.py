"""What the guide shows about programs of several processes: the same calls and arguments, on fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from families import LONG
from libdebug import debugger

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def test_children_are_in_a_regular_list(
    program: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    d = debugger([program("forker"), "3", "fork"])
    d.run()
    d.cont()
    while (child := d.wait_child(LONG)) is not None:
        child.cont()
    print(f"There are {len(d.children)} children")
    for child in d.children:
        print(f"A child's PID: {child.pid}")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["There are 3 children", *(f"A child's PID: {child.pid}" for child in d.children)]
    assert type(d.children) is list
    assert d.children[0] is next(iter(d.children))
    assert d.children[-2:] == [d.children[1], d.children[2]]
    d.terminate()


def test_properties_are_inherited_once_and_events_not_at_all(program: Callable[[str], str]) -> None:
    d = debugger([program("forker"), "1", "fork"], aslr=False, fast_memory=False)
    d.run()
    d.breakpoint("child_code", callback=True, file="binary")
    d.cont()
    child = d.wait_child(LONG)
    assert child is not None
    assert (child.aslr, child.fast_memory, child.kill_on_exit) == (False, False, True)
    child.aslr = True
    child.fast_memory = True
    assert (d.aslr, child.breakpoints, child.handled_syscalls, child.caught_signals) == (False, {}, {}, {})
    child.cont()
    d.wait()
    assert not d.fast_memory
    d.terminate()


def test_only_the_main_process_is_debugged_on_request(program: Callable[[str], str]) -> None:
    d = debugger([program("forker"), "3", "all"], follow_children=False)
    d.run()
    d.cont()
    d.wait()
    assert (d.exit_code, d.children) == (0, [])
    d.terminate()


def test_following_ends_when_the_attribute_says_so(program: Callable[[str], str]) -> None:
    d = debugger([program("forker"), "3", "fork"])
    d.run()
    d.cont()
    child = d.wait_child(LONG)
    assert child is not None
    d.follow_children = False
    child.cont()
    d.wait()
    assert (d.exit_code, d.children) == (0, [child])
    d.terminate()


def test_children_talk_through_the_pipes_of_the_root(program: Callable[[str], str]) -> None:
    d = debugger(["/bin/sh", "-c", f"({program('echo')}); echo shell"])
    pipe = d.run()
    assert pipe is not None
    d.cont()
    child = d.wait_child(LONG)
    assert child is not None
    child.cont()
    pipe.sendline(b"to the child")
    assert pipe.recvline() == b"echo: to the child"
    pipe.sendline(b"quit")
    assert pipe.recvuntil(b"shell\n").endswith(b"shell\n")
    d.wait()
    d.terminate()
