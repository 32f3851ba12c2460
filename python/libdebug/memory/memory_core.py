"""The engine's part of a view of memory."""

from libdebug._native import MemoryCore

__all__ = ["MemoryCore"]
