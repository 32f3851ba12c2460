"""Symbols."""

from libdebug._native import Symbol, demangle

__all__ = ["Symbol", "demangle"]
