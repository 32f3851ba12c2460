"""`EnvDict`: a dictionary of strings that can refuse a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from libdebug.data.env_dict import EnvDict

if TYPE_CHECKING:
    from collections.abc import Callable

START = {"HOME": "/root", "TERM": "dumb"}
CHANGES: dict[str, Callable[[Any], object]] = {
    "set": lambda x: x.__setitem__("PATH", "/bin"),
    "set again": lambda x: x.__setitem__("TERM", "vt100"),
    "delete": lambda x: x.__delitem__("TERM"),
    "update": lambda x: x.update({"PATH": "/bin"}, TERM="vt100"),
    "update by pairs": lambda x: x.update([("PATH", "/bin")]),
    "pop": lambda x: x.pop("TERM"),
    "pop with default": lambda x: x.pop("TERM", None),
    "popitem": lambda x: x.popitem(),
    "clear": lambda x: x.clear(),
    "setdefault": lambda x: x.setdefault("PATH", "/bin"),
    "merge": lambda x: x.__ior__({"PATH": "/bin"}),
}
NO_CHANGES: dict[str, Callable[[Any], object]] = {
    "pop of a missing one": lambda x: x.pop("PATH", "none"),
    "setdefault of a present one": lambda x: x.setdefault("TERM", "vt100"),
    "get": lambda x: x.get("PATH"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_as_a_dict_does_and_calls_back_first(change: Callable[[Any], object]) -> None:
    environment, plain, seen = EnvDict(START), dict(START), []
    environment.set_callback(lambda: seen.append(dict(environment)))
    assert change(environment) == change(plain)
    assert environment == plain
    assert seen == [START]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_callback_that_raises_prevents_the_change(change: Callable[[Any], object]) -> None:
    def refuse() -> None:
        raise RuntimeError("not now")

    environment = EnvDict(START)
    environment.set_callback(refuse)
    with pytest.raises(RuntimeError, match="not now"):
        change(environment)
    assert environment == START


@pytest.mark.parametrize("call", NO_CHANGES.values(), ids=NO_CHANGES)
def test_what_changes_nothing_does_not_call_back(call: Callable[[Any], object]) -> None:
    environment = EnvDict(START)
    environment.set_callback(lambda: pytest.fail("called back"))
    assert call(environment) == call(dict(START))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda x: x.__setitem__(1, "a"), "EnvDict keys must be strings, got int"),
        (lambda x: x.__setitem__("A", 1), "EnvDict values must be strings, got int"),
        (lambda x: x.update({"A": "a", "B": None}), "EnvDict values must be strings, got NoneType"),
        (lambda x: x.update(A=b"a"), "EnvDict values must be strings, got bytes"),
        (lambda x: x.setdefault("A", 1), "EnvDict values must be strings, got int"),
        (lambda x: x.__ior__({b"A": "a"}), "EnvDict keys must be strings, got bytes"),
        (lambda _: EnvDict({"A": 1}), "EnvDict values must be strings, got int"),
    ],
)
def test_only_strings_enter(change: Callable[[Any], object], text: str) -> None:
    environment = EnvDict(START)
    environment.set_callback(lambda: pytest.fail("called back about a refused change"))
    with pytest.raises(TypeError) as caught:
        change(environment)
    assert str(caught.value) == text
    assert environment == START


def test_what_is_not_there_cannot_be_taken_out() -> None:
    environment = EnvDict()
    environment.set_callback(lambda: pytest.fail("called back"))
    for change in (lambda: environment.pop("A"), environment.popitem, lambda: environment.__delitem__("A")):
        with pytest.raises(KeyError):
            change()
