"""The main job, from Python: run programs to a breakpoint, look at registers and memory, talk to them.

Run it with `make demo`, or with the name of nothing at all: `python examples/python/demo.py`.
"""

from __future__ import annotations

from _fixture import fixture

from libdebug import debugger


def list_a_directory() -> None:
    """Run a real program, /bin/ls, and count its calls of malloc with a callback."""
    d = debugger(["/bin/ls", "-d", "/"])
    pipe = d.run()
    print(f"ls       stopped at its entry point, rip = {d.regs.rip:#x}")
    sizes: list[int] = []
    calls = d.breakpoint("malloc", callback=lambda thread, _: sizes.append(thread.regs.rdi), file="libc")
    d.cont()
    print(f"ls       said {pipe.recvline()!r}")
    d.wait()
    print(f"ls       called malloc {calls.hit_count} times, for {sum(sizes)} bytes; exit code {d.exit_code}")
    d.terminate()


def stop_at_a_function() -> None:
    """Stop a program at a function again and again, look, and change what it computes with."""
    d = debugger(fixture("basic"))
    pipe = d.run()
    bp = d.breakpoint("counter_function")
    for _ in range(3):
        d.cont()
        d.wait()
        print(f"basic    at {d.regs.rip:#x}, hit {bp.hit_count}, edi = {d.regs.edi}")
    print(f"basic    bytes at rip: {d.memory[d.regs.rip, 8].hex()}, message: {d.memory['message', 16]!r}")
    bp.disable()
    d.cont()
    d.wait()
    print(f"basic    said {pipe.recvline()!r}; exit code {d.exit_code}")
    d.terminate()


def talk_to_a_program() -> None:
    """Send to a program's standard input, and receive from its standard output and error."""
    d = debugger(fixture("echo"))
    pipe = d.run()
    d.cont()
    pipe.sendline(b"hello")
    print(f"echo     answered {pipe.recvline()!r}")
    pipe.sendline(b"!oh")
    print(f"echo     complained {pipe.recverrline()!r}")
    pipe.sendline(b"quit")
    d.wait()
    print(f"echo     exit code {d.exit_code}")
    d.terminate()


if __name__ == "__main__":
    list_a_directory()
    stop_at_a_function()
    talk_to_a_program()
