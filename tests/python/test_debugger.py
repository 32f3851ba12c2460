"""The debugger's properties: program, arguments, environment, names and what the package looks like."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from abc import ABCMeta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import libdebug
from face import ERROR, at, debugging, messages, running
from libdebug import Debugger, ThreadContext, debugger
from libdebug.utils.oop.aliased_class import AliasedClass

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGING = "Cannot change {} while the process is running. Please kill it first."


@pytest.fixture
def basic(program: Callable[[str], str]) -> str:
    return program("basic")


def test_arguments_can_be_given_as_a_text_or_a_list(basic: str) -> None:
    words = [basic, "7"]
    one, two, three = debugger(basic), debugger(words), debugger()
    try:
        assert (one.argv, two.argv, three.argv) == ([basic], words, [])
        assert (one.path, two.path, three.path) == (basic, basic, None)
        words.append("8")
        assert two.argv == [basic, "7"]
        assert one.arch == three.arch == "amd64"
    finally:
        for d in (one, two, three):
            d.terminate()


def test_the_program_gets_its_arguments() -> None:
    with debugging("basic", 7) as d:
        d.run(redirect_pipes=False)
        d.cont()
        d.wait()
        d.kill()
        assert d.exit_code == 7
        d.argv[1] = "9"
        d.run(redirect_pipes=False)
        d.cont()
        d.wait()
        assert d.exit_code == 9


def test_only_argv_may_be_positional(basic: str) -> None:
    with pytest.raises(TypeError):
        debugger(basic, basic)  # type: ignore[misc]


@pytest.mark.parametrize("wrong", [5, [5], ["a", None], (1,), b"x"])
def test_arguments_of_wrong_types(wrong: Any, basic: str) -> None:
    with pytest.raises(TypeError):
        debugger(wrong)
    with debugging("basic") as d:
        with pytest.raises(TypeError):
            d.argv = wrong
        assert d.argv == [basic]


def test_arguments_hold_still_while_debugging(basic: str) -> None:
    with debugging("basic") as d:
        d.run(redirect_pipes=False)
        edits: list[Callable[[], object]] = [
            lambda: setattr(d, "argv", [basic, "1"]),
            lambda: d.argv.append("1"),
            lambda: d.argv.__setitem__(0, "/bin/true"),
            d.argv.clear,
        ]
        for edit in edits[:3]:
            with pytest.raises(RuntimeError) as caught:
                edit()
            assert str(caught.value) == CHANGING.format("argv")
        for name, value in (("env", {}), ("path", "/bin/true")):
            with pytest.raises(RuntimeError) as caught:
                setattr(d, name, value)
            assert str(caught.value) == CHANGING.format(name)
        assert d.argv == [basic]
        d.kill()
        d.argv.append("1")
        assert d.argv == [basic, "1"]


def test_the_program_follows_its_first_argument(basic: str) -> None:
    with debugging("basic") as d:
        d.argv[0] = "/bin/true"
        assert d.path == "/bin/true"
        d.argv = [basic, "x"]
        assert d.path == basic
        for edit in (
            lambda: d.argv.__setitem__(0, "/no/such/file"),
            lambda: setattr(d, "argv", "/no/such/file"),
        ):
            with pytest.raises(FileNotFoundError, match="/no/such/file"):
                edit()
            assert (d.argv, d.path) == ([basic, "x"], basic)
        with pytest.raises(ValueError, match="Argument list must maintain at least one element"):
            d.argv.clear()


def test_an_explicit_path_stays(basic: str) -> None:
    d = debugger(["anything", "3"], path=basic)
    try:
        d.argv[0] = "/no/such/file"
        assert d.path == basic
        d.run(redirect_pipes=False)
        d.cont()
        d.wait()
        assert d.exit_code == 3
        d.kill()
        d.argv = []
        d.path = "/bin/true"
        assert (d.argv, d.path) == ([], "/bin/true")
        with pytest.raises(TypeError):
            d.path = 5  # type: ignore[assignment]
        with pytest.raises(FileNotFoundError, match="/no/such/file"):
            d.path = "/no/such/file"
        assert d.path == "/bin/true"
    finally:
        d.terminate()


def test_programs_that_are_not_there() -> None:
    for arguments in ({"argv": "/no/such/file"}, {"argv": "basic", "path": "/no/such/file"}):
        with pytest.raises(FileNotFoundError, match="/no/such/file"):
            debugger(**arguments)


def test_a_name_is_looked_for_in_path(monkeypatch: pytest.MonkeyPatch, basic: str) -> None:
    monkeypatch.chdir(Path(basic).parent)
    with pytest.raises(FileNotFoundError, match="basic"):
        debugger("basic")
    monkeypatch.setenv("PATH", str(Path(basic).parent))
    for name in ("basic", "./basic"):
        d = debugger(name)
        try:
            assert (d.path, d.argv) == (basic, [name])
        finally:
            d.terminate()


def test_a_file_that_is_no_program(tmp_path: Path, caplog: Any) -> None:
    file = tmp_path / "text"
    file.write_text("no program")
    with caplog.at_level(ERROR, "libdebug"):
        d = debugger(str(file))
    try:
        assert ["Failed to get the architecture of the binary:" in t for t in messages(caplog, ERROR)] == [
            True
        ]
        assert d.arch == "amd64"
        with pytest.raises(PermissionError, match="text"):
            d.run()
        file.chmod(0o755)
        with pytest.raises(OSError, match="text") as caught:
            d.run()
        assert caught.value.errno == 8
        assert d.pid == 0
    finally:
        d.terminate()


def test_environment(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["/bin/sh", "-c", f"/usr/bin/env > {out}"]
    d = debugger(command, env={"ONE": "1", "TWO": "zwei"}, follow_children=False)
    try:

        def variables() -> set[str]:
            d.run(redirect_pipes=False)
            d.cont()
            d.wait()
            d.kill()
            return {
                line for line in out.read_text().splitlines() if not line.startswith(("PWD=", "_=", "SHLVL="))
            }

        assert variables() == {"ONE=1", "TWO=zwei"}
        assert d.env is not None
        d.env["ONE"] = "eins"
        assert variables() == {"ONE=eins", "TWO=zwei"}
        d.env = {}
        assert variables() == set()
        os.environ["LIBDEBUG_TEST_VARIABLE"] = "seen"
        d.env = None
        assert "LIBDEBUG_TEST_VARIABLE=seen" in variables()
        for wrong in (5, [("A", "B")], "A=B"):
            with pytest.raises(TypeError, match="env must be a dictionary or None"):
                d.env = wrong  # type: ignore[assignment]
        for pair in ({1: "a"}, {"a": 1}):
            with pytest.raises(TypeError):
                d.env = pair  # type: ignore[assignment]
    finally:
        os.environ.pop("LIBDEBUG_TEST_VARIABLE", None)
        d.terminate()


def test_arch() -> None:
    with debugging("basic") as d:
        for name, expected in (
            ("x86_64", "amd64"),
            ("i686", "i386"),
            ("arm64", "aarch64"),
            ("amd64", "amd64"),
        ):
            d.arch = name
            assert d.arch == expected
        with pytest.raises(ValueError, match=r"Architecture vax not supported\."):
            d.arch = "vax"


def test_flags_are_checked() -> None:
    with debugging("basic") as d:
        assert (d.kill_on_exit, d.aslr, d.fast_memory) == (True, True, True)
        with pytest.raises(TypeError, match="kill_on_exit must be a boolean"):
            d.kill_on_exit = 1  # type: ignore[assignment]
        d.kill_on_exit = False
        assert not d.kill_on_exit


def test_without_threads_their_properties_say_so() -> None:
    with debugging("basic") as d:
        for name in ("regs", "instruction_pointer", "signal", "dead", "exit_code", "syscall_number", "step"):
            with pytest.raises(RuntimeError, match=r"No threads available. Did you call `run` or `attach`\?"):
                getattr(d, name)()


def test_system_call_registers() -> None:
    with running("basic") as d:
        at(d, "write", "libc")
        for thread in (d, d.threads[0]):
            arguments = [getattr(thread, f"syscall_arg{i}") for i in range(6)]
            assert arguments == [d.regs.rdi, d.regs.rsi, d.regs.rdx, d.regs.r10, d.regs.r8, d.regs.r9]
            assert thread.syscall_return == d.regs.rax
        for i, name in enumerate(("rdi", "rsi", "rdx", "r10", "r8", "r9")):
            setattr(d, f"syscall_arg{i}", 100 + i)
            assert getattr(d.regs, name) == 100 + i
        d.syscall_return = 77
        assert d.regs.rax == 77
        # Outside of a system call, the number is where the next one will take it from.
        d.threads[0].syscall_number = 39
        assert (d.regs.rax, d.syscall_number) == (39, 39)
        d.instruction_pointer = d.resolve_symbol("main")
        assert d.regs.rip == d.threads[0].instruction_pointer == d.resolve_symbol("main")


def test_symbols_resolve() -> None:
    with running("basic") as d:
        main = d.resolve_symbol("main")
        assert d.resolve_symbol("main+1f") == main + 0x1F
        assert d.resolve_symbol("puts", "libc") in range(d.maps.filter("libc")[0].start, 1 << 47)
        for name, file in (("puts", "binary"), ("main", "no such file")):
            with pytest.raises(ValueError, match=r"puts|no such file"):
                d.resolve_symbol(name, file)


def test_a_debugger_that_has_ended_can_be_shown() -> None:
    with running("basic") as d:
        d.terminate()
        assert repr(d).startswith("Debugger()")


def test_representations() -> None:
    with running("basic") as d:
        text = repr(d)
        assert all(part in text for part in (d.path or "", "amd64", str(d.pid), "Fast memory = True"))
        assert str(d.tid) in repr(d.threads[0])


ALIASES = {
    Debugger: "run/r cont/c interrupt/int wait/w breakpoint/bp watchpoint/wp step/si step_until/su next/ni "
    "memory/mem process_id/pid thread_id/tid",
    ThreadContext: "step/si step_until/su next/ni memory/mem process_id/pid thread_id/tid",
}


@pytest.mark.parametrize(
    ("owner", "name", "alias"),
    [(owner, *pair.split("/")) for owner, pairs in ALIASES.items() for pair in pairs.split()],
)
def test_aliases(owner: type, name: str, alias: str) -> None:
    original, other = (inspect.getattr_static(owner, each) for each in (name, alias))
    carrier = original.fget if isinstance(original, property) else original
    assert alias in carrier.__aliases__
    assert other.__doc__.startswith(f"Alias for the `{name}` ")
    assert original.__doc__ in other.__doc__
    if not isinstance(original, property):
        assert inspect.signature(original) == inspect.signature(other)


def test_classes_can_be_derived_from_with_any_metaclass() -> None:
    assert issubclass(AliasedClass("D", (Debugger,), {}), Debugger)
    both = type("M", (AliasedClass, ABCMeta), {})
    assert issubclass(both("TC", (ThreadContext,), {}), ThreadContext)
    assert type(ThreadContext) is ABCMeta


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("libdebug", "debugger libcontext Debugger Breakpoint ThreadContext"),
        ("libdebug.libdebug", "debugger"),
        ("libdebug.utils.libcontext", "libcontext"),
        ("libdebug.debugger.debugger", "Debugger"),
        ("libdebug.debugger.internal_debugger_holder", "_cleanup_internal_debugger"),
        ("libdebug.state.thread_context", "ThreadContext"),
        ("libdebug.data.argument_list", "ArgumentList"),
        ("libdebug.data.env_dict", "EnvDict"),
        ("libdebug.data.breakpoint", "Breakpoint"),
        ("libdebug.data.registers", "Registers"),
        ("libdebug.data.memory_map", "MemoryMap"),
        ("libdebug.data.memory_map_list", "MemoryMapList"),
        ("libdebug.memory.direct_memory_view", "DirectMemoryView"),
        ("libdebug.memory.chunked_memory_view", "ChunkedMemoryView"),
        ("libdebug.memory.abstract_memory_view", "AbstractMemoryView"),
    ],
)
def test_names_are_where_scripts_look_for_them(module: str, names: str) -> None:
    found = importlib.import_module(module)
    assert [name for name in names.split() if not hasattr(found, name)] == []
    if module == "libdebug":
        assert set(libdebug.__all__) >= set(names.split())


def output(code: str, home: Path, *flags: str) -> str:
    """Return all that an interpreter of its own says."""
    done = subprocess.run(
        [sys.executable, *flags, "-c", code],
        cwd=home,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def test_importing_installs_and_writes_nothing(tmp_path: Path) -> None:
    code = """if True:
        import os, signal, threading
        import libdebug
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, end=" ")
        print({signal.getsignal(n) for n in (signal.SIGUSR1, signal.SIGUSR2)} == {signal.SIG_DFL}, end=" ")
        print(threading.active_count(), os.listdir())
    """
    assert output(code, tmp_path) == "True True 1 []\n"


def test_importing_outside_the_main_thread(tmp_path: Path) -> None:
    code = """if True:
        import threading
        thread = threading.Thread(target=__import__, args=("libdebug",))
        thread.start()
        thread.join()
        import libdebug
        print("fine")
    """
    assert output(code, tmp_path) == "fine\n"


def test_importing_loads_nothing_heavy(tmp_path: Path) -> None:
    root = str(Path(libdebug.__file__).parents[1])
    code = f"""if True:
        import sys
        sys.path.insert(0, {root!r})
        import libdebug
        print({{"logging", "re", "typing", "inspect", "dataclasses", "enum", "pathlib"}} & set(sys.modules))
    """
    assert output(code, tmp_path, "-S") == "set()\n"
