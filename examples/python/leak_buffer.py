"""Have a program print a buffer: its next read becomes a write of the same bytes."""

from __future__ import annotations

from _fixture import fixture

from libdebug import debugger

STDOUT = 1

d = debugger(fixture("leftover"))
pipe = d.run()
hijacker = d.hijack_syscall("read", "write", syscall_arg0=STDOUT)
hijacker.disable()

# The reads of the dynamic linker are none of ours: begin where the program asks.
d.breakpoint("main")
d.cont()
d.wait()
hijacker.enable()
d.cont()
print(f"asks     {pipe.recvline().decode()}")
leak = pipe.recvuntil(b"\0", drop=True)
print(f"leaks    {leak.decode()}")
d.kill()

# What was leaked is the password.
pipe = d.run()
d.cont()
pipe.sendlineafter(b"Password?\n", leak)
print(f"answers  {pipe.recvline().decode()}")
d.kill()
d.terminate()
