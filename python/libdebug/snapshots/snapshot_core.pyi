# ruff: noqa: PYI021 - what is native has its documentation here
"""The engine's part in snapshots."""

from os import PathLike
from typing import final

from libdebug._native import DebuggerCore, ThreadCore
from libdebug.data.symbol_table import SymbolTable

__all__ = [
    "KeptThreadCore",
    "SnapshotCore",
    "count_snapshot",
    "has_snapshot_ending",
    "load_snapshot",
    "process_snapshot",
    "thread_snapshot",
]

@final
class SnapshotCore:
    """What a process, or a thread of it, was at one moment."""

    @property
    def is_process(self) -> bool:
        """Whether it is of a process, and not of one thread."""

    @property
    def level(self) -> str:
        """How much of memory it has: `base`, `writable` or `full`."""

    @property
    def arch(self) -> str:
        """The instruction set, such as `amd64`."""

    @property
    def snapshot_id(self) -> int:
        """How many were taken before, of the same process or thread."""

    @property
    def name(self) -> str | None:
        """The name that it was given."""

    @property
    def aslr_enabled(self) -> bool:
        """Whether the kernel had chosen addresses at random."""

    @property
    def program(self) -> str:
        """The path of the program."""

    @property
    def process_id(self) -> int:
        """The process's id; 0 where a file does not tell it."""

    @property
    def threads(self) -> list[KeptThreadCore]:
        """Its threads, the main thread first."""

    def maps(self) -> list[tuple[int, int, str, int, str]]:
        """Return the maps: start, end, permissions, offset and name of each."""

    def content(self, place: int) -> bytes | None:
        """Return a copy of the content of a map, by its place.

        None if there is none, or not all of it could be read.
        """

    def has_same_content(self, place: int, other: SnapshotCore, other_place: int) -> bool:
        """Whether a map of this snapshot has the same content as one of another."""

    def symbols(self) -> SymbolTable:
        """Return all symbols of the files that were mapped."""

    def diff_maps(
        self, newer: SnapshotCore
    ) -> list[tuple[int | None, int | None, bool, list[tuple[int, int]]]]:
        """Return every map of this snapshot or of a newer one, by address.

        Each is told by its places in both, whether it has changed, and which parts, from where to where.
        """

    def check_memory(self) -> None:
        """Raise ValueError unless there is memory to look at."""

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to a file, in the format that the ending tells; JSON for unknown ones."""

@final
class KeptThreadCore:
    """One thread of a snapshot."""

    @property
    def thread_id(self) -> int:
        """Its thread id."""

    @property
    def snapshot_id(self) -> int:
        """How many snapshots were taken before of this thread."""

    def registers(self) -> dict[str, float]:
        """Return all registers by name."""

    def register_table(self) -> list[tuple[str, str, int]]:
        """Return the registers that there are: name, kind and width in bits of each."""

    def raw(self, name: str) -> bytes:
        """Return a register's bytes, least significant first."""

    @property
    def saved_ip(self) -> int:
        """The address that the current function returns to."""

    def backtrace(self) -> list[int]:
        """Return the pc and all return addresses, innermost first."""

    def frames(
        self,
    ) -> list[tuple[int, int | None, str | None, str | None, int | None, bool, dict[str, int]]]:
        """Return all frames, innermost first, as `libdebug.data.frame.Frame` takes them."""

    def disassemble(
        self, address: int, count: int
    ) -> list[tuple[int, bytes, str, list[str], str, str, int | None, tuple[str, int] | None]]:
        """Return instructions from an address on, as `ThreadCore.disassemble` does."""

def process_snapshot(core: DebuggerCore, level: str, name: str | None = None) -> SnapshotCore:
    """Take a snapshot of a process."""

def thread_snapshot(core: ThreadCore, level: str, name: str | None = None) -> SnapshotCore:
    """Take a snapshot of a thread."""

def count_snapshot(core: ThreadCore) -> int:
    """Count a snapshot of a thread that somebody else has taken, and return its number."""

def load_snapshot(path: str | PathLike[str]) -> SnapshotCore:
    """Read a snapshot, or a core file, from a file. What it is, its content tells."""

def has_snapshot_ending(path: str | PathLike[str]) -> bool:
    """Return whether the ending of a file's name says which format a snapshot is saved in."""
