"""The debuggers of the processes that a process creates."""

from __future__ import annotations

from _thread import RLock

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from libdebug._native import DebuggerCore
    from libdebug.debugger.debugger import Debugger


class Children:
    """What a debugger knows of the processes that its process has created."""

    _core: DebuggerCore

    def __init__(self, core: DebuggerCore) -> None:
        """Work with an engine."""
        super().__init__(core)  # type: ignore[call-arg]
        self._family = RLock()
        self._inherits = False
        # In the order of birth; users may do with their list what they want.
        self._born: list[Debugger] = []
        self._children: list[Debugger] = []

    def _make_child(self, place: int) -> Debugger:
        raise NotImplementedError

    @property
    def children(self) -> list[Debugger]:
        """The debuggers of the processes that the process has created, in the order of their creation.

        The list and the debuggers in it stay the same until the next `run()`. Each child is stopped where the
        call that created it returned, and goes on when its own `cont()` is called. It has no breakpoints, and
        the settings that its creator had at its birth. A child that was made by vfork is there as soon as it
        has executed a program, or ended. Does not wait.

        Example:
            >>> from libdebug import debugger
            >>> d = debugger(["/bin/sh", "-c", "(exit 3); exit 4"])
            >>> d.run(redirect_pipes=False)
            >>> d.cont()
            >>> child = d.wait_child()
            >>> child in d.children, child.running, child.pid == d.pid
            (True, False, False)
            >>> child.cont()
            >>> child.exit_code, d.exit_code
            (3, 4)
            >>> d.terminate()
        """
        self._learn_of_children()
        return self._children

    @property
    def follow_children(self) -> bool:
        """Whether processes that the process creates from now on get debuggers of their own.

        Those of other processes run free. May be changed at any time.
        """
        return self._core.follow_children

    @follow_children.setter
    def follow_children(self, value: bool) -> None:
        self._core.follow_children = checked_follow(value)

    @property
    def inherit_handlers(self) -> bool:
        """Whether children come with what is set and enabled in their creator: False unless it is changed.

        That is breakpoints and watchpoints, handlers of system calls, catchers of signals, signals to block
        and `on_exec`, each with its own count; not what is set for one thread only. A child gets them when
        `children` or `wait_child` first shows it, and its own children do too. One that has executed another
        program gets no breakpoints.
        """
        return self._inherits

    @inherit_handlers.setter
    def inherit_handlers(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError("inherit_handlers must be a boolean")
        self._inherits = value

    def wait_child(self, timeout: float | None = None) -> Debugger | None:
        """Block until there is a child that this method has not returned yet, and return its debugger.

        Args:
            timeout: for how many seconds at most; None for any time.

        Returns:
            The debugger, which is in `children` too; None when the process has stopped or ended without
            another child. A child that ended between vfork and the execution of a program is `dead`, or about
            to be.

        Raises:
            TimeoutError: neither happened in time.
            RuntimeError: no process is being debugged, this is a callback, or another callback raised.
        """
        place = self._core.wait_child(timeout)
        self._learn_of_children()
        return None if place is None else self._born[place]

    def _learn_of_children(self) -> None:
        """Make debuggers for children that are new."""
        if len(self._born) >= self._core.child_count:
            return
        with self._family:
            while (place := len(self._born)) < self._core.child_count:
                child = self._make_child(place)
                # A handler of Ctrl-C, or a finalizer, can have asked for the children meanwhile.
                if len(self._born) == place:
                    self._born.append(child)
                    self._children.append(child)

    def _forget_children(self) -> None:
        """End what came from the process before, which another one takes the place of."""
        with self._family:
            born, self._born, self._children = self._born, [], []
        for child in born:
            child.terminate()


def checked_follow(value: object) -> bool:
    """Return a value for `follow_children`.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, bool):
        raise TypeError("follow_children must be a boolean")
    return value
