"""Defuse a bomb: each signal that would set it off cuts a wire instead."""

from libdebug import debugger

d = debugger("./ctf_bomb")

# As it is.
pipe = d.run()
d.cont()
print(pipe.recvline())
d.kill()

# The signal replaced.
pipe = d.run()
catcher = d.hijack_signal("SIGALRM", "SIGUSR1")
d.cont()
print(pipe.recvline())
d.kill()
assert catcher.hit_count == 3

# The same by hand, at stops.
pipe = d.run()
catcher = d.catch_signal("SIGALRM")
for _ in range(3):
    d.cont()
    d.wait()
    assert catcher.hit_on(d)
    assert d.signal == "SIGALRM" and d.signal_number == 14
    d.signal = "SIGUSR1"
d.cont()
print(pipe.recvline())
d.kill()
d.terminate()
