"""The rules of the house that no compiler checks: sizes, what rooms forbid, what is not kept."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from functools import cache
from pathlib import Path

import pytest

import rust_text
from conftest import ROOT

FILE_LINES, FUNCTION_LINES = 500, 80

# crate -> the crates of this workspace that it may use, and what its sources must not say
ROOMS: dict[str, tuple[set[str], str]] = {
    "libdebug-arch": (set(), r"\b(libc|std::fs|std::io|std::process|target_arch)\b"),
    "libdebug-image": ({"libdebug-arch"}, r"\b(libc|ptrace|std::net)\b|/proc\b"),
    "libdebug-kernel": ({"libdebug-arch"}, r"\be?print(ln)?!"),
    "libdebug": (
        {"libdebug-arch", "libdebug-image", "libdebug-kernel"},
        r"\b(libc|pyo3|std::env)\b|\bprint(ln)?!|\bstdout\(\)",
    ),
    "libdebug-cpython": ({"libdebug"}, r"\b(libc|ptrace|pyo3)\b"),
    "libdebug-cli": ({"libdebug", "libdebug-cpython"}, r"\b(libc|ptrace|pyo3)\b"),
    "libdebug-python": (
        {"libdebug", "libdebug-arch", "libdebug-cpython", "libdebug-cli"},
        r"\b(libc|ptrace)\b",
    ),
}
# Taking what has already been reported, once a blocking wait has returned, is not asking again and again.
DRAINS = {"crates/libdebug-kernel/src/wait.rs": ["WNOHANG"]}
SLEEPS = r"\bthread::sleep\b|\bWNOHANG\b|\btime\.sleep\b|\bnanosleep\b"
# In two parts, so that this file does not break its own rule.
OUTSIDE = re.compile("(" + r"\.\./" + "shared|/work" + "/)")


@cache
def tracked() -> list[Path]:
    """Return the files that are, or would be, under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def sources(suffix: str) -> list[Path]:
    """Return the files of one language."""
    return [path for path in tracked() if path.suffix == suffix]


def crate_of(path: Path) -> str | None:
    """Return the crate whose `src` a file belongs to."""
    parts = path.relative_to(ROOT).parts
    return parts[1] if parts[0] == "crates" and parts[2] == "src" else None


def product_code(path: Path) -> str:
    """Return a Rust source without comments, strings and its unit tests."""
    return rust_text.bare(path.read_text()).split("#[cfg(test)]")[0]


def where(path: Path, detail: object) -> str:
    """Return a line for a failure's message."""
    return f"{path.relative_to(ROOT)}: {detail}"


def test_files_are_short() -> None:
    code = [path for path in tracked() if path.suffix in (".rs", ".py", ".pyi", ".c", ".h", ".S", ".sh")]
    lengths = {path: len(path.read_text().splitlines()) for path in code}
    too_long = [where(path, f"{length} lines") for path, length in lengths.items() if length > FILE_LINES]
    assert not too_long, "\n".join(too_long)


def test_rust_functions_are_short() -> None:
    too_long = [
        where(path, f"{function.name}, line {function.line}, has {len(function.text)} lines")
        for path in sources(".rs")
        for function in rust_text.functions(path.read_text())
        if len(function.text) > FUNCTION_LINES and not rust_text.is_flat_table(function)
    ]
    assert not too_long, "\n".join(too_long)


def test_python_functions_are_short() -> None:
    too_long = [
        where(path, f"{node.name} has {length} lines")
        for path in sources(".py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not too_long, "\n".join(too_long)


def test_unsafe_is_in_one_room() -> None:
    found = [
        where(path, "unsafe")
        for path in sources(".rs")
        if crate_of(path) not in (None, "libdebug-kernel")
        and re.search(r"\bunsafe\b", rust_text.bare(path.read_text()))
    ]
    assert not found, "\n".join(found)


def test_rooms_say_that_they_are_safe() -> None:
    # The macros of pyo3 expand to unsafe code, under an allowance that `forbid` would refuse.
    rooms = [name for name in ROOMS if name not in ("libdebug-kernel", "libdebug-python")]
    roots = [path for name in rooms if (path := ROOT / "crates" / name / "src" / "lib.rs").exists()]
    silent = [where(path, "no forbid") for path in roots if "#![forbid(unsafe_code)]" not in path.read_text()]
    assert not silent, "\n".join(silent)


def test_nothing_waits_by_sleeping_or_asking_again() -> None:
    rust = [(path, product_code(path)) for path in sources(".rs") if crate_of(path)]
    python = [
        (path, python_words(path))
        for path in sources(".py")
        if path.is_relative_to(ROOT / "python" / "libdebug")
    ]
    waits = {str(path.relative_to(ROOT)): re.findall(SLEEPS, text) for path, text in rust + python}
    found = {name: words for name, words in waits.items() if words and words != DRAINS.get(name)}
    assert not found


def python_words(path: Path) -> str:
    """Return the code of a Python file, without comments and strings."""
    opaque = {tokenize.COMMENT, tokenize.STRING}
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return "".join(
        f"{token.string}" if token.string == "." else f"{token.string} "
        for token in tokens
        if token.type not in opaque
    ).replace(" .", ".")


@pytest.mark.parametrize("crate", ROOMS)
def test_rooms_keep_what_they_forbid_out(crate: str) -> None:
    mine = [path for path in sources(".rs") if crate_of(path) == crate]
    found = [
        where(path, match[0]) for path in mine for match in re.finditer(ROOMS[crate][1], product_code(path))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("crate", ROOMS)
def test_dependencies_point_one_way(crate: str) -> None:
    manifest = ROOT / "crates" / crate / "Cargo.toml"
    used = (
        {name for name in dependencies(manifest) if name.startswith("libdebug")}
        if manifest.exists()
        else set()
    )
    assert used <= ROOMS[crate][0]


def dependencies(manifest: Path) -> set[str]:
    """Return the names under `[dependencies]` of a manifest, those for tests not among them."""
    section = re.search(r"^\[dependencies\]\n(.*?)(?=^\[|\Z)", manifest.read_text(), re.MULTILINE | re.DOTALL)
    return set(re.findall(r"^([\w-]+)", section[1], re.MULTILINE)) if section else set()


def test_every_crate_is_a_room() -> None:
    crates = {path.parent.name for path in tracked() if path.name == "Cargo.toml" and path.parent != ROOT}
    assert crates <= {*ROOMS, "fuzz"}


def test_the_package_shows_the_readme() -> None:
    named = 'readme = "README.md"' in (ROOT / "pyproject.toml").read_text()
    assert named == (ROOT / "README.md").exists()


def test_no_binaries_are_kept() -> None:
    binaries = [where(path, "not a text") for path in tracked() if b"\0" in path.read_bytes()]
    assert not binaries, "\n".join(binaries)


def test_the_repository_stands_alone() -> None:
    found = [where(path, match[0]) for path in tracked() if (match := OUTSIDE.search(path.read_text()))]
    assert not found, "\n".join(found)


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(
        "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", r"unimplemented" + r"!\(", r"todo" + r"!\("))
    )
    code = [path for path in tracked() if path.suffix in (".rs", ".py", ".pyi", ".c", ".S", ".h", ".sh")]
    found = [where(path, match[0]) for path in code if (match := marks.search(path.read_text()))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("fn a() { let x = '{'; }\nfn b();", [("a", 1, 1)]),
        ('fn a() {\n "}" ; r#"}"}"#;\n}\n', [("a", 1, 3)]),
        ("/* fn x() { */\nfn a<'t>(x: &'t [u8; 3]) {\n // }\n /* } /* } */ } */\n}", [("a", 2, 4)]),
        ("trait T { fn a(&self) -> u8; fn b(&self) { fn c() {} } }", [("b", 1, 1), ("c", 1, 1)]),
        ("fn a() {\n /* it's \" odd */ }\n// it's\nfn b() {}", [("a", 1, 2), ("b", 4, 1)]),
        (r"fn a() { match c { '\'' => '\u{7d}', '}' => '\x7d' } } fn b() {}", [("a", 1, 1), ("b", 1, 1)]),
    ],
)
def test_the_reader_of_rust_sees_functions(source: str, expected: list[tuple[str, int, int]]) -> None:
    assert [(f.name, f.line, len(f.text)) for f in rust_text.functions(source)] == expected


def test_the_reader_of_rust_tells_tables_from_steps() -> None:
    table = "fn name(n: u8) -> &str {\n match n {\n" + '  1 => "one",\n' * 90 + "  _ => x,\n }\n}"
    steps = "fn work() {\n" + "  let x = f(x)?;\n  g(x);\n" * 50 + "}"
    [one], [other] = rust_text.functions(table), rust_text.functions(steps)
    assert (rust_text.is_flat_table(one), rust_text.is_flat_table(other)) == (True, False)
