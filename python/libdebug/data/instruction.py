"""One instruction of the program."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from typing import TypeAlias

    #: Address, bytes, mnemonic, operands, text, kind, target, symbol with the distance from its start.
    _Row: TypeAlias = tuple[int, bytes, str, list[str], str, str, int | None, tuple[str, int] | None]


class Instruction:
    """One instruction of the program, in Intel's syntax.

    Attributes:
        address: where it lies.
        bytes: its bytes, never those of a breakpoint.
        mnemonic: its name with its prefixes, such as `rep stosq`; `(bad)` for a byte where none starts.
        operands: what it works on, as texts.
        text: mnemonic and operands.
        kind: `call`, `return`, `branch`, `conditional branch`, `syscall`, `interrupt`, `other`, or `bad`.
        target: where a call or branch goes; None if that depends on registers or memory.
        symbol: the symbol that it lies in and, in hexadecimal, how far, such as `main+1f`; None without one.

    Example:
        >>> row = (0x1000, bytes.fromhex("ebfe"), "jmp", ["main"], "jmp main", "branch", 0x1000, ("main", 0))
        >>> Instruction(row)
        Instruction(address=0x1000, bytes=ebfe, text='jmp main')
    """

    __slots__ = ("address", "bytes", "kind", "mnemonic", "operands", "symbol", "target", "text")

    def __init__(self, row: _Row) -> None:
        """Take what the engine tells."""
        self.address, self.bytes, self.mnemonic, self.operands, self.text, self.kind, self.target = row[:7]
        self.symbol = _place(row[7])

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.bytes)

    def __eq__(self, other: object) -> bool:
        """Say whether the other is an instruction with the same bytes at the same place."""
        if not isinstance(other, Instruction):
            return NotImplemented
        return (self.address, self.bytes, self.text) == (other.address, other.bytes, other.text)

    def __hash__(self) -> int:
        """Return the same for equal instructions."""
        return hash((self.address, self.bytes))

    def __str__(self) -> str:
        """Return mnemonic and operands."""
        return self.text

    def __repr__(self) -> str:
        """Return what tells it from others, in one line."""
        return f"Instruction(address={self.address:#x}, bytes={self.bytes.hex()}, text={self.text!r})"


def _place(symbol: tuple[str, int] | None) -> str | None:
    if symbol is None:
        return None
    name, offset = symbol
    return f"{name}+{offset:x}" if offset else name
