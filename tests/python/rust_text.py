"""Rust sources without their comments and strings, so that rules can be checked by reading."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# What braces and keywords do not count in. A lone quote is a lifetime and stays.
_OPAQUE = re.compile(
    r"""
      //[^\n]*
    | /\*
    | b?c?r(?P<hashes>\#*)".*?"(?P=hashes)
    | "(?:\\.|[^"\\])*"
    | '(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\\n])'
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARK = re.compile(r"/\*|\*/")
_BRACKET = re.compile(r"[{}()\[\];]")
_FUNCTION = re.compile(r"\bfn\s+(\w+)")
# An arm of a match or an element of an array: what a flat table consists of.
_TABLE_ROW = re.compile(r"=>|^\s*(?:\(.*\)|\w+![(\[].*[)\]]|[\w:\"' .&-]+(?:\{.*\})?),?\s*$|^\s*$")


class Function(NamedTuple):
    """A function by name, the line that it starts on, and the lines from its head to its last brace."""

    name: str
    line: int
    text: list[str]


def bare(source: str) -> str:
    """Return the source with comments and literals as blanks; every line keeps its number."""
    parts, last = [], 0
    while opaque := _OPAQUE.search(source, last):
        end = end_of_comment(source, opaque.end()) if opaque[0] == "/*" else opaque.end()
        parts += [source[last : opaque.start()], re.sub(r"[^\n]", " ", source[opaque.start() : end])]
        last = end
    return "".join([*parts, source[last:]])


def end_of_comment(source: str, start: int) -> int:
    """Return where a block comment, which others may be nested in, ends; `start` is behind its first mark."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(source, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(source)


def functions(source: str) -> Iterator[Function]:
    """Yield the functions that have a body, nested ones too."""
    text = bare(source)
    for head in _FUNCTION.finditer(text):
        end = end_of_body(text, head.end())
        if end is not None:
            yield Function(
                head[1], text.count("\n", 0, head.start()) + 1, text[head.start() : end].split("\n")
            )


def end_of_body(text: str, start: int) -> int | None:
    """Return where the body that opens after `start` ends; None for a declaration without one."""
    depth = brackets = 0
    for mark in _BRACKET.finditer(text, start):
        brackets += (mark[0] in "([") - (mark[0] in ")]")
        if mark[0] == ";" and depth == 0 and brackets == 0:
            return None
        depth += (mark[0] == "{") - (mark[0] == "}")
        if mark[0] == "}" and depth == 0:
            return mark.end()
    return None


def is_flat_table(function: Function) -> bool:
    """Say whether a function is a long list of rows rather than of steps: nine lines of ten are rows."""
    rows = sum(bool(_TABLE_ROW.search(line)) for line in function.text)
    return rows >= 0.9 * len(function.text)
