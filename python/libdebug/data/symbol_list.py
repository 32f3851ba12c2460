"""The symbols of a process, as a list that can be searched."""

from __future__ import annotations

from libdebug.data.symbol import Symbol

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, SupportsIndex, overload

    from libdebug.data.memory_map_list import MemoryMapList
    from libdebug.data.symbol_table import SymbolTable


class SymbolList(list[Symbol]):
    """A list of symbols, which is filled when it is first looked at as a list.

    Searches do not need that: they are answered from an index of each file.

    Example:
        >>> main = Symbol(0x1139, 0x1160, "main", "/bin/program")
        >>> symbols = SymbolList([main, Symbol(0x1160, 0x1170, "maintain", "/bin/program")])
        >>> symbols["main"] == [main], symbols[0] == main, len(symbols.filter("main"))
        (True, True, 2)
    """

    def __init__(
        self,
        symbols: Iterable[Symbol] = (),
        maps: MemoryMapList | None = None,
        *,
        table: SymbolTable | None = None,
    ) -> None:
        """Create a list.

        Args:
            symbols: its elements.
            maps: where their files are mapped, for searches by address.
            table: what the list is filled from, instead of `symbols`.
        """
        super().__init__(symbols)
        self._maps = maps
        self._table = table
        self._is_filled = table is None

    def _fill(self) -> None:
        if not self._is_filled:
            self._is_filled = True
            if self._table is not None:
                super().extend(self._table.all())

    def _changed(self) -> None:
        """Fill the list, which is no longer what the engine knows."""
        self._fill()
        self._table = None

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: SupportsIndex) -> Symbol: ...
        @overload
        def __getitem__(self, key: slice | str) -> SymbolList: ...

    def __getitem__(self, key: SupportsIndex | slice | str) -> Symbol | SymbolList:
        """Return the symbol at a place, those of a slice, or those of exactly that name.

        A name is what stands in the file, or the demangled one, with parameters or without.

        Raises:
            KeyError: no symbol has that name.
        """
        if isinstance(key, str):
            found = self._named(key)
            if not found:
                raise KeyError(f"Symbol '{key}' not found.")
            return self._like(found)
        self._fill()
        if isinstance(key, slice):
            return self._like(super().__getitem__(key))
        return super().__getitem__(key)

    def _named(self, name: str) -> list[Symbol]:
        if self._table is not None:
            return self._table.named(name)
        exact = [symbol for symbol in super().__iter__() if name in (symbol.linkage_name, symbol.name)]
        return exact or [symbol for symbol in super().__iter__() if symbol.is_named(name)]

    def filter(self, value: int | str) -> SymbolList:
        """Return the symbols that cover an address, or those whose name has a text in it.

        Args:
            value: an address in the process; or a text: symbols of exactly that name come first, then those
                whose name contains it.

        Raises:
            ValueError: nothing is mapped at the address.
            TypeError: the value is neither.
        """
        if isinstance(value, int):
            return self._like(self._covering(value))
        if isinstance(value, str):
            exact = self._named(value)
            known = set(exact)
            return self._like([*exact, *(other for other in self._containing(value) if other not in known)])
        raise TypeError("The value must be an integer or a string.")

    def _containing(self, text: str) -> list[Symbol]:
        if self._table is not None:
            return self._table.containing(text)
        return [symbol for symbol in super().__iter__() if text in symbol.linkage_name or text in symbol.name]

    def _covering(self, address: int) -> list[Symbol]:
        if self._table is not None:
            found = self._table.covering(address) if 0 <= address < 1 << 64 else None
            if found is None and not (self._maps and self._maps.filter(address)):
                raise ValueError(f"Address {address:#x} is not mapped.")
            return found or []
        from libdebug.utils.debugging_utils import offset_in_file

        file, offset = offset_in_file(address, self._maps if self._maps is not None else [])
        return [
            symbol
            for symbol in super().__iter__()
            if symbol.backing_file == file
            and (symbol.start <= offset < symbol.end or symbol.start <= address < symbol.end)
        ]

    def _like(self, symbols: Iterable[Symbol]) -> SymbolList:
        return SymbolList(symbols, self._maps)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._table) if self._table is not None and not self._is_filled else super().__len__()

    def __radd__(self, other: list[Symbol]) -> list[Symbol]:
        """Return a list of both, where the other one is no list of symbols."""
        return [*other, *self]

    def __hash__(self) -> int:  # type: ignore[override]
        """Return what tells this list from others."""
        return id(self)

    def __repr__(self) -> str:
        """Return the list as its class and elements."""
        self._fill()
        return f"SymbolList({super().__repr__()})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes an equal list, which knows no process any more."""
        self._fill()
        return SymbolList, (list(super().__iter__()), self._maps)


def _filled(name: str, prepare: Callable[[SymbolList], None]) -> Callable[..., Any]:
    """Return a method of lists that has the list filled first."""
    plain = getattr(list, name)

    def method(self: SymbolList, *arguments: Any, **named: Any) -> Any:
        prepare(self)
        for other in arguments:
            if isinstance(other, SymbolList):
                other._fill()  # noqa: SLF001 - of the same class
        return plain(self, *arguments, **named)

    method.__name__, method.__doc__, method.__wrapped__ = name, plain.__doc__, plain  # type: ignore[attr-defined]
    return method


_LOOK = ("__iter__", "__contains__", "__reversed__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__")
_LOOK_TOO = ("__ge__", "__add__", "__mul__", "__rmul__", "index", "count", "copy")
_CHANGE = (
    "__setitem__",
    "__delitem__",
    "__iadd__",
    "__imul__",
    "append",
    "extend",
    "insert",
    "pop",
    "remove",
)
_CHANGE_TOO = ("clear", "reverse", "sort")

for _name in _LOOK + _LOOK_TOO:
    setattr(SymbolList, _name, _filled(_name, SymbolList._fill))  # noqa: SLF001 - its own module
for _name in _CHANGE + _CHANGE_TOO:
    setattr(SymbolList, _name, _filled(_name, SymbolList._changed))  # noqa: SLF001 - its own module
