"""Processes that a program creates: seen, independent, and none left behind."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import build
from face import WARNING, debugging, messages, running
from families import LONG, drive, tree
from libdebug import debugger

if TYPE_CHECKING:
    from libdebug import Debugger


def born(d: Debugger) -> Debugger:
    """Let the process go on until it has a child."""
    d.cont()
    child = d.wait_child(LONG)
    assert child is not None
    return child


def alive(pid: int) -> bool:
    """Say whether there is such a process, a zombie counting as none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_is_stopped_blank_and_in_the_list() -> None:
    with running("forker", 2, "fork") as d:
        d.breakpoint("child_code", callback=True, file="binary")
        assert d.children == []
        children = d.children
        child = born(d)
        assert children is d.children
        assert children == [child]
        assert type(child) is type(d)
        assert (child.running, child.dead, child.breakpoints, child.children) == (False, False, {}, [])
        assert child.pid != d.pid
        assert child.regs.rax == 0, "what fork returns to it"
        assert child.threads[0].debugger is child
        assert child.memory["child_code", 1, "binary"] != b"\xcc"
        assert child.maps.filter("binary") == [m for m in child.maps if m.backing_file == d.path]
        assert str(child.pid) in repr(child)
        child.cont()
        other = d.wait_child(timeout=LONG)
        assert other is not None
        assert children == [child, other]
        other.cont()
        assert d.wait_child(timeout=LONG) is None
        assert [child.exit_code, other.exit_code, d.exit_code] == [0, 1, 0]
        assert d.children is children


@pytest.mark.parametrize("name", ["kill_on_exit", "fast_memory", "follow_children", "aslr"])
def test_a_child_has_the_settings_of_its_birth(name: str) -> None:
    with running("forker", 3, "fork") as d:
        setattr(d, name, False)
        if name == "follow_children":
            d.follow_children = True
        child = born(d)
        assert getattr(child, name) is (name == "follow_children")
        if name == "fast_memory":
            d.interrupt()
        setattr(d, name, name != "follow_children")
        assert getattr(child, name) is (name == "follow_children")
        setattr(child, name, True)
        child.kill()


def test_interrupting_commands_are_inherited() -> None:
    with running("forker", 1, "fork", auto_interrupt_on_command=True) as d:
        child = born(d)
        bp = child.breakpoint("child_code", callback=True, file="binary")
        child.cont()
        child.wait()
        assert bp.hit_count == 1


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_follow_children_is_a_boolean(value: Any) -> None:
    with debugging("basic") as d:
        with pytest.raises(TypeError, match="follow_children must be a boolean"):
            d.follow_children = value
        assert d.follow_children is True
    with pytest.raises(TypeError, match="follow_children must be a boolean"):
        debugger("/bin/true", follow_children=value)


def test_following_can_be_switched_at_any_time() -> None:
    with running("forker", 4, "fork", follow_children=False) as d:
        assert d.follow_children is False
        turns = d.breakpoint("by_fork", file="binary")
        d.cont()
        d.wait()
        while not d.dead:
            d.follow_children = turns.hit_count % 2 == 0
            d.cont()
            while (child := d.wait_child(LONG)) is not None:
                child.cont()
        assert (d.exit_code, len(d.children)) == (0, 2)
        d.run(redirect_pipes=False)
        assert d.follow_children is True, "a setting of the debugger, not of the run"


def test_events_in_a_child_are_its_own() -> None:
    with running("forker", 2, "fork") as d:
        of_parent = d.breakpoint("child_code", file="binary")
        child = born(d)
        of_child = child.breakpoint("child_code", file="binary")
        child.cont()
        child.wait()
        assert of_child.hit_on(child)
        assert (of_child.hit_count, of_parent.hit_count) == (1, 0)
        assert child.regs.edi == 0
        child.step()
        child.kill()
        second = d.wait_child(LONG)
        assert second is not None
        calls: list[tuple[Debugger, int]] = []

        def note(thread: Any, bp: Any) -> None:
            calls.append((thread.debugger, bp.hit_count))
            thread.regs.edi = 42

        second.breakpoint("child_code", callback=note, file="binary")
        second.cont()
        second.wait()
        assert (second.exit_code, calls) == (42, [(second, 1)])
        d.wait()
        assert (d.exit_code, of_parent.hit_count) == (1, 0), "the parent sees the wrong codes"


def test_an_exception_in_a_childs_callback_is_the_childs() -> None:
    with running("forker", 1, "fork") as d:
        child = born(d)

        def fail(*_: object) -> None:
            raise ZeroDivisionError("of the child")

        child.breakpoint("child_code", callback=fail, file="binary")
        child.cont()
        with pytest.raises(RuntimeError) as caught:
            child.wait()
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        child.cont()
        d.wait()
        assert (child.exit_code, d.exit_code) == (0, 0)
        del caught


def test_a_child_can_be_let_go() -> None:
    with running("forker", 1, "fork") as d:
        child = born(d)
        child.detach()
        d.wait()
        assert d.exit_code == 0
        with pytest.raises(RuntimeError):
            child.cont()


def test_a_child_can_outlive_its_parent() -> None:
    d = debugger(["/bin/sh", "-c", "exec 3<&0; (read line <&3; echo child got $line; exit 5) & exit 4"])
    pipe = d.run()
    child = born(d)
    d.wait()
    assert (d.exit_code, child.dead) == (4, False)
    pipe.sendline(b"it")
    child.cont()
    child.wait()
    assert (child.exit_code, pipe.recvline()) == (5, b"child got it")
    d.terminate()


def test_the_pipes_are_the_roots() -> None:
    d = debugger(["/bin/sh", "-c", "(read line; echo one $line); echo two"])
    pipe = d.run()
    child = born(d)
    child.cont()
    pipe.sendline(b"x")
    assert pipe.recvline() == b"one x"
    assert pipe.recvline() == b"two"
    d.wait()
    d.terminate()


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("descriptors", [None, 256])
def test_a_deep_tree_of_a_thousand_processes(follow: bool, descriptors: int | None) -> None:
    limit = f"resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors}, {descriptors}))"
    code = f"""if True:
        import collections, os, resource, sys, threading
        sys.path[:0] = {sys.path!r}
        {limit if descriptors else ""}
        from families import drive, tree
        from libdebug import debugger
        d = debugger([{str(build.program("family"))!r}, "1000", "5"], follow_children={follow})
        pipe = d.run()
        d.breakpoint("descendants", callback=True, file="binary")
        drive(d)
        assert (d.exit_code, pipe.recvline()) == (0, b"ok")
        ends = collections.Counter(child.exit_code for child in tree(d))
        wanted = range(1, 1001) if {follow} else ()
        assert ends == collections.Counter(number % 200 for number in wanted), ends
        depth = lambda d: 1 + max(map(depth, d.children), default=0)
        assert depth(d) == (6 if {follow} else 1)
        pids = [child.pid for child in tree(d)]
        d.terminate()
        assert not any(os.path.exists(f"/proc/{{pid}}") for pid in pids)
        assert threading.active_count() == 1
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_children_of_every_kind_end_as_they_should() -> None:
    with running("forker", 20, "all") as d:
        drive(d)
        assert d.exit_code == 0
        ends = Counter(child.exit_code for child in d.children)
        assert sum(ends.values()) == 100
        assert (ends[5], ends[3]) == (22, 22), "posix_spawn, system, and the two others' fifth and third"
        assert not any(alive(child.pid) for child in tree(d))


def test_terminate_ends_the_tree_though_children_are_held() -> None:
    before = threading.active_count()
    d = debugger([str(build.program("family")), "40", "3"])
    d.run()
    child = born(d)
    child.cont()
    grandchild = child.wait_child(LONG)
    pids = [one.pid for one in (d, child, grandchild) if one is not None]
    d.terminate()
    assert not any(map(alive, pids))
    assert threading.active_count() == before
    assert child.dead
    assert repr(child).startswith("Debugger()")
    with pytest.raises(RuntimeError):
        child.cont()
    child.terminate()


def test_a_child_can_be_terminated_alone() -> None:
    with running("forker", 2, "fork") as d:
        child = born(d)
        child.terminate()
        assert not alive(child.pid)
        second = d.wait_child(LONG)
        assert second is not None
        second.cont()
        d.wait()
        assert (d.exit_code, second.exit_code) == (1, 1)


def test_run_ends_and_forgets_the_old_tree() -> None:
    with running("forker", 3, "fork") as d:
        for _ in range(3):
            child, kept = born(d), d.children
            d.run(redirect_pipes=False)
            assert (d.children, kept) == ([], [child])
            assert not alive(child.pid)
            assert child.dead


def test_the_list_is_the_users() -> None:
    with running("forker", 2, "fork") as d:
        child = born(d)
        d.children.clear()
        child.cont()
        second = d.wait_child(LONG)
        assert d.children == [second]
        assert child.exit_code == 0


def test_a_timeout_names_the_child_that_stands_still() -> None:
    with running("forker", 1, "fork") as d:
        child = born(d)
        with pytest.raises(TimeoutError, match=f"its child {child.pid} stands still"):
            d.wait(timeout=0.1)


def test_a_wait_that_cannot_end_is_remarked_on_once(caplog: pytest.LogCaptureFixture) -> None:
    with running("forker", 1, "fork") as d:
        child = born(d)
        said = threading.Event()

        class Told(type(caplog.handler)):  # type: ignore[misc]
            def emit(self, record: Any) -> None:
                super().emit(record)
                said.set()

        caplog.handler.__class__ = Told
        waiting = threading.Thread(target=d.wait)
        waiting.start()
        assert said.wait(LONG)
        assert [str(child.pid) in text and str(d.pid) in text for text in messages(caplog, WARNING)] == [True]
        child.cont()
        waiting.join(LONG)
        assert d.exit_code == 0
        assert len(messages(caplog, WARNING)) == 1


def test_a_callback_may_look_at_children_but_not_wait_for_them() -> None:
    with running("forker", 2, "fork") as d:
        seen: list[Any] = []

        def look(thread: Any, _: Any) -> None:
            seen.append(len(thread.debugger.children))
            with pytest.raises(RuntimeError, match="not available in a callback"):
                thread.debugger.wait_child()

        d.breakpoint("ends_with", callback=look, file="binary")
        child = born(d)
        child.cont()
        second = d.wait_child(LONG)
        assert second is not None
        second.cont()
        d.wait()
        assert seen == [1, 2]


def test_trees_with_callbacks_are_collected() -> None:
    def abandoned_tree() -> tuple[list[int], list[weakref.ref[Debugger]]]:
        d = debugger([str(build.program("forker")), "2", "fork"])
        d.run(redirect_pipes=False)
        child = born(d)
        known = [d, child]
        child.breakpoint("child_code", callback=lambda *_: known.clear(), file="binary")
        return [one.pid for one in known], [weakref.ref(one) for one in known]

    pids, gone = abandoned_tree()
    gc.collect()
    assert [one() for one in gone] == [None, None]
    for pid in pids:
        assert not alive(pid)


def test_a_child_that_is_held_outlives_a_root_that_is_not() -> None:
    d = debugger([str(build.program("forker")), "1", "fork"])
    d.run(redirect_pipes=False)
    child = born(d)
    root = d.pid
    del d
    gc.collect()
    assert not alive(root)
    assert alive(child.pid)
    child.cont()
    child.wait()
    assert child.exit_code == 0
    child.terminate()


@pytest.mark.parametrize("kill", [True, False])
def test_the_interpreters_end_is_the_trees(kill: bool, tmp_path: Path) -> None:
    script = f"""if True:
        from libdebug import debugger
        d = debugger([{str(build.program("forker"))!r}, "1", "fork"], kill_on_exit={kill})
        d.run(redirect_pipes=False)
        d.cont()
        child = d.wait_child(timeout={LONG})
        print(d.pid, child.pid, flush=True)
    """
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=60, check=True
    )
    lines = done.stdout.splitlines()
    assert not any(alive(int(pid)) for pid in lines[0].split()) if kill else "ok" in lines


def test_a_fork_of_the_host_leaves_the_tree_to_it() -> None:
    with running("forker", 1, "fork") as d:
        child = born(d)
        pid = os.fork()
        if pid == 0:
            # Whatever happens here must not come back into the tests.
            code = 1
            try:
                child.cont()
            except RuntimeError:
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        child.cont()
        d.wait()
        assert d.exit_code == 0
