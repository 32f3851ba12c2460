"""The part of the log that needs `logging`; `libdebug.liblog` imports it when a record is due."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from libdebug.liblog import SILENT

logging.addLevelName(SILENT, "SILENT")
# Scripts say `logging.SILENT` as they say `logging.DEBUG`.
logging.SILENT = SILENT  # type: ignore[attr-defined]


class StderrHandler(logging.StreamHandler[TextIO]):
    """A handler that writes to what `sys.stderr` is at each record, until it is given a stream of its own."""

    def __init__(self) -> None:
        """Start without a stream of its own."""
        self._own: TextIO | None = None
        logging.Handler.__init__(self)
        self.setFormatter(logging.Formatter("%(message)s"))

    @property
    def stream(self) -> TextIO:
        """Where the next record goes."""
        return self._own or sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        self._own = value


def complete(name: str, level: str) -> logging.Logger:
    """Return the logger of that name, with a handler if it has none and the level if it has none."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        logger.addHandler(StderrHandler())
    if logger.level == logging.NOTSET:
        logger.setLevel(level)
    return logger
