"""A line being edited at the bottom of a terminal, and output that appears above it."""

from __future__ import annotations

import os
import re
import threading
import unicodedata

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from typing import BinaryIO

    from libdebug.commlink.line_editor import LineEditor

# Sequences that take no room: CSI, OSC, and those of two characters (ECMA-48, 5).
_INVISIBLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-Z\\^-~]")
_TAB = 8
# An output line of more bytes than this without an end is not drawn again each time.
_LONG = 4096
_DIM, _PLAIN = "\x1b[2m", "\x1b[22m"


class Screen:
    """Draws the line; any thread may write above it.

    An output line that has no end yet stays above the prompt, and what comes next continues it.
    """

    def __init__(self, out: BinaryIO, prompt: str, line: LineEditor) -> None:
        """Take the terminal, what stands before the line, and the line; draw nothing yet."""
        self._out = out
        self._prompt = prompt
        self._line = line
        self._tail = b""
        # How many rows the cursor is below the first of ours; None while the line is not drawn.
        self._below: int | None = None
        self._lock = threading.RLock()

    def write(self, data: bytes) -> None:
        """Write output, above the line if that is drawn."""
        with self._lock:
            if self._below is None:
                self._emit(data)
                return
            whole, newline, tail = (self._tail + data).rpartition(b"\n")
            erased = self._erased()
            if len(tail) > _LONG:
                whole, newline, tail = whole + newline + tail, b"\n", b""
            self._tail = tail
            self._emit(erased + whole + newline + self._drawn())

    def draw(self) -> None:
        """Draw the line as it is now."""
        with self._lock:
            self._emit(self._erased() + self._drawn())

    def commit(self) -> None:
        """Leave the line as it is for good; what is drawn next comes below it."""
        with self._lock:
            erased = self._erased()
            text = _displayable(self._prompt + _shown(self._line.text))
            self._emit(erased + self._ended_tail() + text + b"\n")

    def clear(self) -> None:
        """Clear the terminal, and draw the line at its top."""
        with self._lock:
            self._emit(b"\x1b[H\x1b[2J" + self._drawn())

    def leave(self) -> None:
        """Take the line away; the output stays, its last line ended."""
        with self._lock:
            self._emit(self._erased() + self._ended_tail())

    def _emit(self, data: bytes) -> None:
        self._out.write(data)
        self._out.flush()

    def _ended_tail(self) -> bytes:
        """Return the output line without an end, with one; the line is drawn no more."""
        tail, self._tail, self._below = self._tail, b"", None
        return tail + b"\n" if tail else b""

    def _erased(self) -> bytes:
        """Return what goes to the first row of ours and erases from there on."""
        if self._below is None:
            return b""
        up = f"\x1b[{self._below}A" if self._below else ""
        return f"\r{up}\x1b[J".encode()

    def _drawn(self) -> bytes:
        """Return what draws the output line without an end, the prompt and the line with its cursor."""
        tail = self._tail + b"\n" if self._tail else b""
        line, cursor = self._line.text, self._line.cursor
        prompt = self._prompt if self._line.query is None else f"(search: {self._line.query}) "
        suggestion = self._line.suggestion
        columns = self._columns()
        top = place(tail.decode("utf-8", "replace"), columns)
        row, column = _settled(place(prompt + _shown(line[:cursor]), columns, top), columns)
        end = place(prompt + _shown(line + suggestion), columns, top)
        text = prompt + _shown(line) + (f"{_DIM}{_shown(suggestion)}{_PLAIN}" if suggestion else "")
        if end[1] == columns:
            text += "\n"
        up, right = _settled(end, columns)[0] - row, column
        moves = (f"\x1b[{up}A" if up else "") + "\r" + (f"\x1b[{right}C" if right else "")
        self._below = row
        return tail + _displayable(text + moves)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).columns or 80
        except OSError:
            return 80


def place(text: str, columns: int, start: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    r"""Return the row and column behind a text in a terminal of so many columns.

    A column equal to their number means that the row is full: only the next character wraps.

    Example:
        >>> place("ab\x1b[31mc", 80), place("abc", 3), place("abcd", 3), place("日本", 3), place("a\tb\r", 80)
        ((0, 3), (0, 3), (1, 1), (1, 2), (0, 0))
    """
    row, column = start
    for character in _INVISIBLE.sub("", text):
        if character == "\n":
            row, column = row + 1, 0
        elif character == "\r":
            column = 0
        elif character == "\b":
            column = max(column - 1, 0)
        elif character == "\t":
            column = min(column + _TAB - column % _TAB, columns - 1)
        else:
            width = _width(character)
            row, column = (row + 1, width) if column + width > columns else (row, column + width)
    return row, column


def _settled(place: tuple[int, int], columns: int) -> tuple[int, int]:
    row, column = place
    return (row + 1, 0) if column == columns else place


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cc", "Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shown(line: str) -> str:
    """Return what stands for typed text on the screen: a tab is some spaces, a lone byte a question mark."""
    return "".join("\ufffd" if "\udc80" <= c <= "\udcff" else c for c in line.replace("\t", "    "))


def _displayable(text: str) -> bytes:
    return text.encode("utf-8", "replace")
