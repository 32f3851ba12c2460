"""The frames of a stack."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from libdebug.data.source_line import SourceLine

    _Row = tuple[int, int | None, str | None, str | None, int | None, bool, dict[str, int]]


class FrameRegisters:
    """The registers of one frame, each an attribute, as far as they can be recovered.

    They are what the thread had at the frame's pc, and has again when it comes back there. What functions
    need not preserve is lost in all frames but the innermost and those that a signal has interrupted: such a
    register raises `AttributeError`.

    Example:
        >>> regs = FrameRegisters({"rip": 0x401000, "rsp": 0x7FFC0000})
        >>> regs.rip == 0x401000, "rax" in regs, hasattr(regs, "rax")
        (True, False, False)
    """

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, int]) -> None:
        """Hold the values by name."""
        self._values = values

    def __getattr__(self, name: str) -> int:
        """Return the value of a register."""
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the value of register {name} in this frame is not known") from None

    def __contains__(self, name: object) -> bool:
        """Say whether the value of a register is known."""
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the registers that are known."""
        return iter(self._values)

    def __dir__(self) -> list[str]:
        """Return the names of the registers that are known."""
        return sorted(self._values)

    def __eq__(self, other: object) -> bool:
        """Compare names and values."""
        return isinstance(other, FrameRegisters) and self._values == other._values

    def __hash__(self) -> int:
        """Follow `__eq__`."""
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        """Return the registers that are known."""
        values = ", ".join(f"{name}={value:#x}" for name, value in self._values.items())
        return f"FrameRegisters({values})"


#: What makes two frames the same.
_COMPARED = ("cfa", "file", "is_signal_frame", "offset", "pc", "regs", "symbol")


class Frame:
    """One frame of a stack. It never changes.

    Attributes:
        pc: where the frame goes on: the thread's instruction pointer in the innermost frame, return addresses
            in the others.
        cfa: the canonical frame address: what the stack pointer was before the call that made the frame. None
            if it cannot be found.
        file: the file that the code is from, or a name in brackets; None for code that is in no file.
        symbol: the symbol that covers the code, or None.
        offset: the distance of `pc` from the symbol's start, in bytes; None without a symbol.
        is_signal_frame: whether the kernel made the frame, to run a signal's handler. The next frame was
            interrupted at its `pc`, and has made no call.
        regs: the registers that can be recovered, each an attribute.

    Example:
        >>> Frame((0x401136, 0x7FFC0010, "/bin/x", "main", 0x10, False, {"rip": 0x401136}))
        Frame(pc=0x401136, cfa=0x7ffc0010, symbol='main', offset=0x10, file='/bin/x')
    """

    __slots__ = ("_line_at", "_place", "cfa", "file", "is_signal_frame", "offset", "pc", "regs", "symbol")

    def __init__(
        self,
        row: _Row,
        line_at: Callable[[int], SourceLine | None] | None = None,
        is_exact: bool = True,
    ) -> None:
        """Hold what a walk over a stack has found.

        `line_at` finds the source line of an address; `is_exact` says that the frame has made no call, so
        that its `pc` is where it is, and not behind that.
        """
        self.pc, self.cfa, self.file, self.symbol, self.offset, self.is_signal_frame, registers = row
        self.regs = FrameRegisters(registers)
        self._line_at = line_at
        # A call that never returns can be the last instruction of its function.
        self._place = self.pc if is_exact or self.is_signal_frame else self.pc - 1

    @property
    def source_line(self) -> SourceLine | None:
        """The source line that the frame is in; None where there is no debug information, as in snapshots.

        It is looked for when it is asked for, in the files that are mapped then.
        """
        return None if self._line_at is None else self._line_at(self._place)

    def __eq__(self, other: object) -> bool:
        """Compare all of both frames."""
        if not isinstance(other, Frame):
            return False
        return all(getattr(self, name) == getattr(other, name) for name in _COMPARED)

    def __hash__(self) -> int:
        """Follow `__eq__`."""
        return hash((self.pc, self.cfa))

    def __str__(self) -> str:
        """Return `symbol+offset`, in hexadecimal, or the address without a symbol."""
        return f"{self.pc:#x}" if self.symbol is None else f"{self.symbol}+{self.offset:x}"

    def __repr__(self) -> str:
        """Return the place of the frame and of its code."""
        parts = [f"pc={self.pc:#x}"]
        if self.cfa is not None:
            parts.append(f"cfa={self.cfa:#x}")
        if self.symbol is not None:
            parts.append(f"symbol={self.symbol!r}, offset={self.offset:#x}")
        if self.file is not None:
            parts.append(f"file={self.file!r}")
        if self.is_signal_frame:
            parts.append("is_signal_frame=True")
        return f"Frame({', '.join(parts)})"
