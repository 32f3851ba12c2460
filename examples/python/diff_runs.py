"""Compare two runs of a program: where does its state at one place differ, in registers, data and stack?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from _fixture import fixture

from libdebug import debugger

if TYPE_CHECKING:
    from libdebug.snapshots.process.process_snapshot import ProcessSnapshot

# Without randomization, an address means the same in both runs.
d = debugger(fixture("writers"), aslr=False)


def state_at(function: str, hit: int) -> ProcessSnapshot:
    """Return what the program is at a hit of a function; no process is needed to look at it."""
    d.run()
    bp = d.breakpoint(function)
    while bp.hit_count < hit:
        d.cont()
        d.wait()
    state = d.create_snapshot("writable", f"{function}, hit {hit}")
    d.kill()
    return state


first, second = state_at("deposit", 1), state_at("deposit", 2)
diff = first.diff(second)

for name in diff.regs.changed:
    if name.startswith("r"):  # the others are parts of these
        print(f"{name}: {getattr(diff.regs, name).old_value:#x} -> {getattr(diff.regs, name).new_value:#x}")

for change in diff.maps:
    old, new = change.old_map_state, change.new_map_state
    if old is None or new is None or old.content is None or new.content is None:
        continue
    differing = sum(part.stop - part.start for part in change.content_diff)
    if differing:
        where = old.backing_file.rsplit("/", 1)[-1]
        part = change.content_diff[0]
        print(
            f"{where}: {differing} bytes, from {old.content[part].hex()} to {new.content[part].hex()} first"
        )

diff.pprint_maps()
d.terminate()
