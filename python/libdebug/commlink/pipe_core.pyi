# ruff: noqa: PYI021 - what is native has its documentation here
"""The engine's part in input and output."""

from typing import Literal, TypeAlias, final

from typing_extensions import Self

from libdebug._native import DebuggerCore

__all__ = ["PipeCore"]

_Stream: TypeAlias = Literal["stdout", "stderr"]

@final
class PipeCore:
    """The streams of one run of a program. Every wait takes its seconds, or None for any time."""

    def __new__(cls, core: DebuggerCore) -> Self: ...
    @property
    def is_terminal(self) -> bool:
        """Whether the program has one terminal for all three streams."""

    def recv(self, stream: _Stream, count: int, timeout: float | None) -> bytes:
        """Receive what has arrived, at most `count` bytes.

        None when nothing came in time, or the process stopped.
        """

    def recv_exact(self, stream: _Stream, count: int, timeout: float | None) -> bytes:
        """Receive exactly `count` bytes."""

    def recv_until(
        self,
        stream: _Stream,
        delimiter: bytes,
        occurrences: int,
        drop: bool,
        optional: bool,
        timeout: float | None,
    ) -> bytes:
        """Receive until `delimiter` has occurred `occurrences` times."""

    def recv_all(self, stream: _Stream, timeout: float | None) -> bytes:
        """Receive until the stream ends, the process stops, or the time is over."""

    def can_recv(self, stream: _Stream, timeout: float | None) -> bool:
        """Wait until there is something to receive; False when there is not in time, or nothing can come."""

    def unrecv(self, stream: _Stream, data: bytes) -> None:
        """Put bytes back, before everything else that waits to be received."""

    def send(self, data: bytes, timeout: float | None) -> int:
        """Send everything, waiting for room where the pipe is full; return its size."""

    def try_send(self, data: bytes) -> int:
        """Send what there is room for, and return how much that was."""

    def select(
        self, input: bool, stop: bool, room: bool, timeout: float | None
    ) -> tuple[bool, bool, bool, bool, bool]:
        """Wait for output, and as asked for input of descriptor 0, for a stop, for room to send.

        Return whether there is input, standard output, standard error, a stop, room: none after the time.
        """

    def state(self) -> tuple[Literal["running", "stopped", "dead"], str]:
        """Return where the process is, and why it is stopped."""

    def close_stdin(self) -> None:
        """End the program's input."""

    def close(self) -> None:
        """Close all streams. Closing twice is no error."""
