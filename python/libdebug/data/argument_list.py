"""The arguments of a program, as a list that tells its owner about every change."""

from __future__ import annotations

import operator

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, SupportsIndex

    from typing_extensions import Self

_EMPTIED = "Argument list must maintain at least one element. It holds the name of the program to run."


class ArgumentList(list[str]):
    """A list of strings that calls back before and after each change.

    A change that is refused, by a wrong type, by `prevent_empty` or by the callback before it, leaves the
    list as it was.

    Example:
        >>> arguments = ArgumentList(["/bin/echo", "hello"])
        >>> arguments.set_callbacks(after_callback=print)
        >>> arguments[1] = "world"
        ['/bin/echo', 'world']
        >>> arguments.append(1)
        Traceback (most recent call last):
        TypeError: ArgumentList can only contain strings, got int: 1
    """

    _before: Callable[[list[str]], object] | None = None
    _after: Callable[[list[str]], object] | None = None
    _prevent_empty: bool = False

    def __init__(self, iterable: Iterable[str] | None = None) -> None:
        """Create a list of the given strings, without callbacks.

        Raises:
            TypeError: the argument is not iterable, or one of its elements is not a string.
        """
        super().__init__([] if iterable is None else _strings(iterable))

    def set_callbacks(
        self,
        before_callback: Callable[[list[str]], object] | None = None,
        after_callback: Callable[[list[str]], object] | None = None,
    ) -> None:
        """Choose what is called around each change; None for nothing.

        Args:
            before_callback: gets a copy of the list before the change; by raising it prevents the change.
            after_callback: gets a copy of the list after the change.
        """
        self._before = before_callback
        self._after = after_callback

    @property
    def prevent_empty(self) -> bool:
        """Whether a change that would leave the list empty is refused with ValueError. False at first."""
        return self._prevent_empty

    @prevent_empty.setter
    def prevent_empty(self, value: bool) -> None:
        if value and not self:
            raise ValueError("Cannot enable prevent_empty on an already empty list")
        self._prevent_empty = bool(value)

    def _replace(self, new: list[str]) -> None:
        """Put new content in place of the old, between the two callbacks."""
        if self._prevent_empty and not new:
            raise ValueError(_EMPTIED)
        if self._before is not None:
            self._before(list(self))
        super().__setitem__(slice(None), new)
        if self._after is not None:
            self._after(list(self))

    def append(self, value: str, /) -> None:
        """Add a string at the end."""
        self._replace([*self, _string(value)])

    def extend(self, values: Iterable[str], /) -> None:
        """Add strings at the end."""
        self._replace([*self, *_strings(values)])

    def insert(self, index: SupportsIndex, value: str, /) -> None:
        """Add a string in front of the one at the index."""
        new = list(self)
        new.insert(index, _string(value))
        self._replace(new)

    def remove(self, value: str, /) -> None:
        """Take out the first string equal to the value; ValueError if there is none."""
        new = list(self)
        new.remove(value)
        self._replace(new)

    def pop(self, index: SupportsIndex = -1, /) -> str:
        """Take out the string at the index and return it; IndexError if there is none."""
        new = list(self)
        value = new.pop(index)
        self._replace(new)
        return value

    def clear(self) -> None:
        """Take out everything."""
        self._replace([])

    def reverse(self) -> None:
        """Turn the order round."""
        self._replace(self[::-1])

    def sort(self, *, key: Callable[[str], Any] | None = None, reverse: bool = False) -> None:
        """Put the strings in order, as `list.sort` does."""
        self._replace(sorted(self, key=key, reverse=reverse))

    def __setitem__(self, index: SupportsIndex | slice, value: str | Iterable[str], /) -> None:
        """Replace one string, or those of a slice by any number of strings."""
        new = list(self)
        if isinstance(index, slice):
            new[index] = _strings(value)
        else:
            new[index] = _string(value)
        self._replace(new)

    def __delitem__(self, index: SupportsIndex | slice, /) -> None:
        """Take out one string, or those of a slice."""
        new = list(self)
        del new[index]
        self._replace(new)

    def __iadd__(self, values: Iterable[str], /) -> Self:  # type: ignore[misc, override]
        """Add strings at the end."""
        self.extend(values)
        return self

    def __imul__(self, count: SupportsIndex, /) -> Self:
        """Repeat the content; a count of zero or less takes out everything."""
        self._replace(list(self) * operator.index(count))
        return self


def _string(value: object, where: str = "") -> str:
    """Return the value if it is a string."""
    if not isinstance(value, str):
        raise TypeError(
            f"ArgumentList can only contain strings, got {type(value).__name__}: {value!r}{where}"
        )
    return value


def _strings(values: object) -> list[str]:
    """Return the elements of an iterable if all are strings."""
    try:
        elements = list(values)  # type: ignore[call-overload]
    except TypeError:
        raise TypeError(f"Expected an iterable, got {type(values).__name__}") from None
    return [_string(value, f" at index {index}") for index, value in enumerate(elements)]
