"""The standard streams of the program under debug."""

from __future__ import annotations

from libdebug._native import PipeCore
from libdebug.liblog import liblog

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from types import EllipsisType
    from typing import Literal

    from libdebug._native import DebuggerCore

    _Stream = Literal["stdout", "stderr"]
    _Timeout = float | EllipsisType | None


class PipeManager:
    r"""Standard input, output and error of a program, as `Debugger.run` returns them.

    Methods with `err` in their names receive from standard error, the others from standard output. Four
    things hold for all that receive:

    - `timeout` is in seconds. Without one it is `timeout_default`, of the object or of the class; None waits
      for any time.
    - What has arrived and was not returned waits for the next call: no exception loses a byte.
    - A stop or the end of the process ends the wait at once, but only after everything that the program wrote
      until then was looked at.
    - Ctrl-C ends the wait.

    Text in place of bytes is encoded as UTF-8, and the log remarks on it.

    Example:
        >>> from libdebug import debugger
        >>> d = debugger("/bin/cat")
        >>> pipe = d.run()
        >>> d.cont()
        >>> pipe.sendline(b"name: value")
        12
        >>> pipe.recvuntil(b": ", drop=True), pipe.recvline()
        (b'name', b'value')
        >>> pipe.timeout_default = 0.01
        >>> pipe.recvline()  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        TimeoutError: Timeout reached: thread ... is sleeping in read
        >>> pipe.close()
        >>> d.wait()
        >>> d.terminate()
    """

    #: How many seconds a receive waits that is given no time; may be set on the class and on each object.
    timeout_default: float = 2
    #: What `interactive` prints before each line that is typed; may be set on the class and on each object.
    prompt_default: str = "$ "

    def __init__(self, core: DebuggerCore) -> None:
        """Take the streams of the program that a debugger has just started; `Debugger.run` does so."""
        self._streams = PipeCore(core)

    def recv(self, numb: int = 4096, timeout: _Timeout = ...) -> bytes:
        """Receive what has arrived, at most `numb` bytes, and wait only while there is nothing.

        Returns:
            The bytes; none when nothing arrived in time, or until the process stopped.

        Raises:
            RuntimeError: the stream is closed, and nothing is left in it.
            ValueError: `numb` is negative.
        """
        return self._recv("stdout", numb, timeout)

    def recverr(self, numb: int = 4096, timeout: _Timeout = ...) -> bytes:
        """Receive from standard error, as `recv`."""
        return self._recv("stderr", numb, timeout)

    def recvn(self, numb: int, timeout: _Timeout = ...) -> bytes:
        """Receive exactly `numb` bytes.

        Raises:
            TimeoutError: fewer arrived in time.
            RuntimeError: the process stopped, or the stream was closed, before they arrived.
            ValueError: `numb` is negative.
        """
        return self._recvn("stdout", numb, timeout)

    def recverrn(self, numb: int, timeout: _Timeout = ...) -> bytes:
        """Receive from standard error, as `recvn`."""
        return self._recvn("stderr", numb, timeout)

    def recvall(self, timeout: _Timeout = None) -> bytes:
        """Receive everything until the stream ends, the process stops, or the time is over."""
        return self._received(self._streams.recv_all("stdout", self._time(timeout)))

    def recverrall(self, timeout: _Timeout = None) -> bytes:
        """Receive from standard error, as `recvall`."""
        return self._received(self._streams.recv_all("stderr", self._time(timeout)))

    def recvuntil(
        self,
        delims: bytes,
        occurences: int = 1,
        drop: bool = False,
        timeout: _Timeout = ...,
        optional: bool = False,
        *,
        occurrences: int | None = None,
    ) -> bytes:
        r"""Receive until `delims` has occurred as many times as asked for.

        Args:
            delims: the bytes to wait for, all of them, in this order.
            occurences: how many times; `occurrences` is the same.
            drop: whether every occurrence is left out of what is returned.
            timeout: for how many seconds to wait.
            optional: whether nothing is returned, instead of raising, when the process is stopped and the
                last occurrence has not arrived.
            occurrences: another spelling of `occurences`.

        Raises:
            TimeoutError: it did not arrive in time.
            RuntimeError: the process stopped, or the stream was closed, before it arrived.
            ValueError: there is nothing to wait for.

        Example:
            >>> from libdebug import debugger
            >>> d = debugger(["/bin/echo", "a, b, c, d"])
            >>> pipe = d.run()
            >>> d.cont()
            >>> pipe.recvuntil(b", ", occurrences=2)
            b'a, b, '
            >>> pipe.recvuntil(b", ", drop=True)
            b'c'
            >>> pipe.recv()
            b'd\n'
            >>> d.terminate()
        """
        return self._recvuntil("stdout", delims, _either(occurences, occurrences), drop, timeout, optional)

    def recverruntil(
        self,
        delims: bytes,
        occurences: int = 1,
        drop: bool = False,
        timeout: _Timeout = ...,
        optional: bool = False,
        *,
        occurrences: int | None = None,
    ) -> bytes:
        """Receive from standard error, as `recvuntil`."""
        return self._recvuntil("stderr", delims, _either(occurences, occurrences), drop, timeout, optional)

    def recvline(
        self, numlines: int = 1, drop: bool = True, timeout: _Timeout = ..., optional: bool = False
    ) -> bytes:
        """Receive lines, without their newlines unless `drop` is off.

        The other arguments, and what is raised, are as for `recvuntil`.
        """
        return self._recvuntil("stdout", b"\n", numlines, drop, timeout, optional)

    def recverrline(
        self, numlines: int = 1, drop: bool = True, timeout: _Timeout = ..., optional: bool = False
    ) -> bytes:
        """Receive from standard error, as `recvline`."""
        return self._recvuntil("stderr", b"\n", numlines, drop, timeout, optional)

    def can_recv(self, timeout: _Timeout = 0) -> bool:
        """Return whether there is something to receive, after waiting for it if a timeout is given."""
        return self._streams.can_recv("stdout", self._time(timeout))

    def can_recverr(self, timeout: _Timeout = 0) -> bool:
        """Return whether there is something to receive from standard error, as `can_recv`."""
        return self._streams.can_recv("stderr", self._time(timeout))

    def clean(self) -> bytes:
        """Receive everything that has arrived, without waiting."""
        return self._received(self._streams.recv_all("stdout", 0))

    def cleanerr(self) -> bytes:
        """Receive everything that has arrived on standard error, without waiting."""
        return self._received(self._streams.recv_all("stderr", 0))

    def unrecv(self, data: bytes) -> None:
        """Put bytes back: the next receive sees them first."""
        self._streams.unrecv("stdout", _bytes(data, "data"))

    def unrecverr(self, data: bytes) -> None:
        """Put bytes back to standard error, as `unrecv`."""
        self._streams.unrecv("stderr", _bytes(data, "data"))

    def send(self, data: bytes, timeout: _Timeout = None) -> int:
        """Send bytes to standard input; return their number.

        The kernel keeps some 64 KiB for a program that does not read. Beyond that, this waits for room.

        Raises:
            RuntimeError: the stream is closed; or it is full, and the process is stopped and will not read.
            TimeoutError: there was not enough room in time.
        """
        data = _bytes(data, "data")
        liblog.pipe("Sending %r", data)
        return self._streams.send(data, self._time(timeout))

    def sendline(self, data: bytes, timeout: _Timeout = None) -> int:
        """Send bytes and a newline, as `send`; the newline counts too."""
        return self.send(_bytes(data, "data") + b"\n", timeout)

    def sendafter(
        self,
        delims: bytes,
        data: bytes,
        occurences: int = 1,
        drop: bool = False,
        timeout: _Timeout = ...,
        optional: bool = False,
        *,
        occurrences: int | None = None,
    ) -> tuple[bytes, int]:
        """Receive until `delims`, as `recvuntil`, and then send `data`.

        Returns:
            What was received, and how many bytes were sent.
        """
        received = self._recvuntil(
            "stdout", delims, _either(occurences, occurrences), drop, timeout, optional
        )
        return received, self.send(data)

    def sendaftererr(
        self,
        delims: bytes,
        data: bytes,
        occurences: int = 1,
        drop: bool = False,
        timeout: _Timeout = ...,
        optional: bool = False,
        *,
        occurrences: int | None = None,
    ) -> tuple[bytes, int]:
        """Receive from standard error until `delims`, and then send `data`, as `sendafter`."""
        received = self._recvuntil(
            "stderr", delims, _either(occurences, occurrences), drop, timeout, optional
        )
        return received, self.send(data)

    def sendlineafter(
        self,
        delims: bytes,
        data: bytes,
        occurences: int = 1,
        drop: bool = False,
        timeout: _Timeout = ...,
        optional: bool = False,
        *,
        occurrences: int | None = None,
    ) -> tuple[bytes, int]:
        """Receive until `delims`, and then send `data` and a newline, as `sendafter`."""
        received = self._recvuntil(
            "stdout", delims, _either(occurences, occurrences), drop, timeout, optional
        )
        return received, self.sendline(data)

    def sendlineaftererr(
        self,
        delims: bytes,
        data: bytes,
        occurences: int = 1,
        drop: bool = False,
        timeout: _Timeout = ...,
        optional: bool = False,
        *,
        occurrences: int | None = None,
    ) -> tuple[bytes, int]:
        """Receive from standard error until `delims`, and then send `data` and a newline, as `sendafter`."""
        received = self._recvuntil(
            "stderr", delims, _either(occurences, occurrences), drop, timeout, optional
        )
        return received, self.sendline(data)

    def close_stdin(self) -> None:
        """End the program's input: once it has read what was sent, it reads the end of the file.

        A terminal is sent its end-of-file character, which counts at the beginning of a line.

        Raises:
            RuntimeError: it is closed already.
        """
        self._streams.close_stdin()

    def close(self) -> None:
        """Close all three streams; what was not received is gone. Closing twice is no error."""
        self._streams.close()

    def interactive(self, prompt: str | None = None, auto_quit: bool = False) -> None:
        """Let the user talk to the program.

        In a terminal, lines are edited (arrows, Ctrl-A, Ctrl-E, Ctrl-K, Ctrl-U, Ctrl-W, …) and kept in
        `~/.cache/libdebug/history`: up and down look for those that begin as what is typed, Ctrl-R for those
        that contain it, and Tab takes the suggestion. Output of the program, and all that Python prints
        meanwhile, appears above the line. Ctrl-C and Ctrl-D leave.

        Without a terminal, all that comes from this interpreter's standard input goes to the program, and the
        program's output to `sys.stdout` and `sys.stderr`. At the end of the input, this goes on until the
        program stops, or has written nothing for `timeout_default` seconds. Ctrl-C leaves.

        The end of the process leaves, too. A stop of the process and the end of one of its streams are logged
        as warnings. Input that was read ahead by `sys.stdin` is not seen.

        Args:
            prompt: what is printed before each line; without one, `prompt_default`.
            auto_quit: whether a stop of the process leaves.
        """
        from libdebug.commlink.interactive import interact

        prompt = self.prompt_default if prompt is None else prompt
        interact(self._streams, prompt, auto_quit=auto_quit, patience=self.timeout_default)

    def _time(self, timeout: _Timeout) -> float | None:
        return self.timeout_default if timeout is ... else timeout

    def _recv(self, stream: _Stream, numb: int, timeout: _Timeout) -> bytes:
        return self._received(self._streams.recv(stream, _count(numb), self._time(timeout)))

    def _recvn(self, stream: _Stream, numb: int, timeout: _Timeout) -> bytes:
        return self._received(self._streams.recv_exact(stream, _count(numb), self._time(timeout)))

    def _recvuntil(
        self, stream: _Stream, delims: bytes, occurrences: int, drop: bool, timeout: _Timeout, optional: bool
    ) -> bytes:
        if occurrences <= 0:
            raise ValueError("The number of occurrences to receive must be positive")
        delims, time = _bytes(delims, "delims"), self._time(timeout)
        return self._received(self._streams.recv_until(stream, delims, occurrences, drop, optional, time))

    def _received(self, data: bytes) -> bytes:
        liblog.pipe("Received %r", data)
        return data


def _count(numb: int) -> int:
    if numb < 0:
        raise ValueError("The number of bytes to receive must not be negative")
    return numb


def _either(occurences: int, occurrences: int | None) -> int:
    return occurences if occurrences is None else occurrences


def _bytes(data: object, name: str) -> bytes:
    """Return what a user gave as bytes: any object that is a buffer, or text, with a remark in the log."""
    if isinstance(data, str):
        liblog.warning("%s is text, not bytes: it is encoded as UTF-8.", name)
        return data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"{name} must be bytes, not {type(data).__name__}")
