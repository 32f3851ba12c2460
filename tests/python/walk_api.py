"""What the package shows to scripts, found by walking it. As a program, this writes docs/api.md.

Run it after a change of a public name, or of the tests that use one.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import upstream_api

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "libdebug"
DOCUMENT = ROOT / "docs" / "api.md"

_HEAD = """# Every public name

Written by `python tests/python/walk_api.py`. A test fails when this is out of date, when a name of
libdebug's is missing, or when its call looks another way and that is not
listed as an addition. What libdebug does not have is "new". Types and meanings are in the
docstrings: `help(d.breakpoint)`.
"""


def modules() -> list[str]:
    """Return the names of all modules of the package."""
    found = [name for _, name, _ in pkgutil.walk_packages([str(PACKAGE)], "libdebug.")]
    return ["libdebug", *sorted(name for name in found if name != "libdebug._native")]


def public_classes() -> dict[str, type]:
    """Return the classes that scripts get to see, by module and name."""
    return {
        f"{module}.{name}": getattr(importlib.import_module(module), name)
        for module, names in [*upstream_api.UPSTREAM.items(), *upstream_api.NEW_CLASSES.items()]
        for name in names
        if isinstance(getattr(importlib.import_module(module), name, None), type)
    }


def members(owner: type) -> dict[str, str]:
    """Return what a class shows beyond what it has from Python itself: each name with its use."""
    ours = [base for base in owner.__mro__ if not _is_pythons(base)]
    names = {name for base in ours for name in vars(base) if not name.startswith("_")}
    names |= {
        name for base in ours for name in vars(base).get("__annotations__", {}) if not name.startswith("_")
    }
    names |= {name for base in ours for name in _set_on_self(base)}
    return {name: _shape(owner, name) for name in sorted(names)}


def _set_on_self(base: type) -> set[str]:
    """Return the attributes that a class gives its objects as they are made."""
    try:
        source = textwrap.dedent(inspect.getsource(base.__init__))  # type: ignore[misc]
    except (OSError, TypeError):
        return set()
    targets = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    ]
    return {
        node.attr
        for node in targets
        if isinstance(node.value, ast.Name) and node.value.id == "self" and not node.attr.startswith("_")
    }


def _is_pythons(base: type) -> bool:
    return base.__module__.split(".")[0] != "libdebug"


def _shape(owner: type, name: str) -> str:
    found = inspect.getattr_static(owner, name, None)
    if isinstance(found, property):
        return "property, settable" if found.fset else "property"
    if inspect.isgetsetdescriptor(found):
        return "property, settable" if name in _settable(owner.__name__) else "property"
    if isinstance(found, staticmethod):
        return shape_of(found.__func__)
    if callable(found):
        return shape_of(found, of_class=True)
    return "attribute"


@cache
def _settable(owner: str) -> set[str]:
    """Return the properties of a native class that can be set, which only the stubs know."""
    trees = [ast.parse(path.read_text()) for path in PACKAGE.glob("**/*.pyi")]
    bodies = [n.body for tree in trees for n in tree.body if isinstance(n, ast.ClassDef) and n.name == owner]
    nodes = [node for body in bodies for node in body]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    plain = {n.target.id for n in nodes if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
    return plain | {
        function.name
        for function in functions
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Attribute) and decorator.attr == "setter"
    }


def shape_of(function: Any, *, of_class: bool = False) -> str:
    """Return what a call looks like, without types and without the object that it is called on."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    parameters = parameters[1:] if of_class else parameters
    # Native methods take no keyword for `self`, which marks nothing here.
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return str(inspect.Signature(plain)).replace("Ellipsis", "...")


def functions(module: str) -> dict[str, str]:
    """Return the functions and objects of a module that upstream has in it."""
    names = [name for name, what in upstream_api.UPSTREAM.get(module, {}).items() if isinstance(what, str)]
    found = importlib.import_module(module)
    return {
        name: shape_of(getattr(found, name))
        if inspect.isfunction(getattr(found, name, None))
        else "attribute"
        for name in names
        if hasattr(found, name)
    }


def rows() -> dict[str, list[tuple[str, str, str]]]:
    """Return for each class, and for each module with functions, its rows: name, ours, upstream's."""
    table: dict[str, list[tuple[str, str, str]]] = {}
    for path, owner in public_classes().items():
        module, _, name = path.rpartition(".")
        theirs = upstream_api.UPSTREAM.get(module, {}).get(name, {})
        assert isinstance(theirs, dict)
        ours = members(owner)
        names = sorted({*ours, *theirs})
        table[path] = [(each, ours.get(each, ""), theirs.get(each, "")) for each in names]
    for module, their_names in upstream_api.UPSTREAM.items():
        found = functions(module)
        plain = {name: what for name, what in their_names.items() if isinstance(what, str)}
        if plain:
            table[f"module {module}"] = [(name, found.get(name, ""), what) for name, what in plain.items()]
    return table


@cache
def _uses() -> dict[str, list[str]]:
    """Return for each name the test files that use it, by name."""
    uses: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests" / "python").glob("test_*.py")):
        for name in set(_names_in(ast.parse(path.read_text()))):
            uses.setdefault(name, []).append(path.name)
    return uses


def _names_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value


def tests_of(name: str) -> list[str]:
    """Return at most two test files that use a public name."""
    files = [file for file in _uses().get(name, []) if file != "test_api.py"]
    # One test goes through all registers by the table.
    return files[:2] or (["test_dropin.py"] if name in upstream_api.REGISTERS else [])


def document() -> str:
    """Return what docs/api.md must be."""
    parts = [_HEAD]
    for head, lines in rows().items():
        module, _, name = head.rpartition(".")
        title = f"`{head[7:]}`" if head.startswith("module ") else f"`{name}`, from `{module}`"
        parts.append(f"\n## {title}\n\n| name | here | libdebug | tested in |\n|---|---|---|---|\n")
        parts += [_line(*line) for line in lines]
    return "".join(parts)


def _line(name: str, ours: str, theirs: str) -> str:
    theirs = "new" if not theirs else "the same" if theirs in (ours, "attribute") else f"`{theirs}`"
    return f"| `{name}` | `{ours}` | {theirs} | {', '.join(tests_of(name))} |\n"


if __name__ == "__main__":
    sys.path.insert(0, str(PACKAGE.parent))
    DOCUMENT.write_text(document())
