"""Frames of a stack, printed."""

from __future__ import annotations

from libdebug.utils.colours import paint

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Sequence

    from libdebug.data.frame import Frame

_RED, _BLUE, _FAINT = 91, 94, 2


def pprint_frames(frames: Sequence[Frame]) -> None:
    """Print frames, a line each: number, address, symbol and offset, file."""
    width = len(f"#{len(frames) - 1}")
    for number, frame in enumerate(frames):
        parts = [f"#{number}".ljust(width), paint(f"{frame.pc:#018x}", _RED)]
        if frame.symbol is not None:
            parts.append(paint(f"<{frame}>", _BLUE))
        if frame.is_signal_frame:
            parts.append("(signal)")
        if frame.file is not None:
            parts.append(paint(frame.file, _FAINT))
        print(" ".join(parts))
