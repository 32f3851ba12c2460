"""Find out which functions change a variable, from where, and to what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _fixture import fixture

from libdebug import debugger

if TYPE_CHECKING:
    from libdebug import Breakpoint, ThreadContext


def on_write(thread: ThreadContext, watch: Breakpoint) -> None:
    """Say who has just written."""
    # The watchpoint hits behind the instruction that writes.
    writer = thread.frames[0]
    print(f"{writer.symbol:<10}  {watch.old_value} -> {watch.new_value}")


d = debugger(fixture("writers"))
pipe = d.run()
watch = d.watchpoint("balance", condition="w", length=8, callback=on_write)
d.cont()
print(f"the program says {pipe.recvline().decode()}")
d.wait()
print(f"written {watch.hit_count} times")
d.terminate()
