"""What GDB executes when a process is migrated to it."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable

    from libdebug.data.breakpoint import Breakpoint

#: Executed inside GDB, by the Python that is built into it.
_GOBACK = """\
python
import os, signal
class Goback(gdb.Command):
    "Leave GDB, and give the process back to libdebug, stopped where it is."
    def __init__(self):
        super().__init__("goback", gdb.COMMAND_RUNNING)
    def invoke(self, argument, from_tty):
        pid = gdb.selected_inferior().pid
        if pid:
            os.kill(pid, signal.SIGSTOP)
            gdb.execute("detach")
        gdb.execute("quit")
Goback()
# What has stopped it for GDB is not to be shown as a stop of the program's own.
gdb.execute("handle SIGSTOP nostop noprint nopass", to_string=True)
end
"""
_GREETING = "echo \\nThe process is yours. The command `goback` gives it back to libdebug.\\n\n"

#: The C type of so many watched bytes; without debug information GDB knows no others.
_TYPES = {1: "char", 2: "short", 4: "int", 8: "long"}


def commands(breakpoints: Iterable[Breakpoint]) -> str:
    """Return GDB commands that set what is enabled among the breakpoints, and define `goback`."""
    lines = [_command(bp) + "\n" for bp in breakpoints if bp.is_enabled()]
    return "".join(["set breakpoint pending off\n", *lines, _GOBACK, _GREETING])


def _command(bp: Breakpoint) -> str:
    if not bp.hardware:
        return f"break *{bp.address:#x}"
    if bp.condition == "x":
        return f"hbreak *{bp.address:#x}"
    kind = "watch" if bp.condition == "w" else "awatch"
    return f"{kind} *({_TYPES[bp.length]} *) {bp.address:#x}"


def shell_script(directory: str, pid: int) -> str:
    """Return a script for sh(1) that runs GDB and, by its end of a pipe, tells when that is over."""
    from shlex import quote

    here = quote(directory)
    return f"#!/bin/sh\nexec 9>{here}/end\necho begun >&9\nexec gdb -q --pid {pid} -x {here}/commands\n"
