"""Python programs wherever they are, and what is no Python program or may not be looked at."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import command
import pythons
from libdebug import debugger
from libdebug import python as live
from python_targets import (
    SCRIPTS,
    children_of,
    executable_of,
    let_end,
    running,
    started,
    state_of,
    tasks_of,
    tracer_of,
)

if TYPE_CHECKING:
    from pythons import Interpreter

every_python = pytest.mark.parametrize("python", pythons.every())
is_root = os.geteuid() == 0
as_root = pytest.mark.skipif(not is_root, reason="only root makes namespaces and other users' processes")
FIXTURES = SCRIPTS.parent
WAITS = str(SCRIPTS / "waits.py")
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def copied(python: Interpreter, directory: Path) -> tuple[list[str], dict[str, str]]:
    """Copy an interpreter with its library; return the command that runs it, and its environment."""
    with running(python, "waits.py", "sleeps") as child, live.attach(child.pid) as program:
        executable, library = program.executable, program.library
    if "ld-linux" in Path(executable).name:
        pytest.skip("started through its own loader")
    target = directory / "interpreter"
    shutil.copy(executable, target)
    environment = {**os.environ, "PYTHONHOME": prefix_of(python)}
    if library != executable:
        shutil.copy(library, directory / Path(library).name)
        environment["LD_LIBRARY_PATH"] = str(directory)
    return [str(target)], environment


def prefix_of(python: Interpreter) -> str:
    """Return where the interpreter's library of modules is."""
    asked = [python.path, "-c", "import sys; print(sys.prefix)"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


@every_python
def test_files_that_were_deleted(python: Interpreter, tmp_path: Path) -> None:
    words, environment = copied(python, tmp_path)
    with started([*words, WAITS, "reads"], env=environment) as child:
        for path in tmp_path.iterdir():
            path.unlink()
        with live.attach(child.pid) as program:
            assert program.library.endswith(" (deleted)")
            assert program.version[:3] == python.version
            assert "reads" in [frame.function for frame in program.stack()]
            native = program.stack(native=True)
            assert len(native) > len(program.stack()) + 3
        assert let_end(child) == 42


@every_python
def test_files_that_were_replaced(python: Interpreter, tmp_path: Path) -> None:
    words, environment = copied(python, tmp_path)
    with started([*words, WAITS, "reads"], env=environment) as child:
        for path in tmp_path.iterdir():
            other = tmp_path / "other"
            other.write_bytes(b"not even an ELF file")
            other.rename(path)
        with live.attach(child.pid) as program:
            assert "reads" in [frame.function for frame in program.stack()]
        assert let_end(child) == 42


@as_root
@every_python
def test_another_mount_namespace(python: Interpreter, tmp_path: Path) -> None:
    source, inside = tmp_path / "source", tmp_path / "inside"
    source.mkdir()
    inside.mkdir()
    words, environment = copied(python, source)
    if "LD_LIBRARY_PATH" in environment:
        environment["LD_LIBRARY_PATH"] = str(inside)
    assert words == [str(source / "interpreter")]
    script = f"mount --bind {source} {inside} && exec {inside}/interpreter {WAITS} reads"
    with started(["unshare", "--mount", "sh", "-c", script], env=environment) as child:
        assert child.first_line == "ready\n"
        assert not list(inside.iterdir())
        with live.attach(child.pid) as program:
            assert program.executable == str(inside / "interpreter")
            assert "reads" in [frame.function for frame in program.stack()]
        assert let_end(child) == 42


@as_root
def test_a_changed_root_and_a_pid_namespace(tmp_path: Path) -> None:
    script = f"mount --rbind / {tmp_path} && exec chroot {tmp_path} {sys.executable} {WAITS} contends"
    words = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script]
    with started(words) as child:
        assert child.first_line == "ready\n"
        (inner,) = children_of(child.pid)
        with live.attach(inner) as program:
            threads = program.threads
            assert {thread.tid for thread in threads} == tasks_of(inner)
            assert "contends" in [frame.function for frame in program.stack()]
        assert let_end(child) == 42


@as_root
def test_what_another_user_runs() -> None:
    python = next((python for python in pythons.supported() if python.path.startswith("/usr/bin")), None)
    if python is None:
        pytest.skip("the system has no interpreter that every user can execute")
    with started([*NOBODY, python.path, "-c", Path(WAITS).read_text(), "reads"]) as child:
        with live.attach(child.pid) as program:
            assert "reads" in [frame.function for frame in program.stack()]
        assert let_end(child) == 42


@as_root
def test_an_unprivileged_user_is_refused() -> None:
    with running(pythons.supported()[0], "waits.py", "reads") as child:
        code = (
            "import os, threading; from libdebug import python\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            f"try: python.attach({child.pid})\n"
            "except PermissionError as error: print(error)"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert "permission" in ran.stdout
        assert tracer_of(child.pid) == 0
        assert let_end(child) == 42


@as_root
def test_an_unprivileged_user_looks_at_a_deleted_file(tmp_path: Path) -> None:
    """Without the right to open what /proc/PID/map_files has, the image is put together out of memory."""
    python = next((python for python in pythons.supported() if python.path.startswith("/usr/bin")), None)
    if python is None:
        pytest.skip("the system has no interpreter that every user can execute")
    words, _ = copied(python, tmp_path)
    tmp_path.chmod(0o755)
    for directory in tmp_path.parents:
        if directory.is_relative_to("/tmp/pytest-of-root"):
            directory.chmod(0o755)
    with started([*NOBODY, *words, "-c", Path(WAITS).read_text(), "reads"]) as child:
        Path(words[0]).unlink()
        code = (
            "import os, threading; from libdebug import python\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            f"print([frame.function for frame in python.attach({child.pid}).stack()])"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "'reads'" in ran.stdout, ran.stderr
        assert let_end(child) == 42


@every_python
def test_embedded_in_a_c_program(python: Interpreter, tmp_path: Path) -> None:
    if python.library is None or not Path(python.include, "Python.h").exists():
        pytest.skip("no shared library to link with")
    embedding = tmp_path / "embedding"
    library = Path(python.library)
    subprocess.run(
        [
            *("gcc", "-O1", f"-I{python.include}", FIXTURES / "embedding.c", "-o", embedding),
            *(library, f"-Wl,-rpath,{library.parent}", "-pthread"),
        ],
        check=True,
    )
    environment = {**os.environ, "PYTHONHOME": prefix_of(python)}
    with started([str(embedding)], env=environment) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for where in ("before", "initialized", "called", "after"):
            if where != "before":
                assert child.stdout.readline() == f"{where}\n"
            if where in ("before", "after"):
                with pytest.raises(RuntimeError, match="not initialized"):
                    live.attach(child.pid)
            else:
                with live.attach(child.pid) as program:
                    (thread,) = program.threads
                    expected = ["outer", "<module>"] if where == "called" else []
                    assert [frame.function for frame in thread.frames] == expected
                    assert thread.is_main
                    assert thread.tid != child.pid
                    names = [getattr(frame, "symbol", None) for frame in program.stack(native=True)]
                    assert "embed" in names
                    assert names.count(None) == len(expected)
            child.stdin.write("\n")
            child.stdin.flush()
        assert child.wait(timeout=60) == 42


def refusal(pid: int) -> str:
    """Return why a process is refused, by the function and by the command, which leave it untouched."""
    state, tracer = state_of(pid).replace("R", "S"), tracer_of(pid)
    with pytest.raises((ValueError, OSError, RuntimeError)) as caught:
        live.attach(pid).stack()
    ran = command.run("python", str(pid))
    assert ran.returncode == 125
    assert ran.stdout == ""
    assert ran.stderr.startswith("libdebug: ")
    assert ran.stderr.count("\n") == 1
    assert (state_of(pid).replace("R", "S"), tracer_of(pid)) == (state, tracer)
    text = str(caught.value)
    assert ran.stderr.removeprefix("libdebug: ").strip() in text
    return text


def test_a_program_that_is_no_python() -> None:
    with started(["/bin/sh", "-c", "echo; exec sleep 1000"]) as child:
        text = refusal(child.pid)
        assert "is no Python program" in text
        assert executable_of(child.pid) in text
    d = debugger("/bin/true")
    d.run()
    assert d.python is None
    d.terminate()


@pytest.mark.parametrize("python", pythons.unsupported(), ids=lambda python: python.label)
def test_a_version_that_is_not_supported(python: Interpreter) -> None:
    words = [
        python.path,
        "-c",
        "import sys; sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.readline()",
    ]
    with started(words) as child:
        assert f"runs CPython {'.'.join(map(str, python.version))} " in refusal(child.pid)
        with pytest.raises(live.UnsupportedPythonError, match=r"only versions 3\.8 to 3\.15"):
            live.attach(child.pid)


def test_another_implementation(tmp_path: Path) -> None:
    program = tmp_path / "pypy3"
    subprocess.run(["gcc", "-rdynamic", FIXTURES / "not_cpython.c", "-o", program], check=True)
    with started([str(program)]) as child:
        assert f"PyPy ({program})" in refusal(child.pid)


def test_a_process_that_has_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert state_of(child.pid) == "Z"
    assert "no live process" in refusal(child.pid)
    child.wait()
    with pytest.raises(ProcessLookupError):
        live.attach(child.pid)
    assert command.run("python", str(child.pid)).returncode == 125


def test_a_process_that_somebody_traces() -> None:
    with running(pythons.supported()[0], "waits.py", "reads") as child:
        d = debugger()
        d.attach(child.pid)
        assert "already traced" in refusal(child.pid)
        d.detach()
        d.terminate()
        assert let_end(child) == 42


def test_numbers_that_are_no_process() -> None:
    for wrong in (0, -1, 1 << 30):
        with pytest.raises(ProcessLookupError):
            live.attach(wrong)
    for wrong in ("1", None, True, 1.0):
        with pytest.raises(TypeError):
            live.attach(wrong)  # type: ignore[arg-type]


def test_a_program_that_has_been_executed_over() -> None:
    words = [
        sys.executable,
        "-c",
        "import os; print(1, flush=True); input(); print(2, flush=True); os.execvp('cat', ['cat'])",
    ]
    with started(words) as child:
        program = live.attach(child.pid)
        assert program.stack()[-1].function == "<module>"
        assert child.stdin is not None
        assert child.stdout is not None
        for given, answer in (("\n", "2\n"), ("over\n", "over\n")):
            child.stdin.write(given)
            child.stdin.flush()
            assert child.stdout.readline() == answer
        with pytest.raises(RuntimeError, match="executes another program"):
            program.stack()
        program.detach()


@every_python
def test_a_program_that_cannot_be_stopped(python: Interpreter, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    with running(python, "waits.py", "vforks", str(pipe)) as child:
        while state_of(child.pid) != "D":
            os.sched_yield()
        with live.attach(child.pid) as program:
            assert [frame.function for frame in program.stack()] == ["vforks", "<module>"]
            assert program.stack(native=True) == program.stack()
            assert program.stopped_for is None
        assert "    vforks (" in command.run("python", str(child.pid)).stdout
        assert tracer_of(child.pid) == 0
        # Somebody at the other end lets the program go on.
        pipe.write_text("")
        assert child.wait(timeout=60) == 42


@every_python
def test_the_command(python: Interpreter) -> None:
    with running(python, "waits.py", "spins") as child:
        text = command.run("python", str(child.pid))
        assert text.returncode == 0, text.stderr
        lines = text.stdout.splitlines()
        assert lines[0] == f"process {child.pid}: {executable_of(child.pid)}"
        assert lines[1].startswith(f"CPython {'.'.join(map(str, python.version))} (")
        assert any(line.startswith(f'thread {child.pid} "MainThread"') for line in lines)
        assert any(line.startswith("    spins (") and WAITS in line for line in lines)
        told = json.loads(command.run("python", "--json", "--native", str(child.pid)).stdout)
        assert told["version"] == ".".join(map(str, python.version))
        assert (told["pid"], told["phase"], told["build"]) == (child.pid, "running", python.text)
        main, reader = told["threads"]
        assert (main["tid"], main["main"], main["name"]) == (child.pid, True, "MainThread")
        assert (reader["name"], reader["main"]) == ("reader", False)
        kinds = [frame["kind"] for frame in main["frames"]]
        assert kinds[-1] == "native"
        assert ("python", "spins") in [(frame["kind"], frame["function"]) for frame in main["frames"]]
        assert state_of(child.pid) in "RS"
        assert tracer_of(child.pid) == 0
        assert let_end(child) == 42


def test_a_stopped_program_stays_stopped() -> None:
    with running(pythons.supported()[-1], "waits.py", "reads") as child:
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        assert "reads" in command.run("python", str(child.pid)).stdout
        assert state_of(child.pid) == "T"
        os.kill(child.pid, signal.SIGCONT)
        assert let_end(child) == 42


def test_a_32_bit_program(tmp_path: Path) -> None:
    source, binary = tmp_path / "small.c", tmp_path / "small"
    source.write_text("int _start(void) { for (;;) ; }")
    built = subprocess.run(
        ["gcc", "-m32", "-nostdlib", "-static", source, "-o", binary], capture_output=True, check=False
    )
    if built.returncode:
        pytest.skip("no 32-bit programs can be built here")
    child = subprocess.Popen([binary])
    try:
        assert "only 64-bit programs" in refusal(child.pid)
    finally:
        child.kill()
        child.wait()
