"""Make a check succeed by changing what it returns."""

from libdebug import debugger

d = debugger("./ctf_gate", aslr=False)
r = d.run()

bp = d.bp("check")
d.c()
d.w()

assert bp.hit_on(d)
assert d.regs.rip == bp.address
print("given:", d.regs.rdi)

d.finish()
assert d.regs.rax == 0
d.regs.rax = 1

d.cont()
print(r.recvline().decode())
d.wait()
print("exit code:", d.exit_code)
d.terminate()
