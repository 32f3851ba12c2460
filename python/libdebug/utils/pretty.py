"""What is printed of a stopped program, line by line, with colours."""

from __future__ import annotations

import sys

from libdebug._native import register_table
from libdebug.utils.colours import (
    BLUE,
    DIM,
    GREEN,
    PLAIN,
    RED,
    RESET,
    UNDERLINE,
    YELLOW,
    are_wanted,
    show,
)

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from libdebug._native import Registers
    from libdebug.data.instruction import Instruction
    from libdebug.data.memory_map import MemoryMap
    from libdebug.data.memory_map_list import MemoryMapList
    from libdebug.snapshots.registers.snapshot_registers import SnapshotRegisters

_LINE_BYTES = 16
_POINTER_BYTES = 8
_POINTER_BITS = 64
_PRINTABLE = range(0x20, 0x7F)
_FLAGS = {"CF": 0, "PF": 2, "AF": 4, "ZF": 6, "SF": 7, "TF": 8, "IF": 9, "DF": 10, "OF": 11}
_ARROWS = {"call", "return", "branch", "conditional branch", "syscall", "interrupt"}


def print_lines(lines: Iterable[str], *, of_maps: bool = False) -> None:
    """Print lines; where they are coloured by maps, what the colours mean comes first."""
    if of_maps and are_wanted(sys.stdout):
        show(legend())
    for line in lines:
        show(line)


def legend() -> str:
    """Return what the colours of maps and of the values that point into them mean."""
    kinds = ("rwxp", "r-xp", "rw-p", "r--p")
    return "  ".join(f"{colour_of(kind)}{kind[:3]}{RESET}" for kind in kinds)


def colour_of(permissions: str) -> str:
    """Return the colour for the permissions of a map."""
    if permissions.startswith("rwx"):
        return RED + UNDERLINE
    return next(
        (colour for letter, colour in (("x", RED), ("w", YELLOW), ("r", GREEN)) if letter in permissions), ""
    )


def map_lines(maps: Iterable[MemoryMap]) -> Iterator[str]:
    """Yield a table of memory maps."""
    yield f"{'start':>18} {'end':>18} {'perm':>6} {'size':>10} {'offset':>10} backing_file"
    for one in maps:
        colour = colour_of(one.permissions)
        place = f"{one.start:>#18x} {one.end:>#18x} {one.permissions:>6} {one.size:>#10x} {one.offset:>#10x}"
        yield f"{colour}{place} {one.backing_file}{RESET if colour else ''}"


def register_lines(
    registers: Registers | SnapshotRegisters,
    maps: MemoryMapList,
    *,
    everything: bool,
    table: Sequence[tuple[str, str, int]] | None = None,
) -> Iterator[str]:
    """Yield registers with their values, a line each, and where those point that are addresses.

    Args:
        registers: those of one thread.
        maps: the maps of the process; none after its end.
        everything: whether those beside the general ones are shown too.
        table: which registers there are; None for those of this processor.
    """
    for name in register_names(register_table() if table is None else table, everything=everything):
        yield f"{RED}{name}{RESET}\t{register_text(name, getattr(registers, name), maps)}"


def register_names(table: Sequence[tuple[str, str, int]], *, everything: bool) -> Iterator[str]:
    """Yield the registers that are no part of another one that is shown."""
    widest = max((bits for _, kind, bits in table if kind == "vector"), default=0)
    for name, kind, bits in table:
        if kind == "general":
            shown = bits == _POINTER_BITS
        elif kind == "vector":
            shown = everything and bits == widest
        else:
            shown = everything or name == "eflags"
        if shown:
            yield name


def register_text(name: str, value: float, maps: MemoryMapList) -> str:
    """Return the value of a register, and where it points."""
    if not isinstance(value, int):
        return repr(value)
    if name == "eflags":
        return f"{value:#x}  {DIM}{' '.join(flag for flag, bit in _FLAGS.items() if value >> bit & 1)}{RESET}"
    return _pointer(value, f"{value:#x}", maps, named=True)


def _pointer(value: int, text: str, maps: MemoryMapList, *, named: bool = False) -> str:
    """Return the text of a number, in the colour of the map that it points into."""
    found = maps.filter(value)
    if not found:
        return text
    colour = colour_of(found[0].permissions)
    name = f"  {DIM}{found[0].backing_file.rpartition('/')[2]}{RESET}" if named else ""
    return f"{colour}{text}{RESET if colour else ''}{name}"


def memory_lines(start: int, data: bytes, word: int, maps: MemoryMapList | None) -> Iterator[str]:
    """Yield memory, 16 bytes a line or one word.

    Args:
        start: the address of the first byte.
        data: the bytes.
        word: how many bytes belong together.
        maps: the maps of the process to show words as numbers; None to show bytes, and letters behind them.
    """
    step = max(_LINE_BYTES // word, 1) * word
    for at in range(0, len(data), step):
        line = data[at : at + step]
        words = [line[index : index + word] for index in range(0, len(line), word)]
        if maps is None:
            width = step * 3 + step // word - 2
            text = "  ".join(" ".join(map(_byte, part)) for part in words)
            used = len(line) * 3 - 1 + len(words) - 1
            yield f"{BLUE}{start + at:#018x}{PLAIN}  {text}{' ' * (width - used)}  |{_letters(line)}|"
        else:
            yield f"{BLUE}{start + at:#018x}{PLAIN}  " + "  ".join(_number(part, maps) for part in words)


def _byte(value: int) -> str:
    if value == 0:
        return f"{DIM}00{RESET}"
    return f"{GREEN}{value:02x}{PLAIN}" if value in _PRINTABLE else f"{value:02x}"


def _letters(line: bytes) -> str:
    return "".join(chr(value) if value in _PRINTABLE else "." for value in line)


def _number(word: bytes, maps: MemoryMapList) -> str:
    value = int.from_bytes(word, "little")
    text = f"0x{value:0{2 * len(word)}x}"
    return _pointer(value, text, maps) if len(word) == _POINTER_BYTES else text


def instruction_lines(instructions: Iterable[Instruction], here: int) -> Iterator[str]:
    """Yield instructions, a line each, the one at the address `here` marked."""
    for one in instructions:
        mark = f"{GREEN}=>{PLAIN}" if one.address == here else "  "
        symbol = f" {BLUE}<{one.symbol}>{PLAIN}" if one.symbol else ""
        colour = YELLOW if one.kind in _ARROWS else DIM if one.kind == "bad" else ""
        yield f"{mark} {one.address:#018x}{symbol}:  {colour}{one.text}{RESET if colour else ''}"
