"""What the kernel tells of a signal."""

from __future__ import annotations

from libdebug._native import signal_name

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    _Row = tuple[
        int, int, str | None, int | None, int | None, int | None, int | None, int | None
    ]  # signal, code, code's name, pid, uid, address, value, status


class SignalInfo:
    """What the kernel tells of a signal that a thread is stopped at (sigaction(2)). It never changes.

    What this signal does not have is None.

    Example:
        >>> SignalInfo((11, 1, "SEGV_MAPERR", None, None, 8, None, None))
        SignalInfo(signal='SIGSEGV', code_name='SEGV_MAPERR', address=0x8)
    """

    __slots__ = ("_row",)

    def __init__(self, row: _Row) -> None:
        """Hold what a thread's `siginfo` found."""
        self._row = row

    @property
    def signal(self) -> str:
        """The name of the signal."""
        return signal_name(self._row[0])

    @property
    def signal_number(self) -> int:
        """The number of the signal."""
        return self._row[0]

    @property
    def code(self) -> int:
        """`si_code`: what kind of event it was, or who sent the signal."""
        return self._row[1]

    @property
    def code_name(self) -> str | None:
        """The name of the code, such as `SI_USER` or `SEGV_MAPERR`."""
        return self._row[2]

    @property
    def pid(self) -> int | None:
        """The process that sent it, or the child that it tells of."""
        return self._row[3]

    @property
    def uid(self) -> int | None:
        """The real user id of that process."""
        return self._row[4]

    @property
    def address(self) -> int | None:
        """The address of a fault: the memory for SIGSEGV and SIGBUS, else the instruction."""
        return self._row[5]

    @property
    def value(self) -> int | None:
        """The 64 bits that were sent along (sigqueue(3))."""
        return self._row[6]

    @property
    def status(self) -> int | None:
        """The exit status of a child, or the signal that it got."""
        return self._row[7]

    def __eq__(self, other: object) -> bool:
        """Compare all that the kernel told."""
        return isinstance(other, SignalInfo) and self._row == other._row

    def __hash__(self) -> int:
        """Follow `__eq__`."""
        return hash(self._row)

    def __repr__(self) -> str:
        """Return what this signal has."""
        code = f"code={self.code}" if self.code_name is None else f"code_name={self.code_name!r}"
        decimal = [(name, getattr(self, name)) for name in ("pid", "uid", "status")]
        hexadecimal = [(name, getattr(self, name)) for name in ("address", "value")]
        numbers = [f"{name}={value}" for name, value in decimal if value is not None]
        numbers += [f"{name}={value:#x}" for name, value in hexadecimal if value is not None]
        return f"SignalInfo({', '.join([f'signal={self.signal!r}', code, *numbers])})"
