"""The engine's part in live Python programs."""

from libdebug._native import PythonBusyError, PythonCore, PythonStateError, UnsupportedPythonError

__all__ = ["PythonBusyError", "PythonCore", "PythonStateError", "UnsupportedPythonError"]
