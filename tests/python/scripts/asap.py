"""Look into a program that never stops by itself, and lead it out of its loop."""

from libdebug import debugger

d = debugger("./ctf_spin", auto_interrupt_on_command=True)
pipe = d.run()

d.cont()
print(pipe.recvline())
assert d.running

# Each access stops the program first.
print(d.memory["flag", 10])
assert not d.running
d.cont()
assert "x" in d.maps.filter(d.regs.rip)[0].permissions
d.cont()
d.memory["leave", 4] = (42).to_bytes(4, "little")
d.cont()

print(pipe.recvline())
d.wait()
print("exit code:", d.exit_code)
d.terminate()
