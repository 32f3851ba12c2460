"""Handlers of system calls."""

from libdebug._native import SyscallHandler

__all__ = ["SyscallHandler"]
