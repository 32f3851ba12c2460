"""Catchers of signals."""

from libdebug._native import SignalCatcher

__all__ = ["SignalCatcher"]
