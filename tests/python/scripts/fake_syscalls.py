"""Win a game of chance, patience and parentage by answering for the kernel."""

from libdebug import debugger

d = debugger("./ctf_dice")
pipe = d.run()

# No waiting: another call takes the place of the sleep, and says that all went well.
sleep = d.hijack_syscall("clock_nanosleep", "getuid", recursive=False)


def slept(t, handler):
    t.syscall_return = 0


sleep.on_exit_user = slept


def rolled(t, handler):
    buffer, size = t.syscall_arg0, t.syscall_arg1
    t.memory[buffer, size] = bytes(size)


die = d.handle_syscall("getrandom", on_exit=rolled)


def orphaned(t, handler):
    t.syscall_return = 31337


parent = d.handle_syscall("getppid", on_exit=orphaned)

d.cont()
print(pipe.recvline().decode())
d.wait()
assert sleep.hit_count == 1 and parent.hit_count == 1 and die.hit_count >= 1
d.terminate()
