"""Guess a flag letter by letter: the more letters are right, the more often the loop goes round."""

from string import ascii_lowercase, digits

from libdebug import debugger

d = debugger("./ctf_flag")
alphabet = ascii_lowercase + digits + "{}_!"
flag = ""

while True:
    for letter in alphabet:
        r = d.run()
        bp = d.breakpoint("next_letter", callback=lambda _, __: None)
        d.cont()
        r.sendlineafter(b"Flag: ", (flag + letter).encode())
        answer = r.recvline()
        d.kill()
        if bp.hit_count > len(flag):
            flag += letter
            break
    if answer == b"Right!":
        break

d.terminate()
print(flag)
