"""A programmatic debugger for Linux programs.

Example:
    >>> from libdebug import debugger
    >>> d = debugger("/bin/true")
    >>> pipe = d.run()
    >>> d.cont()
    >>> d.wait()
    >>> d.exit_code
    0
    >>> d.terminate()
"""

from libdebug.data.breakpoint import Breakpoint
from libdebug.data.signal_catcher import SignalCatcher
from libdebug.data.syscall_handler import SyscallHandler
from libdebug.debugger.debugger import Debugger
from libdebug.libdebug import debugger
from libdebug.state.thread_context import ThreadContext
from libdebug.utils.libcontext import libcontext

__all__ = [
    "Breakpoint",
    "Debugger",
    "SignalCatcher",
    "SyscallHandler",
    "ThreadContext",
    "debugger",
    "libcontext",
]


def __getattr__(name: str) -> object:
    """Import what most scripts do not need when it is first asked for."""
    if name == "python":
        import libdebug.python

        return libdebug.python
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
