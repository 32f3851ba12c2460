"""Follow a chain of pointers through the heap."""

from libdebug import debugger

d = debugger("./ctf_chain")
d.run()

bp = d.breakpoint("chained")
d.cont()
d.wait()
assert bp.hit_on(d)

heap = d.maps.filter("heap")[0]
flag = ""
link = int.from_bytes(d.memory["head", 8], "little")
start = link
while link:
    assert heap.start <= link < heap.end
    flag += d.memory[link + 8, 1].decode()
    link = int.from_bytes(d.memory[link, 8], "little")
print(flag)

# The variable is the one place of the program that points to the first link.
head = d.symbols.filter("head")[0]
pointers = d.memory.find_pointers("binary", "heap")
assert [value for _, value in pointers].count(start) == 1
assert d.memory.telescope(d.resolve_symbol("head"), max_depth=3)[1] == start

d.kill()
d.terminate()
