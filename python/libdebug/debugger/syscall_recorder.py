"""The system calls of a process, kept as a list."""

from __future__ import annotations

from libdebug.debugger.handling_core import SyscallEnter

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from types import TracebackType

    from libdebug._native import DebuggerCore
    from libdebug.debugger.handling_core import HandlingCore, SyscallExit
    from libdebug.debugger.syscall_trace import SyscallTrace
    from libdebug.state.thread_context import ThreadContext


class TracedSyscall:
    """A system call that a thread has made, or is in.

    Attributes:
        thread_id: the thread's tid.
        name: the call's name.
        arguments: its arguments in words: flags by name, texts, files; numbers in hexadecimal digits.
        result: what it returned, a negative error number (errno(3)) on failure; None while it has not.
        text: what the result says in words, or None.
    """

    def __init__(self, thread_id: int, name: str, arguments: list[str]) -> None:
        """Begin a call."""
        self.thread_id = thread_id
        self.name = name
        self.arguments = arguments
        self.result: int | None = None
        self.text: str | None = None

    def __repr__(self) -> str:
        """Return it as C would write it."""
        return f"{self.name}({', '.join(self.arguments)}) = {'?' if self.result is None else self.result}"


class SyscallRecorder:
    """Records system calls from its beginning to its end, in the order in which they were made."""

    def __init__(
        self, core: DebuggerCore, handling: HandlingCore, trace: SyscallTrace, only: list[int]
    ) -> None:
        """Record nothing yet. `only` are the numbers of the calls that are recorded; none for all."""
        self._core = core
        self._handling = handling
        self._trace = trace
        self._only = only
        self._pending: dict[int, TracedSyscall] = {}
        self._calls: list[TracedSyscall] = []

    def __enter__(self) -> list[TracedSyscall]:
        """Begin, and return the list, which grows as calls are made."""
        self._handling.observe_syscalls(self._tell, self._only, [], True)  # noqa: FBT003 - the engine has no keywords
        return self._calls

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; what was printed before is printed again."""
        if self._core.debugging:
            self._trace.apply()

    def _tell(self, thread: ThreadContext, event: SyscallEnter | SyscallExit) -> None:
        tid = thread.thread_id
        if isinstance(event, SyscallEnter):
            arguments = [text or f"{new:#x}" for _, _, new, text in event.arguments]
            call = TracedSyscall(tid, event.name, arguments)
            self._calls.append(call)
            self._pending[tid] = call
        elif tid in self._pending:
            call, value = self._pending.pop(tid), event.new_value
            call.result = value - (1 << 64) if value >> 63 else value
            call.text = event.text
