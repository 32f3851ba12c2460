"""`libcontext`: settings that check what they are given and can be restored."""

from __future__ import annotations

import logging
import platform
from typing import TYPE_CHECKING, Any

import pytest

from libdebug.utils.libcontext import LibContext, libcontext
from libdebug.utils.platform_utils import get_platform_gp_register_size

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULTS = {
    "sym_lvl": 5,
    "debugger_logger": "SILENT",
    "pipe_logger": "SILENT",
    "general_logger": "INFO",
    "terminal": [],
    "debuginfod_server": "https://debuginfod.elfutils.org/",
}


def settings() -> dict[str, Any]:
    return {name: getattr(libcontext, name) for name in DEFAULTS}


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    with libcontext.tmp():
        yield


def test_defaults() -> None:
    assert settings() == DEFAULTS
    expected = {"x86_64": "amd64", "aarch64": "aarch64", "i686": "i386"}[platform.machine()]
    assert libcontext.platform == expected


def test_there_is_one() -> None:
    assert LibContext() is libcontext


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("sym_lvl", 0, 0),
        ("debugger_logger", "DEBUG", "DEBUG"),
        ("pipe_logger", "DEBUG", "DEBUG"),
        ("general_logger", "WARNING", "WARNING"),
        ("terminal", "xterm", ["xterm"]),
        ("terminal", ["xterm", "-e"], ["xterm", "-e"]),
        ("debuginfod_server", "http://localhost:8002", "http://localhost:8002"),
    ],
)
def test_set_update_and_tmp_agree(name: str, value: object, read: object) -> None:
    for change in (
        lambda: setattr(libcontext, name, value),
        lambda: libcontext.update(**{name: value}, no_such_setting=1),
        lambda: libcontext.tmp(**{name: value}, no_such_setting=1).__enter__(),
    ):
        with libcontext.tmp():
            change()
            assert settings() == {**DEFAULTS, name: read}
        assert settings() == DEFAULTS


LEVEL_TEXT = "must be a supported logging level. The supported levels are: "


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("sym_lvl", -1, "sym_lvl must be between 0 and 5"),
        ("sym_lvl", 6, "sym_lvl must be between 0 and 5"),
        ("sym_lvl", "5", "sym_lvl must be between 0 and 5"),
        ("debugger_logger", "INFO", f"debugger_logger {LEVEL_TEXT}['DEBUG', 'SILENT']"),
        ("pipe_logger", "WARNING", f"pipe_logger {LEVEL_TEXT}['DEBUG', 'SILENT']"),
        ("general_logger", "LOUD", f"general_logger {LEVEL_TEXT}['DEBUG', 'INFO', 'WARNING', 'SILENT']"),
        ("debuginfod_server", "ftp://localhost", "debuginfod_server must be a URL"),
    ],
)
def test_refused_values_change_nothing(name: str, value: object, text: str) -> None:
    def by_tmp() -> None:
        with libcontext.tmp(terminal="xterm", **{name: value}):
            pytest.fail("entered with a refused setting")

    for change in (
        lambda: setattr(libcontext, name, value),
        lambda: libcontext.update(**{name: value}),
        by_tmp,
    ):
        with pytest.raises(ValueError) as caught:
            change()
        assert text in str(caught.value)
        assert settings() == DEFAULTS


def test_tmp_restores_after_an_exception_and_changes_inside() -> None:
    with pytest.raises(KeyError), libcontext.tmp(sym_lvl=1) as context:
        context.terminal = "xterm"
        raise KeyError
    assert settings() == DEFAULTS


def test_tmp_restores_a_list_that_was_changed_in_place() -> None:
    with libcontext.tmp():
        libcontext.terminal.append("xterm")
    assert libcontext.terminal == []


def test_tmp_leaves_levels_that_it_did_not_change() -> None:
    logger = logging.getLogger("libdebug")
    before = logger.level
    logger.setLevel(logging.ERROR)
    with libcontext.tmp(sym_lvl=1):
        pass
    assert logger.level == logging.ERROR
    logger.setLevel(before)


def test_platform_is_not_set_by_update() -> None:
    before = libcontext.platform
    libcontext.update(platform="vax")
    assert libcontext.platform == before
    with pytest.raises(AttributeError):
        libcontext.platform = "vax"


def test_register_sizes() -> None:
    assert [get_platform_gp_register_size(arch) for arch in ("amd64", "aarch64", "i386")] == [8, 8, 4]
    with pytest.raises(ValueError, match="vax"):
        get_platform_gp_register_size("vax")
