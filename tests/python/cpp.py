"""A program of C++, built where a test wants it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
#include <cstdio>
struct point { int x; int y; const char *label; };
enum color { RED = 1, GREEN = 2 };
point origin = {3, 4, "origin"};
color paint = GREEN;
__thread int mine = 3;
namespace shape {
__attribute__((noinline)) int area(int width, double height) {
  point local = {width, 7, "local"};
  char text[4] = "abc";
  int several[3] = {1, 2, 3};
  bool yes = true;
  return width * (int)height + local.x + text[0] + several[1] + yes;
}
inline __attribute__((always_inline)) int half(int n) {
  return n / 2;
}
}
int one(int n) { return shape::half(n); }
int main(int argc, char **) {
  int sum = shape::area(argc + 5, 2.5) + mine + one(argc) + shape::half(argc);
  puts("done");
  return sum > 0 ? 0 : 1;
}
"""


def build_cpp(directory: Path, *flags: str, source: str = SOURCE, name: str = "shapes") -> str:
    """Return the path of a program built from a source of C++."""
    text = directory / f"{name}.cc"
    text.write_text(source)
    program = directory / name
    subprocess.run(["g++", "-o", program, text, *flags], check=True)
    return str(program)


def line_of(text: str) -> int:
    """Return the number of the first line of the source that has a text."""
    return next(number for number, line in enumerate(SOURCE.splitlines(), 1) if text in line)
