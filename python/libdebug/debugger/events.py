"""What stops a process, and where."""
# ruff: noqa: D102 - an alias gets the documentation of what it stands for

from __future__ import annotations

from libdebug.liblog import liblog
from libdebug.memory.chunked_memory_view import ChunkedMemoryView
from libdebug.memory.direct_memory_view import DirectMemoryView
from libdebug.memory.live_maps import live_maps
from libdebug.utils.oop.alias import alias_of

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from libdebug._native import DebuggerCore
    from libdebug.data.breakpoint import Breakpoint
    from libdebug.data.memory_map_list import MemoryMapList
    from libdebug.memory.abstract_memory_view import AbstractMemoryView
    from libdebug.state.thread_context import ThreadContext

    _Callback = Callable[[ThreadContext, Breakpoint], object]

_ADDRESSES = 1 << 64
_NOT_RUNNING = "Process not running, cannot access memory."


class Events:
    """Breakpoints, watchpoints, memory and maps: what belongs to the process as a whole."""

    _core: DebuggerCore

    def __init__(self, core: DebuggerCore) -> None:
        """Work with an engine."""
        self._core = core
        self._breakpoints: dict[int, Breakpoint] = {}
        self._direct_memory = DirectMemoryView(core)
        self._chunked_memory = ChunkedMemoryView(core)

    def _forget_events(self) -> None:
        self._breakpoints = {}

    def resolve_position(self, position: int | str, file: str = "hybrid") -> int:
        """Return the virtual address of an address or a symbol, relative to a file as for `breakpoint`.

        Raises:
            ValueError: it is not mapped, or there is no such symbol.
        """
        if not isinstance(position, (int, str)):
            raise TypeError(f"position must be an int or a str, not {type(position).__name__}")
        if not isinstance(file, str):
            raise TypeError(f"file must be a str, not {type(file).__name__}")
        if isinstance(position, str) and file == "absolute":
            raise ValueError("Cannot use `absolute` backing file with symbols.")
        if isinstance(position, int) and not 0 <= position < _ADDRESSES:
            raise ValueError(f"Invalid address: {position:#x} has not 64 bits.")
        return self._core.resolve(position, file)

    def resolve_symbol(self, symbol: str, file: str = "binary") -> int:
        """Return the virtual address of a symbol, which may be followed by `+` and a hexadecimal offset.

        Raises:
            ValueError: there is no such symbol.
        """
        if not isinstance(symbol, str):
            raise TypeError(f"symbol must be a str, not {type(symbol).__name__}")
        return self.resolve_position(symbol, file)

    def breakpoint(
        self,
        position: int | str,
        hardware: bool = False,
        condition: str = "x",
        length: int = 1,
        callback: Literal[True] | _Callback | None = None,
        file: str = "hybrid",
    ) -> Breakpoint:
        """Set a breakpoint; one that is at the same address is replaced.

        Args:
            position: an address, a symbol, or a symbol followed by `+` and a hexadecimal offset.
            hardware: whether to use one of the four debug registers, instead of changing the code.
            condition: for hardware: `x` execution, `w` writing, `rw` reading or writing.
            length: for hardware: how many bytes are watched: 1, 2, 4 or 8.
            callback: called at each hit with the thread and the breakpoint, after which the process goes on;
                True only counts; None stops the process.
            file: what the position is relative to: `hybrid`, `absolute`, `binary`, or a part of the path of a
                mapped file.

        Raises:
            ValueError: there can be no such breakpoint; the text says why.
            RuntimeError: no process is being debugged.
        """
        # The new one first: where it is refused, the old one stays.
        new = self._set_breakpoint(position, hardware, condition, length, callback, file)
        old = self._breakpoints.get(new.address)
        if old is not None:
            self._core.remove_breakpoint(old)
        self._breakpoints[new.address] = new
        return new

    def _set_breakpoint(
        self,
        position: int | str,
        hardware: bool,
        condition: str,
        length: int,
        callback: Literal[True] | _Callback | None,
        file: str,
        thread_id: int | None = None,
    ) -> Breakpoint:
        """Set a breakpoint beside those that are there, for one thread or for all."""
        address = self.resolve_position(position, file)
        if not isinstance(hardware, int):
            hint = ": is callback=... meant?" if callable(hardware) else ""
            raise TypeError(f"hardware must be a bool, not {type(hardware).__name__}{hint}")
        if not isinstance(condition, str):
            raise TypeError(f"condition must be a str, not {type(condition).__name__}")
        condition = condition.lower()
        if not hardware and condition != "x":
            raise ValueError("Breakpoint condition is supported only for hardware watchpoints.")
        if hardware:
            length = self._checked_length(address, condition, length)
        else:
            self._warn_of_data(address, position)
        return self._core.set_breakpoint(
            address,
            position if isinstance(position, str) else hex(address),
            condition=condition if hardware else None,
            length=length,
            callback=callback,
            thread_id=thread_id,
        )

    def _take_breakpoints_of(self, creator: Events) -> None:
        """Set the breakpoints that are set in another process."""
        for address, bp in creator._breakpoints.items():
            if bp.is_enabled():
                condition = bp.condition if bp.hardware else None
                self._breakpoints[address] = self._core.set_breakpoint(
                    address, bp.symbol, condition=condition, length=bp.length, callback=bp.callback
                )

    def _warn_of_data(self, address: int, position: int | str) -> None:
        """Say that a breakpoint is about to change what the program may read."""
        found = self.maps.filter(address)
        if found and "x" not in found[0].permissions:
            liblog.warning(
                "%s is no code, and a breakpoint changes a byte there that the program may read. "
                "A watchpoint tells who reads or writes data.",
                position if isinstance(position, str) else hex(position),
            )

    def _checked_length(self, address: int, condition: str, length: int) -> int:
        """Return the length that a hardware breakpoint will have."""
        if condition not in ("w", "rw", "x"):
            raise ValueError("Invalid condition for watchpoints. Supported conditions are 'w', 'rw', 'x'.")
        if not self.maps.filter(address):
            liblog.warning("Nothing is mapped at %#x yet: the hardware breakpoint waits for it.", address)
        if condition == "x" and length != 1:
            liblog.warning("Hardware breakpoints on execution have length 1. Forcing length to 1 byte.")
            return 1
        if length not in (1, 2, 4, 8):
            raise ValueError("Invalid length for a watchpoint. Supported lengths are 1, 2, 4, 8.")
        if address % length:
            raise ValueError(f"Watchpoint address {address:#x} must be aligned to its length, {length}.")
        return length

    @alias_of(breakpoint)
    def bp(
        self,
        position: int | str,
        hardware: bool = False,
        condition: str = "x",
        length: int = 1,
        callback: Literal[True] | _Callback | None = None,
        file: str = "hybrid",
    ) -> Breakpoint:
        return self.breakpoint(position, hardware, condition, length, callback, file)

    def watchpoint(
        self,
        position: int | str,
        condition: str = "w",
        length: int = 1,
        callback: Literal[True] | _Callback | None = None,
        file: str = "hybrid",
    ) -> Breakpoint:
        """Set a watchpoint: a hardware breakpoint on memory that is written, or read or written.

        Args:
            position: an address, a symbol, or a symbol followed by `+` and a hexadecimal offset.
            condition: `w` writing, `rw` reading or writing, `x` execution.
            length: how many bytes are watched: 1, 2, 4 or 8.
            callback: as for `breakpoint`.
            file: what the position is relative to, as for `breakpoint`.

        Raises:
            ValueError: there can be no such watchpoint; the text says why.
            RuntimeError: no process is being debugged.
        """
        return self.breakpoint(
            position, hardware=True, condition=condition, length=length, callback=callback, file=file
        )

    @alias_of(watchpoint)
    def wp(
        self,
        position: int | str,
        condition: str = "w",
        length: int = 1,
        callback: Literal[True] | _Callback | None = None,
        file: str = "hybrid",
    ) -> Breakpoint:
        return self.watchpoint(position, condition, length, callback, file)

    @property
    def breakpoints(self) -> dict[int, Breakpoint]:
        """The breakpoints and watchpoints by address."""
        return self._breakpoints

    @property
    def memory(self) -> AbstractMemoryView:
        """The memory of the process: see `AbstractMemoryView` for the keys."""
        core = self._core
        if not core.debugging:
            raise RuntimeError(_NOT_RUNNING)
        return self._direct_memory if core.fast_memory else self._chunked_memory

    @property
    @alias_of(memory)
    def mem(self) -> AbstractMemoryView:
        return self.memory

    @property
    def fast_memory(self) -> bool:
        """Whether memory is accessed through /proc/PID/mem, instead of word by word. Waits for a stop."""
        self._settle()
        return self._core.fast_memory

    @fast_memory.setter
    def fast_memory(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError("fast_memory must be a boolean")
        self._settle()
        if value and self._core.debugging:
            self._require_fast_memory()
        self._core.fast_memory = value

    def _require_fast_memory(self) -> None:
        raise NotImplementedError

    @property
    def maps(self) -> MemoryMapList:
        """The memory maps, as they were when the process stopped."""
        return live_maps(self._core)

    def _settle(self) -> None:
        """Wait until the process is stopped, if there is one."""
        if self._core.debugging:
            self._core.settle()
