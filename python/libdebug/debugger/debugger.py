"""The debugger, as scripts hold it."""
# ruff: noqa: D102 - an alias gets the documentation of what it stands for

from __future__ import annotations

from libdebug._native import DebuggerCore
from libdebug.commlink.pipe_manager import PipeManager
from libdebug.debugger.children import checked_follow
from libdebug.debugger.internal_debugger import InternalDebugger
from libdebug.debugger.internal_debugger_holder import hold
from libdebug.debugger.live_python import LivePython
from libdebug.debugger.migration import Migration
from libdebug.debugger.program import Program
from libdebug.debugger.seeing import Seeing
from libdebug.debugger.snapshots import Snapshots
from libdebug.debugger.source import Source
from libdebug.liblog import liblog
from libdebug.utils.oop.alias import alias_of
from libdebug.utils.symbol_servers import tell_symbol_servers

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable

    from libdebug.data.argument_list import ArgumentList
    from libdebug.data.env_dict import EnvDict
    from libdebug.debugger.time_limit import TimeLimit

#: A time limit up to this many seconds is remarked on: the program hardly starts within it.
_SHORT_LIMIT = 0.01


class Debugger(Seeing, Source, Migration, Snapshots, LivePython):
    """A debugger: one program or process at a time. The function `libdebug.debugger` makes them.

    What concerns a thread (registers, signals, steps) is the main thread's here; `threads` has them all. An
    access to a running process waits until it stops.
    """

    def __init__(
        self,
        argv: str | list[str] | None,
        path: str | None,
        env: dict[str, str] | None,
        *,
        aslr: bool,
        at_entry_point: bool,
        auto_interrupt: bool,
        fast_memory: bool,
        kill_on_exit: bool,
        follow_children: bool,
        escape_antidebug: bool,
        syscall_filter: str,
    ) -> None:
        """Take the arguments of the function `libdebug.debugger`, which describes them."""
        tell_symbol_servers()
        core = DebuggerCore(self._make_thread)
        core.set_auto_interrupt(auto_interrupt)
        core.fast_memory = fast_memory
        core.follow_children = checked_follow(follow_children)
        core.set_escape_antidebug(escape_antidebug)
        core.set_syscall_filter(syscall_filter)
        program = Program(argv, path, env, _debugging(core))
        self._set_up(core, program, aslr, at_entry_point, kill_on_exit)

    def _set_up(
        self, core: DebuggerCore, program: Program, aslr: bool, at_entry_point: bool, kill_on_exit: bool
    ) -> None:
        self._program = program
        self._internal_debugger = InternalDebugger(core, program)
        self._aslr = aslr
        self._at_entry_point = at_entry_point
        self._kill_on_exit = kill_on_exit
        self._limit: TimeLimit | None = None
        super().__init__(core)
        hold(core)

    def _make_child(self, place: int) -> Debugger:
        """Return a debugger for a process that this one's has created, with the settings of its birth."""
        child = Debugger.__new__(Debugger)
        core = self._core.child(place, child._make_thread)  # noqa: SLF001 - of the same class
        if core is None:
            raise RuntimeError("The child belongs to a process that is not being debugged any more.")
        program = self._program.copy(_debugging(core))
        child._set_up(  # noqa: SLF001 - of the same class
            core, program, self._aslr, self._at_entry_point, core.kill_on_exit
        )
        if self._inherits and not child.dead:
            child._inherit(self)  # noqa: SLF001 - of the same class
        return child

    def _inherit(self, creator: Debugger) -> None:
        self.inherit_handlers = True
        try:
            self._take_handlers_of(creator)
        except RuntimeError:
            # Somebody else can kill it at any time, which is no failure of whoever asks for the children.
            if not self._core.ended:
                raise

    def run(
        self, timeout: float = -1, redirect_pipes: bool = True, *, tty: bool = False
    ) -> PipeManager | None:
        """Start the program, which then stands at its entry point.

        A process that is being debugged is killed first, with those that came from it, and whatever was set
        in it is forgotten.

        Args:
            timeout: after how many seconds the program is killed; -1 for never.
            redirect_pipes: whether standard input, output and error lead to the returned object; if not, the
                program has those of this interpreter, and None is returned.
            tty: whether the program is given a terminal for all three.

        Raises:
            RuntimeError: there is no program to run, or this is a callback.
            OSError: the program cannot be executed; which subclass, its error number tells.
            ValueError: the timeout is neither positive nor -1.
        """
        if isinstance(timeout, bool) or not isinstance(timeout, (float, int)):
            raise TypeError("timeout must be a number of seconds")
        if timeout <= 0 and timeout != -1:
            raise ValueError("Timeout must be a positive number or -1.")
        if 0 < timeout <= _SHORT_LIMIT:
            liblog.warning(
                "A timeout of %s s is very short: the program may not get to do anything.", timeout
            )
        if self._program.path is None:
            raise RuntimeError("No binary file specified.")
        if self._at_entry_point and self._program.damage is not None:
            liblog.error(
                "Failed to get the entry point for the given binary: %s. The kernel's is taken.",
                self._program.damage,
            )
        env = self._program.env
        try:
            self._core.run(
                self._program.path,
                list(self._program.argv),
                None if env is None else list(env.items()),
                aslr=self._aslr,
                stdio="terminal" if tty else "pipes" if redirect_pipes else "inherit",
                at_entry_point=self._at_entry_point,
                kill_on_exit=self._kill_on_exit,
            )
        finally:
            if not self._core.in_callback:
                self._forget_children()
        self._begin()
        self._program.ran_path = self._program.path
        self._internal_debugger._process_memory_manager.fall_back()  # noqa: SLF001 - of the same package
        if timeout > 0:
            self._set_limit(timeout)
        return PipeManager(self._core) if redirect_pipes or tty else None

    @alias_of(run)
    def r(self, timeout: float = -1, redirect_pipes: bool = True, *, tty: bool = False) -> PipeManager | None:
        return self.run(timeout, redirect_pipes, tty=tty)

    def attach(self, pid: int) -> None:
        """Attach to a live process with all its threads, which are stopped then.

        Raises:
            ProcessLookupError: there is no such process.
            PermissionError: the kernel does not allow it; the text says what to do.
        """
        if not isinstance(pid, int):
            raise TypeError(f"pid must be an int, not {type(pid).__name__}")
        try:
            self._core.attach(pid, kill_on_exit=self._kill_on_exit)
        finally:
            if not self._core.in_callback:
                self._forget_children()
        self._begin()

    def detach(self) -> None:
        """Let the process go: it runs on as it was, without breakpoints.

        Raises:
            RuntimeError: no process is being debugged.
        """
        self._core.detach()
        self._learn_of_children()
        self._begin()

    def kill(self) -> None:
        """Kill the process and wait for its end; its registers can still be read.

        While the process is running, its next stop is waited for first.

        Raises:
            RuntimeError: no process is being debugged, or this is a callback.
        """
        self._core.kill()
        self._learn_of_children()
        self._drop_limit()
        self._look_back()

    def terminate(self) -> None:
        """End the process, unless `kill_on_exit` is off, and the debugger, which is of no use after it.

        The debuggers of its children, and of theirs, end with it.
        """
        self._drop_limit()
        self._look_back()
        self._learn_of_children()
        self._core.terminate()
        for child in self._born:
            child.terminate()

    def cont(self) -> None:
        """Let all threads go on, and return at once.

        Raises:
            RuntimeError: the process is dead, none is being debugged, a callback raised (its exception is the
                cause), or this is a callback.
        """
        if self._core.in_callback:
            raise RuntimeError("This method is not available in a callback.")
        self._core.cont()

    @alias_of(cont)
    def c(self) -> None:
        self.cont()

    def wait(self, *, timeout: float | None = None) -> None:
        """Block until the process has stopped or ended.

        The log warns when that takes long because the process itself waits for a child that stands still.

        Args:
            timeout: for how many seconds at most; None for any time.

        Raises:
            TimeoutError: it did not stop in time; the text says what its threads are doing.
            RuntimeError: no process is being debugged, this is a callback, or another callback raised: its
                exception is the cause.
        """
        self._core.wait(timeout)
        self._look_back()
        self._learn_of_children()

    @alias_of(wait)
    def w(self, *, timeout: float | None = None) -> None:
        self.wait(timeout=timeout)

    def interrupt(self) -> None:
        """Stop the process; nothing happens if it is stopped. In a callback: it stays stopped after that.

        Raises:
            RuntimeError: no process is being debugged.
        """
        self._core.interrupt()
        if not self._core.in_callback:
            self._core.settle()

    @alias_of(interrupt)
    def int(self) -> None:
        self.interrupt()

    def _begin(self) -> None:
        """Forget what belonged to the process before."""
        self._drop_limit()
        self._forget_events()

    def _set_limit(self, seconds: float) -> None:
        from libdebug.debugger.time_limit import TimeLimit

        self._limit = TimeLimit(self._core, seconds)

    def _drop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    @property
    def argv(self) -> ArgumentList:
        """The arguments of the program, its own name first; may be changed while nothing is debugged."""
        return self._program.argv

    @argv.setter
    def argv(self, value: str | list[str]) -> None:
        self._program.set_argv(value)

    @property
    def env(self) -> EnvDict | None:
        """The environment of the program; None stands for that of this interpreter."""
        return self._program.env

    @env.setter
    def env(self, value: dict[str, str] | None) -> None:
        self._program.set_env(value)

    @property
    def path(self) -> str | None:
        """The file to execute; None if there is only a process to attach to."""
        return self._program.path

    @path.setter
    def path(self, value: str) -> None:
        self._program.set_path(value)

    @property
    def arch(self) -> str:
        """The instruction set of the program: `amd64`, `i386` or `aarch64`."""
        return self._program.arch

    @arch.setter
    def arch(self, value: str) -> None:
        self._program.set_arch(value)

    @property
    def aslr(self) -> bool:
        """Whether addresses will be randomized, from the next `run()` on."""
        return self._aslr

    @aslr.setter
    def aslr(self, value: bool) -> None:
        # What was born until now has the setting of its birth.
        self._learn_of_children()
        self._aslr = value

    @property
    def kill_on_exit(self) -> bool:
        """Whether the process is killed when this interpreter ends."""
        return self._kill_on_exit

    @kill_on_exit.setter
    def kill_on_exit(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError("kill_on_exit must be a boolean")
        self._kill_on_exit = value
        if self._core.debugging:
            self._core.set_kill_on_exit(value)

    def _require_fast_memory(self) -> None:
        self._internal_debugger._process_memory_manager.require()  # noqa: SLF001 - of the same package

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; the log remarks on one whose name is nearly that of a debugger's own."""
        if name[:1] != "_" and not hasattr(type(self), name) and name not in self.__dict__:
            from difflib import get_close_matches

            near = get_close_matches(name, (own for own in dir(type(self)) if own[:1] != "_"), 1, 0.85)
            if near:
                liblog.warning("A debugger has no attribute %s. Did you mean %s?", name, near[0])
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        """Return the configuration and the threads, a line each."""
        lines = [
            "Debugger()",
            f"  Argv = {list(self.argv)}",
            f"  Path = {self.path}",
            f"  Arch = {self.arch}",
            f"  ASLR = {self._aslr}",
            f"  Kill on exit = {self._kill_on_exit}",
            f"  Fast memory = {self._core.fast_memory}",
            f"  Follow children = {self._core.follow_children}",
            f"  Process ID = {self.process_id}",
        ]
        return "\n".join([*lines, *(f"  Thread {thread.thread_id}" for thread in self.threads)])


def _debugging(core: DebuggerCore) -> Callable[[], bool]:
    """Return what tells whether a process is being debugged, and keeps nothing alive.

    The lists of arguments and variables ask, and may be kept for longer than the debugger.
    """
    from weakref import ref

    alive = ref(core)
    return lambda: (it := alive()) is not None and it.debugging
