"""What a stopped program looks like: maps, memory, registers and instructions for people to read."""
# ruff: noqa: D102 - an alias gets the documentation of what it stands for

from __future__ import annotations

from libdebug.data.memory_map_list import MemoryMapList
from libdebug.debugger.children import Children
from libdebug.debugger.handling import Handling
from libdebug.debugger.main_thread import MainThread
from libdebug.liblog import liblog
from libdebug.utils.memory_printing import MemoryPrinting
from libdebug.utils.oop.alias import alias_of

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug.data.instruction import Instruction


class Seeing(MainThread, Children, Handling, MemoryPrinting):
    """Disassembly and pretty printing of a process and of its main thread."""

    def disasm(
        self, position: int | str | None = None, n: int = 10, file: str = "hybrid"
    ) -> list[Instruction]:
        """Return instructions as the main thread would execute them, see `ThreadContext.disasm`.

        Args:
            position: where the first one is: an address, a symbol, or `symbol+hexadecimal`; None for where
                the thread stands.
            n: how many; fewer are returned where memory ends.
            file: what the position is relative to, as for `breakpoint`.

        Raises:
            ValueError: there is no memory, no such symbol, or the number is negative.

        Example:
            >>> from libdebug import debugger
            >>> d = debugger("./basic")
            >>> pipe = d.run()
            >>> [str(one) for one in d.disasm("counter_function", 3, "binary")][:2]
            ['push rbp', 'mov rbp,rsp']
            >>> d.terminate()
        """
        return self._main.disasm(position, n, file)

    def pprint_disasm(self, position: int | str | None = None, n: int = 10, file: str = "hybrid") -> None:
        """Print instructions as the main thread would execute them; the arguments are those of `disasm`."""
        self._main.pprint_disasm(position, n, file)

    def print_backtrace(self) -> None:
        """Alias for the `pprint_backtrace` method, which prints the frames."""
        self.pprint_backtrace()

    def pprint_registers(self) -> None:
        """Print the main thread's general registers, in the colours of the maps that they point into."""
        self._main.pprint_registers()

    @alias_of(pprint_registers)
    def pprint_regs(self) -> None:
        self._main.pprint_registers()

    @alias_of(pprint_registers)
    def print_registers(self) -> None:
        self._main.pprint_registers()

    @alias_of(pprint_registers)
    def print_regs(self) -> None:
        self._main.pprint_registers()

    def pprint_registers_all(self) -> None:
        """Print all of the main thread's registers: general ones, flags, segments, vectors and floats."""
        self._main.pprint_registers_all()

    @alias_of(pprint_registers_all)
    def pprint_regs_all(self) -> None:
        self._main.pprint_registers_all()

    @alias_of(pprint_registers_all)
    def print_registers_all(self) -> None:
        self._main.pprint_registers_all()

    @alias_of(pprint_registers_all)
    def print_regs_all(self) -> None:
        self._main.pprint_registers_all()

    def pprint_maps(self) -> None:
        """Print the memory maps, in colours that tell their permissions."""
        from libdebug.utils.pretty import map_lines, print_lines

        print_lines(map_lines(self.maps), of_maps=True)

    def print_maps(self) -> None:
        """Print the memory maps. Deprecated: `pprint_maps` does the same."""
        liblog.warning("`print_maps` is deprecated: use `pprint_maps`.")
        self.pprint_maps()

    def _repr_html_(self) -> str:
        from libdebug._native import html_table

        # The lines of the text, each of which names something.
        lines = [line.partition(" = ") for line in repr(self).splitlines()[1:]]
        return html_table([], [[name.strip(), value] for name, _, value in lines])

    def _maps_or_none(self) -> MemoryMapList:
        """Return the maps; an empty list when the process has ended."""
        try:
            return self.maps
        except (RuntimeError, OSError):
            return MemoryMapList()
