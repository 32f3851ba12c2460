"""The line editor of interactive mode, without a terminal."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

from libdebug.commlink.history import History
from libdebug.commlink.keys import Keys
from libdebug.commlink.line_editor import LineEditor
from libdebug.commlink.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = 20
_SEQUENCE = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b\[\d+m|(.)", re.DOTALL)


def editor(*lines: str) -> LineEditor:
    history = History(None)
    for line in lines:
        history.add(line)
    return LineEditor(history)


def press(line: LineEditor, *keys: str) -> tuple[str, int]:
    for key in keys:
        line.press(key)
    return line.text, line.cursor


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"aZ 9~", ["a", "Z", " ", "9", "~"]),
        ("è日🎉".encode(), ["è", "日", "🎉"]),
        (b"\x1b[A\x1bOB\x1b[1;5C\x1b[3~", ["up", "down", "word-right", "delete"]),
        (
            b"\r\n\x7f\x08\x03\x04\t",
            ["enter", "enter", "backspace", "backspace", "interrupt", "end-of-file", "tab"],
        ),
        (b"\x1b[?62;4c\x1b[99~\x00x", ["x"]),
        (b"\x1bb\x1b\x7f", ["word-left", "kill-word-left"]),
        (b"\xff\xfe", ["\udcff", "\udcfe"]),
    ],
)
def test_keys_are_told_however_the_bytes_arrive(sent: bytes, keys: list[str]) -> None:
    assert list(Keys().pressed(sent)) == keys
    one_by_one = Keys()
    assert [key for byte in sent for key in one_by_one.pressed(bytes([byte]))] == keys


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("abc", ("abc", 3)),
        (["a", "b", "left", "left", "left", "c"], ("cab", 1)),
        (["a", "b", "home", "delete", "right", "right"], ("b", 1)),
        (["a", "b", "backspace", "backspace", "backspace"], ("", 0)),
        ([*"one two  ", "kill-word-left", "x"], ("one x", 5)),
        ([*"one two", "word-left", "word-left", "kill-word-right"], (" two", 0)),
        ([*"abc", "left", "kill-left", "end", "yank"], ("cab", 3)),
        ([*"ab", "left", "end-of-file", "tab"], ("a\t", 2)),
        ([*"ab", "unknown-key", "home", "word-right"], ("ab", 2)),
    ],
)
def test_keys_edit_the_line(keys: list[str], expected: tuple[str, int]) -> None:
    assert press(editor(), *keys) == expected


def test_up_and_down_go_through_lines_that_begin_alike() -> None:
    line = editor("cat one", "ls", "cat two")
    assert press(line, *"cat", "up")[0] == "cat two"
    assert press(line, "up")[0] == "cat one"
    assert press(line, "up")[0] == "cat one"
    assert press(line, "down")[0] == "cat two"
    assert press(line, "down")[0] == "cat"
    assert press(line, "down", "backspace")[0] == "ca"


def test_what_was_typed_before_is_suggested_and_taken() -> None:
    line = editor("get flag", "get key")
    press(line, *"get")
    assert line.suggestion == " key"
    press(line, " ", "f")
    assert line.suggestion == "lag"
    assert press(line, "tab") == ("get flag", 8)
    assert line.suggestion == ""
    press(line, "backspace", "left")
    assert line.suggestion == ""
    assert press(line, "end", "end") == ("get flag", 8)


def test_the_history_is_searched() -> None:
    line = editor("echo alpha", "echo beta", "cat alphabet")
    press(line, *"typed", "search", *"alp")
    assert (line.text, line.query) == ("cat alphabet", "alp")
    assert press(line, "search")[0] == "echo alpha"
    assert press(line, "backspace")[0] == "cat alphabet"
    assert press(line, "left") == ("cat alphabet", 11)
    assert line.query is None
    assert press(line, "search", "b", "cancel")[0] == "cat alphabet"


def test_a_taken_line_is_the_newest_of_the_history(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "history"
    line = LineEditor(History(file))
    for text in ("one", "one", "", "  ", "tw\udcffo"):
        press(line, *text)
        assert line.take() == text
    assert not line.text
    assert History(file).lines == ["one", "tw\udcffo"]
    assert press(line, "up", "up")[0] == "one"


def test_a_history_that_cannot_be_kept_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    history = History(tmp_path / "file" / "history")
    history.add("kept here")
    assert history.lines == ["kept here"]


def display(written: str) -> list[str]:
    """Return the rows that a terminal would show for what `Screen` writes; `|` is the cursor."""
    rows, row, column = [[]], 0, 0
    for number, letter, character in (match.groups() for match in _SEQUENCE.finditer(written)):
        if letter == "A":
            row -= int(number or 1)
        elif letter == "C":
            column += int(number or 1)
        elif letter == "J":
            rows[row] = rows[row][:column]
            del rows[row + 1 :]
        elif character == "\r":
            column = 0
        elif character == "\n":
            row, column = row + 1, 0
        elif character:
            if column == COLUMNS:
                row, column = row + 1, 0
            rows += [[] for _ in range(row + 1 - len(rows))]
            rows[row] += [" "] * (column + 1 - len(rows[row]))
            rows[row][column] = character
            column += 1
        rows += [[] for _ in range(row + 1 - len(rows))]
    rows[row] += [" "] * (column - len(rows[row]))
    rows[row].insert(column, "|")
    return ["".join(each) for each in rows]


class Terminal(io.BytesIO):
    """A terminal of `COLUMNS` columns."""

    def fileno(self) -> int:
        raise OSError

    def shown(self) -> list[str]:
        return display(self.getvalue().decode())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> tuple[Terminal, LineEditor, Screen]:
    monkeypatch.setattr(Screen, "_columns", lambda _: COLUMNS)
    out, line = Terminal(), editor()
    return out, line, Screen(out, "$ ", line)


def test_output_appears_above_the_line(small: tuple[Terminal, LineEditor, Screen]) -> None:
    out, line, screen = small
    press(line, *"abc", "left")
    screen.draw()
    assert out.shown() == ["$ ab|c"]
    screen.write(b"first\nsecond\n")
    assert out.shown() == ["first", "second", "$ ab|c"]
    screen.commit()
    line.take()
    screen.draw()
    assert out.shown() == ["first", "second", "$ abc", "$ |"]
    screen.write(b"last\n")
    screen.leave()
    assert out.shown() == ["first", "second", "$ abc", "last", "|"]


def test_an_output_line_goes_on_where_it_was(small: tuple[Terminal, LineEditor, Screen]) -> None:
    out, line, screen = small
    screen.draw()
    screen.write(b"name")
    assert out.shown() == ["name", "$ |"]
    screen.write(b": \x1b[31mred\x1b[0m")
    assert out.shown() == ["name: red", "$ |"]
    screen.write(b"\ndone\n50%")
    press(line, "x")
    screen.draw()
    screen.write(b"\r60%")
    assert out.shown() == ["name: red", "done", "60%", "$ x|"]
    screen.leave()
    assert out.shown() == ["name: red", "done", "60%", "|"]


@pytest.mark.parametrize("length", [17, 18, 19, 38, 39])
def test_lines_longer_than_the_terminal_wrap(small: tuple[Terminal, LineEditor, Screen], length: int) -> None:
    out, line, screen = small
    for _ in range(length):
        press(line, "x")
        screen.draw()
    text = "$ " + "x" * length + "|"
    assert "".join(out.shown()) == text
    screen.write(b"y" * 25)
    screen.write(b"z\n")
    press(line, "home")
    screen.draw()
    assert "".join(out.shown()) == "y" * 25 + "z$ |" + "x" * length
    screen.leave()
    assert out.shown() == ["y" * 20, "y" * 5 + "z", "|"]


def test_an_endless_output_line_is_not_drawn_again_and_again(
    small: tuple[Terminal, LineEditor, Screen],
) -> None:
    out, _, screen = small
    screen.draw()
    for _ in range(200):
        screen.write(b"x" * 1000)
    assert len(out.getvalue()) < 200 * 1000 * 6


def test_before_and_after_the_line_is_there_output_is_just_written(
    small: tuple[Terminal, LineEditor, Screen],
) -> None:
    out, _, screen = small
    screen.write(b"a")
    screen.draw()
    screen.leave()
    screen.write(b"b")
    assert out.getvalue().replace(b"\r\x1b[J", b"").startswith(b"a$ ")
    assert out.getvalue().endswith(b"b")
