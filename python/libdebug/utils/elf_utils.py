"""How the name of a program becomes the path of a file."""

from __future__ import annotations

import os.path


def resolve_argv_path(argv_path: str) -> str:
    """Return the path of the program that a first argument names.

    A leading `~` becomes the home directory. After that, an absolute path stays as it is, whether or not
    there is such a file; a path with a slash is relative to the current directory, and its symbolic links
    are followed; a bare word is looked for in PATH only, as a shell does, and stays as it is if it is not
    found there.

    Example:
        >>> resolve_argv_path("/no/such/program")
        '/no/such/program'
        >>> resolve_argv_path("./program") == os.path.realpath("program")
        True
        >>> resolve_argv_path("no-such-program")
        'no-such-program'
    """
    # Not pathlib: a Path drops the "./" that tells a path from a word.
    path = os.path.expanduser(argv_path)  # noqa: PTH111
    if os.path.isabs(path):  # noqa: PTH117
        return path
    if "/" in path:
        return os.path.realpath(path)
    # Costs more to import than the rest of the package together, and most programs are given with a slash.
    import shutil

    return shutil.which(path) or path
