"""One thread of the process under debug."""
# ruff: noqa: D102 - an alias gets the documentation of what it stands for

from __future__ import annotations

from abc import ABCMeta

from libdebug.liblog import liblog
from libdebug.state.seeing import ThreadSeeing
from libdebug.state.stack import Stack
from libdebug.state.thread_handlers import ThreadHandlers
from libdebug.state.thread_snapshots import ThreadSnapshots
from libdebug.utils.oop.alias import alias_of

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from libdebug._native import Registers, ThreadCore
    from libdebug.data.instruction_trace import InstructionTrace
    from libdebug.data.signal_info import SignalInfo
    from libdebug.data.source_line import SourceLine
    from libdebug.data.variable import Variable
    from libdebug.debugger.debugger import Debugger
    from libdebug.memory.abstract_memory_view import AbstractMemoryView


class ThreadContext(ThreadHandlers, ThreadSeeing, ThreadSnapshots, Stack, metaclass=ABCMeta):
    """One thread of the process under debug.

    It outlives the thread: its ids and last registers can still be read.

    Attributes:
        regs: its registers, each an attribute.
    """

    __slots__ = ("__weakref__", "_core", "_debugger", "regs")

    regs: Registers

    def __init__(self, core: ThreadCore, debugger: Debugger) -> None:
        """Belong to a debugger, which makes all threads."""
        self._core = core
        self._debugger = debugger
        self.regs = core.regs

    @property
    def _stack_core(self) -> ThreadCore:
        return self._core

    def _line_at(self, address: int) -> SourceLine | None:
        return self._debugger.source_line(address)

    @property
    def debugger(self) -> Debugger:
        """The debugger that the thread belongs to."""
        return self._debugger

    @property
    def thread_id(self) -> int:
        """The thread's id, also after its end."""
        return self._core.thread_id

    @property
    @alias_of(thread_id)
    def tid(self) -> int:
        return self._core.thread_id

    @property
    def process_id(self) -> int:
        """The id of the process, also after its end."""
        return self._debugger.process_id

    @property
    @alias_of(process_id)
    def pid(self) -> int:
        return self._debugger.process_id

    @property
    def memory(self) -> AbstractMemoryView:
        """The memory of the process."""
        return self._debugger.memory

    @property
    @alias_of(memory)
    def mem(self) -> AbstractMemoryView:
        return self._debugger.memory

    @property
    def running(self) -> bool:
        """Whether the process is running right now. Does not wait."""
        return self._debugger.running

    @property
    def dead(self) -> bool:
        """Whether the thread has ended. Does not wait."""
        return self._core.dead

    @property
    def zombie(self) -> bool:
        """Whether the thread is exiting but not gone. Does not wait."""
        return self._core.zombie

    @property
    def exit_code(self) -> int | None:
        """The exit code; None, with a warning in the log, if there is none. Waits for the next stop."""
        code = self._core.exit_code
        if code is None:
            liblog.warning("No exit code available.")
        return code

    @property
    def exit_signal(self) -> str | None:
        """The name of the signal that killed the thread; None, with a warning, if none did. Waits."""
        name = self._core.exit_signal
        if name is None:
            liblog.warning("No exit signal available.")
        return name

    @property
    def signal(self) -> str | None:
        """The name of the signal that the thread stopped with; SIGTRAP for stops of the debugger's own.

        What is assigned, by name or number, is delivered when the thread goes on; 0 drops the signal.
        """
        return self._core.signal

    @signal.setter
    def signal(self, signal: str | int) -> None:
        if isinstance(signal, str):
            from libdebug.utils.signal_utils import resolve_signal_number

            signal = resolve_signal_number(signal)
        elif not isinstance(signal, int):
            raise TypeError("signal must be an int or a str")
        self._core.signal_number = signal

    @property
    def signal_number(self) -> int:
        """The number of the signal that the thread stopped with, 0 for none."""
        return self._core.signal_number

    @property
    def instruction_pointer(self) -> int:
        """The address of the next instruction."""
        return self.regs.rip

    @instruction_pointer.setter
    def instruction_pointer(self, value: int) -> None:
        self.regs.rip = value

    @property
    def siginfo(self) -> SignalInfo | None:
        """What the kernel tells of the signal that the thread is stopped at; None when it is at none."""
        from libdebug.data.signal_info import SignalInfo

        row = self._core.signal_info
        return None if row is None else SignalInfo(row)

    @property
    def syscall_number(self) -> int:
        """The number of the system call that the thread is in, or would make next."""
        return self._core.syscall_number

    @syscall_number.setter
    def syscall_number(self, value: int) -> None:
        self._core.syscall_number = value

    @property
    def syscall_return(self) -> int:
        """What a system call returned, unsigned; negative numbers may be assigned."""
        return self._core.syscall_return

    @syscall_return.setter
    def syscall_return(self, value: int) -> None:
        self._core.syscall_return = value

    @property
    def syscall_arg0(self) -> int:
        """The first argument of a system call."""
        return self._core.syscall_argument(0)

    @syscall_arg0.setter
    def syscall_arg0(self, value: int) -> None:
        self._core.set_syscall_argument(0, value)

    @property
    def syscall_arg1(self) -> int:
        """The second argument of a system call."""
        return self._core.syscall_argument(1)

    @syscall_arg1.setter
    def syscall_arg1(self, value: int) -> None:
        self._core.set_syscall_argument(1, value)

    @property
    def syscall_arg2(self) -> int:
        """The third argument of a system call."""
        return self._core.syscall_argument(2)

    @syscall_arg2.setter
    def syscall_arg2(self, value: int) -> None:
        self._core.set_syscall_argument(2, value)

    @property
    def syscall_arg3(self) -> int:
        """The fourth argument of a system call."""
        return self._core.syscall_argument(3)

    @syscall_arg3.setter
    def syscall_arg3(self, value: int) -> None:
        self._core.set_syscall_argument(3, value)

    @property
    def syscall_arg4(self) -> int:
        """The fifth argument of a system call."""
        return self._core.syscall_argument(4)

    @syscall_arg4.setter
    def syscall_arg4(self, value: int) -> None:
        self._core.set_syscall_argument(4, value)

    @property
    def syscall_arg5(self) -> int:
        """The sixth argument of a system call."""
        return self._core.syscall_argument(5)

    @syscall_arg5.setter
    def syscall_arg5(self, value: int) -> None:
        self._core.set_syscall_argument(5, value)

    def invoke_syscall(self, syscall: int | str, *args: int) -> int:
        """Have this thread make a system call now; afterwards it stands where it stood, with its registers.

        Args:
            syscall: its number or name.
            *args: up to six arguments; negative ones may be given.

        Returns:
            What the kernel returned: a negative error number (errno(3)) on failure.

        Raises:
            ValueError: there is no such call, or there are more than six arguments.
            RuntimeError: the thread has ended, also by this call.

        Example:
            >>> from libdebug import debugger
            >>> d = debugger("/bin/true")
            >>> pipe = d.run()
            >>> d.threads[0].invoke_syscall("getpid") == d.pid
            True
            >>> d.terminate()
        """
        from libdebug.utils.signal_utils import ALL
        from libdebug.utils.syscall_utils import resolve_syscall

        number = resolve_syscall(syscall)
        if number == ALL:
            raise ValueError("One syscall is invoked, not all.")
        return self._core.invoke_syscall(number, list(args))

    def call(self, function: int | str, *args: int) -> int:
        """Have this thread call a function of the program; afterwards it stands where it stood.

        All threads run meanwhile. Callbacks of breakpoints in the function run; what stops the process ends
        the call, and a fault in the function does too, instead of ending the program.

        Args:
            function: its address, or a symbol.
            *args: integers and pointers; negative ones may be given.

        Returns:
            What the function returned in rax, as an unsigned number of 64 bits.

        Raises:
            RuntimeError: the call was stopped, came to a fault, or ended the program; the text says which.
            ValueError: there is no such symbol.

        Example:
            >>> from libdebug import debugger
            >>> d = debugger("/bin/true")
            >>> pipe = d.run()
            >>> d.call("abs", -7)
            7
            >>> d.terminate()
        """
        return self._core.call(function, list(args))

    @property
    def parked(self) -> bool:
        """Whether the thread stands still while others of the process may run. Does not wait.

        Its registers can be read and changed all the same; everything else waits for a stop of the process,
        which ends the parking of all threads.
        """
        return self._core.parked

    def cont(self) -> None:
        """Let this thread go on alone, and return at once.

        Of a stopped process, all other threads stay where they are, parked; a parked thread joins those that
        run. What stops one thread stops the process, as always; when no thread is left that could run, the
        process stops too. `Debugger.cont` lets all threads go on.

        Raises:
            RuntimeError: the thread or the process is dead, none is being debugged, a callback raised (its
                exception is the cause), or this is a callback.

        Example:
            >>> from libdebug import debugger
            >>> d = debugger("/bin/true")
            >>> d.run(redirect_pipes=False)
            >>> d.threads[0].cont()
            >>> d.wait()
            >>> d.exit_code
            0
            >>> d.terminate()
        """
        self._debugger._core.cont(self._core)  # noqa: SLF001 - of the same package

    def interrupt(self) -> None:
        """Stop this thread alone, while all others go on: it is `parked` when this returns.

        Nothing happens when the process is stopped already.
        """
        self._core.interrupt()

    def step(self) -> None:
        """Execute one instruction of this thread; the others stay stopped. Also in callbacks."""
        self._core.step()

    @alias_of(step)
    def si(self) -> None:
        self._core.step()

    def step_until(self, position: int | str, max_steps: int = -1, file: str = "hybrid") -> None:
        """Step this thread until it is at a position, passing breakpoints.

        Args:
            position: an address, a symbol, or `symbol+hexadecimal`.
            max_steps: after how many steps to give up; -1 for never.
            file: what the position is relative to, as for `Debugger.breakpoint`.
        """
        self._core.step_until(
            self._debugger.resolve_position(position, file),
            None if max_steps < 0 else max_steps,
        )

    @alias_of(step_until)
    def su(self, position: int | str, max_steps: int = -1, file: str = "hybrid") -> None:
        self.step_until(position, max_steps, file)

    def count_instructions(
        self, until: int | str | None = None, limit: int | None = None, file: str = "hybrid"
    ) -> int:
        """Step this thread until it is at a position or ends, and return how many instructions it executed.

        All other threads stay stopped; breakpoints and watchpoints on the way are passed.

        Args:
            until: an address, a symbol, or `symbol+hexadecimal`; None for as long as the thread lives.
            limit: after how many instructions to stop; None for never.
            file: what the position is relative to, as for `Debugger.breakpoint`.
        """
        address = None if until is None else self._debugger.resolve_position(until, file)
        return self._core.count_instructions(address, limit)

    def trace_instructions(
        self,
        until: int | str | None = None,
        limit: int | None = None,
        registers: Iterable[str] = (),
        path: str | Path | None = None,
        file: str = "hybrid",
    ) -> InstructionTrace:
        """Step this thread until it is at a position or ends, and return every instruction that it executed.

        All other threads stay stopped; breakpoints and watchpoints on the way are passed. The trace goes into
        a file while it is made, so its length does not matter.

        Args:
            until: an address, a symbol, or `symbol+hexadecimal`; None for as long as the thread lives.
            limit: after how many instructions to stop; None for never.
            registers: registers of up to 64 bits whose values before each instruction are kept too.
            path: where to keep the trace; None for a temporary file, which goes with the trace.
            file: what the position is relative to, as for `Debugger.breakpoint`.
        """
        from libdebug.data.instruction_trace import trace_of

        address = None if until is None else self._debugger.resolve_position(until, file)
        return trace_of(self._core, address, limit, list(registers), path)

    def next(self) -> None:
        """Execute one instruction, and all of the function where that is a call; breakpoints in it stop."""
        self._core.next()

    @alias_of(next)
    def ni(self) -> None:
        self._core.next()

    def variables(self) -> dict[str, Variable]:
        """Return arguments and local variables of the function that the thread is in, by name.

        Empty where there is no debug information. Of several with one name, the innermost is there.
        """
        from libdebug.debugger.source import variables_of

        return variables_of(self._core)

    def set_as_dead(self) -> None:
        """Do nothing: libdebug tells itself so that a thread has ended, which the engine knows here."""

    def __repr__(self) -> str:
        """Return the ids and the place of the thread, a line each."""
        state = "dead" if self.dead else "running" if self.running else "stopped"
        ids = f"  Process ID = {self.process_id}\n  Thread ID = {self.thread_id}"
        return f"ThreadContext()\n{ids}\n  State = {state}"
