"""Runs inside GDB: brings the process from stop to stop and writes down what GDB says of every stack."""

from __future__ import annotations

import json
import os

import gdb

_SETTINGS = (
    "pagination off",
    "confirm off",
    "print demangle off",
    "backtrace past-main on",
    "backtrace past-entry on",
    "backtrace limit unlimited",
    "debuginfod enabled off",
    "auto-load safe-path /nowhere",
    "breakpoint auto-hw off",
)


def name_of(frame: gdb.Frame) -> str | None:
    """Return the linkage name of a frame's function, or its minimal symbol."""
    function = frame.function()
    if function is not None:
        return function.linkage_name or function.name
    return frame.name()


def start_of(frame: gdb.Frame) -> int | None:
    """Return where GDB thinks that a frame's function begins."""
    function = frame.function()
    return None if function is None else int(function.value().address)


def stack() -> list[tuple[int, str | None, int | None]]:
    """Return the frames of the selected thread, without those of inlined functions and tail calls."""
    frame, rows = gdb.newest_frame(), []
    try:
        while frame is not None and len(rows) < 5000:
            if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
                rows.append((frame.pc(), name_of(frame), start_of(frame)))
            frame = frame.older()
    except gdb.error:
        pass
    return rows


def main() -> None:
    """Take as many samples as are asked for."""
    for setting in _SETTINGS:
        gdb.execute(f"set {setting}")
    gdb.execute(f"file {os.environ['COMPARE_PROGRAM']}", to_string=True)
    gdb.execute(f"target remote 127.0.0.1:{os.environ['COMPARE_PORT']}", to_string=True)
    with open(os.environ["COMPARE_OUTPUT"], "w") as output:  # noqa: PTH123 - GDB's Python may be any
        for _ in range(int(os.environ["COMPARE_SAMPLES"])):
            gdb.execute("continue", to_string=True)
            threads = {}
            for thread in gdb.selected_inferior().threads():
                thread.switch()
                threads[thread.ptid[1] or thread.ptid[2]] = stack()
            output.write(json.dumps(threads) + "\n")


main()
