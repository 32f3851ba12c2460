"""What has changed between snapshots, line by line, with colours."""

from __future__ import annotations

from libdebug.utils.colours import DIM, GREEN, PLAIN, RED, RESET
from libdebug.utils.pretty import map_lines, memory_lines, register_names, register_text

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterator

    from libdebug.snapshots.diff import Diff
    from libdebug.snapshots.memory.memory_map_diff_list import MemoryMapDiffList
    from libdebug.snapshots.snapshot import Snapshot

_LINE_BYTES = 16


def _old(line: str) -> str:
    return f"{RED}-{PLAIN} {line}"


def _new(line: str) -> str:
    return f"{GREEN}+{PLAIN} {line}"


def map_diff_lines(diffs: MemoryMapDiffList) -> Iterator[str]:
    """Yield a table of the memory maps that have changed."""
    yield "  " + next(map_lines([]))
    for diff in diffs:
        old, new = diff.old_map_state, diff.new_map_state
        if not diff.has_changed:
            continue
        # The first line is the head.
        row = {id(state): list(map_lines([state]))[1] for state in (old, new) if state is not None}
        if old is not None and new is not None and old._content() == new._content():  # noqa: SLF001
            size = sum(part.stop - part.start for part in diff.content_diff)
            yield f"~ {row[id(new)]} {DIM}({size} bytes in {len(diff.content_diff)} parts){RESET}"
            continue
        if old is not None:
            yield _old(row[id(old)])
        if new is not None:
            yield _new(row[id(new)])


def register_diff_lines(diff: Diff, *, everything: bool) -> Iterator[str]:
    """Yield the registers that have changed, a line each, with both values."""
    older, newer = diff.snapshot1, diff.snapshot2
    table = {row: None for side in (older, newer) for row in side._stack_core.register_table()}  # noqa: SLF001
    for name in register_names(list(table), everything=everything):
        register = getattr(diff.regs, name)
        if not register.has_changed:
            continue
        values = [
            "absent" if value is None else register_text(name, value, side.maps)
            for value, side in ((register.old_value, older), (register.new_value, newer))
        ]
        yield f"{RED}{name}{RESET}\t{values[0]}\t-> {values[1]}"


def backtrace_diff_lines(older: Snapshot, newer: Snapshot) -> Iterator[str]:
    """Yield the frames of two stacks, innermost first: what they share, outermost, once."""
    before, after = ([f"{frame.pc:#018x} {frame}" for frame in side.frames] for side in (older, newer))
    shared = 0
    while shared < min(len(before), len(after)) and before[-1 - shared] == after[-1 - shared]:
        shared += 1
    yield from map(_old, before[: len(before) - shared])
    yield from map(_new, after[: len(after) - shared])
    yield from (f"  {line}" for line in after[len(after) - shared :])


def memory_diff_lines(diff: Diff, first: int, behind: int, word: int, *, integer_mode: bool) -> Iterator[str]:
    """Yield the lines of memory that differ, as they were and as they are."""
    sides = (diff.snapshot1, diff.snapshot2)
    before, after = (side.memory[first, behind - first, "absolute"] for side in sides)
    step = max(_LINE_BYTES // word, 1) * word
    for at in range(0, behind - first, step):
        old, new = before[at : at + step], after[at : at + step]
        if old == new:
            continue
        maps = [side.maps if integer_mode else None for side in sides]
        yield from map(_old, memory_lines(first + at, old, word, maps[0]))
        yield from map(_new, memory_lines(first + at, new, word, maps[1]))
