"""Signals by name and by number."""

from __future__ import annotations

from libdebug._native import signal_name

#: One more than the last signal of Linux.
_SIGNALS = 65

#: The number that stands for all signals, or all system calls, and the words that do.
ALL = -1
NAMES_OF_ALL = ("*", "all", "ALL", "pkm")


def resolve_signal_number(name: str) -> int:
    """Return the number of a signal.

    Raises:
        ValueError: no signal has that name.

    Example:
        >>> resolve_signal_number("SIGUSR1"), resolve_signal_number("SIGRTMIN+3")
        (10, 37)
    """
    for number in range(1, _SIGNALS):
        if signal_name(number) == name:
            return number
    import signal

    # Python knows second names too, such as SIGPOLL, and SIGRTMAX.
    known = getattr(signal, name, None)
    if isinstance(known, signal.Signals):
        return int(known)
    raise ValueError(f"Signal {name} not found.{_hint(name)}")


def _hint(name: str) -> str:
    """Return which signal was probably meant by a name that none has."""
    from difflib import get_close_matches

    names = [signal_name(number) for number in range(1, _SIGNALS)]
    upper = name.upper()
    near = get_close_matches(upper if upper.startswith("SIG") else f"SIG{upper}", names, 1, 0.8)
    return f" Did you mean {near[0]}?" if near else ""


def resolve_signal(signal: object) -> int:
    """Return the number of a signal given by number or name; -1 for all.

    Raises:
        ValueError: no signal has that name.
        TypeError: it is neither a number nor a name.

    Example:
        >>> resolve_signal("SIGUSR1"), resolve_signal(10), resolve_signal("all")
        (10, 10, -1)
    """
    if isinstance(signal, str):
        return ALL if signal in NAMES_OF_ALL else resolve_signal_number(signal)
    if not isinstance(signal, int) or isinstance(signal, bool):
        raise TypeError("signal must be an int or a str")
    return signal


def resolve_signals(signals: object) -> list[int]:
    """Return the numbers of a list of signals, each given by number or name.

    Raises:
        ValueError: one of them is no signal.
        TypeError: it is no list, or something in it is neither a number nor a name.

    Example:
        >>> resolve_signals(["SIGINT", 15])
        [2, 15]
    """
    if not isinstance(signals, list):
        raise TypeError("signals_to_block must be a list of integers or strings")
    numbers = [
        resolve_signal_number(name) if isinstance(name, str) else resolve_signal(name) for name in signals
    ]
    if not all(0 < number < _SIGNALS for number in numbers):
        raise ValueError("Invalid signal number.")
    return numbers
