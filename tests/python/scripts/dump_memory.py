"""Read a secret in the moment in which it is in clear."""

from libdebug import debugger

d = debugger("./ctf_packed")
pipe = d.run()

found = []


def on_use(t, bp):
    found.append(t.memory[t.regs.rdi, t.regs.rsi])


d.breakpoint("use", callback=on_use, file="binary")
d.cont()
print(pipe.recvline())
d.wait()

print(found[0].decode())

d.kill()
d.terminate()
