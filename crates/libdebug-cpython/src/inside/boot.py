"""What runs in the program: carries out one request in the frame that is being executed, and tells what came of it.

Before this text stand `FD`, the channel's descriptor here, and `REQUEST`, a pair of what is to be done and text. Everything is
compatible with Python 3.8, and imports nothing but what every interpreter has loaded, before it is needed: importing takes
locks that the program may hold. The names F, X and K are looked at afterwards: a frame whose locals were changed, whether to
raise a KeyboardInterrupt in the program, and whether this namespace stays.
"""

import posix
import sys
from _thread import get_ident

CHUNK = 1 << 15
OWN = __name__ = "<libdebug>"
CODE = "<executed>"


class Gone(BaseException):
    """The other end of the channel is closed."""


class Channel:
    """Messages to and from the debugger: a kind, a length in four bytes, and text.

    The socket keeps the bounds of packets. One of this type sends no SIGPIPE, so that plain read and write do. Each of them gives
    the interpreter's lock away, which can take long to come back: so messages that can wait go together with the next one.
    """

    def __init__(self, number):
        self.number = number
        self.thread = get_ident()
        self.waiting = b""
        self.received = b""

    def send(self, kind, text="", waits=False):
        data = text.encode("utf-8", "backslashreplace")
        self.waiting += kind.encode() + len(data).to_bytes(4, "little") + data
        if not waits:
            self.flush()

    def flush(self):
        data, self.waiting = self.waiting, b""
        try:
            while data:
                posix.write(self.number, data[:CHUNK])
                data = data[CHUNK:]
        except OSError:
            raise Gone from None

    def receive(self):
        while True:
            length = int.from_bytes(self.received[1:5], "little")
            if len(self.received) >= 5 + length and self.received:
                kind, data = self.received[:1], self.received[5 : 5 + length]
                self.received = self.received[5 + length :]
                return kind.decode(), data.decode("utf-8", "surrogateescape")
            try:
                packet = posix.read(self.number, CHUNK)
            except OSError:
                packet = b""
            if not packet:
                raise Gone
            self.received += packet

    def close(self):
        number, self.number = self.number, -1
        if number >= 0:
            posix.close(number)


class Hurry:
    """Has the interpreter pass its lock on quickly, as long as this thread does nothing but our own work."""

    QUICK = 1e-5

    def __init__(self):
        self.begin()

    def begin(self):
        self.usual = sys.getswitchinterval()
        sys.setswitchinterval(self.QUICK)

    def end(self):
        """Put back what was there, unless the program has changed it meanwhile."""
        if abs(sys.getswitchinterval() - self.QUICK) < self.QUICK / 2:
            sys.setswitchinterval(self.usual)


class Output:
    """Stands in for sys.stdout or sys.stderr: what this thread writes goes to the debugger, all else where it went."""

    def __init__(self, channel, name, kind):
        self.channel = channel
        self.name = name
        self.kind = kind
        self.pending = ""
        self.previous = None

    def begin(self):
        self.previous = getattr(sys, self.name, None)
        setattr(sys, self.name, self)

    def write(self, text):
        if get_ident() != self.channel.thread:
            return self.previous.write(text) if self.previous is not None else None
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not " + type(text).__name__)
        self.pending += text
        if "\n" in text or len(self.pending) > CHUNK:
            self.flush()
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        if get_ident() == self.channel.thread:
            text, self.pending = self.pending, ""
            if text:
                self.channel.send(self.kind, text)
        elif self.previous is not None:
            self.previous.flush()

    def __getattr__(self, name):
        return getattr(self.previous, name)

    def end(self):
        """Put back what was there, unless somebody has put something else there meanwhile."""
        if getattr(sys, self.name, None) is self:
            setattr(sys, self.name, self.previous)
        try:
            self.flush()
        except Gone:
            pass


class Input:
    """Stands in for sys.stdin: this thread reads nothing of the program's, and does not close it (as exit() does)."""

    def __init__(self, channel):
        self.channel = channel
        self.previous = None

    def begin(self):
        self.previous = sys.stdin
        sys.stdin = self

    def end(self):
        if sys.stdin is self:
            sys.stdin = self.previous

    def ask(self):
        return ""

    def readline(self, limit=-1):
        return self.ask() if get_ident() == self.channel.thread else self.previous.readline(limit)

    def read(self, size=-1):
        return self.ask() if get_ident() == self.channel.thread else self.previous.read(size)

    def close(self):
        if get_ident() != self.channel.thread:
            self.previous.close()

    def fileno(self):
        if get_ident() == self.channel.thread:
            raise OSError("this input is no file")
        return self.previous.fileno()

    def __iter__(self):
        return iter(self.readline, "") if get_ident() == self.channel.thread else iter(self.previous)

    def __getattr__(self, name):
        return getattr(self.previous, name)


def told(kind, value, trace):
    """Return an exception as Python shows it, without our own frames."""
    while trace is not None and trace.tb_frame.f_code.co_filename == OWN:
        trace = trace.tb_next
    try:
        import traceback

        return "".join(traceback.format_exception(kind, value, trace))
    except BaseException:
        return kind.__name__ + ": " + shown(value, str) + "\n"


def shown(value, how=repr):
    try:
        return how(value)
    except BaseException as error:
        return "<" + how.__name__ + " of " + type(value).__name__ + " raised " + type(error).__name__ + ">"


def as_json(value, depth=0):
    """Return a value as JSON; raise TypeError for one that JSON does not have. Without the module, which need not be loaded."""
    kind = type(value)
    if value is None or kind is bool:
        return {None: "null", True: "true", False: "false"}[value]
    if kind is int or kind is float and value - value == 0:
        return repr(value)
    if kind is str:
        return '"' + "".join(quoted(letter) for letter in value) + '"'
    if depth < 100 and kind in (list, tuple):
        return "[" + ", ".join([as_json(item, depth + 1) for item in value]) + "]"
    if depth < 100 and kind is dict and all(type(key) is str for key in value):
        pairs = [as_json(key) + ": " + as_json(item, depth + 1) for key, item in value.items()]
        return "{" + ", ".join(pairs) + "}"
    raise TypeError(kind.__name__)


def quoted(letter):
    if letter in '"\\':
        return "\\" + letter
    if letter < " " or "\ud800" <= letter <= "\udfff":
        return "\\u%04x" % ord(letter)
    return letter


class Locals:
    """Carries assignments to a function's local variables over into its frame, where Python does not (before 3.13)."""

    def __init__(self, frame):
        self.frame = frame
        self.names = frame.f_locals
        self.needed = sys.version_info < (3, 13) and self.names is not frame.f_globals
        self.before = dict(self.names) if self.needed else None

    def keep(self):
        if not self.needed:
            return
        missing = object()
        changed = {
            name: value for name, value in self.names.items() if self.before.get(name, missing) is not value
        }
        self.before = None
        if changed:
            globals().update(F=self.frame, CHANGED=changed)


def flags_of(frame):
    """Return the frame's `from __future__ import`s."""
    import __future__

    known = 0
    for name in __future__.all_feature_names:
        known |= getattr(__future__, name).compiler_flag
    return frame.f_code.co_flags & known


def execute(channel, frame, mode, text):
    """Run one piece of code; answer whether it has come to its end."""
    HURRY.end()
    streams = [Input(channel), Output(channel, "stdout", "o"), Output(channel, "stderr", "e")]
    variables = Locals(frame)
    try:
        for stream in streams:
            stream.begin()
        try:
            code = compile(text, CODE, mode, flags_of(frame), True)
            value = eval(code, frame.f_globals, variables.names)
        finally:
            HURRY.begin()
            for stream in reversed(streams):
                stream.end()
    except Gone:
        raise
    except BaseException:
        channel.send("x", told(*sys.exc_info()), True)
        return False
    finally:
        variables.keep()
    if mode == "eval":
        channel.send("r", shown(value), True)
        try:
            channel.send("j", as_json(value), True)
        except (TypeError, RuntimeError):
            pass
    return True


def is_of(frame, number):
    """Whether a frame of ours belongs to the channel of that number."""
    if frame.f_code.co_filename != OWN:
        return False
    names = frame.f_globals
    return names.get("FD") == number or getattr(names.get("channel"), "number", None) == number


def monitors():
    """Return those of ours that watch for a line (sys.monitoring, since Python 3.12)."""
    monitoring = getattr(sys, "monitoring", None)
    found = []
    for tool in range(6) if monitoring else ():
        if monitoring.get_tool(tool) == OWN:
            line = monitoring.events.LINE
            callback = monitoring.register_callback(tool, line, None)
            monitoring.register_callback(tool, line, callback)
            found.append(getattr(callback, "__self__", None))
    return found


def begin_to_watch(callback):
    """Return a tool of sys.monitoring whose line events go to `callback`."""
    monitoring = sys.monitoring
    tool = next(tool for tool in range(6) if monitoring.get_tool(tool) is None)
    monitoring.use_tool_id(tool, OWN)
    monitoring.register_callback(tool, monitoring.events.LINE, callback)
    return tool


def end_watch(tool, codes=()):
    monitoring = sys.monitoring
    for code in codes:
        monitoring.set_local_events(tool, code, 0)
    monitoring.set_events(tool, 0)
    monitoring.register_callback(tool, monitoring.events.LINE, None)
    monitoring.free_tool_id(tool)


class Relay:
    """Has another thread carry the request out, at its next line."""

    def __init__(self, ident):
        self.ident = ident
        self.number = FD  # noqa: F821
        self.codes = set()
        frame = sys._current_frames().get(ident)
        while frame is not None:
            self.codes.add(frame.f_code)
            frame = frame.f_back
        self.tool = begin_to_watch(self.on_line)
        for code in self.codes:
            sys.monitoring.set_local_events(self.tool, code, sys.monitoring.events.LINE)

    def on_line(self, code, line):
        if get_ident() == self.ident and self.tool is not None:
            self.end()
            try:
                run(sys._getframe(1), RELAYED)  # noqa: F821
                self.carry_over()
            finally:
                if not KEEPS:
                    posix.close(self.number)

    def carry_over(self):
        """Do for changed locals what is done elsewhere behind this code: at the next line, where tracing does it (3.12)."""
        frame = globals().pop("F", None)
        if frame is None or sys.gettrace() is not None:
            return
        changed = globals().pop("CHANGED")

        def once(traced, event, arg):
            if traced is frame:
                traced.f_locals.update(changed)
                sys.settrace(None)
                traced.f_trace = None

        frame.f_trace = once
        sys.settrace(once)

    def end(self):
        tool, self.tool = self.tool, None
        if tool is not None:
            end_watch(tool, self.codes)


def cancel(number):
    """Give a relay up that has brought nothing."""
    for relay in monitors():
        if getattr(relay, "number", None) == number:
            relay.end()
            posix.close(number)


def debugger_of(tracing, number):
    """Return the debugger of a session that goes on without talking; None if there is none."""
    found = [getattr(tracing, "__self__", None)]
    found += [getattr(monitor, "debugger", None) for monitor in monitors()]
    for debugger in found:
        if getattr(getattr(debugger, "channel", None), "number", None) == number:
            return debugger
    return None


def interrupt(frame, tracing, number):
    """Carry out a Ctrl-C for another request: raise KeyboardInterrupt in its code, or have its debugger stop here.

    Return what is to be traced with then.
    """
    walk, executes = frame, False
    while walk is not None:
        executes = executes or walk.f_code.co_filename == CODE
        if is_of(walk, number):
            name = walk.f_code.co_name
            if name == "trace_dispatch":
                # In the middle of our own work: it looks at this.
                walk.f_locals["self"].stops_soon = True
                return tracing
            if name == "interaction" and frame.f_code.co_filename != OWN:
                executes = True
            if name in ("interaction", "execute", "converse"):
                if executes:
                    globals()["X"] = True
                return tracing
        walk = walk.f_back
    debugger = debugger_of(tracing, number)
    if debugger is not None:
        debugger.state = {"trace": debugger.outer}
        debugger.stop_now(frame)
        return debugger.state["trace"]
    return tracing


def serve(frame, request):
    """Carry out the request, and say what came of it."""
    channel = Channel(FD)  # noqa: F821
    kind, text = request
    while kind != "interrupt" and frame is not None and frame.f_code.co_filename == OWN:
        # The end of another request is still being carried out.
        frame = frame.f_back
    tracing, profiling = sys.gettrace(), sys.getprofile()
    if tracing is not None:
        sys.settrace(None)
    if profiling is not None:
        sys.setprofile(None)
    channel.keeps = False
    state = {"trace": tracing}
    try:
        channel.send("S")
        if frame is None:
            channel.send("x", "no Python code is being executed in this thread\n", True)
            done = False
        elif kind == "session":
            names = {
                "__name__": OWN,
                "channel": channel,
                "frame": frame,
                "state": state,
                "outside": globals(),
            }
            exec(compile(text, OWN, "exec"), names)
            done = True
        elif kind == "interrupt":
            state["trace"] = interrupt(frame, tracing, int(text))
            done = True
        elif kind == "cancel":
            cancel(int(text))
            done = True
        else:
            done = execute(channel, frame, kind, text)
        if not channel.keeps:
            HURRY.end()
            channel.send("q", "0" if done else "1")
    except Gone:
        pass
    finally:
        # Whoever has called this closes the channel, when locals are carried over and everything else is done.
        if profiling is not None:
            sys.setprofile(profiling)
        global KEEPS
        KEEPS = channel.keeps
    return state["trace"]


def run(frame, request):
    """Carry out a request, and have traced what is to be traced afterwards."""
    global HURRY
    HURRY = Hurry()
    trace = None
    try:
        trace = serve(frame, request)
    finally:
        HURRY.end()
        if trace is not None:
            sys.settrace(trace)


HURRY = None
KEEPS = False
if REQUEST[0] == "relay":  # noqa: F821
    # This namespace is that of the other thread then.
    K = True
    Relay(int(REQUEST[1]))  # noqa: F821
else:
    run(sys._getframe().f_back, REQUEST)  # noqa: F821
