"""Debug what does not want to be debugged."""

from libdebug import debugger

# It notices.
d = debugger("./ctf_shy")
pipe = d.run()
d.cont()
print(pipe.recvline())
d.kill()
d.terminate()

# It does not, and gets its own trap back.
d = debugger("./ctf_shy", escape_antidebug=True)
pipe = d.run()
catcher = d.catch_signal("SIGTRAP", callback=True)
bp = d.breakpoint("on_trap", file="binary")
d.cont()
d.wait()
assert bp.hit_on(d) and catcher.hit_count == 1
d.cont()
print(pipe.recvline())
d.wait()
d.terminate()
