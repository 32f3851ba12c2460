"""What live Python programs execute: read from outside, for every interpreter of this machine."""

from __future__ import annotations

import json
import os
import signal
import statistics
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pythons
from libdebug import debugger
from libdebug import python as live
from libdebug.data.frame import Frame
from libdebug.python import PythonFrame, PythonProgram, PythonThread
from python_targets import children_of, executable_of, let_end, running, state_of, tasks_of, tracer_of

if TYPE_CHECKING:
    from pythons import Interpreter

every_python = pytest.mark.parametrize("python", pythons.every())


def plain(frame: PythonFrame) -> list[object]:
    """Return a frame as the scripts print theirs."""
    return [frame.file, frame.function, frame.line, frame.first_line]


def thread_named(threads: list[PythonThread], name: str) -> PythonThread:
    """Return the thread of that name."""
    return next(thread for thread in threads if thread.name == name)


@every_python
def test_stacks_are_what_the_interpreter_says(python: Interpreter) -> None:
    with running(python, "own_stacks.py") as child:
        told = json.loads(child.first_line)
        with live.attach(child.pid) as program:
            threads = program.threads
        assert {thread.ident for thread in threads} == {int(ident) for ident in told["stacks"]}
        assert {str(thread.ident): thread.name for thread in threads} == told["names"]
        for thread in threads:
            assert thread.is_complete
            assert thread.is_main == (thread.ident == told["main"])
            if not thread.is_main:
                assert [plain(frame) for frame in thread.frames] == told["stacks"][str(thread.ident)]
        assert {thread.tid for thread in threads} == tasks_of(child.pid)
        main = next(thread for thread in threads if thread.is_main)
        assert main.tid == child.pid
        # It was asked in the same line, by a function that has returned since.
        assert [plain(frame) for frame in main.frames] == told["stacks"][str(main.ident)][1:]
        assert let_end(child) == 42


@every_python
def test_native_frames_are_around_python_ones(python: Interpreter) -> None:
    with running(python, "own_stacks.py") as child:
        told = json.loads(child.first_line)
        with live.attach(child.pid) as program:
            for thread in program.threads:
                if thread.is_main:
                    continue
                mixed = program.stack(thread, native=True)
                own = [plain(frame) for frame in mixed if isinstance(frame, PythonFrame)]
                assert own == told["stacks"][str(thread.ident)]
                natives = [frame for frame in mixed if isinstance(frame, Frame)]
                names = [frame.symbol or "" for frame in natives]
                assert not [name for name in names if name.startswith("_PyEval_EvalFrameDefault")]
                # It waits in the C library, and was begun by it.
                assert isinstance(mixed[0], Frame)
                assert isinstance(mixed[-1], Frame)
                check_entries(mixed)
        assert let_end(child) == 42


def check_entries(mixed: list[PythonFrame | Frame]) -> None:
    """A native frame is behind each frame that was called from C, and behind no other."""
    for frame, behind in pairwise(mixed):
        if isinstance(frame, PythonFrame):
            assert frame.is_entry or isinstance(behind, PythonFrame), (frame, behind)


@every_python
def test_an_evaluation_called_from_c_shows_who_called(python: Interpreter) -> None:
    with running(python, "own_stacks.py") as child, live.attach(child.pid) as program:
        thread = next(
            thread for thread in program.threads if any("lambdas" in f.function for f in thread.frames)
        )
        mixed = program.stack(thread, native=True)
        outer = next(place for place, frame in enumerate(mixed) if str(frame).startswith("lambdas ("))
        inner = max(
            place for place, frame in enumerate(mixed[:outer]) if "<lambda>" in str(frame).split(" (")[0]
        )
        between = mixed[inner + 1 : outer]
        assert between
        assert all(isinstance(frame, Frame) for frame in between)
        if python.library and "pyenv" in python.path:
            assert any("sort" in (frame.symbol or "") for frame in between if isinstance(frame, Frame))


@every_python
def test_a_busy_thread_holds_the_lock(python: Interpreter) -> None:
    with running(python, "waits.py", "spins") as child:
        with live.attach(child.pid) as program:
            looks = [program.threads for _ in range(20)]
            for threads in looks:
                assert sum(thread.holds_gil is True for thread in threads) <= 1
                assert threads[0].is_main
                assert threads[0].frames[0].function == "spins"
                assert thread_named(threads, "reader").holds_gil is (None if program.free_threaded else False)
            if not program.free_threaded:
                assert any(threads[0].holds_gil for threads in looks)
        assert let_end(child) == 42


@every_python
def test_threads_that_change_under_the_look(python: Interpreter) -> None:
    with running(python, "waits.py", "contends") as child:
        with live.attach(child.pid) as program:
            for _ in range(50):
                threads = program.threads
                assert [thread.is_complete for thread in threads] == [True] * 5
                burners = [thread for thread in threads if thread.name == "burner"]
                assert {thread.frames[0].function for thread in burners} == {"burns"}
                assert sum(thread.holds_gil is True for thread in threads) <= 1
        assert let_end(child) == 42


@every_python
def test_a_program_is_stopped_for_milliseconds_only(python: Interpreter) -> None:
    with running(python, "own_stacks.py") as child:
        with live.attach(child.pid) as program:
            assert program.stopped_for is None
            times = []
            for _ in range(20):
                assert len(program.threads) == 10
                assert program.stopped_for is not None
                times.append(program.stopped_for)
        # Ten threads, one of them with 500 frames. Somebody else may need the processor meanwhile.
        assert statistics.median(times) < 0.01, times
        assert let_end(child) == 42


@every_python
def test_nothing_is_written_and_nothing_is_left(python: Interpreter) -> None:
    with running(python, "waits.py", "reads") as child:
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        before = content(child.pid)
        with live.attach(child.pid) as program:
            assert program.stack()[0].function in (
                "reads",
                "BufferedReader.readline",
                "TextIOWrapper.readline",
            )
            program.stack(native=True)
        assert content(child.pid) == before
        # Let go, a thread goes back into the stop of its process by itself, which takes it a moment.
        deadline = time.monotonic() + 10
        while state_of(child.pid) == "R" and time.monotonic() < deadline:
            os.sched_yield()
        assert state_of(child.pid) == "T"
        assert tracer_of(child.pid) == 0
        os.kill(child.pid, signal.SIGCONT)
        assert let_end(child) == 42


def content(pid: int) -> dict[str, bytes]:
    """Return the maps of a process, with what is in those that it can write to; and its open files."""
    found = {file.name: b"" for file in Path(f"/proc/{pid}/fd").iterdir()}
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            start, end = (int(address, 16) for address in line.split()[0].split("-"))
            found[line] = os.pread(memory.fileno(), end - start, start) if "rw" in line else b""
    return found


@every_python
def test_a_forked_child(python: Interpreter) -> None:
    for how in ("forks", "forks_in_thread"):
        with running(python, "waits.py", how) as child:
            (forked,) = children_of(child.pid)
            with live.attach(forked) as program:
                threads = program.threads
                alive = [thread for thread in threads if thread.tid is not None]
                assert [thread.tid for thread in alive] == [forked]
                assert [frame.function for frame in alive[0].frames][:2] == ["reads", "forks"]
            with live.attach(child.pid) as program:
                assert [len(thread.frames) > 0 for thread in program.threads] == [True] * len(program.threads)
            assert let_end(child) == 42


@every_python
def test_a_leader_that_has_ended(python: Interpreter) -> None:
    with running(python, "waits.py", "exits") as child:
        with live.attach(child.pid) as program:
            heir = thread_named(program.threads, "heir")
            assert heir.frames[0].function == "reads"
            assert heir.tid != child.pid
        child.kill()


@every_python
def test_the_interpreter_is_taken_down(python: Interpreter) -> None:
    with running(python, "waits.py", "finalizes") as child:
        assert child.first_line == "ready\n"
        with live.attach(child.pid) as program:
            assert program.phase == "finalizing"
            assert [frame.function for frame in program.stack()] in (["__del__"], ["Slow.__del__"])
        assert let_end(child) == 0


@every_python
def test_subinterpreters(python: Interpreter) -> None:
    with running(python, "waits.py", "subinterpreter", stderr=-3) as child:
        if not child.first_line:
            pytest.skip("this version's subinterpreters cannot be started from Python")
        with live.attach(child.pid) as program:
            inner = [thread for thread in program.threads if thread.interpreter_id != 0]
            assert [frame.function for frame in inner[0].frames] == ["inside", "<module>"]
            assert not inner[0].is_main
            assert str(inner[0].interpreter_id) in str(inner[0])
            assert "subinterpreter" in [frame.function for frame in program.stack()]


@every_python
def test_facts_of_the_interpreter(python: Interpreter) -> None:
    with running(python, "waits.py", "sleeps") as child, live.attach(child.pid) as program:
        assert program.version[:3] == python.version
        assert program.version >= python.version
        assert program.build == python.text
        assert program.free_threaded == python.free_threaded
        assert program.debug_build == python.debug
        assert program.phase == "running"
        assert program.pid == child.pid
        assert program.executable == executable_of(child.pid)
        assert program.library == python.library if python.library else "bin/python" in program.library
        assert repr(program) == f"PythonProgram(pid={child.pid}, version={str(program.version)!r})"
    assert repr(program) == "PythonProgram(detached)"
    with pytest.raises(RuntimeError, match="detached"):
        program.stack()


@every_python
def test_a_debuggers_own_process(python: Interpreter) -> None:
    with running(python, "waits.py", "reads") as child:
        d = debugger()
        program = d.attach_python(child.pid)
        assert program.version[:3] == python.version
        assert any(isinstance(f, PythonFrame) and f.function == "reads" for f in program.stack(native=True))
        assert "reads" in [frame.function for frame in d.python.stack()]
        assert program.stopped_for is None
        d.detach()
        d.terminate()
        assert let_end(child) == 42


@every_python
def test_a_program_under_debug_from_its_start(python: Interpreter) -> None:
    d = debugger([python.path, "-c", "import os; os.sched_rr_get_interval(0); print(1)"])
    d.run()
    d.handle_syscall("sched_rr_get_interval")
    try:
        program = d.python
    except RuntimeError as error:
        assert "not initialized" in str(error)
    else:
        # Through a shell: that is no Python program.
        assert program is None
    d.cont()
    d.wait()
    assert [frame.function for frame in d.python.stack()] == ["<module>"]
    d.terminate()


def test_python_programs_are_looked_at_by_several_threads() -> None:
    python = pythons.supported()[0]
    with running(python, "waits.py", "sleeps") as child:
        found: list[str] = []

        def look() -> None:
            with live.attach(child.pid) as program:
                found.append(program.stack()[0].function)

        look()
        threads = [threading.Thread(target=look) for _ in range(1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == ["sleeps"] * 2


def test_choosing_a_thread() -> None:
    with running(pythons.supported()[0], "waits.py", "spins") as child, live.attach(child.pid) as program:
        reader = thread_named(program.threads, "reader")
        for wanted in ("reader", reader.tid, reader):
            assert (
                "<lambda>"
                in [str(f.function) for f in program.stack(wanted) if isinstance(f, PythonFrame)][-4]
            )
        for wrong in ("nobody", 1):
            with pytest.raises(ValueError, match=r"has not a thread .*'reader'"):
                program.stack(wrong)


def test_printed_stacks(capsys: pytest.CaptureFixture[str]) -> None:
    python = pythons.supported()[-1]
    with running(python, "waits.py", "sleeps") as child, live.attach(child.pid) as program:
        program.pprint_stacks()
        printed = capsys.readouterr().out.splitlines()
        assert printed[0].startswith(f"process {child.pid}: /")
        assert printed[1].startswith(f"CPython {program.version}")
        assert printed[3] == f"thread {child.pid} 'MainThread'"
        assert printed[4].startswith("    sleeps (")
        program.pprint_stacks(native=True)
        assert len(capsys.readouterr().out.splitlines()) > len(printed) + 5


def test_an_ended_program() -> None:
    with running(pythons.supported()[0], "waits.py", "reads") as child:
        program: PythonProgram = live.attach(child.pid)
        assert let_end(child) == 42
        for look in (lambda: program.threads, lambda: program.phase):
            with pytest.raises(RuntimeError, match="has ended"):
                look()
        program.detach()
