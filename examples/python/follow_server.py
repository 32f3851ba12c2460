"""Stop in the child that a server has for each request, and see what it was asked."""

from __future__ import annotations

from _fixture import fixture

from libdebug import debugger

d = debugger(fixture("forkserver"))
pipe = d.run()
d.cont()

for request in (b"one", b"two"):
    pipe.sendline(request)
    child = d.wait_child(timeout=10)
    assert child is not None
    serve = child.breakpoint("serve")
    child.cont()
    child.wait()
    asked = child.memory[child.regs.rdi, len(request)]
    print(f"child {len(d.children)} is at serve: {serve.hit_on(child)}, asked for {asked.decode()}")
    child.memory[child.regs.rdi, len(request)] = asked[::-1]
    child.cont()
    print(f"the child says {pipe.recvline().decode()}")
    child.wait()

pipe.close_stdin()
d.wait()
print(f"the server ended with exit code {d.exit_code}")
d.terminate()
