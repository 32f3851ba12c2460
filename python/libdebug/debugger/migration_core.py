"""The engine's part in moving a process to another debugger."""

from libdebug._native import MigrationCore

__all__ = ["MigrationCore"]
