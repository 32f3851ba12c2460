"""Report what a program did to the system, call by call, and keep it from one thing."""

from __future__ import annotations

import errno
from collections import Counter
from typing import TYPE_CHECKING

from libdebug import debugger
from libdebug.utils.syscall_utils import name_of_syscall

if TYPE_CHECKING:
    from libdebug import SyscallHandler, ThreadContext

calls: Counter[str] = Counter()
opened: list[str] = []
written: list[int] = []


def text_at(thread: ThreadContext, address: int) -> str:
    """Return the text that begins at an address."""
    return thread.memory[address, 64].split(b"\0")[0].decode()


def on_any(thread: ThreadContext, _: SyscallHandler) -> None:
    """Count every call that nothing else handles."""
    calls[name_of_syscall(thread.syscall_number)] += 1


def on_open(thread: ThreadContext, _: SyscallHandler) -> None:
    """Note which file is opened."""
    opened.append(text_at(thread, thread.syscall_arg1))


def on_write(thread: ThreadContext, _: SyscallHandler) -> None:
    """Add up what is written."""
    written.append(thread.syscall_arg2)


d = debugger(["/bin/cat", "/etc/passwd", "/etc/hostname"])
pipe = d.run()
d.handle_syscall("*", on_enter=on_any)
opens = d.handle_syscall("openat", on_enter=on_open)
writes = d.handle_syscall("write", on_enter=on_write)
# What is forbidden never reaches the kernel.
refused = d.answer_syscall("fadvise64", -errno.EPERM)
d.cont()
d.wait()

print(f"files    {', '.join(path for path in opened if path.startswith('/etc/'))}")
print(f"written  {sum(written)} bytes in {writes.hit_count} calls")
print(f"refused  fadvise64, {refused.hit_count} times")
print(f"others   {', '.join(f'{name} {count}' for name, count in sorted(calls.items()))}")
print(f"ended    with exit code {d.exit_code}")
d.terminate()
