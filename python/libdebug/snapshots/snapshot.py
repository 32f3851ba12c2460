"""What snapshots of threads and of processes have in common."""
# ruff: noqa: D102 - an alias gets the documentation of what it stands for

from __future__ import annotations

from libdebug.liblog import liblog
from libdebug.snapshots.memory.memory_map_snapshot_list import MemoryMapSnapshotList, kept_maps
from libdebug.snapshots.memory.snapshot_memory_view import SnapshotMemoryView
from libdebug.snapshots.registers.snapshot_registers import SnapshotRegisters
from libdebug.snapshots.snapshot_core import has_snapshot_ending
from libdebug.state.seeing import ThreadSeeing
from libdebug.state.stack import StackFrames
from libdebug.utils.memory_printing import MemoryPrinting
from libdebug.utils.oop.alias import alias_of

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from os import PathLike
    from typing import TypeVar

    from libdebug.snapshots.diff import Diff
    from libdebug.snapshots.snapshot_core import KeptThreadCore, SnapshotCore

    _Kind = TypeVar("_Kind", bound="Snapshot")


class Snapshot(StackFrames, ThreadSeeing, MemoryPrinting):
    """What a process, or a thread of it, was at one moment. It never changes.

    Attributes:
        name: the name that it was given, or None.
        level: how much of memory it has: `base`, `writable` or `full`.
        arch: the instruction set.
        snapshot_id: how many snapshots of the same process, or of the same thread, were taken before.
        aslr_enabled: whether addresses were chosen at random.
    """

    def __init__(self, snapshot: SnapshotCore, place: int = 0) -> None:
        """Hold what the engine keeps.

        Args:
            snapshot: the engine's snapshot.
            place: which of its threads is meant.
        """
        self._snapshot = snapshot
        self._core: KeptThreadCore = snapshot.threads[place]  # type: ignore[assignment]
        self.name = snapshot.name
        self.level = snapshot.level
        self.arch = snapshot.arch
        self.snapshot_id = snapshot.snapshot_id
        self.aslr_enabled = snapshot.aslr_enabled
        self._maps: MemoryMapSnapshotList | None = None
        self._memory: SnapshotMemoryView | None = None
        self._regs: SnapshotRegisters | None = None

    @property
    def _stack_core(self) -> KeptThreadCore:
        return self._core

    @property
    def _debugger(self) -> Snapshot:  # type: ignore[override]
        """What knows where things are: to what prints threads, as a debugger is for theirs."""
        return self

    @property
    def _process_full_path(self) -> str:
        return self._snapshot.program

    @property
    def _process_name(self) -> str:
        return self._snapshot.program.rpartition("/")[2]

    @property
    def maps(self) -> MemoryMapSnapshotList:
        """The memory maps, each with its content as far as the level includes it."""
        if self._maps is None:
            self._maps = kept_maps(self._snapshot)
        return self._maps

    @property
    def memory(self) -> SnapshotMemoryView:
        """The memory: the same keys and searches as of a process; ValueError at level `base`."""
        if self._memory is None:
            self._snapshot.check_memory()
            self._memory = SnapshotMemoryView(self._snapshot)
        return self._memory

    @property
    @alias_of(memory)
    def mem(self) -> SnapshotMemoryView:
        return self.memory

    @property
    def regs(self) -> SnapshotRegisters:  # type: ignore[override]
        """The registers of the thread, of the main thread for a process: each an attribute."""
        if self._regs is None:
            self._regs = SnapshotRegisters(self._core)
        return self._regs

    @property
    @alias_of(regs)
    def registers(self) -> SnapshotRegisters:
        return self.regs

    def resolve_position(self, position: int | str, file: str = "hybrid") -> int:
        """Return the virtual address of an address or a symbol, relative to a file as in `memory[...]`.

        Raises:
            ValueError: it is not mapped, there is no such symbol, or the level is `base`.
        """
        if isinstance(position, str):
            return self.memory.resolve_symbol(position, file)
        return self.memory.resolve_address(position, file, skip_absolute_address_validation=True)

    def save(self, file_path: str | PathLike[str]) -> None:
        """Write the snapshot to a file, in place of what is there. Its ending tells the format.

        `.json` is text for exchange; `.ldsnap` is compact and lossless; `.core` is an ELF core file, which
        GDB opens too. Any other ending is remarked on in the log, and JSON is written. `load_snapshot` reads
        all of them.

        Raises:
            OSError: the file cannot be written.
        """
        if not has_snapshot_ending(file_path):
            liblog.warning(
                "The name of %s ends neither in .json, .ldsnap nor .core: JSON is written.", file_path
            )
        self._snapshot.save(file_path)

    def diff(self, other: Snapshot) -> Diff:
        """Return what has changed between this snapshot and another one of the same kind, older or newer."""
        raise NotImplementedError

    def _maps_or_none(self) -> MemoryMapSnapshotList:
        return self.maps

    def pprint_maps(self) -> None:
        """Print the memory maps, in colours that tell their permissions."""
        from libdebug.utils.pretty import map_lines, print_lines

        print_lines(map_lines(self.maps), of_maps=True)

    def _print_registers(self, *, everything: bool) -> None:
        from libdebug.utils.pretty import print_lines, register_lines

        table = self._core.register_table()
        lines = register_lines(self.regs, self.maps, everything=everything, table=table)
        print_lines(lines, of_maps=True)

    def _rows(self) -> list[tuple[str, str]]:
        """What is told of the snapshot, each with its name."""
        rows = [("Name", str(self.name)), ("Snapshot ID", str(self.snapshot_id)), ("Level", self.level)]
        return [*rows, ("Arch", self.arch), ("Program", self._process_full_path)]

    def _repr_html_(self) -> str:
        from libdebug._native import html_table

        return html_table([], [list(row) for row in self._rows()])

    def __repr__(self) -> str:
        """Return what it is of, a line each."""
        lines = [f"{type(self).__name__}()", *(f"  {name} = {value}" for name, value in self._rows())]
        return "\n".join(lines)


def ordered(first: _Kind, second: Snapshot) -> tuple[_Kind, _Kind]:
    """Return two snapshots, the one with the smaller number first.

    Raises:
        TypeError: they are of different kinds.
        ValueError: they are of different architectures.
    """
    if not isinstance(second, type(first)) or type(first) is not type(second):
        kinds = f"{type(first).__name__} and {type(second).__name__}"
        raise TypeError(f"Snapshots of different kinds cannot be compared: {kinds}.")
    if first.arch != second.arch:
        raise ValueError("Snapshots have different architectures. Diff is not supported.")
    return (second, first) if second.snapshot_id < first.snapshot_id else (first, second)
