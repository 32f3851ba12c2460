"""A line that a user edits."""

from __future__ import annotations

import re

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable

    from libdebug.commlink.history import History

_WORD_LEFT = re.compile(r"\w*\W*\Z")
_WORD_RIGHT = re.compile(r"\W*\w*")


class LineEditor:
    """A line, where the cursor is in it, and what keys do to them. Nothing is drawn here.

    Example:
        >>> from libdebug.commlink.history import History
        >>> line = LineEditor(History(None))
        >>> for key in ("a", "c", "left", "b", "home", "kill-right", "yank", "yank"):
        ...     line.press(key)
        >>> line.text, line.cursor
        ('abcabc', 6)
        >>> line.take()
        'abcabc'
        >>> line.press("a")
        >>> line.suggestion
        'bcabc'
    """

    def __init__(self, history: History) -> None:
        """Begin with an empty line."""
        self._history = history
        self._killed = ""
        self._clear()

    def _clear(self) -> None:
        self.text = ""
        self.cursor = 0
        #: What is searched for in the history; None when nothing is.
        self.query: str | None = None
        # Which line of the history this is, and what had been typed before it was shown.
        self._index: int | None = None
        self._typed = ""

    @property
    def suggestion(self) -> str:
        """The rest of the newest line of the history that begins as this one; empty if there is none."""
        if not self.text or self.cursor < len(self.text) or self.query is not None:
            return ""
        index = self._history.last(self.text)
        return "" if index is None else self._history.lines[index][len(self.text) :]

    def take(self) -> str:
        """Return the line, which goes into the history, and begin another."""
        line = self.text
        self._history.add(line)
        self._clear()
        return line

    def press(self, key: str) -> None:
        """Do what a key does, by its name or character; one that does nothing here is ignored."""
        if self.query is not None and self._search(key):
            return
        self.query = None
        action = self._ACTIONS.get(key)
        if action is not None:
            action(self)
        elif len(key) == 1:
            self._insert(key)

    def _insert(self, text: str) -> None:
        self._change(self.cursor, self.cursor, text)

    def _change(self, start: int, end: int, text: str = "") -> None:
        """Replace a part of the line; the cursor stands behind it then."""
        self.text = self.text[:start] + text + self.text[end:]
        self.cursor = start + len(text)
        self._index = None

    def _kill(self, start: int, end: int) -> None:
        self._killed = self.text[start:end]
        self._change(start, end)

    def _before_word(self) -> int:
        match = _WORD_LEFT.search(self.text[: self.cursor])
        return match.start() if match else 0

    def _behind_word(self) -> int:
        match = _WORD_RIGHT.match(self.text, self.cursor)
        return match.end() if match else len(self.text)

    def _backspace(self) -> None:
        self._change(max(self.cursor - 1, 0), self.cursor)

    def _delete(self) -> None:
        self._change(self.cursor, self.cursor + 1)

    def _left(self) -> None:
        self.cursor = max(self.cursor - 1, 0)

    def _right(self) -> None:
        if not self._accept():
            self.cursor = min(self.cursor + 1, len(self.text))

    def _home(self) -> None:
        self.cursor = 0

    def _end(self) -> None:
        if not self._accept():
            self.cursor = len(self.text)

    def _tab(self) -> None:
        if not self._accept():
            self._insert("\t")

    def _accept(self) -> bool:
        suggestion = self.suggestion
        if suggestion:
            self._insert(suggestion)
        return bool(suggestion)

    def _word_left(self) -> None:
        self.cursor = self._before_word()

    def _word_right(self) -> None:
        self.cursor = self._behind_word()

    def _kill_left(self) -> None:
        self._kill(0, self.cursor)

    def _kill_right(self) -> None:
        self._kill(self.cursor, len(self.text))

    def _kill_word_left(self) -> None:
        self._kill(self._before_word(), self.cursor)

    def _kill_word_right(self) -> None:
        self._kill(self.cursor, self._behind_word())

    def _yank(self) -> None:
        self._insert(self._killed)

    def _up(self) -> None:
        if self._index is None:
            self._typed = self.text
        self._show(self._history.last(self._typed, self._index))

    def _down(self) -> None:
        if self._index is None:
            return
        following = self._history.next(self._typed, self._index)
        if following is None:
            self._change(0, len(self.text), self._typed)
        self._show(following)

    def _show(self, index: int | None) -> None:
        if index is not None:
            self._change(0, len(self.text), self._history.lines[index])
            self._index = index

    def _begin_search(self) -> None:
        self.query = ""
        self._typed = self.text

    def _search(self, key: str) -> bool:
        """Do what a key does in a search; False if it ends the search and does what it always does."""
        query = self.query or ""
        if key == "cancel":
            self._change(0, len(self.text), self._typed)
            self.query = None
        elif key == "search":
            self._show(self._history.last(query, self._index, at_start=False))
        elif key == "backspace" or len(key) == 1:
            self.query = query[:-1] if key == "backspace" else query + key
            self._show(self._history.last(self.query, at_start=False))
        else:
            return False
        return True

    _ACTIONS: dict[str, Callable[[LineEditor], None]] = {  # noqa: RUF012 - a constant
        "backspace": _backspace,
        "delete": _delete,
        "end-of-file": _delete,
        "left": _left,
        "right": _right,
        "home": _home,
        "end": _end,
        "word-left": _word_left,
        "word-right": _word_right,
        "kill-left": _kill_left,
        "kill-right": _kill_right,
        "kill-word-left": _kill_word_left,
        "kill-word-right": _kill_word_right,
        "yank": _yank,
        "tab": _tab,
        "up": _up,
        "down": _down,
        "search": _begin_search,
    }
