"""Symbols, source lines, variables and mapped files."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug._native import DebuggerCore, ThreadCore
    from libdebug.data.image import Image
    from libdebug.data.source_line import SourceLine
    from libdebug.data.symbol_list import SymbolList
    from libdebug.data.variable import Variable


class Source:
    """What files say about the process as a whole."""

    _core: DebuggerCore

    @property
    def symbols(self) -> SymbolList:
        """All symbols of the mapped files, as far as `libcontext.sym_lvl` allows to look for them.

        Raises:
            Exception: `libcontext.sym_lvl` is 0.
            RuntimeError: no process is being debugged.
        """
        from libdebug.data.symbol_list import SymbolList
        from libdebug.data.symbol_table import symbol_table

        table = symbol_table(self._core)
        return SymbolList(maps=self.maps, table=table)  # type: ignore[attr-defined]

    def source_line(self, address: int) -> SourceLine | None:
        """Return the source line of an instruction; None where there is no debug information."""
        from libdebug.data.source_line import InlinedCall, SourceLine
        from libdebug.debugger.source_core import source_line

        found = source_line(self._core, address)
        if found is None:
            return None
        file, line, column, function, inlined = found
        return SourceLine(file, line, column, function, [InlinedCall(*call) for call in inlined])

    def line_addresses(self, file: str, line: int) -> list[int]:
        """Return the addresses where the code of a source line begins.

        They are one in each function that has a copy of it; of a line without code, those of the next one
        that has. `breakpoint("file.c:42")` takes the first.

        Args:
            file: the path of a source file, or the end of one.
            line: the line, from 1.

        Raises:
            ValueError: there is no such code; the text says why.
        """
        from libdebug.debugger.source_core import line_addresses

        return line_addresses(self._core, file, line)

    def variable(self, name: str) -> Variable:
        """Return a global variable of the program, else of a library with debug information.

        Raises:
            ValueError: there is none of that name.
        """
        from libdebug.data.variable import Enumerator, Variable
        from libdebug.debugger.source_core import variable

        return Variable(*variable(self._core, name, Enumerator))

    def variables(self) -> dict[str, Variable]:
        """Return arguments and local variables of the function that the main thread is in, by name."""
        return variables_of(self._stack_core)  # type: ignore[attr-defined]

    def image(self, file: str = "binary") -> Image:
        """Return what a mapped file says of itself: sections, segments, mitigations.

        Args:
            file: `binary` for the program, or a part of the path of a mapped file.

        Raises:
            ValueError: no such file is mapped, or it is not an ELF file.
        """
        from libdebug.data.image import Image, Mitigations, Section, Segment
        from libdebug.debugger.source_core import image_of

        facts = image_of(self._core, file)
        return Image(
            facts["path"],
            facts["base"],
            facts["entry"],
            facts["build_id"],
            [Section(*section) for section in facts["sections"]],
            [Segment(*segment) for segment in facts["segments"]],
            Mitigations(**facts["mitigations"]),
        )


def variables_of(thread: ThreadCore) -> dict[str, Variable]:
    """Return arguments and locals of the function that a thread is in; an inner one hides those around it."""
    from libdebug.data.variable import Enumerator, Variable
    from libdebug.debugger.source_core import variables

    found = (Variable(*row) for row in variables(thread, Enumerator))
    return {variable.name: variable for variable in found}
