r"""Live Python programs: what they execute, and code run in them.

Example:
    >>> import os, subprocess, sys
    >>> from libdebug import python
    >>> child = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); input()"], stdin=-1, stdout=-1)
    >>> child.stdout.readline()
    b'1\n'
    >>> with python.attach(child.pid) as program:
    ...     program.version >= (3, 8), [frame.function for frame in program.stack()]
    (True, ['<module>'])
    >>> with python.attach(child.pid) as program:
    ...     program.exec("answer = 6 * 7; print('there')"), program.eval("answer").json
    ('there\n', 42)
    >>> _ = child.communicate(b"\n")
"""

from libdebug.python.execution import PythonExecutionError, PythonValue
from libdebug.python.frames import PythonFrame, PythonThread
from libdebug.python.program import PythonProgram, PythonVersion, attach
from libdebug.python.python_core import PythonBusyError, PythonStateError, UnsupportedPythonError

__all__ = [
    "PythonBusyError",
    "PythonExecutionError",
    "PythonFrame",
    "PythonProgram",
    "PythonStateError",
    "PythonThread",
    "PythonValue",
    "PythonVersion",
    "UnsupportedPythonError",
    "attach",
]
