"""The conversation of a user with the program under debug."""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress

from libdebug.commlink.terminal import Terminal, descriptor_of, is_usable
from libdebug.liblog import liblog

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal, Protocol

    from libdebug._native import PipeCore

    _Stream = Literal["stdout", "stderr"]

    class _Face(Protocol):
        """The user's side."""

        #: Whether something may come from descriptor 0.
        has_input: bool
        #: What has come in any other way.
        given: bytes

        def take_over(self) -> None:
            """Begin."""

        def give_back(self) -> None:
            """End."""

        def output(self, stream: _Stream, data: bytes, /) -> None:
            """Show what the program has written."""

        def typed(self, data: bytes, /) -> Iterator[bytes | None]:
            """Yield what is to be sent for bytes from descriptor 0; None to leave."""


_STDIN = 0
_CHUNK = 1 << 16
# A stream that ends with its process is not worth a word of its own: so long the process may take to follow.
_GRACE = 0.1
_NAMES = {"stdout": "standard output", "stderr": "standard error"}


def interact(streams: PipeCore, prompt: str, *, auto_quit: bool, patience: float | None) -> None:
    """Let the user talk to a program; `PipeManager.interactive` says how."""
    liblog.info("Calling interactive mode")
    face: _Face = Terminal(prompt) if is_usable() else Pump()
    # Not a context manager: an exception of a signal's between its beginning and its body would leave the
    # terminal raw.
    try:
        with suppress(KeyboardInterrupt):
            face.take_over()
            Conversation(streams, face, auto_quit=auto_quit, patience=patience).run()
    finally:
        face.give_back()
        liblog.info("Exiting interactive mode")


class Pump:
    """A user who is not at a terminal: bytes come and go as they are."""

    def __init__(self) -> None:
        """Look at what `sys.stdin` is: one without descriptor 0 is read before the rest begins."""
        self.has_input = descriptor_of(sys.stdin) == _STDIN
        self.given = b""
        new = codecs.getincrementaldecoder("utf-8")
        self._decoders = {stream: new("replace") for stream in ("stdout", "stderr")}

    def take_over(self) -> None:
        """Read what cannot be waited for."""
        if not self.has_input:
            self.given = _all_of(sys.stdin)

    def give_back(self) -> None:
        """Do nothing: nothing was changed."""

    def output(self, stream: _Stream, data: bytes) -> None:
        """Write to `sys.stdout` or `sys.stderr`."""
        target = sys.stderr if stream == "stderr" else sys.stdout
        target.flush()
        if hasattr(target, "buffer"):
            target.buffer.write(data)
        else:
            target.write(self._decoders[stream].decode(data))
        target.flush()

    def typed(self, data: bytes) -> Iterator[bytes | None]:
        """Send everything on."""
        yield data


def _all_of(stream: object) -> bytes:
    try:
        text = stream.read()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return b""
    return text.encode() if isinstance(text, str) else bytes(text or b"")


class Conversation:
    """Passes on what both sides say, until one of them has had enough."""

    def __init__(self, streams: PipeCore, face: _Face, *, auto_quit: bool, patience: float | None) -> None:
        """Begin nothing yet.

        Args:
            streams: the program's.
            face: the user's side.
            auto_quit: whether a stop of the process is the end.
            patience: once there is no more input, for how many seconds the program may be silent.
        """
        self._streams = streams
        self._face = face
        self._auto_quit = auto_quit
        self._patience = patience
        self._has_input = face.has_input
        self._unsent = face.given
        self._open: set[_Stream] = {"stdout"} if streams.is_terminal else {"stdout", "stderr"}
        self._ends_untold: set[_Stream] = set()
        self._is_deaf = False
        self._stop_told = False
        self._over = False

    def run(self) -> None:
        """Talk until the end."""
        try:
            while not self._over:
                self._turn()
        except RuntimeError as error:
            # Another thread has closed the streams, or killed the process.
            liblog.warning("%s", error)

    def _turn(self) -> None:
        self._send()
        reading = self._has_input and len(self._unsent) < _CHUNK
        news = self._streams.select(reading, not self._stop_told, bool(self._unsent), self._time())
        typed, stdout, stderr, stopped, _ = news
        if stdout:
            self._pass_on("stdout")
        if stderr:
            self._pass_on("stderr")
        if typed:
            self._read()
        if stopped:
            self._consider_stop()
        elif not any(news):
            self._consider_silence()
        elif self._stop_told:
            self._consider_change()

    def _time(self) -> float | None:
        if self._ends_untold:
            return _GRACE
        return None if self._has_input else self._patience

    def _send(self) -> None:
        if self._is_deaf:
            self._unsent = b""
        if not self._unsent:
            return
        try:
            self._unsent = self._unsent[self._streams.try_send(self._unsent) :]
        except RuntimeError as error:
            liblog.warning("The process does not read its standard input any more: %s", error)
            self._is_deaf = True

    def _read(self) -> None:
        try:
            data = os.read(_STDIN, _CHUNK)
        except OSError:
            data = b""
        if not data:
            self._has_input = False
        for piece in self._face.typed(data):
            if piece is None:
                self._over = True
                return
            self._unsent += piece

    def _pass_on(self, stream: _Stream) -> None:
        try:
            data = self._streams.recv(stream, _CHUNK, 0)
        except RuntimeError:
            self._open.discard(stream)
            self._ends_untold.add(stream)
        else:
            self._face.output(stream, data)

    def _pass_all_on(self) -> None:
        for stream in sorted(self._open, reverse=True):
            self._face.output(stream, self._streams.recv_all(stream, 0))
            self._pass_on(stream)

    def _consider_stop(self) -> None:
        """Say that the process has stopped, after everything that it wrote until then."""
        self._pass_all_on()
        state, events = self._streams.state()
        if state == "running":
            return
        self._stop_told = True
        if state == "stopped":
            liblog.warning("The process has stopped: %s", events)
        else:
            self._ends_untold.clear()
            liblog.warning("The process has ended.")
        self._over = self._auto_quit or not self._has_input or (state == "dead" and not self._open)

    def _consider_change(self) -> None:
        """Look for stops again once the process goes on; stop when a dead one's last heir falls silent."""
        state, _ = self._streams.state()
        self._stop_told = state != "running"
        self._over |= state == "dead" and not self._open

    def _consider_silence(self) -> None:
        """Say which streams have ended, or have enough of it."""
        for stream in sorted(self._ends_untold):
            liblog.warning("The process has closed its %s.", _NAMES[stream])
        self._over = not self._ends_untold
        self._ends_untold.clear()
