"""The log of the package: three standard loggers, made when the first record is due.

| logger | attribute | level at first | what it tells |
|---|---|---|---|
| `libdebug` | `liblog.general_logger` | INFO | warnings and errors |
| `debugger` | `liblog.debugger_logger` | SILENT | what the debugger does |
| `pipe` | `liblog.pipe_logger` | SILENT | what is sent to and received from the program |

Levels are set in `libdebug.libcontext`, or for one run by a word on the command line of the script:
`debugger` and `pipe` show that logger's records, `dbg` those of all.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from logging import Logger
    from typing import Any

#: The level above all others: a logger set to it says nothing.
SILENT = 60

_NAMES = {"general": "libdebug", "debugger": "debugger", "pipe": "pipe"}
_GREEN, _YELLOW, _RED, _BLUE, _PLAIN = "\x1b[92m", "\x1b[93m", "\x1b[91m", "\x1b[94m", "\x1b[39m"


class LibLog:
    """The three loggers and one method for each kind of record.

    The only instance is `liblog`. Records go to the `sys.stderr` of their moment, unless the loggers were
    given other handlers; each starts with its kind in brackets.

    Example:
        >>> import logging, sys
        >>> logging.getLogger("libdebug").handlers = [logging.StreamHandler(sys.stdout)]
        >>> liblog.warning("%d hardware breakpoints left", 0)  # doctest: +ELLIPSIS
        [...WARNING...] 0 hardware breakpoints left
    """

    def __init__(self) -> None:
        """Hold nothing but what is asked for: no logger is made, nothing is imported."""
        self._chosen_levels: dict[str, str] | None = None
        self._replaced: dict[str, Logger] = {}

    @property
    def general_logger(self) -> Logger:
        """The logger named `libdebug`. Another may be put in its place."""
        return self._logger("general")

    @general_logger.setter
    def general_logger(self, value: Logger) -> None:
        self._replaced["general"] = value

    @property
    def debugger_logger(self) -> Logger:
        """The logger named `debugger`. Another may be put in its place."""
        return self._logger("debugger")

    @debugger_logger.setter
    def debugger_logger(self, value: Logger) -> None:
        self._replaced["debugger"] = value

    @property
    def pipe_logger(self) -> Logger:
        """The logger named `pipe`. Another may be put in its place."""
        return self._logger("pipe")

    @pipe_logger.setter
    def pipe_logger(self, value: Logger) -> None:
        self._replaced["pipe"] = value

    def info(self, message: str, *args: Any, **kwargs: Any) -> None:
        """Say something that users want to know."""
        self.general_logger.info(f"[{_GREEN}INFO{_PLAIN}] {message}", *args, **kwargs)

    def warning(self, message: str, *args: Any, **kwargs: Any) -> None:
        """Say that something is probably not what the user meant."""
        self.general_logger.warning(f"[{_YELLOW}WARNING{_PLAIN}] {message}", *args, **kwargs)

    def error(self, message: str, *args: Any, **kwargs: Any) -> None:
        """Say that something failed."""
        self.general_logger.error(f"[{_RED}ERROR{_PLAIN}] {message}", *args, **kwargs)

    def debugger(self, message: str, *args: Any, **kwargs: Any) -> None:
        """Say what the debugger does; at the first level, SILENT, this costs next to nothing."""
        if self._may_be_heard("debugger"):
            self.debugger_logger.debug(f"[{_RED}DEBUGGER{_PLAIN}] {message}", *args, **kwargs)

    def pipe(self, message: str, *args: Any, **kwargs: Any) -> None:
        """Say what goes through the program's pipes; at the first level, SILENT, it costs next to nothing."""
        if self._may_be_heard("pipe"):
            self.pipe_logger.debug(f"[{_BLUE}PIPE{_PLAIN}] {message}", *args, **kwargs)

    def level(self, kind: str) -> str:
        """Return the name of the level chosen for `general`, `debugger` or `pipe`."""
        return self._levels[kind]

    def set_level(self, kind: str, level: str) -> None:
        """Choose the level of `general`, `debugger` or `pipe` by name; no logger is made for it."""
        self._levels[kind] = level
        if "logging" in sys.modules:
            logger = self._logger(kind)
            logger.setLevel(level)

    @property
    def _levels(self) -> dict[str, str]:
        """The chosen levels; the words of the command line are looked at on first use, not at import."""
        if self._chosen_levels is None:
            self._chosen_levels = _levels_for(sys.argv)
        return self._chosen_levels

    def _may_be_heard(self, kind: str) -> bool:
        """Say whether a record could reach anybody: not if silent while nobody ever imported `logging`."""
        return kind in self._replaced or "logging" in sys.modules or self.level(kind) != "SILENT"

    def _logger(self, kind: str) -> Logger:
        """Return a logger ready for use.

        What it lacks is filled in each time, and nothing else is touched: a test that swaps handlers or
        levels before the first record, and puts back what it had found, must leave a logger that speaks.
        """
        if kind in self._replaced:
            return self._replaced[kind]
        from libdebug.utils.log_handler import complete

        return complete(_NAMES[kind], self.level(kind))


def _levels_for(words: list[str]) -> dict[str, str]:
    """Return the level of each logger that the words of a command line ask for."""
    everything = "dbg" in words and "debugger" not in words and "pipe" not in words
    return {
        "general": "DEBUG" if everything else "INFO",
        "debugger": "DEBUG" if everything or "debugger" in words else "SILENT",
        "pipe": "DEBUG" if everything or ("pipe" in words and "debugger" not in words) else "SILENT",
    }


#: The log of the package.
liblog = LibLog()
