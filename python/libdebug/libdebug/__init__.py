"""The function that makes debuggers, where libdebug has it: as `libdebug.libdebug.debugger`, with or without a module."""

from libdebug.libdebug.debugger import debugger

__all__ = ["debugger"]
