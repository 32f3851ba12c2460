"""Which instructions a thread has executed, one after the other."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import overload

    from libdebug._native import ThreadCore

_MAGIC = b"ldtrace1"
_WORD = 8


def head_of(columns: Sequence[str]) -> bytes:
    """Return what a file begins with, whose rows have these columns."""
    names = "\0".join(columns).encode() + b"\0"
    padding = b"\0" * (-len(names) % _WORD)
    return _MAGIC + len(columns).to_bytes(_WORD, "little") + names + padding


class InstructionTrace:
    """The instructions that a thread has executed: a sequence of addresses, with registers where asked for.

    The trace is in a file, of which only the parts that are looked at are in memory. One that was kept is
    opened again by `InstructionTrace.load`.

    Attributes:
        columns: what is known of each instruction: `pc`, then the names of registers, as they were before it.
        drcov: which code was executed, as a file of the format drcov, which tools for coverage read; None for
            a trace that was loaded.
    """

    __slots__ = ("_words", "columns", "drcov")

    columns: tuple[str, ...]
    drcov: bytes | None

    def __init__(self, descriptor: int, drcov: bytes | None = None) -> None:
        """Look at an open file, which the trace keeps by itself.

        Raises:
            ValueError: when it is no trace of instructions.
        """
        size = os.fstat(descriptor).st_size
        if size < 2 * _WORD or os.pread(descriptor, _WORD, 0) != _MAGIC:
            raise ValueError("the file is no trace of instructions")
        mapped = memoryview(mmap.mmap(descriptor, size, prot=mmap.PROT_READ))
        count = int.from_bytes(mapped[_WORD : 2 * _WORD], "little")
        names = bytes(mapped[2 * _WORD : 2 * _WORD + 4096]).split(b"\0")[:count]
        self.columns = tuple(name.decode() for name in names)
        begin = len(head_of(self.columns))
        row = _WORD * len(self.columns)
        # One that was cut off ends with its last whole row.
        end = begin + (size - begin) // row * row
        self._words = mapped[begin:end].cast("Q")
        self.drcov = drcov

    @classmethod
    def load(cls, path: str | Path) -> InstructionTrace:
        """Return the trace that was written into a file.

        Raises:
            ValueError: when it is no trace of instructions.
        """
        with Path(path).open("rb") as file:
            return cls(file.fileno())

    def column(self, name: str) -> memoryview:
        """Return one value of all instructions, such as `pc` or `rax`: unsigned, of 64 bits, not copied.

        `numpy.asarray` makes an array of it without copying either.

        Raises:
            ValueError: when it was not traced.
        """
        if name not in self.columns:
            raise ValueError(f"{name} was not traced: there are {', '.join(self.columns)}")
        return self._words[self.columns.index(name) :: len(self.columns)]

    def rows(self) -> Iterator[tuple[int, ...]]:
        """Yield a tuple for each instruction, with the values of all columns."""
        width = len(self.columns)
        for at in range(0, len(self._words), width):
            yield tuple(self._words[at : at + width])

    def save_drcov(self, path: str | Path) -> None:
        """Write which code was executed into a file of the format drcov, for Lighthouse and its kin.

        Raises:
            ValueError: for a trace that was loaded, which does not know what was mapped where.
        """
        if self.drcov is None:
            raise ValueError("a trace that was loaded from a file does not know what was mapped where")
        Path(path).write_bytes(self.drcov)

    def __len__(self) -> int:
        """Return how many instructions were executed."""
        return len(self._words) // len(self.columns)

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: int) -> int: ...
        @overload
        def __getitem__(self, key: slice) -> memoryview: ...

    def __getitem__(self, key: int | slice) -> int | memoryview:
        """Return the address of one instruction, or of several."""
        return self.column("pc")[key]

    def __iter__(self) -> Iterator[int]:
        """Yield the address of each instruction."""
        return iter(self.column("pc"))

    def __repr__(self) -> str:
        """Say how many there are, and what is known of them."""
        return f"InstructionTrace({len(self)} instructions, columns={self.columns})"


def trace_of(
    core: ThreadCore, until: int | None, limit: int | None, registers: list[str], path: str | Path | None
) -> InstructionTrace:
    """Return the trace of a thread's next instructions, made in a file."""
    from tempfile import TemporaryFile

    with TemporaryFile() if path is None else Path(path).open("w+b") as file:
        file.write(head_of(["pc", *registers]))
        file.flush()
        # Its name in the file system may be none, or somebody else's by now.
        count, drcov = core.trace_instructions(until, limit, registers, f"/proc/self/fd/{file.fileno()}")
        trace = InstructionTrace(file.fileno(), drcov)
    if len(trace) < count:
        raise OSError(f"only {len(trace)} of {count} instructions could be written: is the disk full?")
    return trace
