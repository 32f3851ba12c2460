#!/usr/bin/env python3
"""Write the tables of system calls from an unpacked Linux source tree. See docs/howto/syscall-tables.md.

Usage: python3 tools/syscalls/generate.py /path/to/linux-source-X.Y

Numbers and entry points come from the kernel's own tables (`*.tbl`), arguments from the definitions of the
entry points (`SYSCALL_DEFINEn`). Where several definitions disagree, the build options of the ABI decide;
what they do not settle is an error, and so is an entry point without a definition that nothing explains.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TABLES = ROOT / "crates" / "libdebug-arch" / "src" / "syscalls"
SUPPLEMENT = Path(__file__).with_name("supplement.tsv")
NOT_IMPLEMENTED = "sys_ni_syscall"


class Abi(NamedTuple):
    """One way of calling Linux: its table, and what a kernel for it is built with."""

    name: str
    table: str
    # The second column of the table: the rows that belong to this ABI.
    rows: frozenset[str]
    # The directory under arch/ whose definitions it uses.
    arch: str
    # Build options that choose between definitions.
    options: frozenset[str]
    # Entry points that the architecture puts in the place of the table's.
    replaced: dict[str, str]


ABIS = [
    Abi(
        "x86_64",
        "arch/x86/entry/syscalls/syscall_64.tbl",
        frozenset({"common", "64"}),
        "x86",
        frozenset({"CONFIG_64BIT", "CONFIG_X86_64"}),
        {},
    ),
    # As a kernel for i386 defines them: the compat_* twins of a 64-bit kernel take the same arguments, but
    # spell their types in words of the kernel's own.
    Abi(
        "i386",
        "arch/x86/entry/syscalls/syscall_32.tbl",
        frozenset({"i386"}),
        "x86",
        frozenset({"CONFIG_X86_32", "CONFIG_CLONE_BACKWARDS", "CONFIG_OLD_SIGSUSPEND3"}),
        {},
    ),
    # The rows are those that arch/arm64/kernel/Makefile.syscalls names.
    Abi(
        "aarch64",
        "scripts/syscall.tbl",
        frozenset({"common", "64", "renameat", "rlimit", "memfd_secret"}),
        "arm64",
        frozenset({"CONFIG_64BIT", "CONFIG_ARM64", "CONFIG_CLONE_BACKWARDS"}),
        {"personality": "arm64_personality"},  # arch/arm64/kernel/sys.c
    ),
]
# What is not built into a usual kernel: user-mode Linux, and the stand-ins of kernels without POSIX timers.
NOT_BUILT = ("arch/x86/um/", "kernel/time/posix-stubs.c")
# Parts of the tree that define no system call for user space.
NOT_READ = {"Documentation", "samples", "tools", "scripts", "rust", "sound"}


class Definition(NamedTuple):
    """One SYSCALL_DEFINE: its macro, where it stands, the directive that guards it, and its arguments."""

    macro: str
    path: str
    guard: str
    arguments: tuple[str, ...]


class Row(NamedTuple):
    """One line of a kernel's table."""

    number: int
    uapi_name: str
    entry: str


class Syscall(NamedTuple):
    """One line of our table."""

    number: int
    name: str
    uapi_name: str
    arguments: tuple[str, ...] | None

    def line(self) -> str:
        """Return the tab-separated line; a dash in the place of arguments says that nothing answers."""
        arguments = "-" if self.arguments is None else ", ".join(self.arguments)
        return f"{self.number}\t{self.name}\t{self.uapi_name}\t{arguments}".rstrip() + "\n"


_DEFINE = re.compile(r"^[ \t]*(SYSCALL(?:32)?_DEFINE)[0-6]\(((?:[^()]|\([^()]*\))*)\)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else|endif)\b(.*)$", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# Two words of 32 bits for one of 64, the lower first: include/linux/syscalls.h, for little endian.
_WORDS = re.compile(r"\bSC_ARG64\((\w+)\)")
_QUALIFIER = re.compile(r"\b(__user|__force|__capability)\b")


def definitions(tree: Path) -> dict[str, list[Definition]]:
    """Return every definition of an entry point in the tree, by name."""
    found: dict[str, list[Definition]] = defaultdict(list)
    for path in sources(tree):
        name = str(path.relative_to(tree))
        text = path.read_text(errors="replace")
        if "SYSCALL" in text and not name.startswith(NOT_BUILT):
            for entry, definition in definitions_in(text, name):
                found[entry].append(definition)
    return found


def sources(tree: Path) -> Iterator[Path]:
    """Yield the C files that may define entry points of the three ABIs."""
    ours = {abi.arch for abi in ABIS}
    for top in sorted(tree.iterdir()):
        if top.name == "arch":
            for arch in sorted(ours):
                yield from sorted((top / arch).rglob("*.c"))
        elif top.is_dir() and top.name not in NOT_READ:
            yield from sorted(top.rglob("*.c"))


def definitions_in(text: str, path: str) -> Iterator[tuple[str, Definition]]:
    """Yield the entry points that one file defines."""
    text = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    for match in _DEFINE.finditer(text):
        name, *pairs = [part.strip() for part in expand_words(match[2]).split(",")]
        arguments = tuple(declaration(kind, word) for kind, word in zip(pairs[::2], pairs[1::2], strict=True))
        yield name, Definition(match[1], path, guard(text, match.start()), arguments)


def expand_words(arguments: str) -> str:
    """Return the arguments of a macro with 64-bit ones as the two words that a 32-bit program passes."""
    return _WORDS.sub(r"u32, \1_lo, u32, \1_hi", " ".join(arguments.split()))


def declaration(kind: str, name: str) -> str:
    """Return a C declaration as a manual page writes it.

    >>> declaration("const char __user *const __user *", "argv")
    'const char *const *argv'
    >>> declaration("unsigned  int", "fd")
    'unsigned int fd'
    """
    words = re.findall(r"\w+|\*", _QUALIFIER.sub(" ", kind))
    return " ".join([*words, name]).replace("* ", "*")


def guard(text: str, position: int) -> str:
    """Return the directive of the branch that a position stands in, or nothing outside of conditions."""
    stack: list[str] = []
    for directive in _DIRECTIVE.finditer(text, 0, position):
        word = directive[1]
        if word.startswith("el"):
            stack[-1] = directive[0].strip()
        elif word == "endif":
            stack.pop()
        else:
            stack.append(directive[0].strip())
    return stack[-1] if stack else ""


def rows(tree: Path, abi: Abi) -> list[Row]:
    """Return the rows of a kernel's table that belong to an ABI."""
    lines = (tree / abi.table).read_text().splitlines()
    fields = [line.split("#")[0].split() for line in lines]
    return [
        Row(int(row[0]), row[2], row[3] if len(row) > 3 else NOT_IMPLEMENTED)
        for row in fields
        if row and row[1] in abi.rows
    ]


def choose(entry: str, candidates: list[Definition], abi: Abi) -> Definition | None:
    """Return the definition that a kernel for the ABI is built with; None when there is none."""
    words = "SYSCALL32_DEFINE" if "CONFIG_X86_32" in abi.options else "SYSCALL_DEFINE"
    mine = [d for d in candidates if not d.path.startswith("arch/") or d.path.startswith(f"arch/{abi.arch}/")]
    mine = [d for d in mine if d.macro == words] or [d for d in mine if d.macro == "SYSCALL_DEFINE"]
    if len({d.arguments for d in mine}) > 1:
        named = [d for d in mine if abi.options & set(re.findall(r"\w+", d.guard))]
        mine = named or [d for d in mine if d.guard.startswith("#else")]
    if len({d.arguments for d in mine}) > 1:
        sys.exit(f"{abi.name}: {entry} has several definitions: {mine}")
    return mine[0] if mine else None


def plain_name(entry: str) -> str:
    """Return the name of an entry point without what tells it from its 64-bit or newer twin.

    >>> [
    ...     plain_name(entry)
    ...     for entry in ("clock_gettime32", "futex_time32", "ia32_pread64", "old_mmap", "time32")
    ... ]
    ['clock_gettime', 'futex', 'pread64', 'mmap', 'time']
    """
    entry = re.sub(r"^(ia32|old|arm64)_", "", entry)
    return re.sub(r"(_time)?32$", "", entry)


def supplement(abi: Abi) -> dict[str, tuple[str, ...]]:
    """Return the hand-written arguments of an ABI, by the name of the system call in <asm/unistd.h>."""
    lines = [line.split("\t") for line in SUPPLEMENT.read_text().splitlines() if line[:1] != "#"]
    return {
        uapi_name: tuple(arguments.split(", "))
        for abis, uapi_name, arguments, _why in lines
        if abi.name in abis.split(",")
    }


def table(tree: Path, abi: Abi, defined: dict[str, list[Definition]]) -> list[Syscall]:
    """Return the table of an ABI, by number."""
    written = supplement(abi)
    found = [describe(row, abi, defined, written.pop(row.uapi_name, None)) for row in rows(tree, abi)]
    if written:
        sys.exit(f"{abi.name}: not in the kernel's table, but in {SUPPLEMENT.name}: {', '.join(written)}")
    return sorted(found)


def describe(
    row: Row, abi: Abi, defined: dict[str, list[Definition]], written: tuple[str, ...] | None
) -> Syscall:
    """Return what a row of a kernel's table calls, and with which arguments; hand-written ones go first."""
    if row.entry == NOT_IMPLEMENTED:
        return Syscall(row.number, row.uapi_name, row.uapi_name, written)
    entry = row.entry.removeprefix("sys_")
    entry = abi.replaced.get(entry, entry)
    definition = choose(entry, defined.get(entry, []), abi)
    arguments = written or (definition and definition.arguments)
    if arguments is None:
        sys.exit(f"{abi.name}: no definition of {row.entry} (number {row.number})")
    return Syscall(row.number, plain_name(entry), row.uapi_name, arguments)


def version(tree: Path) -> str:
    """Return the version of the source tree, such as 6.12.30."""
    head = (tree / "Makefile").read_text()[:400]
    return ".".join(re.findall(r"^(?:VERSION|PATCHLEVEL|SUBLEVEL) = (\d+)", head, re.MULTILINE))


def main() -> None:
    """Write the table of every ABI."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tree = Path(sys.argv[1])
    defined = definitions(tree)
    for abi in ABIS:
        found = table(tree, abi, defined)
        columns = "number, name, name in <asm/unistd.h>, arguments"
        head = f"# {abi.name} system calls of Linux {version(tree)}: {columns}\n"
        note = "# Written by tools/syscalls/generate.py. A dash: reserved, and answered with ENOSYS.\n"
        (TABLES / f"{abi.name}.tsv").write_text(head + note + "".join(row.line() for row in found))
        print(f"{abi.name}: {len(found)} system calls, up to {found[-1].number}")


if __name__ == "__main__":
    main()
