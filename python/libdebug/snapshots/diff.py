"""What has changed between two snapshots."""
# ruff: noqa: D102 - an alias gets the documentation of what it stands for

from __future__ import annotations

from libdebug.liblog import liblog
from libdebug.snapshots.memory.memory_map_diff import MemoryMapDiff
from libdebug.snapshots.memory.memory_map_diff_list import MemoryMapDiffList
from libdebug.snapshots.registers.register_diff_accessor import RegisterDiffAccessor
from libdebug.utils.oop.alias import alias_of

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.snapshots.snapshot import Snapshot

_LEVELS = ("base", "writable", "full")


class Diff:
    """What has changed between two snapshots of the same kind.

    Attributes:
        snapshot1: the older one: that with the smaller number.
        snapshot2: the newer one.
        level: the lower of both levels: what both have.
    """

    def __init__(self, snapshot1: Snapshot, snapshot2: Snapshot) -> None:
        """Compare two snapshots, the older one first."""
        self.snapshot1 = snapshot1
        self.snapshot2 = snapshot2
        self.level = min(snapshot1.level, snapshot2.level, key=_LEVELS.index)
        self._maps: MemoryMapDiffList | None = None
        self._regs: RegisterDiffAccessor | None = None
        if (snapshot1.aslr_enabled or snapshot2.aslr_enabled) and _are_of_different_processes(
            snapshot1, snapshot2
        ):
            liblog.warning(
                "The snapshots are of different processes, with addresses chosen at random: most of them "
                "differ. Debug with aslr=False to compare runs."
            )

    @property
    def maps(self) -> MemoryMapDiffList:
        """The memory maps of either, by address, unchanged ones among them."""
        if self._maps is None:
            self._maps = self._diff_maps()
        return self._maps

    def _diff_maps(self) -> MemoryMapDiffList:
        older, newer = self.snapshot1, self.snapshot2
        rows = older._snapshot.diff_maps(newer._snapshot)  # noqa: SLF001 - of the same package
        diffs = [
            MemoryMapDiff(
                None if old is None else older.maps[old],
                None if new is None else newer.maps[new],
                has_changed,
                [slice(start, end) for start, end in parts],
            )
            for old, new, has_changed, parts in rows
        ]
        return MemoryMapDiffList(diffs, newer._process_full_path)  # noqa: SLF001 - of the same package

    @property
    def regs(self) -> RegisterDiffAccessor:
        """The registers, of the main thread for processes: each an attribute with its values of both."""
        if self._regs is None:
            cores = [snapshot._stack_core for snapshot in (self.snapshot1, self.snapshot2)]  # noqa: SLF001
            self._regs = RegisterDiffAccessor(*cores)
        return self._regs

    @property
    @alias_of(regs)
    def registers(self) -> RegisterDiffAccessor:
        return self.regs

    def pprint_maps(self) -> None:
        """Print the memory maps that have changed: those that are gone with `-`, new ones with `+`."""
        from libdebug.snapshots.pprint_diff import map_diff_lines
        from libdebug.utils.pretty import print_lines

        print_lines(map_diff_lines(self.maps))

    def pprint_registers(self) -> None:
        """Print the general registers that have changed, with both values."""
        self._print_registers(everything=False)

    @alias_of(pprint_registers)
    def pprint_regs(self) -> None:
        self._print_registers(everything=False)

    def pprint_registers_all(self) -> None:
        """Print all registers that have changed, with both values."""
        self._print_registers(everything=True)

    @alias_of(pprint_registers_all)
    def pprint_regs_all(self) -> None:
        self._print_registers(everything=True)

    def _print_registers(self, *, everything: bool) -> None:
        from libdebug.snapshots.pprint_diff import register_diff_lines
        from libdebug.utils.pretty import print_lines

        print_lines(register_diff_lines(self, everything=everything))

    def pprint_backtrace(self) -> None:
        """Print both backtraces as one: frames of only the older one with `-`, of only the newer with `+`.

        Raises:
            ValueError: one of the snapshots is of level `base`.
        """
        from libdebug.snapshots.pprint_diff import backtrace_diff_lines
        from libdebug.utils.pretty import print_lines

        print_lines(backtrace_diff_lines(self.snapshot1, self.snapshot2))

    def pprint_memory(
        self,
        start: int | str,
        end: int | str,
        file: str = "hybrid",
        override_word_size: int | None = None,
        integer_mode: bool = False,
    ) -> None:
        """Print the lines of memory that differ: as they were with `-`, as they are with `+`.

        The arguments are those of `Snapshot.pprint_memory`; positions are looked up in the newer snapshot.

        Raises:
            ValueError: something is not mapped or not in one of the snapshots, there is no such symbol, or
                the size is not positive.
        """
        from libdebug.snapshots.pprint_diff import memory_diff_lines
        from libdebug.utils.memory_printing import word_size
        from libdebug.utils.pretty import print_lines

        word = word_size(override_word_size)
        first, behind = self.snapshot2._resolve_range(start, end, file)  # noqa: SLF001 - of the same package
        print_lines(memory_diff_lines(self, first, behind, word, integer_mode=integer_mode))

    def __repr__(self) -> str:
        """Return what has changed, in numbers."""
        maps = sum(diff.has_changed for diff in self.maps)
        ids = f"{self.snapshot1.snapshot_id} -> {self.snapshot2.snapshot_id}"
        registers = len(self.regs.changed)
        return (
            f"{type(self).__name__}({ids}, level={self.level}, {maps} maps and {registers} registers changed)"
        )


def _are_of_different_processes(one: Snapshot, other: Snapshot) -> bool:
    pids = [snapshot._snapshot.process_id for snapshot in (one, other)]  # noqa: SLF001 - of the same package
    return pids[0] != pids[1]
