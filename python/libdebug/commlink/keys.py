"""What a terminal sends when keys are pressed."""

from __future__ import annotations

import codecs
import re

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterator

# A whole control sequence (ECMA-48, 5.4), one of a keypad, Alt with a key, or one character.
_KEY = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[ -~]|\x1b[^\[O]|[^\x1b]", re.DOTALL)

_NAMES = {
    **dict.fromkeys(("\r", "\n"), "enter"),
    **dict.fromkeys(("\x7f", "\b"), "backspace"),
    **dict.fromkeys(("\x1b[3~",), "delete"),
    **dict.fromkeys(("\x1b[D", "\x1bOD", "\x02"), "left"),
    **dict.fromkeys(("\x1b[C", "\x1bOC", "\x06"), "right"),
    **dict.fromkeys(("\x1b[A", "\x1bOA", "\x10"), "up"),
    **dict.fromkeys(("\x1b[B", "\x1bOB", "\x0e"), "down"),
    **dict.fromkeys(("\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\x01"), "home"),
    **dict.fromkeys(("\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "\x05"), "end"),
    **dict.fromkeys(("\x1b[1;5D", "\x1b[1;3D", "\x1bb"), "word-left"),
    **dict.fromkeys(("\x1b[1;5C", "\x1b[1;3C", "\x1bf"), "word-right"),
    **dict.fromkeys(("\x17", "\x1b\x7f", "\x1b\b"), "kill-word-left"),
    **dict.fromkeys(("\x1bd", "\x1b[3;5~"), "kill-word-right"),
    "\t": "tab",
    "\x03": "interrupt",
    "\x04": "end-of-file",
    "\x07": "cancel",
    "\x0b": "kill-right",
    "\x0c": "clear",
    "\x12": "search",
    "\x15": "kill-left",
    "\x19": "yank",
}
_KNOWN = frozenset(_NAMES.values())


class Keys:
    r"""Takes what a terminal sends, in pieces of any size, and gives the keys.

    Bytes that are no UTF-8 become lone surrogates, as PEP 383 has it, so that they can be sent on unchanged.

    Example:
        >>> keys = Keys()
        >>> [key for piece in (b"a\x1b", b"[D", b"\xc3", b"\xa9\r") for key in keys.pressed(piece)]
        ['a', 'left', 'é', 'enter']
    """

    def __init__(self) -> None:
        """Begin between two keys."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._rest = ""

    def pressed(self, data: bytes) -> Iterator[str]:
        """Yield the names of keys that do something, and the characters of others; leave unknown ones out."""
        text, position = self._rest + self._decoder.decode(data), 0
        while match := _KEY.match(text, position):
            position = match.end()
            key = _NAMES.get(match[0], match[0])
            if key in _KNOWN or (len(key) == 1 and (key.isprintable() or _is_lone_byte(key))):
                yield key
        self._rest = text[position:]


def _is_lone_byte(character: str) -> bool:
    return "\udc80" <= character <= "\udcff"
