"""The main thread's properties and steps, as the debugger's own."""
# ruff: noqa: D102 - an alias gets the documentation of what it stands for

from __future__ import annotations

from libdebug.state.stack import Stack
from libdebug.state.thread_context import ThreadContext
from libdebug.utils.oop.alias import alias_of

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from libdebug._native import DebuggerCore, Registers, ThreadCore
    from libdebug.data.instruction_trace import InstructionTrace
    from libdebug.data.signal_info import SignalInfo
    from libdebug.data.source_line import SourceLine


class MainThread(Stack):
    """Threads, and what a debugger passes on to the first of them."""

    _core: DebuggerCore

    def _make_thread(self, core: ThreadCore) -> ThreadContext:
        return ThreadContext(core, self)  # type: ignore[arg-type]

    @property
    def threads(self) -> list[ThreadContext]:
        """The threads, in the order of their creation; those that have ended stay. Does not wait."""
        return self._core.threads

    @property
    def _main(self) -> ThreadContext:
        threads = self._core.threads
        if not threads:
            raise RuntimeError("No threads available. Did you call `run` or `attach`?")
        return threads[0]

    @property
    def _stack_core(self) -> ThreadCore:
        return self._main._core  # noqa: SLF001 - of the same package

    def _line_at(self, address: int) -> SourceLine | None:
        return self.source_line(address)  # type: ignore[attr-defined,no-any-return]

    @property
    def process_id(self) -> int:
        """The id of the process, also after its end; 0 before there is one."""
        return self._core.pid

    @property
    @alias_of(process_id)
    def pid(self) -> int:
        return self._core.pid

    @property
    def thread_id(self) -> int:
        """The id of the main thread, also after its end; 0 before there is one."""
        return self._core.pid

    @property
    @alias_of(thread_id)
    def tid(self) -> int:
        return self._core.pid

    @property
    def running(self) -> bool:
        """Whether the process is running right now. Does not wait."""
        return self._core.running

    @property
    def regs(self) -> Registers:
        """The registers of the main thread, each an attribute."""
        return self._main.regs

    @property
    def dead(self) -> bool:
        """Whether the main thread has ended. Does not wait."""
        if self._core.pid and not self._core.threads:
            return True  # The debugger has ended too.
        return self._main.dead

    @property
    def zombie(self) -> bool:
        """Whether the main thread is exiting but not gone. Does not wait."""
        return self._main.zombie

    @property
    def exit_code(self) -> int | None:
        """The exit code; None, with a warning in the log, if there is none. Waits for the next stop."""
        return self._main.exit_code

    @property
    def exit_signal(self) -> str | None:
        """The name of the signal that killed it; None, with a warning, if none did. Waits."""
        return self._main.exit_signal

    @property
    def signal(self) -> str | None:
        """The name of the signal that the main thread stopped with, see `ThreadContext.signal`."""
        return self._main.signal

    @signal.setter
    def signal(self, value: str | int) -> None:
        self._main.signal = value

    @property
    def signal_number(self) -> int:
        """The number of the signal that the main thread stopped with, 0 for none."""
        return self._main.signal_number

    @property
    def siginfo(self) -> SignalInfo | None:
        """What the kernel tells of the signal that the main thread is stopped at; None when it is at none."""
        return self._main.siginfo

    @property
    def instruction_pointer(self) -> int:
        """The address of the main thread's next instruction."""
        return self._main.instruction_pointer

    @instruction_pointer.setter
    def instruction_pointer(self, value: int) -> None:
        self._main.instruction_pointer = value

    @property
    def syscall_number(self) -> int:
        """The number of the system call that the main thread is in."""
        return self._main.syscall_number

    @syscall_number.setter
    def syscall_number(self, value: int) -> None:
        self._main.syscall_number = value

    @property
    def syscall_return(self) -> int:
        """What a system call of the main thread returned."""
        return self._main.syscall_return

    @syscall_return.setter
    def syscall_return(self, value: int) -> None:
        self._main.syscall_return = value

    @property
    def syscall_arg0(self) -> int:
        """The first argument of a system call of the main thread."""
        return self._main.syscall_arg0

    @syscall_arg0.setter
    def syscall_arg0(self, value: int) -> None:
        self._main.syscall_arg0 = value

    @property
    def syscall_arg1(self) -> int:
        """The second argument of a system call of the main thread."""
        return self._main.syscall_arg1

    @syscall_arg1.setter
    def syscall_arg1(self, value: int) -> None:
        self._main.syscall_arg1 = value

    @property
    def syscall_arg2(self) -> int:
        """The third argument of a system call of the main thread."""
        return self._main.syscall_arg2

    @syscall_arg2.setter
    def syscall_arg2(self, value: int) -> None:
        self._main.syscall_arg2 = value

    @property
    def syscall_arg3(self) -> int:
        """The fourth argument of a system call of the main thread."""
        return self._main.syscall_arg3

    @syscall_arg3.setter
    def syscall_arg3(self, value: int) -> None:
        self._main.syscall_arg3 = value

    @property
    def syscall_arg4(self) -> int:
        """The fifth argument of a system call of the main thread."""
        return self._main.syscall_arg4

    @syscall_arg4.setter
    def syscall_arg4(self, value: int) -> None:
        self._main.syscall_arg4 = value

    @property
    def syscall_arg5(self) -> int:
        """The sixth argument of a system call of the main thread."""
        return self._main.syscall_arg5

    @syscall_arg5.setter
    def syscall_arg5(self, value: int) -> None:
        self._main.syscall_arg5 = value

    def invoke_syscall(self, syscall: int | str, *args: int) -> int:
        """Have the main thread make a system call now, see `ThreadContext.invoke_syscall`.

        Args:
            syscall: its number or name.
            *args: up to six arguments; negative ones may be given.

        Returns:
            What the kernel returned: a negative error number (errno(3)) on failure.
        """
        return self._main.invoke_syscall(syscall, *args)

    def call(self, function: int | str, *args: int) -> int:
        """Have the main thread call a function of the program, see `ThreadContext.call`.

        Args:
            function: its address, or a symbol.
            *args: integers and pointers; negative ones may be given.

        Returns:
            What the function returned in rax, as an unsigned number of 64 bits.
        """
        return self._main.call(function, *args)

    def step(self) -> None:
        """Execute one instruction of the main thread; the others stay stopped."""
        self._main.step()

    @alias_of(step)
    def si(self) -> None:
        self._main.step()

    def step_until(self, position: int | str, max_steps: int = -1, file: str = "hybrid") -> None:
        """Step the main thread until it is at a position, passing breakpoints.

        Args:
            position: an address, a symbol, or `symbol+hexadecimal`.
            max_steps: after how many steps to give up; -1 for never.
            file: what the position is relative to, as for `breakpoint`.
        """
        self._main.step_until(position, max_steps, file)

    @alias_of(step_until)
    def su(self, position: int | str, max_steps: int = -1, file: str = "hybrid") -> None:
        self._main.step_until(position, max_steps, file)

    def count_instructions(
        self, until: int | str | None = None, limit: int | None = None, file: str = "hybrid"
    ) -> int:
        """Step the main thread until it is at a position or ends; return how many instructions that were.

        Args:
            until: an address, a symbol, or `symbol+hexadecimal`; None for as long as the thread lives.
            limit: after how many instructions to stop; None for never.
            file: what the position is relative to, as for `breakpoint`.
        """
        return self._main.count_instructions(until, limit, file)

    def trace_instructions(
        self,
        until: int | str | None = None,
        limit: int | None = None,
        registers: Iterable[str] = (),
        path: str | Path | None = None,
        file: str = "hybrid",
    ) -> InstructionTrace:
        """Step the main thread until it is at a position or ends, and return every executed instruction.

        See `ThreadContext.trace_instructions`.

        Args:
            until: an address, a symbol, or `symbol+hexadecimal`; None for as long as the thread lives.
            limit: after how many instructions to stop; None for never.
            registers: registers of up to 64 bits whose values before each instruction are kept too.
            path: where to keep the trace; None for a temporary file, which goes with the trace.
            file: what the position is relative to, as for `breakpoint`.
        """
        return self._main.trace_instructions(until, limit, registers, path, file)

    def next(self) -> None:
        """Execute one instruction, and all of the function where that is a call; breakpoints in it stop."""
        self._main.next()

    @alias_of(next)
    def ni(self) -> None:
        self._main.next()
