"""A metaclass that holds aliases to what they stand for."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from typing import Any


class AliasedClass(type):
    """A metaclass under which a class cannot be created if one of its aliases differs from the original.

    An attribute names its aliases in `__aliases__` (on the getter, if it is a property). Each of them must
    exist, take the same arguments, and have a docstring that starts with "Alias for the `NAME` method." (or
    "property.") and contains every line of the original's.

    Example:
        >>> class Door:
        ...     def open(self):
        ...         "Open the door."
        ...
        ...     def o(self):
        ...         '''Alias for the `open` method.
        ...
        ...         Open the door.'''
        ...
        ...     open.__aliases__ = ["o"]
        >>> AliasedClass("CheckedDoor", (Door,), {}).__name__
        'CheckedDoor'
        >>> Door.open.__aliases__ = ["shut"]
        >>> AliasedClass("CheckedDoor", (Door,), {})
        Traceback (most recent call last):
        TypeError: Door.open has the alias `shut`, which does not exist
    """

    def __init__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], /, **options: Any
    ) -> None:
        """Check the aliases of every base.

        Raises:
            TypeError: an alias is missing or differs from its original.
        """
        super().__init__(name, bases, namespace, **options)
        for base in cls.__mro__[1:]:
            for attribute, original in vars(base).items():
                for alias in _aliases(original):
                    _check(base, attribute, original, alias)


def _aliases(attribute: object) -> list[str]:
    """Return the names that stand for an attribute."""
    carrier = attribute.fget if isinstance(attribute, property) else attribute
    # A class-level value of any other kind may have an attribute of that name with any meaning.
    found = getattr(carrier, "__aliases__", ())
    return list(found) if isinstance(found, (list, tuple, set, frozenset)) else []


def _check(base: type, name: str, original: object, alias: str) -> None:
    """Raise TypeError unless the alias is there and stands for the original."""
    where = f"{base.__name__}.{name} has the alias `{alias}`, which"
    other = vars(base).get(alias)
    if other is None:
        raise TypeError(f"{where} does not exist")
    if _signature(original) != _signature(other):
        raise TypeError(f"{where} takes other arguments: {_signature(original)} and {_signature(other)}")
    _check_docstring(where, name, original, other)


def _signature(attribute: object) -> object:
    """Return what a call of the attribute looks like; a property is read without arguments."""
    import inspect

    return None if isinstance(attribute, property) else inspect.signature(attribute)  # type: ignore[arg-type]


def _check_docstring(where: str, name: str, original: object, alias: object) -> None:
    """Raise TypeError unless the alias says what it stands for, and all that the original says."""
    lines = [line.strip() for line in (alias.__doc__ or "").splitlines()]
    kind = "property" if isinstance(original, property) else "method"
    first = f"Alias for the `{name}` {kind}."
    if not lines or lines[0] != first:
        raise TypeError(f"{where} has a docstring that does not start with: {first}")
    for line in (original.__doc__ or "").splitlines():
        if line.strip() not in lines:
            raise TypeError(f"{where} has a docstring that lacks the line: {line.strip()}")
