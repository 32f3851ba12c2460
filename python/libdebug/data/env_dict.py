"""The environment of a program, as a dictionary that tells its owner before every change."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from typing_extensions import Self


class EnvDict(dict[str, str]):
    """A dictionary of strings that calls back before each change.

    A change that is refused, by a wrong type or by the callback, leaves the dictionary as it was. A call
    that changes nothing (`pop` with a default of a missing key, `setdefault` of one that is there) does not
    call back.

    Example:
        >>> environment = EnvDict({"HOME": "/root"})
        >>> environment.set_callback(lambda: print("about to change"))
        >>> environment["TERM"] = "dumb"
        about to change
        >>> environment["TERM"] = 1
        Traceback (most recent call last):
        TypeError: EnvDict values must be strings, got int
    """

    _callback: Callable[[], object] | None = None

    def __init__(
        self, source: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **variables: str
    ) -> None:
        """Create a dictionary like `dict`, of strings only, without a callback.

        Raises:
            TypeError: a key or a value is not a string.
        """
        super().__init__(_checked(source, variables))

    def set_callback(self, callback: Callable[[], object] | None) -> None:
        """Choose what is called, without arguments, before each change; by raising it prevents the change."""
        self._callback = callback

    def _announce(self) -> None:
        """Call back, if there is a callback."""
        if self._callback is not None:
            self._callback()

    def __setitem__(self, key: str, value: str, /) -> None:
        """Set one variable."""
        _check(key, value)
        self._announce()
        super().__setitem__(key, value)

    def __delitem__(self, key: str, /) -> None:
        """Take out one variable; KeyError if there is none of that name."""
        if key in self:
            self._announce()
        super().__delitem__(key)

    def update(self, source: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **variables: str) -> None:  # type: ignore[override]
        """Set several variables in one change."""
        new = _checked(source, variables)
        self._announce()
        super().update(new)

    def setdefault(self, key: str, default: str = "", /) -> str:
        """Return the value of a variable, which is set to the default first if there is none of that name."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, /, *default: Any) -> Any:
        """Take out a variable and return its value; if there is none, the default if given, or KeyError."""
        if key in self:
            self._announce()
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, str]:
        """Take out the variable set last and return its name and value; KeyError if there is none."""
        if self:
            self._announce()
        return super().popitem()

    def clear(self) -> None:
        """Take out everything."""
        self._announce()
        super().clear()

    def __ior__(self, source: Mapping[str, str] | Iterable[tuple[str, str]], /) -> Self:  # type: ignore[override, misc]
        """Set several variables in one change."""
        self.update(source)
        return self


def _check(key: object, value: object) -> None:
    """Raise TypeError unless both are strings."""
    for what, given in (("keys", key), ("values", value)):
        if not isinstance(given, str):
            raise TypeError(f"EnvDict {what} must be strings, got {type(given).__name__}")


def _checked(
    source: Mapping[str, str] | Iterable[tuple[str, str]], variables: Mapping[str, str]
) -> dict[str, str]:
    """Return what `dict` would make of the arguments, if all of it is strings."""
    new = dict(source, **variables)
    for key, value in new.items():
        _check(key, value)
    return new
