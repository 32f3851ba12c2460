"""The generator of the tables of system calls, on a source tree of a few lines."""

from __future__ import annotations

import doctest
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import pytest

from conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
/* SYSCALL_DEFINE1(comment, int, is_not_read) */
SYSCALL_DEFINE3(execve,
		const char __user *, filename,
		const char __user *const __user *, argv, /* of the program */
		const char __user *const __user *, envp)
#ifdef CONFIG_CLONE_BACKWARDS
SYSCALL_DEFINE2(clone, unsigned long, clone_flags, unsigned long, tls)
#elif defined(CONFIG_CLONE_BACKWARDS2)
SYSCALL_DEFINE2(clone, unsigned long, newsp, unsigned long, clone_flags)
#else
SYSCALL_DEFINE2(clone, unsigned long, clone_flags, int __user *, child_tidptr)
#endif
SYSCALL_DEFINE2(mark, int, fd, __u64, mask)
SYSCALL32_DEFINE3(mark, int, fd, SC_ARG64(mask))
SYSCALL_DEFINE1(time32, old_time32_t __user *, tloc)
SYSCALL_DEFINE0(getpid)
"""
TABLE = """
# a comment
1	{abi}	execve	sys_execve	compat_sys_execve
2	{abi}	clone	sys_clone
3	{abi}	mark	sys_mark	# and why
4	{abi}	time	sys_time32
5	{abi}	getpid	sys_getpid
6	{abi}	break
7	x32	readv	sys_readv
"""
EXPECTED = [
    "1\texecve\texecve\tconst char *filename, const char *const *argv, const char *const *envp\n",
    "2\tclone\tclone\t{clone}\n",
    "3\tmark\tmark\t{mark}\n",
    "4\ttime\ttime\told_time32_t *tloc\n",
    "5\tgetpid\tgetpid\n",
    "6\tbreak\tbreak\t-\n",
]


@pytest.fixture(scope="module")
def generate() -> Any:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "tools" / "syscalls" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def tables(generate: Any, tree: Path, name: str, abi: str, source: str = SOURCE) -> list[str]:
    """Write a source tree, and return the lines of the table of one ABI."""
    described = next(known for known in generate.ABIS if known.name == name)
    (tree / described.table).parent.mkdir(parents=True)
    (tree / described.table).write_text(TABLE.format(abi=abi))
    (tree / "kernel").mkdir()
    (tree / "kernel" / "calls.c").write_text(source)
    return [row.line() for row in generate.table(tree, described, generate.definitions(tree))]


@pytest.mark.parametrize(
    ("name", "abi", "clone", "mark"),
    [
        ("x86_64", "common", "unsigned long clone_flags, int *child_tidptr", "int fd, __u64 mask"),
        ("i386", "i386", "unsigned long clone_flags, unsigned long tls", "int fd, u32 mask_lo, u32 mask_hi"),
        ("aarch64", "64", "unsigned long clone_flags, unsigned long tls", "int fd, __u64 mask"),
    ],
)
def test_each_abi_gets_its_own_definitions(
    generate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, abi: str, clone: str, mark: str
) -> None:
    monkeypatch.setattr(generate, "supplement", lambda _abi: {})
    expected = [line.format(clone=clone, mark=mark) for line in EXPECTED]
    assert tables(generate, tmp_path, name, abi) == expected


def test_what_is_written_by_hand_goes_first(
    generate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "supplement", lambda _abi: {"break": ("int a", "int b")})
    assert tables(generate, tmp_path, "i386", "i386")[5] == "6\tbreak\tbreak\tint a, int b\n"


def test_a_number_without_a_definition_is_an_error(
    generate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "supplement", lambda _abi: {})
    source = SOURCE.replace("(getpid)", "(gettid)")
    with pytest.raises(SystemExit, match="no definition of sys_getpid"):
        tables(generate, tmp_path, "i386", "i386", source)


def test_the_supplement_is_read(generate: Any) -> None:
    assert {abi.name: "bpf" in generate.supplement(abi) for abi in generate.ABIS} == {
        "x86_64": True,
        "i386": True,
        "aarch64": True,
    }


def test_examples_of_the_generator(generate: Any) -> None:
    results = doctest.testmod(generate)
    assert (results.failed, results.attempted > 0) == (0, True)
