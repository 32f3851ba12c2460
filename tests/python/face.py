"""What the tests of the Python face share."""

from __future__ import annotations

import inspect
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import build
from libdebug import debugger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from libdebug import Debugger


@contextmanager
def debugging(name: str, *arguments: object, **settings: Any) -> Iterator[Debugger]:
    """Give a debugger of a fixture, not run yet, and end it afterwards."""
    d = debugger([str(build.program(name)), *map(str, arguments)], **settings)
    try:
        yield d
    finally:
        d.terminate()


@contextmanager
def running(name: str, *arguments: object, **settings: Any) -> Iterator[Debugger]:
    """Give a debugger of a fixture that stands at its entry point."""
    with debugging(name, *arguments, **settings) as d:
        d.run(redirect_pipes=False)
        yield d


def both_accesses(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test on a debugger of `basic` for each of the two ways of access to memory.

    Not a fixture, because pytest keeps a fixture's value until after the check for what tests leave behind.
    """

    def wrapped(fast: bool, **others: Any) -> None:
        with running("basic", fast_memory=fast) as d:
            test(d, **others)

    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    own = inspect.signature(wrapped).parameters["fast"]
    others = list(inspect.signature(test).parameters.values())[1:]
    wrapped.__signature__ = inspect.Signature([own, *others])  # type: ignore[attr-defined]
    wrapped.pytestmark = [  # type: ignore[attr-defined]
        pytest.mark.parametrize("fast", [True, False], ids=["fast", "chunked"]).mark,
        *getattr(test, "pytestmark", ()),
    ]
    return wrapped


def at(d: Debugger, position: int | str, file: str = "binary") -> None:
    """Bring the program to a position that it has not passed."""
    bp = d.breakpoint(position, file=file)
    d.cont()
    d.wait()
    assert bp.hit_on(d), f"the program did not come to {position}"


def messages(caplog: Any, level: int) -> list[str]:
    """Return the texts logged at a level."""
    return [record.getMessage() for record in caplog.records if record.levelno == level]


WARNING, ERROR = logging.WARNING, logging.ERROR
