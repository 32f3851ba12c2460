"""The function that makes debuggers."""

from __future__ import annotations

from libdebug.debugger.debugger import Debugger

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any, Literal


def debugger(
    argv: str | PathLike[str] | list[str] | None = None,
    *,
    path: str | PathLike[str] | None = None,
    aslr: bool = True,
    env: dict[str, str] | None = None,
    escape_antidebug: bool = False,
    continue_to_binary_entrypoint: bool = True,
    auto_interrupt_on_command: bool = False,
    fast_memory: bool = True,
    kill_on_exit: bool = True,
    follow_children: bool = True,
    syscall_filter: Literal["auto", "seccomp", "ptrace"] = "auto",
) -> Debugger:
    """Return a debugger for a program, which `run()` starts; or, without one, for `attach()`.

    Args:
        argv: the program, or a list of the program and its arguments. A name without a slash is looked for
            in PATH.
        path: the file to execute, if it is not `argv[0]`.
        aslr: whether addresses are randomized.
        env: the environment; None stands for that of this interpreter.
        continue_to_binary_entrypoint: whether `run()` stops at the program's entry point, with its libraries
            loaded, or at the very first instruction.
        auto_interrupt_on_command: whether an access to the running process interrupts it, instead of waiting
            for its next stop.
        fast_memory: whether memory is accessed through /proc/PID/mem, instead of word by word.
        kill_on_exit: whether the process is killed when this interpreter ends.
        escape_antidebug: whether a program that looks for a debugger finds none: `ptrace(PTRACE_TRACEME)`
            succeeds, once, and `/proc/self/status` names no tracer.
        follow_children: whether each process that the program creates is stopped and gets a debugger of its
            own, in `children`; else it runs free, unharmed by breakpoints.
        syscall_filter: how handled system calls are told from the others: `ptrace` stops at every call;
            `seccomp` puts a filter into the program, so that all others run at native speed, but the program
            cannot be detached from any more; `auto` is `ptrace`, as nobody knows whether a script detaches.

    Raises:
        ValueError: there is no such `syscall_filter`.
        FileNotFoundError: there is no such program.
        TypeError: an argument is of a wrong type.

    Example:
        >>> d = debugger(["/bin/echo", "hello"], aslr=False)
        >>> d.run().__class__.__name__
        'PipeManager'
        >>> hex(d.regs.rip % 0x1000) == hex(d.instruction_pointer % 0x1000)
        True
        >>> d.terminate()
    """
    settings: dict[str, Any] = {
        "aslr": aslr,
        "at_entry_point": continue_to_binary_entrypoint,
        "auto_interrupt": auto_interrupt_on_command,
        "fast_memory": fast_memory,
        "kill_on_exit": kill_on_exit,
        "follow_children": follow_children,
        "escape_antidebug": escape_antidebug,
        "syscall_filter": syscall_filter,
    }
    return Debugger(argv, path, env, **settings)
