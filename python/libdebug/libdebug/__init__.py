"""The function that makes debuggers, where libdebug has it."""

from libdebug.libdebug.debugger import debugger

__all__ = ["debugger"]
