"""The user's terminal while a line is edited in it."""

from __future__ import annotations

import io
import os
import sys
import termios
from contextlib import suppress
from pathlib import Path

from libdebug.commlink.history import History
from libdebug.commlink.keys import Keys
from libdebug.commlink.line_editor import LineEditor
from libdebug.commlink.screen import Screen

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    _Stream = Literal["stdout", "stderr"]

_STDIN, _STDOUT = 0, 1


class Terminal:
    """A terminal on descriptors 0 and 1, as the user's side of a conversation.

    While it is taken over, each key arrives as it is pressed, Ctrl-C too, so no signal handler is touched;
    and what Python prints appears above the line.
    """

    has_input = True
    given = b""

    def __init__(self, prompt: str) -> None:
        """Take what is printed before each line; change nothing yet."""
        self._line = LineEditor(History(_history_file()))
        self._keys = Keys()
        self._screen = Screen(sys.stdout.buffer, prompt, self._line)
        self._streams = (sys.stdout, sys.stderr)
        self._settings: list[int | list[bytes | int]] | None = None

    def take_over(self) -> None:
        """Make it ours; `give_back` is to be called however this ends."""
        for stream in self._streams:
            stream.flush()
        self._settings = termios.tcgetattr(_STDIN)
        termios.tcsetattr(_STDIN, termios.TCSADRAIN, _raw(self._settings))
        sys.stdout = sys.stderr = _printer(self._screen)
        self._screen.draw()

    def give_back(self) -> None:
        """Leave it as it was."""
        sys.stdout, sys.stderr = self._streams
        if self._settings is None:
            return
        try:
            self._screen.leave()
        finally:
            termios.tcsetattr(_STDIN, termios.TCSADRAIN, self._settings)

    def output(self, _stream: _Stream, data: bytes) -> None:
        """Show what the program has written."""
        self._screen.write(data)

    def typed(self, data: bytes) -> Iterator[bytes | None]:
        """Yield what is to be sent for keys that were pressed; None to leave."""
        for key in self._keys.pressed(data):
            if key == "interrupt" or (key == "end-of-file" and not self._line.text):
                yield None
            elif key == "enter":
                self._screen.commit()
                yield self._line.take().encode("utf-8", "surrogateescape") + b"\n"
            elif key == "clear":
                self._screen.clear()
            else:
                self._line.press(key)
        self._screen.draw()


class _Above(io.RawIOBase):
    """A stream that writes above the line."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return _STDOUT

    def write(self, data: object) -> int:
        written = bytes(data)  # type: ignore[call-overload]
        self._screen.write(written)
        return len(written)


def _printer(screen: Screen) -> io.TextIOWrapper:
    above: io.RawIOBase = _Above(screen)
    return io.TextIOWrapper(above, "utf-8", "backslashreplace", write_through=True)  # type: ignore[arg-type]


def _raw(settings: list[int | list[bytes | int]]) -> list[int | list[bytes | int]]:
    """Return a terminal's settings with each key passed on at once and unechoed; output stays processed."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = settings
    unwanted_in = termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON
    unwanted = termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG
    characters = list(characters)  # type: ignore[arg-type]
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    return [iflag & ~unwanted_in, oflag, cflag, lflag & ~unwanted, ispeed, ospeed, characters]  # type: ignore[operator]


def _history_file() -> Path | None:
    with suppress(RuntimeError):
        return Path.home() / ".cache" / "libdebug" / "history"
    return None


def is_usable() -> bool:
    """Say whether `sys.stdin` and `sys.stdout` are a terminal that lines can be edited in."""
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        return False
    return all(
        stream is not None and descriptor_of(stream) == number and os.isatty(number)
        for stream, number in ((sys.stdin, _STDIN), (sys.stdout, _STDOUT))
    )


def descriptor_of(stream: object) -> int | None:
    """Return the descriptor of a stream of Python's; None if it has none."""
    try:
        return stream.fileno()  # type: ignore[attr-defined, no-any-return]
    except (AttributeError, OSError, ValueError):
        return None
