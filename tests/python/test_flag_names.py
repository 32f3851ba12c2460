"""The constants that arguments of system calls are shown with, against the C headers of this machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = ROOT / "crates" / "libdebug-arch" / "src" / "decode"
# What has the constants of open files, memory, processes, sockets and events, in this order.
HEADERS = [
    "stdio.h",
    "fcntl.h",
    "unistd.h",
    "sys/stat.h",
    "sys/file.h",
    "sys/ioctl.h",
    "sys/mount.h",
    "sys/mman.h",
    "sched.h",
    "sys/wait.h",
    "signal.h",
    "sys/prctl.h",
    "sys/ptrace.h",
    "sys/resource.h",
    "sys/random.h",
    "sys/socket.h",
    "netinet/in.h",
    "netinet/tcp.h",
    "netinet/udp.h",
    "sys/epoll.h",
    "sys/eventfd.h",
    "sys/signalfd.h",
    "sys/timerfd.h",
    "sys/inotify.h",
    "sys/time.h",
    "sys/xattr.h",
    "sys/uio.h",
    "linux/close_range.h",
    "linux/falloc.h",
    "linux/futex.h",
    "linux/seccomp.h",
    "asm/prctl.h",
]
_ROW = re.compile(r'\((0x[\da-f_]+|\d+), "([A-Z_]\w+)"\)', re.IGNORECASE)
_TABLE = re.compile(r"(?:static|const) (\w+): .*?;\n", re.DOTALL)
# The C library hides the flag (0 in its header) from 64-bit programs; in the kernel it is the same for all.
HIDDEN = {"O_LARGEFILE", "F_GETLK64", "F_SETLK64", "F_SETLKW64"}


def rows() -> set[tuple[str, int]]:
    """Return the constants of all tables that hold on x86."""
    texts = [path.read_text().split("#[cfg(test)]")[0] for path in SOURCES.glob("*.rs")]
    tables = [table[0] for text in texts for table in _TABLE.finditer(text) if not table[1].endswith("_ARM")]
    return {(row[2], int(row[1].replace("_", ""), 0)) for table in tables for row in _ROW.finditer(table)}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the headers are those of another architecture")
def test_constants_are_those_of_the_headers(tmp_path: Path) -> None:
    found = sorted((name, value) for name, value in rows() if name not in HIDDEN)
    assert len(found) > 450
    # A name may be newer than the headers, and #ifdef does not see enumerators, so the compiler says it.
    checks = "".join(f'_Static_assert((unsigned){name} == {value:#x}u, "{name}");\n' for name, value in found)
    includes = "".join(f"#include <{header}>\n" for header in HEADERS)
    program = tmp_path / "constants.c"
    program.write_text(f"#define _GNU_SOURCE\n{includes}{checks}")
    messages = errors(program)
    wrong = re.findall(r"static assertion failed: \"(\w+)\"", messages)
    unknown = re.findall(r"error: '(\w+)' undeclared", messages)
    assert not wrong
    assert len(unknown) < 60, "the headers were not understood"
    # Each unknown name is reported twice: it is undeclared, and therefore its assertion is none.
    assert messages.count("error:") == 2 * len(unknown), messages


def errors(program: Path) -> str:
    """Return what the compiler says to a program, in English."""
    compiler = ["gcc", "-fsyntax-only", "-fmax-errors=0", "-w", str(program)]
    environment = os.environ | {"LC_ALL": "C"}
    return subprocess.run(compiler, capture_output=True, text=True, check=False, env=environment).stderr
