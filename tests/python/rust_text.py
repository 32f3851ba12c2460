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
    | b?c?r(?P<hashes>\#*)".*?"(?P=hashes)
    | "(?:\\.|[^"\\])*"
    | '(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\\n])'
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_COMMENT = re.compile(r"/\*|\*/")
_FUNCTION = re.compile(r"\bfn\s+(\w+)")
# An arm of a match or an element of an array: what a flat table consists of.
_TABLE_ROW = re.compile(r"=>|^\s*(?:\(.*\)|\w+![(\[].*[)\]]|[\w:\"' .&-]+(?:\{.*\})?),?\s*$|^\s*$")


class Function(NamedTuple):
    """A function by name, the line that it starts on, and the lines from its head to its last brace."""

    name: str
    line: int
    text: list[str]


def bare(source: str) -> str:
    """Return the source with comments and the content of literals as blanks; every line keeps its number."""
    return without_block_comments(_OPAQUE.sub(lambda match: blanks(match[0]), source))


def blanks(text: str) -> str:
    """Return as many characters, all blank but the line ends."""
    return re.sub(r"[^\n]", " ", text)


def without_block_comments(source: str) -> str:
    """Return the source with block comments, which may be nested, as blanks."""
    depth, start, parts, last = 0, 0, [], 0
    for mark in _BLOCK_COMMENT.finditer(source):
        if mark[0] == "/*":
            start = mark.start() if depth == 0 else start
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                parts += [source[last:start], blanks(source[start : mark.end()])]
                last = mark.end()
    return "".join([*parts, source[last:]])


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
    for mark in re.finditer(r"[{}()\[\];]", text[start:]):
        brackets += (mark[0] in "([") - (mark[0] in ")]")
        if mark[0] == ";" and depth == 0 and brackets == 0:
            return None
        depth += (mark[0] == "{") - (mark[0] == "}")
        if mark[0] == "}" and depth == 0:
            return start + mark.end()
    return None


def is_flat_table(function: Function) -> bool:
    """Say whether a function is a long list of rows rather than of steps: nine lines of ten are rows."""
    rows = sum(bool(_TABLE_ROW.search(line)) for line in function.text)
    return rows >= 0.9 * len(function.text)
