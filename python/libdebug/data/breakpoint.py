"""Breakpoints and watchpoints."""

from libdebug._native import Breakpoint

__all__ = ["Breakpoint"]
