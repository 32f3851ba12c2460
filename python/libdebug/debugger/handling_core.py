"""The engine's part in handling system calls and signals."""

from libdebug._native import HandlingCore, SyscallEnter, SyscallExit

__all__ = ["HandlingCore", "SyscallEnter", "SyscallExit"]
