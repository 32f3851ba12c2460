"""Solve a flag checker without reading it: the more letters are right, the more often its loop goes round."""

from __future__ import annotations

from string import ascii_lowercase, digits

from _fixture import fixture

from libdebug import debugger

ALPHABET = ascii_lowercase + digits + "{}_!"

d = debugger(fixture("ctf_flag"))


def try_out(guess: str) -> tuple[int, bytes]:
    """Return how many letters of a guess are right, and what the program says of it."""
    pipe = d.run()
    rounds = d.breakpoint("next_letter", callback=True)  # counted, without a stop
    d.cont()
    pipe.sendlineafter(b"Flag: ", guess.encode())
    answer = pipe.recvline()
    d.kill()
    return rounds.hit_count, answer


flag, answer = "", b""
while answer != b"Right!":
    for letter in ALPHABET:
        right, answer = try_out(flag + letter)
        if right > len(flag):
            flag += letter
            break
print(f"the flag is {flag}")
d.terminate()
