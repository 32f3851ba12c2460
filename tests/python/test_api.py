"""The package has what libdebug has, by name and by call; docs/api.md says so, and nothing else is public."""

from __future__ import annotations

import importlib
import inspect

import pytest

import libdebug
import upstream_api
import walk_api
from libdebug import Debugger, ThreadContext
from walk_api import document, members, modules, public_classes, rows

CLASSES = public_classes()

#: Modules that hold what upstream's classes are made of here; what is public of it is public through those.
INNER = {
    "libdebug": "command",
    "libdebug.commlink": "history interactive keys line_editor pipe_core screen terminal",
    "libdebug.data": "symbol_table",
    "libdebug.debugger": (
        "children events gdb_script handling handling_core internal_debugger main_thread migration "
        "live_python migration_core program seeing snapshots source source_core syscall_recorder "
        "syscall_trace time_limit"
    ),
    "libdebug.memory": "live_maps memory_core",
    "libdebug.python": "execution frames program python_core",
    "libdebug.snapshots": "diff pprint_diff snapshot snapshot_core taking",
    "libdebug.snapshots.memory": "",
    "libdebug.snapshots.process": "process_shapshot",  # another spelling, upstream's
    "libdebug.snapshots.registers": "",
    "libdebug.snapshots.thread": "",
    "libdebug.state": "seeing stack thread_handlers thread_snapshots",
    "libdebug.utils": (
        "colours log_handler memory_printing pprint_frames pretty signal_utils symbol_servers "
        "syscall_utils terminals"
    ),
    "libdebug.utils.oop": "alias",
    "libdebug.libdebug": "debugger",
    "libdebug.architectures": "",
}


def name_of(path: str) -> str:
    """Return the last part of a dotted name."""
    return path.rpartition(".")[2]


@pytest.mark.parametrize("module", upstream_api.UPSTREAM)
def test_modules_have_their_names(module: str) -> None:
    found = importlib.import_module(module)
    assert [name for name in upstream_api.UPSTREAM[module] if not hasattr(found, name)] == []


def test_the_package_has_seven_names() -> None:
    assert sorted(libdebug.__all__) == sorted(upstream_api.NAMES)
    assert [name for name in upstream_api.NAMES if not hasattr(libdebug, name)] == []


def test_every_module_is_accounted_for() -> None:
    inner = {f"{package}.{name}" for package, names in INNER.items() for name in names.split()}
    shown = {*upstream_api.UPSTREAM, *upstream_api.NEW_CLASSES}
    assert set(modules()) == inner | set(INNER) | shown


@pytest.mark.parametrize("head", rows())
def test_what_upstream_has_looks_the_same(head: str) -> None:
    different = []
    for name, ours, theirs in rows()[head]:
        wider = upstream_api.WIDER.get(f"{name_of(head)}.{name}")
        expected = {ours} if theirs == "attribute" and ours else {wider or theirs}
        if theirs and ours not in expected:
            different.append(f"{name}: {ours or 'missing'}, not {wider or theirs}")
    assert different == []


@pytest.mark.parametrize("path", CLASSES)
def test_what_is_new_is_meant_to_be(path: str) -> None:
    theirs = upstream_api.UPSTREAM.get(path.rpartition(".")[0], {}).get(name_of(path), {})
    new = upstream_api.NEW.get(name_of(path), "").split()
    if path.rpartition(".")[0] not in upstream_api.NEW_CLASSES:
        assert sorted(set(members(CLASSES[path])) - set(theirs)) == sorted(new)


def test_what_takes_more_takes_what_upstream_takes() -> None:
    """A wider call has all parameters of upstream's, by the same names and in the same order."""
    for name, ours in upstream_api.WIDER.items():
        owner, _, method = name.partition(".")
        tables = [names for names in upstream_api.UPSTREAM.values() if owner in names or method in names]
        theirs = tables[0].get(owner) or tables[0].get(method)
        theirs = theirs[method] if isinstance(theirs, dict) else theirs
        words = [word.partition("=")[0].strip("() ") for word in str(theirs).split(",")]
        wide = [word.partition("=")[0].strip("() ") for word in ours.split(",")]
        assert [word for word in wide if word in words] == words if words != [""] else True, name


@pytest.mark.parametrize(
    ("owner", "name", "alias"),
    [
        ({"Debugger": Debugger, "ThreadContext": ThreadContext}[owner], *pair)
        for owner, pairs in upstream_api.ALIASES.items()
        for pair in pairs.items()
    ],
)
def test_aliases(owner: type, name: str, alias: str) -> None:
    original, other = (inspect.getattr_static(owner, each) for each in (name, alias))
    carrier = original.fget if isinstance(original, property) else original
    assert alias in carrier.__aliases__
    assert other.__doc__.startswith(f"Alias for the `{name}` ")
    assert original.__doc__ in other.__doc__
    if not isinstance(original, property):
        assert inspect.signature(original) == inspect.signature(other)


@pytest.mark.parametrize("path", CLASSES)
def test_every_public_name_has_its_documentation(path: str) -> None:
    owner = CLASSES[path]
    silent = [
        name
        for name, shape in members(owner).items()
        if shape != "attribute" and not inspect.getdoc(inspect.getattr_static(owner, name))
    ]
    assert inspect.getdoc(owner)
    assert silent == []


def test_every_public_name_is_used_by_a_test() -> None:
    names = {name for lines in rows().values() for name, ours, _ in lines if ours != "attribute"}
    assert sorted(name for name in names if not walk_api.tests_of(name)) == []


def test_the_document_is_up_to_date() -> None:
    assert walk_api.DOCUMENT.read_text() == document(), "run: python tests/python/walk_api.py"
