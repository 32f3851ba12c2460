"""Registers: one class per set of names that a processor can have."""

from libdebug._native import RegisterFile, Registers, RegistersAvx, RegistersAvx512

__all__ = ["RegisterFile", "Registers", "RegistersAvx", "RegistersAvx512"]
