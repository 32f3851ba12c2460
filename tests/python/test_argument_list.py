"""`ArgumentList`: a list of strings that can refuse a change and tells about those that it takes."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from libdebug.data.argument_list import ArgumentList

if TYPE_CHECKING:
    from collections.abc import Callable

# name -> a change of ["a", "b", "c"] and what it leaves; the oracle beside it is what a plain list does
CHANGES: dict[str, Callable[[Any], object]] = {
    "append": lambda x: x.append("d"),
    "extend": lambda x: x.extend(["d", "e"]),
    "extend by an iterator": lambda x: x.extend(c for c in "de"),
    "insert": lambda x: x.insert(1, "d"),
    "insert before the start": lambda x: x.insert(-9, "d"),
    "remove": lambda x: x.remove("b"),
    "pop": lambda x: x.pop(),
    "pop first": lambda x: x.pop(0),
    "clear": lambda x: x.clear(),
    "reverse": lambda x: x.reverse(),
    "sort": lambda x: x.sort(reverse=True),
    "sort by key": lambda x: x.sort(key=lambda word: -ord(word)),
    "set": lambda x: x.__setitem__(-1, "d"),
    "set slice": lambda x: x.__setitem__(slice(0, 2), ["d"]),
    "set every second": lambda x: x.__setitem__(slice(None, None, 2), ["d", "e"]),
    "delete": lambda x: x.__delitem__(1),
    "delete slice": lambda x: x.__delitem__(slice(1, None)),
    "add in place": lambda x: x.__iadd__(["d"]),
    "repeat in place": lambda x: x.__imul__(2),
    "repeat none": lambda x: x.__imul__(0),
}
EMPTYING: dict[str, Callable[[Any], object]] = {
    "remove": lambda x: x.remove("a"),
    "pop": lambda x: x.pop(),
    "clear": lambda x: x.clear(),
    "set slice": lambda x: x.__setitem__(slice(None), []),
    "delete": lambda x: x.__delitem__(0),
    "delete slice": lambda x: x.__delitem__(slice(None)),
    "repeat none": lambda x: x.__imul__(-1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_as_a_list_does_and_calls_back_around_it(change: Callable[[Any], object]) -> None:
    arguments, plain = ArgumentList(["a", "b", "c"]), ["a", "b", "c"]
    calls: list[tuple[str, list[str], list[str]]] = []
    arguments.set_callbacks(
        lambda given: calls.append(("before", given, list(arguments))),
        lambda given: calls.append(("after", given, list(arguments))),
    )
    result, expected = change(arguments), change(plain)
    assert arguments == plain
    assert result == expected
    assert calls == [("before", ["a", "b", "c"], ["a", "b", "c"]), ("after", plain, plain)]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_callback_that_raises_prevents_the_change(change: Callable[[Any], object]) -> None:
    def refuse(_: list[str]) -> None:
        raise RuntimeError("not now")

    arguments = ArgumentList(["a", "b", "c"])
    arguments.set_callbacks(before_callback=refuse)
    with pytest.raises(RuntimeError, match="not now"):
        change(arguments)
    assert arguments == ["a", "b", "c"]


@pytest.mark.parametrize("change", EMPTYING.values(), ids=EMPTYING)
def test_the_last_element_stays_if_empty_is_prevented(change: Callable[[Any], object]) -> None:
    arguments = ArgumentList(["a"])
    arguments.prevent_empty = True
    arguments.set_callbacks(before_callback=lambda _: pytest.fail("called back about a refused change"))
    with pytest.raises(ValueError, match="Argument list must maintain at least one element"):
        change(arguments)
    assert arguments == ["a"]
    arguments.set_callbacks()
    arguments.prevent_empty = False
    change(arguments)
    assert arguments == []


def test_callbacks_get_copies() -> None:
    arguments = ArgumentList(["a"])
    arguments.set_callbacks(lambda given: given.clear(), lambda given: given.clear())
    arguments.append("b")
    assert arguments == ["a", "b"]


def test_empty_cannot_be_prevented_too_late() -> None:
    arguments = ArgumentList()
    with pytest.raises(ValueError, match="Cannot enable prevent_empty on an already empty list"):
        arguments.prevent_empty = True
    assert arguments.prevent_empty is False


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda x: x.append(1), "ArgumentList can only contain strings, got int: 1"),
        (lambda x: x.insert(0, b"d"), "ArgumentList can only contain strings, got bytes: b'd'"),
        (lambda x: x.__setitem__(0, None), "ArgumentList can only contain strings, got NoneType: None"),
        (lambda x: x.extend(["d", 1]), "ArgumentList can only contain strings, got int: 1 at index 1"),
        (lambda x: x.__iadd__([1]), "ArgumentList can only contain strings, got int: 1 at index 0"),
        (
            lambda x: x.__setitem__(slice(1), [1]),
            "ArgumentList can only contain strings, got int: 1 at index 0",
        ),
        (lambda x: x.extend(1), "Expected an iterable, got int"),
        (lambda _: ArgumentList(["d", 1]), "ArgumentList can only contain strings, got int: 1 at index 1"),
        (lambda _: ArgumentList(1), "Expected an iterable, got int"),
    ],
)
def test_only_strings_enter(change: Callable[[Any], object], text: str) -> None:
    arguments = ArgumentList(["a", "b", "c"])
    with pytest.raises(TypeError) as caught:
        change(arguments)
    assert str(caught.value) == text
    assert arguments == ["a", "b", "c"]


def test_what_is_not_there_cannot_be_taken_out() -> None:
    arguments = ArgumentList(["a"])
    arguments.prevent_empty = True
    with pytest.raises(ValueError, match="not in list"):
        arguments.remove("b")
    with pytest.raises(IndexError):
        arguments.pop(3)
    with pytest.raises(IndexError):
        del arguments[3]
    with pytest.raises(IndexError):
        arguments[3] = "d"
    with pytest.raises(ValueError, match="size 1"):
        arguments[::2] = ["d", "e"]
    assert arguments == ["a"]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_whole(copied: Callable[[ArgumentList], ArgumentList]) -> None:
    arguments = ArgumentList(["a", "b"])
    arguments.prevent_empty = True
    other = copied(arguments)
    other.append("c")
    assert (type(other), other, arguments) == (ArgumentList, ["a", "b", "c"], ["a", "b"])
    assert other.prevent_empty is True
