"""Frames of a stack, printed."""

from __future__ import annotations

from libdebug.utils.colours import BLUE, DIM, RED, RESET, show

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Sequence

    from libdebug.data.frame import Frame


def pprint_frames(frames: Sequence[Frame]) -> None:
    """Print frames, a line each: number, address, symbol and offset, file."""
    width = len(f"#{len(frames) - 1}")
    for number, frame in enumerate(frames):
        parts = [f"#{number}".ljust(width), f"{RED}{frame.pc:#018x}{RESET}"]
        if frame.symbol is not None:
            parts.append(f"{BLUE}<{frame}>{RESET}")
        if frame.is_signal_frame:
            parts.append("(signal)")
        if frame.file is not None:
            parts.append(f"{DIM}{frame.file}{RESET}")
        show(" ".join(parts))
