"""GDB's remote protocol, as far as GDB needs it to look at a process that libdebug has stopped.

GDB thinks that it debugs: its `continue` lets the process run for a moment that chance chooses, and at the
stop both debuggers look at the same registers and the same memory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from libdebug import Debugger

# GDB's own order of the registers of amd64; the segment registers and eflags have 32 bits.
_GENERAL = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{n}" for n in range(8, 16)), "rip"]
_SMALL = ["eflags", "cs", "ss", "ds", "es", "fs", "gs"]


class Stub:
    """One connection of a GDB."""

    def __init__(self, d: Debugger, connection: socket.socket, run_on: Callable[[], None]) -> None:
        """Serve a stopped process; `run_on` brings it to its next stop."""
        self._d, self._connection, self._run_on = d, connection, run_on
        self._buffer = b""
        self._tid = d.threads[0].tid
        self._memory = os.open(f"/proc/{d.pid}/mem", os.O_RDONLY)
        self._auxv = Path(f"/proc/{d.pid}/auxv").read_bytes()

    def serve(self) -> None:
        """Answer until GDB has gone."""
        try:
            while (packet := self._receive()) is not None:
                self._send(self._answer(packet))
        finally:
            os.close(self._memory)

    def _receive(self) -> str | None:
        while True:
            start, end = self._buffer.find(b"$"), self._buffer.find(b"#")
            if 0 <= start < end and len(self._buffer) >= end + 3:
                packet, self._buffer = self._buffer[start + 1 : end], self._buffer[end + 3 :]
                self._connection.sendall(b"+")
                return packet.decode("latin-1")
            part = self._connection.recv(65536)
            if not part:
                return None
            self._buffer += part

    def _send(self, text: str) -> None:
        data = text.encode("latin-1")
        self._connection.sendall(b"$%s#%02x" % (data, sum(data) & 0xFF))

    def _answer(self, packet: str) -> str:
        answers: dict[str, Callable[[str], str]] = {
            "qSupported": lambda _: "PacketSize=4000;qXfer:auxv:read+",
            "qXfer:auxv:read::": self._read_auxv,
            "qfThreadInfo": lambda _: "m" + ",".join(f"{t.tid:x}" for t in self._d.threads if not t.dead),
            "qsThreadInfo": lambda _: "l",
            "qAttached": lambda _: "1",
            "qC": lambda _: f"QC{self._d.threads[0].tid:x}",
            "Hg": self._choose_thread,
            "H": lambda _: "OK",
            "T": lambda _: "OK",
            "Z": lambda _: "OK",
            "z": lambda _: "OK",
            "?": lambda _: self._stop_reply(),
            "g": lambda _: self._registers(),
            "m": self._read_memory,
            "vCont?": lambda _: "vCont;c;C;s;S",
            "vCont;": lambda _: self._go_on(),
            "c": lambda _: self._go_on(),
            "D": lambda _: "OK",
        }
        for head, answer in answers.items():
            if packet.startswith(head):
                return answer(packet[len(head) :])
        return ""

    def _go_on(self) -> str:
        self._run_on()
        return self._stop_reply()

    def _stop_reply(self) -> str:
        self._tid = self._d.threads[0].tid
        return f"T05thread:{self._tid:x};"

    def _choose_thread(self, tid: str) -> str:
        number = int(tid, 16) if not tid.startswith("-") else 0
        self._tid = number or self._d.threads[0].tid
        return "OK"

    def _registers(self) -> str:
        regs = next(thread.regs for thread in self._d.threads if thread.tid == self._tid)
        general = b"".join(getattr(regs, name).to_bytes(8, "little") for name in _GENERAL)
        small = b"".join((getattr(regs, name) & 0xFFFFFFFF).to_bytes(4, "little") for name in _SMALL)
        return (general + small).hex()

    def _read_memory(self, place: str) -> str:
        address, size = (int(number, 16) for number in place.split(","))
        try:
            return os.pread(self._memory, min(size, 0x1F00), address).hex() or "E01"
        except (OSError, OverflowError):
            return "E01"

    def _read_auxv(self, place: str) -> str:
        offset, size = (int(number, 16) for number in place.split(","))
        part = self._auxv[offset : offset + size]
        last = offset + size >= len(self._auxv)
        text = part.decode("latin-1")
        for special in "}#$*":
            text = text.replace(special, "}" + chr(ord(special) ^ 0x20))
        return ("l" if last else "m") + text
