# ruff: noqa: PYI021 - what is native has its documentation here
"""The engine of libdebug, as Python classes."""

from collections.abc import Callable
from typing import Literal, TypeAlias, final

from typing_extensions import Self

from libdebug.commlink.pipe_core import PipeCore
from libdebug.data.breakpoint import Breakpoint
from libdebug.data.memory_map_list import MemoryMapList
from libdebug.data.registers import RegisterFile, Registers, RegistersAvx, RegistersAvx512
from libdebug.data.signal_catcher import SignalCatcher
from libdebug.data.symbol import Symbol, demangle
from libdebug.data.symbol_table import (
    SymbolTable,
    set_symbol_level,
    set_symbol_servers,
    symbol_in_maps,
    symbol_table,
)
from libdebug.data.syscall_handler import SyscallHandler
from libdebug.debugger.handling_core import HandlingCore, SyscallEnter, SyscallExit
from libdebug.debugger.migration_core import MigrationCore
from libdebug.debugger.source_core import image_of, line_addresses, source_line, variable, variables
from libdebug.memory.memory_core import MemoryCore
from libdebug.python.python_core import PythonBusyError, PythonCore, PythonStateError, UnsupportedPythonError
from libdebug.snapshots.snapshot_core import (
    KeptThreadCore,
    SnapshotCore,
    count_snapshot,
    has_snapshot_ending,
    load_snapshot,
    process_snapshot,
    thread_snapshot,
)
from libdebug.state.thread_context import ThreadContext

_Instruction: TypeAlias = tuple[int, bytes, str, list[str], str, str, int | None, tuple[str, int] | None]

__all__ = [
    "Breakpoint",
    "BreakpointError",
    "CallbackError",
    "DebuggerCore",
    "HandlingCore",
    "InCallbackError",
    "InvalidAddressError",
    "MemoryCore",
    "MigrationCore",
    "NoFreeRegisterError",
    "NotDebuggingError",
    "PipeCore",
    "ProcessDiedError",
    "PythonBusyError",
    "PythonCore",
    "PythonStateError",
    "RegisterFile",
    "RegisterOverflowError",
    "Registers",
    "RegistersAvx",
    "RegistersAvx512",
    "SignalCatcher",
    "SymbolNotFoundError",
    "SyscallEnter",
    "SyscallExit",
    "SyscallHandler",
    "TerminatedError",
    "ThreadCore",
    "UnsupportedPythonError",
    "WaitTimeoutError",
    "html_table",
    "register_table",
    "signal_name",
    "syscall_name",
    "syscall_number",
    "tracer_syscalls",
]
__all__ += ["Symbol", "SymbolTable", "demangle", "set_symbol_level", "set_symbol_servers"]
__all__ += ["symbol_in_maps", "symbol_table"]
__all__ += ["KeptThreadCore", "SnapshotCore", "count_snapshot", "has_snapshot_ending", "load_snapshot"]
__all__ += ["process_snapshot", "thread_snapshot"]
__all__ += ["image_of", "line_addresses", "source_line", "variable", "variables"]
__all__ += ["command"]

class NotDebuggingError(RuntimeError):
    """No process is being debugged."""

class ProcessDiedError(RuntimeError):
    """The process, or the thread, has ended."""

class InCallbackError(RuntimeError):
    """A callback must not do this: it runs in a stop."""

class CallbackError(RuntimeError):
    """A callback raised; `__cause__` is what it raised."""

class TerminatedError(RuntimeError):
    """The debugger is no longer usable."""

class WaitTimeoutError(TimeoutError):
    """The process did not stop in time."""

class InvalidAddressError(ValueError):
    """Nothing is mapped there."""

class SymbolNotFoundError(ValueError):
    """No mapped file has the symbol."""

class BreakpointError(ValueError):
    """There can be no such breakpoint."""

class NoFreeRegisterError(BreakpointError, RuntimeError):
    """All debug registers of the CPU are taken."""

class RegisterOverflowError(OverflowError, TypeError):
    """The value has more bits than the register."""

def html_table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a table in HTML, with a line of heads unless there are none; all texts are escaped."""

def register_table() -> list[tuple[str, Literal["general", "special", "vector", "mmx", "x87"], int]]:
    """Return all registers that this CPU has: the name of each, what it is for, and its width in bits."""

def command(arguments: list[str]) -> int:
    """Run the command `libdebug` with these arguments, its own name first, and return its exit status."""

def signal_name(number: int) -> str:
    """Return the name of a signal's number, as signal(7) has it: `SIGSEGV`, `SIGRTMIN+3`."""

def syscall_number(name: str) -> int:
    """Return the number of a system call by its name."""

def syscall_name(number: int) -> str | None:
    """Return the name of a system call by its number, None for a number without one."""

def tracer_syscalls() -> int:
    """Return how many system calls the tracer threads of this process have made so far.

    What a stop costs, told exactly on any machine, where time is not.
    """

@final
class ThreadCore:
    """One thread of the process under debug."""

    @property
    def regs(self) -> Registers:
        """Its registers, each an attribute."""

    @property
    def thread_id(self) -> int:
        """Its thread id."""

    @property
    def dead(self) -> bool:
        """Whether it has ended. Does not wait."""

    @property
    def zombie(self) -> bool:
        """Whether it is exiting but not gone. Does not wait."""

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None. Waits until the process is stopped."""

    @property
    def exit_signal(self) -> str | None:
        """The name of the signal that killed it, or None. Waits until the process is stopped."""

    @property
    def signal(self) -> str | None:
        """The name of the signal that it stopped with, or None."""

    @property
    def signal_number(self) -> int:
        """The number of the signal that it stopped with, 0 for none."""

    @signal_number.setter
    def signal_number(self, number: int) -> None: ...
    @property
    def signal_info(
        self,
    ) -> tuple[int, int, str | None, int | None, int | None, int | None, int | None, int | None] | None:
        """What the kernel tells of the signal that it stopped at.

        Signal, code, the code's name, pid, uid, address, value and status, None for what this signal does not
        have. None when it is stopped at no signal.
        """

    @property
    def syscall_number(self) -> int:
        """The number of the system call that it is in, or would make next."""

    @syscall_number.setter
    def syscall_number(self, number: int) -> None: ...
    @property
    def syscall_return(self) -> int:
        """What a system call returned, as an unsigned number."""

    @syscall_return.setter
    def syscall_return(self, value: int) -> None: ...
    def syscall_argument(self, index: int) -> int:
        """Return the argument of that index of a system call, 0 to 5."""

    def set_syscall_argument(self, index: int, value: int) -> None:
        """Change the argument of that index of a system call, 0 to 5."""

    def invoke_syscall(self, number: int, arguments: list[int]) -> int:
        """Have the thread make a system call.

        Return what the kernel did: a negative errno on failure.
        """

    def call(self, function: int | str, arguments: list[int]) -> int:
        """Call a function of the program, by its address or symbol."""

    @property
    def parked(self) -> bool:
        """Whether it stands still while others may run. Does not wait."""

    def interrupt(self) -> None:
        """Stop it, while all others go on."""

    def disassemble(self, address: int, count: int) -> list[_Instruction]:
        """Return `count` instructions from a virtual address on, read as this thread would execute them.

        Address, bytes, mnemonic, operands, text, kind, target, and symbol with the distance from its start.
        Fewer where memory ends.
        """

    def step(self) -> None:
        """Execute one instruction."""

    def step_until(self, address: int, limit: int | None = None) -> None:
        """Step until the thread is at the address, at most `limit` times."""

    def count_instructions(self, until: int | None = None, limit: int | None = None) -> int:
        """Step until the thread is at the address or ends, at most `limit` times; return how often."""

    def trace_instructions(
        self, until: int | None, limit: int | None, registers: list[str], path: str
    ) -> tuple[int, bytes]:
        """Step likewise, append pc and registers before each to a file; return how many, and a drcov file."""

    def next(self) -> None:
        """Execute one instruction, and all of the function where that is a call."""

    def finish(self, by_steps: bool) -> None:
        """Run to the end of the current function: by a stop at the caller, or by steps."""

    @property
    def saved_ip(self) -> int:
        """The address that the current function returns to."""

    def backtrace(self) -> list[int]:
        """Return the pc and all return addresses, innermost first."""

    def frames(
        self,
    ) -> list[tuple[int, int | None, str | None, str | None, int | None, bool, dict[str, int]]]:
        """Return all frames, innermost first, as `libdebug.data.frame.Frame` takes them."""

@final
class DebuggerCore:
    """A debugger: one process at a time, and the thread that traces it."""

    def __new__(cls, make_thread: Callable[[ThreadCore], ThreadContext]) -> Self: ...
    def run(
        self,
        path: str,
        argv: list[str],
        env: list[tuple[str, str]] | None = None,
        *,
        aslr: bool = True,
        stdio: str = "pipes",
        at_entry_point: bool = True,
        kill_on_exit: bool = True,
    ) -> None:
        """Start a program, which then stands at its entry point, or at its first instruction."""

    def set_escape_antidebug(self, on: bool) -> None:
        """Choose whether a program that looks for a debugger finds none."""

    def set_syscall_filter(self, mode: str) -> None:
        """Choose how system calls that somebody handles are told from the others.

        `auto`, `seccomp` or `ptrace`; ValueError for anything else.
        """

    def attach(self, pid: int, *, kill_on_exit: bool = True) -> None:
        """Attach to a live process, which is stopped then."""

    def detach(self) -> None:
        """Let the process go: it runs on without the debugger."""

    def kill(self) -> None:
        """Kill the process and wait for its end."""

    def terminate(self) -> None:
        """End the process, unless it is to live on, and the debugger, and those of all descendants.

        The thread ends with the last debugger of the tree.
        """

    def abandon(self) -> None:
        """Kill the process, unless it is to live on, and leave the debugger's thread to itself.

        For an interpreter that ends while a callback does not.
        """

    @property
    def child_count(self) -> int:
        """How many children have debuggers of their own. Does not wait."""

    def child(self, place: int, make_thread: Callable[[ThreadCore], ThreadContext]) -> DebuggerCore | None:
        """Return the debugger of a child by its place, to be held by one object; None if there are fewer."""

    def wait_child(self, timeout: float | None = None) -> int | None:
        """Wait for the next child that this has not told of yet, and return its place.

        None when the process stops or ends first.
        """

    @property
    def follow_children(self) -> bool:
        """Whether processes that the process creates get debuggers of their own."""

    @follow_children.setter
    def follow_children(self, on: bool) -> None: ...
    def cont(self, only: ThreadCore | None = None) -> None:
        """Let all threads go on, or one alone, and return at once."""

    def wait(self, timeout: float | None = None) -> None:
        """Block until the process has stopped or ended, at most `timeout` seconds."""

    def interrupt(self) -> None:
        """Stop the process, or leave it stopped after the callback that calls this. Return at once."""

    def settle(self) -> None:
        """Wait until the process is stopped, unless a callback asks."""

    @property
    def threads(self) -> list[ThreadContext]:
        """The threads, in the order of their creation.

        The same list and objects as long as the process is debugged.
        """

    @property
    def pid(self) -> int:
        """The process's id, also after its end; 0 before there is one."""

    @property
    def running(self) -> bool:
        """Whether the process is running right now."""

    @property
    def debugging(self) -> bool:
        """Whether there is a process that was neither killed nor let go."""

    @property
    def ended(self) -> bool:
        """Whether the process has ended, but not by SIGKILL. Does not wait."""

    @property
    def in_callback(self) -> bool:
        """Whether the calling thread is in a callback."""

    @property
    def calling_back(self) -> bool:
        """Whether a callback is running in any thread."""

    @property
    def executable(self) -> str | None:
        """The path of the program that the process executes, or None."""

    @property
    def fast_memory(self) -> bool:
        """Whether memory is accessed through /proc, instead of word by word through ptrace."""

    @fast_memory.setter
    def fast_memory(self, on: bool) -> None: ...
    def set_auto_interrupt(self, on: bool) -> None:
        """Choose whether a request made while the process runs interrupts it."""

    @property
    def kill_on_exit(self) -> bool:
        """Whether the process ends with the debugger."""

    def set_kill_on_exit(self, on: bool) -> None:
        """Choose whether the process ends with the debugger."""

    def resolve(self, position: int | str, file: str) -> int:
        """Return the virtual address of a symbol, `symbol+hex`, or an address relative to a file."""

    def set_breakpoint(
        self,
        address: int,
        symbol: str,
        *,
        condition: str | None = None,
        length: int = 1,
        callback: Literal[True] | Callable[[ThreadContext, Breakpoint], object] | None = None,
        thread_id: int | None = None,
    ) -> Breakpoint:
        """Set a breakpoint at a virtual address, for all threads or for the one of that id."""

    def remove_breakpoint(self, breakpoint: Breakpoint) -> None:
        """Remove a breakpoint: the program's own instruction is back."""

    def maps(self, make: Callable[[list[tuple[int, int, str, int, str]]], MemoryMapList]) -> MemoryMapList:
        """Return what `make` makes of the memory maps.

        Called once a stop, with one tuple for each map of start, end, permissions, offset and backing file.
        """
