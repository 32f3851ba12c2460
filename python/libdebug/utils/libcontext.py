"""The settings that all debuggers of a process share."""

from __future__ import annotations

from libdebug.liblog import liblog
from libdebug.utils.platform_utils import host_platform

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, ClassVar

_DEBUGINFOD_SERVER = "https://debuginfod.elfutils.org/"
_TRACE_LEVELS = ["DEBUG", "SILENT"]
_GENERAL_LEVELS = ["DEBUG", "INFO", "WARNING", "SILENT"]


class LibContext:
    """The settings; the only instance is `libdebug.libcontext`, and creating another returns the same one.

    Example:
        >>> libcontext.sym_lvl
        5
        >>> with libcontext.tmp(sym_lvl=2):
        ...     libcontext.sym_lvl
        2
        >>> libcontext.sym_lvl
        5
        >>> libcontext.sym_lvl = 6
        Traceback (most recent call last):
        ValueError: sym_lvl must be between 0 and 5
    """

    _instance: ClassVar[LibContext | None] = None

    _sym_lvl: int = 5
    _terminal: list[str] | None = None
    _debuginfod_server: str | None = None

    def __new__(cls) -> LibContext:  # noqa: PYI034 - there is only one object, whatever class asks for it
        """Return the one instance."""
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    @property
    def sym_lvl(self) -> int:
        """How far to go for symbols, from 0 (none at all) to 5 (everything, also from the network).

        Raises:
            ValueError: on setting, if not an integer from 0 to 5.
        """
        return self._sym_lvl

    @sym_lvl.setter
    def sym_lvl(self, value: int) -> None:
        if not isinstance(value, int) or not 0 <= value <= 5:
            raise ValueError("sym_lvl must be between 0 and 5")
        from libdebug.data.symbol_table import set_symbol_level

        set_symbol_level(value)
        self._sym_lvl = value

    @property
    def debugger_logger(self) -> str:
        """The level of the log of what the debugger does: `DEBUG` or `SILENT`, else ValueError."""
        return liblog.level("debugger")

    @debugger_logger.setter
    def debugger_logger(self, value: str) -> None:
        _require("debugger_logger", value, _TRACE_LEVELS)
        liblog.set_level("debugger", value)

    @property
    def pipe_logger(self) -> str:
        """The level of the log of what is sent and received: `DEBUG` or `SILENT`, else ValueError."""
        return liblog.level("pipe")

    @pipe_logger.setter
    def pipe_logger(self, value: str) -> None:
        _require("pipe_logger", value, _TRACE_LEVELS)
        liblog.set_level("pipe", value)

    @property
    def general_logger(self) -> str:
        """The level of the general log: `DEBUG`, `INFO`, `WARNING` or `SILENT`, else ValueError."""
        return liblog.level("general")

    @general_logger.setter
    def general_logger(self, value: str) -> None:
        _require("general_logger", value, _GENERAL_LEVELS)
        liblog.set_level("general", value)

    @property
    def platform(self) -> str:
        """The instruction set of this machine: `amd64`, `i386`, `aarch64`, or as the kernel says."""
        return host_platform()

    @property
    def terminal(self) -> list[str]:
        """The command that opens a terminal, to which a program's name is appended; empty to look for one."""
        if self._terminal is None:
            self._terminal = []
        return self._terminal

    @terminal.setter
    def terminal(self, value: list[str] | str) -> None:
        self._terminal = [value] if isinstance(value, str) else list(value)

    @property
    def debuginfod_server(self) -> str:
        """Where to ask for debug files: a URL that starts with http:// or https://, else ValueError.

        Nobody is asked as long as it has its default, unless the environment names servers (DEBUGINFOD_URLS).
        """
        return self._debuginfod_server or _DEBUGINFOD_SERVER

    @debuginfod_server.setter
    def debuginfod_server(self, value: str) -> None:
        if not isinstance(value, str) or not value.startswith(("http://", "https://")):
            raise ValueError("debuginfod_server must be a URL that starts with http:// or https://")
        from libdebug.utils.symbol_servers import tell_symbol_servers

        self._debuginfod_server = value if value != _DEBUGINFOD_SERVER else None
        tell_symbol_servers()

    @property
    def chosen_debuginfod_server(self) -> str | None:
        """The `debuginfod_server` that was set; None as long as none was."""
        return self._debuginfod_server

    def update(self, **kwargs: Any) -> None:
        """Set several settings by name; names that are no settings are ignored.

        Raises:
            ValueError: one of the values is refused; those before it are set.
        """
        for name, value in kwargs.items():
            if name in _SETTINGS:
                setattr(self, name, value)

    def tmp(self, **kwargs: Any) -> _Temporarily:
        """Return a context manager that sets what `update` would, and restores every setting at its end.

        Example:
            >>> with libcontext.tmp(general_logger="SILENT"):
            ...     libcontext.general_logger
            'SILENT'
        """
        return _Temporarily(self, kwargs)


_SETTINGS = ("sym_lvl", "debugger_logger", "pipe_logger", "general_logger", "terminal", "debuginfod_server")


class _Temporarily:
    """Settings for the length of a `with` block."""

    def __init__(self, context: LibContext, settings: dict[str, Any]) -> None:
        self._context = context
        self._settings = settings
        self._before: dict[str, Any] = {}

    def __enter__(self) -> LibContext:
        """Note every setting, then set the new ones; if one is refused, none stays."""
        self._before = _settings_of(self._context)
        try:
            self._context.update(**self._settings)
        except BaseException:
            self._restore()
            raise
        return self._context

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restore every setting."""
        self._restore()

    def _restore(self) -> None:
        """Set what differs from before; a logger's level that was not changed here is not touched."""
        now = _settings_of(self._context)
        self._context.update(**{name: old for name, old in self._before.items() if old != now[name]})


def _settings_of(context: LibContext) -> dict[str, Any]:
    """Return every setting by name, a list as a copy of its own."""
    values = {name: getattr(context, name) for name in _SETTINGS}
    return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}


def _require(name: str, value: str, levels: list[str]) -> None:
    """Raise ValueError unless the level is one of those."""
    if value not in levels:
        raise ValueError(f"{name} must be a supported logging level. The supported levels are: {levels}")


#: The settings that all debuggers of this process share.
libcontext = LibContext()
