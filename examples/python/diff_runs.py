"""Compare two runs of a program at one place: which registers and which bytes of its data differ?"""

from __future__ import annotations

from _fixture import fixture

from libdebug import debugger

GENERAL = ("rax", "rbx", "rcx", "rdx", "rdi", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")

program = fixture("writers")
# Without randomization, an address means the same in both runs.
d = debugger(program, aslr=False)


def state_at(function: str, hit: int) -> tuple[dict[str, int], bytes]:
    """Return the registers and the data of the program at a hit of a function."""
    d.run()
    bp = d.breakpoint(function)
    while bp.hit_count < hit:
        d.cont()
        d.wait()
    data = next(vmap for vmap in d.maps.filter("binary") if vmap.permissions.startswith("rw"))
    state = {name: getattr(d.regs, name) for name in GENERAL}, d.memory[data.start : data.end]
    d.kill()
    return state


(registers, data), (other_registers, other_data) = state_at("deposit", 1), state_at("deposit", 2)
for name in GENERAL:
    if registers[name] != other_registers[name]:
        print(f"{name}: {registers[name]:#x} -> {other_registers[name]:#x}")
changed = [place for place in range(len(data)) if data[place] != other_data[place]]
print(f"{len(changed)} of {len(data)} bytes of data differ: {data[changed[0]]} -> {other_data[changed[0]]}")
d.terminate()
