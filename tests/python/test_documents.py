"""Every Python block of the documents runs, and every example in a docstring gives what it says.

A block stands alone. `"./NAME"` in it, where NAME is a fixture, is that fixture: the block runs in a
directory that has it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import build
from conftest import ROOT
from programs import PROGRAMS, VARIANTS

PACKAGE = ROOT / "python" / "libdebug"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PROGRAM = re.compile(r"""["']\./([\w-]+)["']""")


class Block(NamedTuple):
    """One block of code of one document."""

    document: Path
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks() -> list[Block]:
    """Return the Python blocks of all documents."""
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    return [
        Block(document, text.count("\n", 0, match.start()) + 1, match[1])
        for document in documents
        if document.exists()
        for text in [document.read_text()]
        for match in _BLOCK.finditer(text)
    ]


def is_fixture(name: str) -> bool:
    """Say whether the table of fixtures has the name."""
    stem, _, variant = name.partition("-")
    return stem in PROGRAMS and (not variant or variant in VARIANTS)


def modules() -> list[str]:
    """Return the names of the package's modules."""
    files = sorted(PACKAGE.glob("**/*.py"))
    names = [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in names]


def source_of(module: str) -> Path:
    """Return the file of one of the package's modules."""
    stem = PACKAGE.parent.joinpath(*module.split("."))
    return stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")


def run(code: str, directory: Path) -> None:
    """Run code in an interpreter of its own; fail with its output if it fails."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_blocks_run(block: Block, tmp_path: Path) -> None:
    for name in filter(is_fixture, set(_PROGRAM.findall(block.code))):
        (tmp_path / name).symlink_to(build.program(name))
    run(block.code, tmp_path)


@pytest.mark.parametrize("name", modules())
def test_docstring_examples(name: str, tmp_path: Path) -> None:
    for fixture in filter(is_fixture, set(_PROGRAM.findall(source_of(name).read_text()))):
        (tmp_path / fixture).symlink_to(build.program(fixture))
    # Not `import NAME as`: the function `libdebug.debugger` hides the package of that name from it.
    find = f"m = importlib.import_module({name!r})"
    check = "sys.exit(bool(doctest.testmod(m).failed))"
    run(f"import doctest, importlib, sys; {find}; {check}", tmp_path)
