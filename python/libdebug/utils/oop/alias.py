"""Second names for methods and properties."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    _Function = TypeVar("_Function", bound=Callable[..., Any])


def alias_of(original: Callable[..., Any] | property) -> Callable[[_Function], _Function]:
    """Return a decorator that marks a function as another name of a method or of a property's getter.

    The original learns the name of its alias (`__aliases__`); the alias gets a docstring that names the
    original and contains all that is said there.

    Example:
        >>> class Door:
        ...     def open(self):
        ...         "Open the door."
        ...
        ...     @alias_of(open)
        ...     def o(self):
        ...         return self.open()
        >>> print(Door.o.__doc__)
        Alias for the `open` method.
        <BLANKLINE>
        Open the door.
        >>> Door.open.__aliases__
        ['o']
    """
    is_property = isinstance(original, property)
    carrier: Any = original.fget if isinstance(original, property) else original

    def mark(function: _Function) -> _Function:
        kind = "property" if is_property else "method"
        function.__doc__ = f"Alias for the `{carrier.__name__}` {kind}.\n\n{carrier.__doc__}"
        carrier.__aliases__ = [*getattr(carrier, "__aliases__", ()), function.__name__]
        return function

    return mark
