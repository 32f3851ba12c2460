"""What a thread is about to execute, and its registers, for people to read."""
# ruff: noqa: D102 - an alias gets the documentation of what it stands for

from __future__ import annotations

from libdebug.utils.oop.alias import alias_of

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug._native import Registers, ThreadCore
    from libdebug.data.instruction import Instruction
    from libdebug.debugger.debugger import Debugger


class ThreadSeeing:
    """Disassembly and pretty printing of one thread."""

    __slots__ = ()

    if TYPE_CHECKING:
        _core: ThreadCore
        _debugger: Debugger
        regs: Registers

    def disasm(
        self, position: int | str | None = None, n: int = 10, file: str = "hybrid"
    ) -> list[Instruction]:
        """Return instructions as this thread would execute them, in Intel's syntax.

        Args:
            position: where the first one is: an address, a symbol, or `symbol+hexadecimal`; None for where
                the thread stands.
            n: how many; fewer are returned where memory ends.
            file: what the position is relative to, as for `Debugger.breakpoint`.

        Raises:
            ValueError: there is no memory, no such symbol, or the number is negative.
        """
        from libdebug.data.instruction import Instruction

        if n < 0:
            raise ValueError("The number of instructions must not be negative.")
        address = self.regs.rip if position is None else self._debugger.resolve_position(position, file)
        return [Instruction(row) for row in self._core.disassemble(address, n)]

    def pprint_disasm(self, position: int | str | None = None, n: int = 10, file: str = "hybrid") -> None:
        """Print instructions as this thread would execute them; the arguments are those of `disasm`."""
        from libdebug.utils.pretty import instruction_lines, print_lines

        print_lines(instruction_lines(self.disasm(position, n, file), self.regs.rip))

    def _repr_html_(self) -> str:
        from libdebug._native import html_table

        debugger = self._debugger
        state = "dead" if self._core.dead else "running" if debugger.running else "stopped"
        ids = [["process id", str(debugger.process_id)], ["thread id", str(self._core.thread_id)]]
        return html_table([], [*ids, ["state", state]])

    def print_backtrace(self) -> None:
        """Alias for the `pprint_backtrace` method, which prints the frames."""
        self.pprint_backtrace()  # type: ignore[attr-defined]

    def pprint_registers(self) -> None:
        """Print the general registers, in the colours of the maps that they point into."""
        self._print_registers(everything=False)

    @alias_of(pprint_registers)
    def pprint_regs(self) -> None:
        self._print_registers(everything=False)

    @alias_of(pprint_registers)
    def print_registers(self) -> None:
        self._print_registers(everything=False)

    @alias_of(pprint_registers)
    def print_regs(self) -> None:
        self._print_registers(everything=False)

    def pprint_registers_all(self) -> None:
        """Print all registers: the general ones, flags, segments, vectors and floats."""
        self._print_registers(everything=True)

    @alias_of(pprint_registers_all)
    def pprint_regs_all(self) -> None:
        self._print_registers(everything=True)

    @alias_of(pprint_registers_all)
    def print_registers_all(self) -> None:
        self._print_registers(everything=True)

    @alias_of(pprint_registers_all)
    def print_regs_all(self) -> None:
        self._print_registers(everything=True)

    def _print_registers(self, *, everything: bool) -> None:
        from libdebug.utils.pretty import print_lines, register_lines

        maps = self._debugger._maps_or_none()  # noqa: SLF001 - of the same package
        print_lines(register_lines(self.regs, maps, everything=everything), of_maps=True)
