"""The stack of a thread: what has called what, and the way back."""
# ruff: noqa: D102 - an alias gets the documentation of what it stands for

from __future__ import annotations

from libdebug.utils.oop.alias import alias_of

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug._native import ThreadCore
    from libdebug.data.frame import Frame
    from libdebug.data.source_line import SourceLine
    from libdebug.snapshots.snapshot_core import KeptThreadCore

#: What `finish` can go by, and whether that is by steps.
_HEURISTICS = {"backtrace": False, "step-mode": True}


class StackFrames:
    """What threads, debuggers for their main thread, and snapshots tell of a stack."""

    __slots__ = ()

    @property
    def _stack_core(self) -> ThreadCore | KeptThreadCore:
        raise NotImplementedError

    def _line_at(self, _address: int) -> SourceLine | None:
        """Return the source line of an address; what is kept of a process tells of none."""
        return None

    def backtrace(self, as_symbols: bool = False) -> list[int] | list[str]:
        """Return where the thread is and where its callers go on, innermost first.

        By the call frame information of each file, so code without frame pointers and stripped programs are
        no obstacle, and handlers of signals neither; by frame pointers where there is none.

        Args:
            as_symbols: whether to return texts, `symbol+offset` with the offset in hexadecimal, or the
                address where no symbol is known, instead of addresses.
        """
        if as_symbols:
            return [str(frame) for frame in self.frames]
        return self._stack_core.backtrace()

    @property
    def frames(self) -> list[Frame]:
        """The frames of the stack, innermost first: the addresses of `backtrace()` with all that is known."""
        from libdebug.data.frame import Frame

        frames: list[Frame] = []
        for row in self._stack_core.frames():
            made_no_call = not frames or frames[-1].is_signal_frame
            frames.append(Frame(row, self._line_at, made_no_call))
        return frames

    @property
    def saved_ip(self) -> int:
        """The address that the current function returns to; ValueError if nothing tells."""
        return self._stack_core.saved_ip

    def pprint_backtrace(self) -> None:
        """Print the frames, innermost first; in colours on a terminal, unless NO_COLOR is set."""
        from libdebug.utils.pprint_frames import pprint_frames

        pprint_frames(self.frames)


class Stack(StackFrames):
    """What threads, and debuggers for their main thread, do with a stack."""

    __slots__ = ()

    @property
    def _stack_core(self) -> ThreadCore:
        raise NotImplementedError

    def finish(self, heuristic: str = "backtrace") -> None:
        """Run to the end of the current function: to the caller, behind the call. Also in callbacks.

        Breakpoints on the way stop the program before that. In a recursion this call's own end counts.

        Args:
            heuristic: `backtrace`: all threads run until this one is back at the caller that its stack tells.
                `step-mode`: the thread alone, instruction by instruction.

        Raises:
            ValueError: there is no such heuristic, or nothing tells who the caller is.
            RuntimeError: the thread has ended.
        """
        if heuristic not in _HEURISTICS:
            raise ValueError(f"Unimplemented heuristic {heuristic}: there are {', '.join(_HEURISTICS)}")
        self._stack_core.finish(_HEURISTICS[heuristic])

    @alias_of(finish)
    def fin(self, heuristic: str = "backtrace") -> None:
        self.finish(heuristic)
