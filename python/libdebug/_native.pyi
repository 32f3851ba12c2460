# ruff: noqa: PYI021 - what is native has its documentation here
"""The engine of libdebug, as Python classes."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, Self, TypeAlias, final

from typing_extensions import disjoint_base

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
from libdebug.debugger.source_core import image_of, line_addresses, source_line, variable, variables
from libdebug.state.thread_context import ThreadContext

_Stream: TypeAlias = Literal["stdout", "stderr"]

__all__ = [
    "Breakpoint",
    "BreakpointError",
    "CallbackError",
    "DebuggerCore",
    "HandlingCore",
    "InCallbackError",
    "InvalidAddressError",
    "MemoryCore",
    "NotDebuggingError",
    "PipeCore",
    "ProcessDiedError",
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
    "WaitTimeoutError",
    "signal_name",
    "syscall_name",
    "syscall_number",
    "tracer_syscalls",
]
__all__ += ["Symbol", "SymbolTable", "demangle", "set_symbol_level", "set_symbol_servers"]
__all__ += ["symbol_in_maps", "symbol_table"]
__all__ += ["image_of", "line_addresses", "source_line", "variable", "variables"]

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

class RegisterOverflowError(OverflowError, TypeError):
    """The value has more bits than the register."""

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
class Breakpoint:
    """A breakpoint or watchpoint.

    It is equal to itself only, and keeps its count after the process has ended.
    """

    @property
    def address(self) -> int:
        """The virtual address."""

    @property
    def symbol(self) -> str:
        """The symbol as it was given, or the address in hexadecimal."""

    @property
    def hit_count(self) -> int:
        """How often all threads together have hit it. Does not wait for the process to stop."""

    @property
    def old_value(self) -> int | None:
        """What the watched bytes held at the hit before the last one, or when the watchpoint was set.

        An unsigned number; None before the first hit, and for what is no watchpoint or only counts.
        """

    @property
    def new_value(self) -> int | None:
        """What the watched bytes held at the last hit, or when the watchpoint was set."""

    @property
    def hardware(self) -> bool:
        """Whether it uses a debug register."""

    @property
    def condition(self) -> str:
        """What it waits for: `x` execution, `w` writing, `rw` reading or writing."""

    @property
    def length(self) -> int:
        """How many bytes it watches."""

    @property
    def callback(self) -> Literal[True] | Callable[[ThreadContext, Breakpoint], object] | None:
        """What is called at each hit, with the thread and the breakpoint.

        None stops the process instead, True does nothing but count. May be replaced at any time.
        """

    @callback.setter
    def callback(
        self, callback: Literal[True] | Callable[[ThreadContext, Breakpoint], object] | None
    ) -> None: ...
    @property
    def enabled(self) -> bool:
        """Whether it is enabled. Reading and changing it wait until the process is stopped."""

    @enabled.setter
    def enabled(self, on: bool) -> None: ...
    def enable(self) -> None:
        """Enable it, effective when the process goes on."""

    def disable(self) -> None:
        """Disable it, effective when the process goes on."""

    def hit_on(self, thread_context: Any) -> bool:
        """Return whether the stop that a thread is in was caused by this breakpoint, which is enabled.

        For a debugger, its main thread is meant.
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

    def step(self) -> None:
        """Execute one instruction."""

    def step_until(self, address: int, limit: int | None = None) -> None:
        """Step until the thread is at the address, at most `limit` times."""

    def next(self) -> None:
        """Execute one instruction, and all of the function where that is a call."""

@disjoint_base
class MemoryCore:
    """The memory of a process, by address, by symbol, and relative to files."""

    def __new__(cls, core: DebuggerCore) -> Self: ...
    def __getitem__(self, key: Any, /) -> bytes:
        """Return the bytes that the key names."""

    def __setitem__(self, key: Any, value: bytes, /) -> None:
        """Change the bytes that the key names. All of the value is written, whatever size the key says."""

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes from a virtual address on; OSError if not all of them are mapped."""

    def write(self, address: int, data: bytes) -> None:
        """Write from a virtual address on; OSError if not all of it is mapped."""

    def read_many(self, places: Iterable[tuple[int, int]]) -> list[bytes]:
        """Return the bytes of many places at once, each given by virtual address and size.

        Faster than one by one. OSError if one of them is not mapped.
        """

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
    def cont(self) -> None:
        """Let all threads go on, and return at once."""

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
    ) -> Breakpoint:
        """Set a breakpoint at a virtual address."""

    def remove_breakpoint(self, breakpoint: Breakpoint) -> None:
        """Remove a breakpoint: the program's own instruction is back."""

    def maps(self, make: Callable[[list[tuple[int, int, str, int, str]]], MemoryMapList]) -> MemoryMapList:
        """Return what `make` makes of the memory maps.

        Called once a stop, with one tuple for each map of start, end, permissions, offset and backing file.
        """

@final
class PipeCore:
    """The streams of one run of a program. Every wait takes its seconds, or None for any time."""

    def __new__(cls, core: DebuggerCore) -> Self: ...
    @property
    def is_terminal(self) -> bool:
        """Whether the program has one terminal for all three streams."""

    def recv(self, stream: _Stream, count: int, timeout: float | None) -> bytes:
        """Receive what has arrived, at most `count` bytes.

        None when nothing came in time, or the process stopped.
        """

    def recv_exact(self, stream: _Stream, count: int, timeout: float | None) -> bytes:
        """Receive exactly `count` bytes."""

    def recv_until(
        self,
        stream: _Stream,
        delimiter: bytes,
        occurrences: int,
        drop: bool,
        optional: bool,
        timeout: float | None,
    ) -> bytes:
        """Receive until `delimiter` has occurred `occurrences` times."""

    def recv_all(self, stream: _Stream, timeout: float | None) -> bytes:
        """Receive until the stream ends, the process stops, or the time is over."""

    def can_recv(self, stream: _Stream, timeout: float | None) -> bool:
        """Wait until there is something to receive; False when there is not in time, or nothing can come."""

    def unrecv(self, stream: _Stream, data: bytes) -> None:
        """Put bytes back, before everything else that waits to be received."""

    def send(self, data: bytes, timeout: float | None) -> int:
        """Send everything, waiting for room where the pipe is full; return its size."""

    def try_send(self, data: bytes) -> int:
        """Send what there is room for, and return how much that was."""

    def select(
        self, input: bool, stop: bool, room: bool, timeout: float | None
    ) -> tuple[bool, bool, bool, bool, bool]:
        """Wait for output, and as asked for input of descriptor 0, for a stop, for room to send.

        Return whether there is input, standard output, standard error, a stop, room: none after the time.
        """

    def state(self) -> tuple[Literal["running", "stopped", "dead"], str]:
        """Return where the process is, and why it is stopped."""

    def close_stdin(self) -> None:
        """End the program's input."""

    def close(self) -> None:
        """Close all streams. Closing twice is no error."""
