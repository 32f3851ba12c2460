"""The lines that a user typed before."""

from __future__ import annotations

import time
from contextlib import suppress

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from pathlib import Path

# Of a longer file, this many bytes at its end are read.
_READ_AT_MOST = 1 << 20


class History:
    """Lines typed in this and former sessions, oldest first, kept in a file.

    The file has a line for each, after a `+`; lines that begin otherwise, such as the times after a `#`, are
    for people. A file that cannot be read or written is no error: there is less history then.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp(), "libdebug", "history")
        >>> history = History(file)
        >>> for line in ("ls", "cat flag", "cat flag", " "):
        ...     history.add(line)
        >>> History(file).lines
        ['ls', 'cat flag']
    """

    def __init__(self, file: Path | None) -> None:
        """Read what there is. Without a file there is only this session's."""
        self._file = file
        self.lines: list[str] = [] if file is None else _read(file)

    def add(self, line: str) -> None:
        """Add a line, unless it is blank or repeats the one before."""
        if not line.strip() or self.lines[-1:] == [line]:
            return
        self.lines.append(line)
        if self._file is not None:
            _append(self._file, line)

    def last(self, part: str, before: int | None = None, *, at_start: bool = True) -> int | None:
        """Return the index of the newest line before another that begins with, or contains, a text."""
        end = len(self.lines) if before is None else before
        indices = reversed(range(end))
        matching = (at for at in indices if _matches(self.lines[at], part, at_start))
        return next(matching, None)

    def next(self, part: str, after: int) -> int | None:
        """Return the index of the oldest line after another that begins with a text."""
        matching = (at for at in range(after + 1, len(self.lines)) if self.lines[at].startswith(part))
        return next(matching, None)


def _matches(line: str, part: str, at_start: bool) -> bool:
    return line.startswith(part) if at_start else part in line


def _append(path: Path, line: str) -> None:
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"\n# {time.strftime('%Y-%m-%d %H:%M:%S')}\n+{line}\n")


def _read(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _READ_AT_MOST))
            text = file.read().decode("utf-8", "surrogateescape")
    except OSError:
        return []
    return [line[1:] for line in text.split("\n") if line.startswith("+")]
