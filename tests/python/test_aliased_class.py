"""`AliasedClass`: an alias that differs from its original is found when a class is created."""

from __future__ import annotations

from abc import ABCMeta
from typing import Any

import pytest

from libdebug.utils.oop.aliased_class import AliasedClass

ORIGINAL_DOC = "Open it.\n\n    Slowly."


def method(doc: str | None, *, more: bool = False, aliases: Any = ()) -> Any:
    if more:

        def function(self: object, width: int, height: int = 3) -> None: ...
    else:

        def function(self: object, width: int) -> None: ...

    function.__doc__ = doc
    function.__aliases__ = aliases
    return function


def checked(**attributes: Any) -> type:
    return AliasedClass("Checked", (type("Base", (), attributes),), {})


def test_a_true_alias_passes() -> None:
    alias = method(f"Alias for the `open` method.\n\n    {ORIGINAL_DOC}")
    assert checked(open=method(ORIGINAL_DOC, aliases=["o"]), o=alias).__name__ == "Checked"


def test_a_true_alias_of_a_property_passes() -> None:
    getter, alias = (
        lambda self: self.height,
        property(lambda self: self.height, doc="Alias for the `tall` property.\n\n    How high."),
    )
    getter.__aliases__ = ["high"]
    assert checked(tall=property(getter, doc="How high."), high=alias)


@pytest.mark.parametrize(
    ("alias", "text"),
    [
        ({}, "does not exist"),
        ({"o": method(f"Alias for the `open` method.\n{ORIGINAL_DOC}", more=True)}, "takes other arguments"),
        ({"o": method(ORIGINAL_DOC)}, "does not start with: Alias for the `open` method."),
        ({"o": method(f"Alias for the `shut` method.\n{ORIGINAL_DOC}")}, "does not start with"),
        ({"o": method("Alias for the `open` method.\n\n    Open it.")}, "lacks the line: Slowly."),
        ({"o": method(None)}, "does not start with"),
    ],
)
def test_a_false_alias_is_named(alias: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError) as caught:
        checked(open=method(ORIGINAL_DOC, aliases=["o"]), **alias)
    assert str(caught.value).startswith("Base.open has the alias `o`, which ")
    assert text in str(caught.value)


def test_bases_of_bases_are_checked() -> None:
    base = type("Base", (), {"open": method(ORIGINAL_DOC, aliases=["o"])})
    with pytest.raises(TypeError, match="does not exist"):
        AliasedClass("Checked", (type("Middle", (base,), {}),), {})


def test_it_joins_other_metaclasses() -> None:
    abstract = ABCMeta("Abstract", (), {"open": method(ORIGINAL_DOC)})
    joined = type("Joined", (AliasedClass, ABCMeta), {})
    assert joined("Checked", (abstract,), {}).__mro__[1] is abstract
