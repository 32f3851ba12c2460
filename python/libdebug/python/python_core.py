"""The engine's part in live Python programs."""

from libdebug._native import PythonCore, PythonStateError, UnsupportedPythonError

__all__ = ["PythonCore", "PythonStateError", "UnsupportedPythonError"]
