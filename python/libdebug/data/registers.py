"""Registers: one class per set of names that a processor can have."""

from libdebug._native import Registers

__all__ = ["Registers"]
