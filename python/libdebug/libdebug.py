"""The function that makes debuggers."""

from __future__ import annotations

from libdebug.debugger.debugger import Debugger

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from typing import Any


def debugger(
    argv: str | list[str] | None = None,
    *,
    path: str | None = None,
    aslr: bool = True,
    env: dict[str, str] | None = None,
    continue_to_binary_entrypoint: bool = True,
    auto_interrupt_on_command: bool = False,
    fast_memory: bool = True,
    kill_on_exit: bool = True,
    escape_antidebug: bool = False,
    follow_children: bool = True,
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
        escape_antidebug: only False: system calls are not intercepted yet.
        follow_children: whether each process that the program creates is stopped and gets a debugger of its
            own, in `children`; else it runs free, unharmed by breakpoints.

    Raises:
        RuntimeError: `escape_antidebug` is on.
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
    if escape_antidebug:
        raise RuntimeError("escape_antidebug needs system calls to be intercepted, which is not there yet")
    settings: dict[str, Any] = {
        "aslr": aslr,
        "at_entry_point": continue_to_binary_entrypoint,
        "auto_interrupt": auto_interrupt_on_command,
        "fast_memory": fast_memory,
        "kill_on_exit": kill_on_exit,
        "follow_children": follow_children,
    }
    return Debugger(argv, path, env, **settings)
