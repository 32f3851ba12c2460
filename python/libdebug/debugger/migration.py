"""Moving a process to GDB, and back."""

from __future__ import annotations

from libdebug.data.gdb_resume_event import GdbResumeEvent
from libdebug.liblog import liblog

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable
    from subprocess import Popen

    from libdebug._native import DebuggerCore
    from libdebug.data.breakpoint import Breakpoint
    from libdebug.debugger.migration_core import MigrationCore

_NO_TERMINAL = "Failed to open GDB in terminal. Check the terminal configuration in libcontext.terminal."
_NOT_THERE = "Process is not in GDB."


class Migration:
    """Moves the process of a debugger to GDB, and takes it back."""

    _core: DebuggerCore
    _stay: _Stay | None = None

    @property
    def _migration(self) -> MigrationCore:
        from libdebug.debugger.migration_core import MigrationCore

        return MigrationCore(self._core)

    @property
    def process_id(self) -> int:
        """The id of the process."""
        raise NotImplementedError

    @property
    def breakpoints(self) -> dict[int, Breakpoint]:
        """The breakpoints by address."""
        raise NotImplementedError

    @property
    def is_in_gdb(self) -> bool:
        """Whether the process is in GDB. Does not wait."""
        return self._migration.handed_over

    def gdb(
        self, migrate_breakpoints: bool = True, open_in_new_process: bool = True, blocking: bool = True
    ) -> GdbResumeEvent:
        """Go on in GDB with the process as it is; the command `goback` there, or quitting it, comes back.

        Afterwards the process is stopped where GDB left it, with all that was set here, and with what GDB has
        changed. Meanwhile every other request raises RuntimeError. Also in callbacks.

        Args:
            migrate_breakpoints: whether breakpoints and watchpoints that are enabled are set in GDB, too.
            open_in_new_process: whether GDB gets a terminal of its own: that of `libcontext.terminal`, or one
                like that of this program; otherwise, and when none is found, it runs in this one.
            blocking: whether to wait until GDB is gone; if not, `wait_for_gdb` does. GDB in this terminal is
                always waited for.

        Returns:
            What waits for GDB's end with its method `join`, too.

        Raises:
            RuntimeError: there is no GDB, no terminal could be opened, system calls are filtered, or no
                process is being debugged.
        """
        from shutil import which

        self._core.settle()
        if which("gdb") is None:
            raise RuntimeError("There is no program gdb: install GDB, or add it to PATH.")
        terminal = _terminal() if open_in_new_process else None
        stay = _Stay(self.process_id, self.breakpoints.values() if migrate_breakpoints else ())
        try:
            self._migration.hand_over()
        except BaseException:
            stay.end()
            raise
        self._stay = stay
        try:
            stay.begin(terminal)
        except BaseException:
            self._come_back()
            raise
        event = GdbResumeEvent(self)
        if blocking or terminal is None:
            self.wait_for_gdb()
        return event

    def wait_for_gdb(self) -> None:
        """Wait until GDB is gone, and take the process back. Ctrl-C ends the wait; it can be called again.

        Raises:
            RuntimeError: the process is not in GDB, or no terminal could be opened for that.
        """
        if self._stay is None or not self._migration.handed_over:
            raise RuntimeError(_NOT_THERE)
        try:
            self._stay.wait()
        except RuntimeError:
            self._come_back()
            raise
        self._come_back()

    def _come_back(self) -> None:
        from libdebug._native import ProcessDiedError

        if self._stay is not None:
            self._stay.end()
            self._stay = None
        try:
            self._migration.take_back()
        except ProcessDiedError:
            liblog.warning("The process has ended in GDB.")


def _terminal() -> list[str] | None:
    """Return the command that opens a terminal, None for the one of this program."""
    from libdebug.utils.libcontext import libcontext
    from libdebug.utils.terminals import detect_terminal

    terminal = libcontext.terminal or detect_terminal()
    if not terminal:
        liblog.warning("No known terminal is open: GDB runs in this one. See libcontext.terminal.")
    return terminal or None


class _Stay:
    """One stay in GDB: its files, and the pipe that tells of its end."""

    def __init__(self, pid: int, breakpoints: Iterable[Breakpoint]) -> None:
        import os
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from libdebug.debugger.gdb_script import commands, shell_script

        self._directory = TemporaryDirectory(prefix="libdebug-gdb-")
        here = Path(self._directory.name)
        (here / "commands").write_text(commands(breakpoints))
        self._script = here / "run"
        self._script.write_text(shell_script(str(here), pid))
        self._script.chmod(0o700)
        pipe = here / "end"
        os.mkfifo(pipe, 0o600)
        # Not to wait for the other end now: it may never be opened.
        self._pipe = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._opener: Popen[bytes] | None = None
        self._opener_end: int | None = None
        self._shares_terminal = False

    def begin(self, terminal: list[str] | None) -> None:
        """Start GDB, in another terminal or in this one."""
        import os
        from subprocess import Popen

        try:
            self._opener = Popen([*(terminal or []), self._script])
        except OSError as error:
            raise RuntimeError(_NO_TERMINAL) from error
        self._opener_end = os.pidfd_open(self._opener.pid)
        self._shares_terminal = terminal is None

    def wait(self) -> None:
        """Wait until GDB is gone."""
        while True:
            try:
                return self._wait()
            except KeyboardInterrupt:  # noqa: PERF203 - at most once for each Ctrl-C
                # In a terminal that both share, Ctrl-C is meant for GDB.
                if not self._shares_terminal:
                    raise

    def _wait(self) -> None:
        import os
        import select

        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        if self._opener_end is not None:
            poll.register(self._opener_end, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._pipe in ready:
                # The script says that it begins; that nobody is left who could say more is the end.
                if not os.read(self._pipe, 64):
                    return
            elif self._opener_end in ready:
                # Many a terminal's command ends when it has asked for a window.
                if self._opener is not None and self._opener.wait() != 0:
                    raise RuntimeError(_NO_TERMINAL)
                poll.unregister(self._opener_end)

    def end(self) -> None:
        """Remove what there is of it."""
        import os

        os.close(self._pipe)
        if self._opener_end is not None:
            os.close(self._opener_end)
        if self._opener is not None:
            self._opener.wait()
        self._directory.cleanup()
