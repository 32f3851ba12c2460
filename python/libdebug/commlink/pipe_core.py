"""The engine's part in input and output."""

from libdebug._native import PipeCore

__all__ = ["PipeCore"]
