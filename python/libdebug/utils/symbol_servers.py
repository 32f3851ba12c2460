"""Which servers of debug information are asked, and where their answers are kept."""

from __future__ import annotations

import os

from libdebug.data.symbol_table import set_symbol_servers
from libdebug.utils.libcontext import libcontext

#: What was told to the engine last.
_told: tuple[list[str], str] | None = None


def tell_symbol_servers() -> None:
    """Have the engine ask the servers that the environment names, as all clients of debuginfod(8) do.

    Without DEBUGINFOD_URLS that is `libcontext.debuginfod_server`; an empty DEBUGINFOD_URLS names nobody.
    What a script chooses is asked first.
    """
    global _told  # noqa: PLW0603 - what the engine has been told is as global as the environment
    urls = os.environ.get("DEBUGINFOD_URLS", libcontext.debuginfod_server).split()
    chosen = libcontext.chosen_debuginfod_server
    if chosen is not None:
        urls = [chosen, *(url for url in urls if url != chosen)]
    settings = (urls, _cache())
    if settings != _told:
        set_symbol_servers(*settings)
        _told = settings


def _cache() -> str:
    """Return the directory that debuginfod-find(1) uses."""
    cache = os.environ.get("DEBUGINFOD_CACHE_PATH")
    if cache:
        return cache
    base = os.environ.get("XDG_CACHE_HOME") or f"{os.path.expanduser('~')}/.cache"  # noqa: PTH111 - pathlib is slow to import
    return f"{base}/debuginfod_client"
