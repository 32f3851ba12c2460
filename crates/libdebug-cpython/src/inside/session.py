"""pdb, and an interactive console, in the frame that was being executed. Read after boot.py, in a namespace of its own.

There stand `channel`, `frame`, `state` (what is to be traced with afterwards) and `outside`, the names of boot.py; and `WANTED`,
a pair of `pdb`, `console` or `break`, and text. At the end of a session everything is as it was: breakpoints, trace functions
of threads and frames, sys.stdin, sys.stdout and sys.stderr.
"""

import sys
from _thread import get_ident

OWN = outside["OWN"]  # noqa: F821
Gone = outside["Gone"]  # noqa: F821
Locals = outside["Locals"]  # noqa: F821
Output = outside["Output"]  # noqa: F821


class Terminal(Output):
    """What is read and written at the debugger's terminal. The begun line is the prompt of the next one that is read."""

    def flush(self):
        if get_ident() != self.channel.thread:
            return Output.flush(self)
        whole, line, self.pending = self.pending.rpartition("\n")
        if line:
            self.channel.send(self.kind, whole + line)
        return None

    def ask(self, prompt, complete):
        self.flush()
        prompt, self.pending = self.pending + prompt, ""
        self.channel.send("p", prompt)
        outside["HURRY"].end()  # noqa: F821
        while True:
            kind, text = self.channel.receive()
            if kind == "l":
                return text + "\n"
            if kind == "f":
                return ""
            if kind == "t":
                self.channel.send("t", "\n".join(complete(text)))

    def put_back(self):
        """Leave sys as it was; the last line is shown."""
        if getattr(sys, self.name, None) is self:
            setattr(sys, self.name, self.previous)
        text, self.pending = self.pending, ""
        if text:
            self.channel.send(self.kind, text)


class Typed(outside["Input"]):  # noqa: F821
    """Stands in for sys.stdin: for this thread the debugger's terminal."""

    def __init__(self, terminal):
        super().__init__(terminal.channel)
        self.terminal = terminal
        self.complete = lambda text: []

    def ask(self):
        return self.terminal.ask("", self.complete)


class Streams:
    """The three streams at the debugger's terminal, as long as it is used."""

    def __init__(self, channel):
        self.channel = channel
        self.terminal = Terminal(channel, "stdout", "o")
        self.errors = Terminal(channel, "stderr", "o")
        self.input = Typed(self.terminal)

    def begin(self):
        self.channel.thread = get_ident()
        for stream in (self.terminal, self.errors, self.input):
            stream.begin()

    def put_back(self):
        self.input.end()
        for stream in (self.errors, self.terminal):
            try:
                stream.put_back()
            except Gone:
                pass


def choices(text, *namespaces):
    """Return how a name, or an attribute of one, can go on."""
    head, dot, tail = text.rpartition(".")
    if not dot:
        import builtins
        import keyword

        names = set(keyword.kwlist).union(dir(builtins), *namespaces)
        return sorted(name for name in names if name.startswith(text))[:200]
    if not all(part.isidentifier() for part in head.split(".")):
        return []
    try:
        value = namespaces[0][head.split(".")[0]] if namespaces else None
    except KeyError:
        return []
    for part in head.split(".")[1:]:
        value = getattr(value, part, None)
    found = [name for name in dir(value) if name.startswith(tail) and (tail or not name.startswith("_"))]
    return [head + "." + name for name in found][:200]


def place(frame):
    code = frame.f_code
    return "%s (%s:%s)" % (code.co_name, code.co_filename, frame.f_lineno)


def converse(channel, frame):
    """Read and execute statements in the frame, until the end of input."""
    import code

    streams = Streams(channel)
    streams.begin()
    variables = Locals(frame)

    class Console(code.InteractiveConsole):
        def raw_input(self, prompt=""):
            line = streams.terminal.ask(prompt, complete)
            if not line:
                raise EOFError
            return line[:-1]

        def write(self, text):
            streams.terminal.write(text)

        def runcode(self, compiled):
            hook, sys.displayhook = sys.displayhook, show
            try:
                exec(compiled, frame.f_globals, variables.names)
            except (SystemExit, Gone):
                raise
            except BaseException:
                self.write(outside["told"](*sys.exc_info()))  # noqa: F821
            finally:
                if sys.displayhook is show:
                    sys.displayhook = hook

    def show(value):
        if value is not None:
            streams.terminal.write(outside["shown"](value) + "\n")  # noqa: F821

    def complete(text):
        return choices(text, {**frame.f_globals, **variables.names})

    banner = "Python %s in %s; Ctrl-D leaves" % (sys.version.split()[0], place(frame))
    try:
        Console(filename=outside["CODE"]).interact(banner, "")  # noqa: F821
    except SystemExit:
        pass
    finally:
        streams.put_back()
        variables.keep()


class Debugger:
    """What differs from pdb, whose class comes behind it: it never ends the program, and reads from the channel."""

    def __init__(self, channel, state):
        self.channel = channel
        self.state = state
        self.outer = state["trace"]
        self.leaving = False
        self.changes = {}
        self.kept = []
        self.passed = 0
        self.monitor = None
        self.stops_soon = False
        self.at_first = True
        self.streams = Streams(channel)
        self.streams.input.complete = self.complete_text
        missing = object()
        known = sys.modules.get("readline", missing)
        # Not that one: it would take hold of the program's own terminal.
        sys.modules["readline"] = None
        try:
            super().__init__(
                stdin=self.streams.input,
                stdout=self.streams.terminal,
                skip=[OWN],
                nosigint=True,
                readrc=False,
            )
        finally:
            if known is missing:
                del sys.modules["readline"]
            else:
                sys.modules["readline"] = known
        self.use_rawinput = False
        self.reset()

    # Leaving

    def set_quit(self):
        self.leaving = True
        self.clear_all_breaks()
        self._set_stopinfo(self.botframe, None, -1)

    def do_run(self, arg):
        self.message("a program that runs already cannot be restarted")

    do_restart = do_run

    def do_detach(self, arg):
        """detach

        Leave the debugger; the program goes on. So does q(uit), and the end of input.
        """
        return self.do_quit(arg)

    def do_interact(self, arg):
        """interact

        An interactive console in the current frame.
        """
        self.streams.put_back()
        converse(self.channel, self.curframe)
        self.streams.begin()

    def goes_on(self):
        """Whether something is left to stop for."""
        return not self.leaving and bool(self.stoplineno != -1 or self.breaks or self.monitor)

    def end(self, send=True):
        """Take everything out of the program that is ours."""
        self.leaving = True
        if self.monitor:
            self.monitor.end()
            self.monitor = None
        try:
            self.clear_all_breaks()
        except Exception:
            pass
        for traced, before in self.kept:
            if traced.f_trace == self.trace_dispatch:
                traced.f_trace = before
        walk = sys._getframe()
        while walk is not None:
            if walk.f_trace == self.trace_dispatch:
                walk.f_trace = None
            walk = walk.f_back
        self.kept = []
        self.state["trace"] = self.outer
        if sys.gettrace() == self.trace_dispatch:
            sys.settrace(self.outer)
        if self.at_first:
            # Within the request still, whose end does the rest.
            self.channel.keeps = False
            outside.pop("K", None)  # noqa: F821
            return
        number = self.channel.number
        try:
            if send and number >= 0:
                self.channel.send("q", "0")
        except Gone:
            pass
        self.channel.close()

    # Stopping

    def interaction(self, frame, *rest):
        self.streams.begin()
        try:
            self.message_of_thread()
            super().interaction(frame, *rest)
        except Gone:
            self.leaving = True
        except KeyboardInterrupt:
            # Ctrl-C at the debugger's terminal, which came too late for the command.
            pass
        finally:
            self.keep_changes(frame)
            self.streams.put_back()

    def message_of_thread(self):
        import threading

        thread = threading.current_thread()
        if thread is not threading.main_thread():
            self.message("[%s]" % thread.name)

    def stop_now(self, frame):
        """Talk at once, out of the middle of a line; then the frames are traced as far as anybody wants."""
        bottom = frame
        while bottom.f_back is not None:
            bottom = bottom.f_back
        self.botframe = bottom
        self.interaction(frame, None)
        self.settle(frame)

    def settle(self, frame):
        if not self.goes_on():
            return self.end()
        if self.stoplineno == -1 and not self.breaks:
            # Only what the interpreter itself watches for.
            self.state["trace"] = self.outer
            return None
        while frame is not None:
            if frame.f_trace != self.trace_dispatch:
                self.kept.append((frame, frame.f_trace))
                frame.f_trace = self.trace_dispatch
            frame = frame.f_back
        self.state["trace"] = self.trace_dispatch
        return None

    def trace_dispatch(self, frame, event, arg):
        if self.leaving or not self.is_watched():
            self.end()
            return None
        if self.stops_soon:
            self.stops_soon = False
            self.set_step()
        try:
            following = super().trace_dispatch(frame, event, arg)
        except Gone:
            self.leaving = True
            following = None
        if not self.goes_on():
            self.end()
            return None
        return following

    def is_watched(self):
        """Whether the other end of the channel is still there: asked now and then."""
        self.passed += 1
        if self.passed % 1000:
            return True
        try:
            import select

            poll = select.poll()
            poll.register(self.channel.number, 0)
            return not poll.poll(0)
        except Exception:
            return True

    # Executing

    def default(self, line):
        # The same mapping each time, as it is not written back into the frame before the end (to Python 3.12).
        before = dict(self.curframe_locals)
        super().default(line)
        if sys.version_info < (3, 13):
            missing = object()
            now = self.curframe_locals
            changed = {name: now[name] for name in now if before.get(name, missing) is not now[name]}
            self.changes.setdefault(self.curframe, {}).update(changed)

    def onecmd(self, line):
        self.apply_changes(self.curframe, self.curframe_locals)
        return super().onecmd(line)

    def apply_changes(self, frame, names):
        if frame in self.changes:
            names.update(self.changes[frame])

    def keep_changes(self, frame):
        if frame in self.changes and frame.f_locals is not frame.f_globals:
            self.apply_changes(frame, frame.f_locals)
            outside["F"] = frame  # noqa: F821
        self.changes = {}

    def complete_text(self, text):
        names = dict(self.curframe.f_globals)
        names.update(self.curframe_locals)
        found = choices(text, names)
        if "." not in text:
            found = sorted(set(self.completenames(text)) | set(found))
        return found


class Monitor:
    """Stops whichever thread comes to one line; everything else runs at its own speed (Python 3.13 and later)."""

    def __init__(self, debugger, file, line):
        self.debugger = debugger
        self.wanted = (file, line)
        self.monitoring = sys.monitoring
        self.tool = outside["begin_to_watch"](self.on_line)  # noqa: F821
        self.monitoring.set_events(self.tool, self.monitoring.events.LINE)
        self.monitoring.restart_events()
        self.busy = False

    def on_line(self, code, line):
        if line != self.wanted[1] or not is_file(code.co_filename, self.wanted[0]):
            return self.monitoring.DISABLE
        debugger = self.debugger
        if self.busy or debugger.leaving or sys.gettrace() == debugger.trace_dispatch:
            return None
        self.busy = True
        try:
            debugger.state["trace"] = debugger.outer
            debugger.stop_now(sys._getframe(1))
            if sys.gettrace() != debugger.state["trace"]:
                sys.settrace(debugger.state["trace"])
        finally:
            self.busy = False
        return None

    def end(self):
        outside["end_watch"](self.tool)  # noqa: F821


def is_file(path, wanted):
    return path == wanted or path.endswith("/" + wanted.lstrip("./"))


def lie_in_wait(debugger, frame, text):
    """Have the debugger stop where a line is reached."""
    file, _, line = text.rpartition(":")
    if sys.version_info >= (3, 13):
        debugger.monitor = Monitor(debugger, file, int(line))
        debugger._set_stopinfo(None, None, -1)
    else:
        known = [
            module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)
        ]
        walk = frame
        while walk is not None:
            known.insert(0, walk.f_code.co_filename)
            walk = walk.f_back
        found = [path for path in known if is_file(path, file)] or [file]
        problem = debugger.set_break(found[0], int(line))
        if problem:
            debugger.channel.send("x", problem + "\n", True)
            return debugger.end()
        debugger._set_stopinfo(None, None, -1)
        bottom = frame
        while bottom.f_back is not None:
            bottom = bottom.f_back
        debugger.botframe = bottom
    debugger.channel.send("o", "waiting for %s\n" % text)
    return debugger.settle(frame)


def begin(channel, frame, state, wanted, text):
    if wanted == "console":
        converse(channel, frame)
        return
    import pdb

    debugger = type("Debugger", (Debugger, pdb.Pdb), {})(channel, state)
    channel.keeps = True
    # What is here is needed as long as the session lasts.
    outside["K"] = True  # noqa: F821
    try:
        if wanted == "break":
            lie_in_wait(debugger, frame, text)
        else:
            debugger.stop_now(frame)
    except BaseException:
        channel.send("x", outside["told"](*sys.exc_info()), True)  # noqa: F821
        debugger.end()
    finally:
        debugger.at_first = False


begin(channel, frame, state, *WANTED)  # noqa: F821
