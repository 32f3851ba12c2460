"""From the first argument to the path of a program."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from libdebug.utils.elf_utils import resolve_argv_path

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that is the current one and the home, with `tool` in the only one of PATH."""
    home = tmp_path.resolve()
    (home / "bin").mkdir()
    (home / "bin" / "tool").write_text("#!/bin/sh\n")
    (home / "bin" / "tool").chmod(0o755)
    (home / "link").symlink_to(home / "bin" / "tool")
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(home / "bin"))
    return home


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/no/such/file", "/no/such/file"),
        ("/bin/../bin/sh", "/bin/../bin/sh"),
        ("~/link", "{home}/link"),
        ("~/missing", "{home}/missing"),
        ("./bin/tool", "{home}/bin/tool"),
        ("bin/tool", "{home}/bin/tool"),
        ("bin/../bin/tool", "{home}/bin/tool"),
        ("./link", "{home}/bin/tool"),
        ("./missing", "{home}/missing"),
        ("tool", "{home}/bin/tool"),
        ("link", "link"),
        ("missing", "missing"),
    ],
)
def test_paths(directory: Path, given: str, expected: str) -> None:
    assert resolve_argv_path(given) == expected.format(home=directory)


def test_a_file_of_the_current_directory_does_not_hide_a_command(directory: Path) -> None:
    shutil.copy(directory / "bin" / "tool", directory / "tool")
    assert resolve_argv_path("tool") == f"{directory}/bin/tool"
