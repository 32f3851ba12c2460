"""Signals by name and by number."""

from __future__ import annotations

from libdebug._native import signal_name

#: One more than the last signal of Linux.
_SIGNALS = 65


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
    raise ValueError(f"Signal {name} not found.")
