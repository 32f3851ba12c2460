"""Variables of a program, with their types and values."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from typing import Any, Literal

    from typing_extensions import disjoint_base
else:

    def disjoint_base(cls: type) -> type:
        """Return the class: what it says is for type checkers."""
        return cls


@disjoint_base
class Enumerator(int):
    """A number that may have a name in its program.

    Example:
        >>> red = Enumerator(1, "RED")
        >>> red == 1, red.name, red
        (True, 'RED', <RED: 1>)
    """

    name: str | None

    def __new__(cls, value: int, name: str | None = None) -> Enumerator:  # noqa: PYI034 - no subclasses
        """Return a number with a name."""
        number = super().__new__(cls, value)
        number.name = name
        return number

    def __repr__(self) -> str:
        """Return the name and the number."""
        return f"<{self.name}: {int(self)}>" if self.name else int.__repr__(self)


class Variable:
    """A variable, as it was when it was asked for.

    Attributes:
        name: its name.
        kind: `argument`, `local` or `global`.
        type: its type, as C has it.
        address: where it is in memory; None when it is in registers, or nowhere.
        value: an int, float or bool; the address for a pointer; bytes for characters and for what is not
            understood; a list for an array, a dictionary for a structure; None when it is nowhere.
        text: the characters that it is, or points to, up to the zero; None for anything else.
    """

    __slots__ = ("address", "kind", "name", "text", "type", "value")

    def __init__(
        self,
        name: str,
        kind: Literal["argument", "local", "global"],
        type: str,
        address: int | None,
        value: Any,
        text: bytes | None = None,
    ) -> None:
        """Hold what is known."""
        self.name = name
        self.kind = kind
        self.type = type
        self.address = address
        self.value = value
        self.text = text

    def __repr__(self) -> str:
        """Return a declaration with the value."""
        text = f" {self.text!r}" if self.text is not None and self.text is not self.value else ""
        value = "<not available>" if self.value is None else repr(self.value)
        return f"<{self.type} {self.name} = {value}{text}>"
