"""Instructions, registers, maps and memory for people to read."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from face import WARNING, at, messages, running
from libdebug._native import html_table
from libdebug.data.instruction import Instruction
from libdebug.data.memory_map import MemoryMap
from libdebug.data.memory_map_list import MemoryMapList

if TYPE_CHECKING:
    from collections.abc import Callable

    from libdebug import Debugger

LOOK = ("pprint_registers", "pprint_regs", "pprint_registers_all", "pprint_regs_all")


@pytest.fixture(autouse=True)
def plain(monkeypatch: Any) -> None:
    """Have the environment say nothing about colours."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def printed(capsys: Any, act: Callable[[], object]) -> list[str]:
    capsys.readouterr()
    act()
    return str(capsys.readouterr().out).splitlines()


def test_instructions_are_told_in_every_part() -> None:
    with running("basic") as d:
        start = d.resolve_symbol("counter_function")
        code = d.disasm("counter_function", 20, "binary")
        assert len(code) == 20
        assert code == d.disasm(start, 20) == d.threads[0].disasm(start, 20)
        push, move = code[:2]
        assert (push.address, push.bytes, push.size, push.kind) == (start, b"\x55", 1, "other")
        assert (str(move), move.mnemonic, move.operands) == ("mov rbp,rsp", "mov", ["rbp", "rsp"])
        assert (push.symbol, move.symbol, move.target) == ("counter_function", "counter_function+1", None)
        assert repr(push) == f"Instruction(address={start:#x}, bytes=55, text='push rbp')"
        assert "[counter]" in " ".join(one.text for one in code)
        for one, following in pairwise(code):
            assert one.address + one.size == following.address
            assert d.memory[one.address, one.size] == one.bytes
        assert next(one for one in code if one.mnemonic == "ret").kind == "return"
        assert len({*code, *d.disasm(start, 20)}) == 20


def test_targets_are_symbols_where_known() -> None:
    with running("basic") as d:
        code = d.disasm("main", 60, "binary")
        call = next(one for one in code if one.operands == ["counter_function"])
        assert (call.text, call.kind) == ("call counter_function", "call")
        assert call.target == d.resolve_symbol("counter_function")
        kinds = {one.kind for one in code}
        assert {"call", "branch", "conditional branch", "other", "return"} <= kinds
        back = next(one for one in code if one.kind == "conditional branch")
        assert re.fullmatch(r"j\w+ main\+0x[0-9a-f]+", back.text)


def test_instructions_where_the_thread_stands() -> None:
    with running("basic") as d:
        assert d.disasm()[0].address == d.regs.rip
        assert len(d.disasm()) == 10
        assert d.disasm(n=0) == []
        with pytest.raises(ValueError, match="negative"):
            d.disasm(n=-1)
        with pytest.raises(ValueError, match="Invalid address"):
            d.disasm(0xDEADBEEF, 3, "absolute")
        with pytest.raises(ValueError, match="no_such_symbol"):
            d.disasm("no_such_symbol")


def test_instructions_never_show_a_breakpoint() -> None:
    with running("basic") as d:
        before = d.disasm("counter_function", 5, "binary")
        d.breakpoint("counter_function", file="binary")
        d.breakpoint("counter_function+1", file="binary")
        assert d.disasm("counter_function", 5, "binary") == before


def test_bytes_that_are_no_instruction_and_the_end_of_memory() -> None:
    with running("basic") as d:
        end = d.maps.filter("stack")[0].end
        d.memory[end - 4] = b"\x06\x90\xe8\x01"
        code = d.disasm(end - 4, 10)
        assert [(one.text, one.kind) for one in code[:3]] == [
            ("(bad)", "bad"),
            ("nop", "other"),
            ("(bad)", "bad"),
        ]
        assert code[-1].address < end


def test_objdump_reads_the_same_instructions() -> None:
    with running("basic") as d:
        base, start = d.maps.filter("binary")[0].start, d.resolve_symbol("counter_function")
        place = [f"--start-address={start - base:#x}", f"--stop-address={start - base + 60:#x}"]
        command = ["objdump", "-d", "--insn-width=16", *place, str(d.path)]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        lines = re.findall(r"^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+)", listing, re.MULTILINE)
        theirs = [(int(address, 16) + base, bytes.fromhex(code)) for address, code in lines]
        ours = [(one.address, one.bytes) for one in d.disasm(start, len(theirs))]
        # The last one is cut off there, and shown as single bytes.
        assert len(theirs) > 10
        assert ours[:10] == theirs[:10]


def test_printed_instructions_mark_where_the_thread_stands(capsys: Any) -> None:
    with running("basic") as d:
        at(d, "counter_function")
        lines = printed(capsys, lambda: d.pprint_disasm(n=3))
        assert lines[0] == f"=> {d.regs.rip:#018x} <counter_function>:  push rbp"
        assert lines[1] == f"   {d.regs.rip + 1:#018x} <counter_function+1>:  mov rbp,rsp"
        assert len(lines) == 3
        assert lines == printed(capsys, lambda: d.threads[0].pprint_disasm("counter_function", 3, "binary"))


@pytest.mark.parametrize("name", LOOK)
def test_printed_registers(capsys: Any, name: str) -> None:
    with running("basic") as d:
        lines = printed(capsys, getattr(d, name))
        assert lines == printed(capsys, getattr(d.threads[0], name))
        rows = dict(line.split("\t") for line in lines)
        assert rows["rax"].split()[0] == hex(d.regs.rax)
        assert rows["rip"].split() == [
            hex(d.regs.rip),
            d.maps.filter(d.regs.rip)[0].backing_file.split("/")[-1],
        ]
        assert rows["rsp"].split() == [hex(d.regs.rsp), "[stack]"]
        assert rows["eflags"].split()[0] == hex(d.regs.eflags)
        assert "IF" in rows["eflags"].split()
        assert not {"eax", "ax", "al", "orig_rax"} & rows.keys()
        everything = {"cs", "fs_base", "st0", "mm7"}
        assert (everything <= rows.keys()) == ("all" in name)
        assert bool({"xmm0", "ymm0", "zmm0"} & rows.keys()) == ("all" in name)


def test_registers_of_the_dead_are_printed(capsys: Any) -> None:
    with running("basic") as d:
        d.kill()
        lines = printed(capsys, d.pprint_registers_all)
        assert lines[0].startswith("rax\t0x")


def test_printed_maps(capsys: Any, caplog: Any) -> None:
    with running("basic") as d:
        head, *lines = printed(capsys, d.pprint_maps)
        assert head.split() == ["start", "end", "perm", "size", "offset", "backing_file"]
        rows = [line.split(maxsplit=5) for line in lines]
        assert rows == [
            [hex(m.start), hex(m.end), m.permissions, hex(m.size), hex(m.offset), m.backing_file]
            for m in d.maps
        ]
        with caplog.at_level(WARNING, "libdebug"):
            assert printed(capsys, d.print_maps) == [head, *lines]
        assert any("deprecated" in text for text in messages(caplog, WARNING))


def test_printed_bytes(capsys: Any) -> None:
    with running("basic") as d:
        start = d.resolve_symbol("message")
        first, second = printed(capsys, lambda: d.pprint_memory("message", start + 20))
        assert first == f"{start:#018x}  74 68 65 20 71 75 69 63  6b 20 62 72 6f 77 6e 20  |the quick brown |"
        assert second == f"{start + 16:#018x}  66 6f 78 00" + " " * 39 + "|fox.|"
        wide = printed(capsys, lambda: d.pprint_memory(start, start + 8, override_word_size=4))
        assert wide[0].endswith("  74 68 65 20  71 75 69 63" + " " * 28 + "|the quic|")
        single = printed(capsys, lambda: d.pprint_memory(start, start + 2, override_word_size=1))
        assert single[0].endswith("  74  68" + " " * 58 + "|th|")


def test_printed_numbers(capsys: Any) -> None:
    with running("basic") as d:
        start = d.resolve_symbol("table")
        lines = printed(capsys, lambda: d.pprint_memory(start + 8, start + 36, integer_mode=True))
        assert lines == [
            f"{start + 8:#018x}  0x0000000000000001  0x0000000000000004",
            f"{start + 24:#018x}  0x0000000000000009  0x00000010",
        ]
        words = printed(
            capsys, lambda: d.pprint_memory("table", "table+10", override_word_size=4, integer_mode=True)
        )
        assert words == [f"{start:#018x}  0x00000000  0x00000000  0x00000001  0x00000000"]
        big = printed(
            capsys, lambda: d.pprint_memory("table", "table+20", override_word_size=32, integer_mode=True)
        )
        assert big == [f"{start:#018x}  0x{9:016x}{4:016x}{1:016x}{0:016x}"]


def test_printed_memory_of_a_file_and_to_the_end_of_a_map(capsys: Any, caplog: Any) -> None:
    with running("basic") as d:
        base, start = d.maps.filter("binary")[0].start, d.resolve_symbol("message")
        expected = printed(capsys, lambda: d.pprint_memory(start, start + 4))
        assert printed(capsys, lambda: d.pprint_memory(start - base, start - base + 4, "binary")) == expected
        end = d.maps.filter("stack")[0].end
        assert len(printed(capsys, lambda: d.pprint_memory(end - 16, end))) == 1
        with caplog.at_level(WARNING, "libdebug"):
            assert printed(capsys, lambda: d.pprint_memory(start + 4, start)) == expected
        assert any("exchanged" in text for text in messages(caplog, WARNING))
        with pytest.raises(ValueError, match="override_word_size"):
            d.pprint_memory(start, start + 4, override_word_size=0)
        with pytest.raises(ValueError, match="Invalid address"):
            d.pprint_memory(0xDEADBEEF, 0xDEADBEFF, "absolute")


def test_colours_tell_permissions(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with running("basic") as d:
        legend, *registers = printed(capsys, d.pprint_regs)
        assert legend.split() == [
            "\x1b[91m\x1b[4mrwx\x1b[0m", "\x1b[91mr-x\x1b[0m", "\x1b[93mrw-\x1b[0m", "\x1b[92mr--\x1b[0m",
        ]  # fmt: skip
        rip = next(line for line in registers if "rip" in line)
        assert rip.startswith(f"\x1b[91mrip\x1b[0m\t\x1b[91m{d.regs.rip:#x}\x1b[0m")
        assert any(line.startswith(f"\x1b[91mrsp\x1b[0m\t\x1b[93m{d.regs.rsp:#x}") for line in registers)
        stack = next(line for line in printed(capsys, d.pprint_maps) if "[stack]" in line)
        assert stack.startswith("\x1b[93m")
        assert stack.endswith("[stack]\x1b[0m")
        monkeypatch.setenv("NO_COLOR", "1")
        for look in (d.pprint_regs, d.pprint_maps, d.pprint_disasm):
            assert "\x1b" not in "".join(printed(capsys, look))


SCRIPT = """
from libdebug import debugger
d = debugger({path!r})
d.run(redirect_pipes=False)
d.pprint_regs()
d.pprint_syscalls = True
d.cont()
d.wait()
d.terminate()
"""


def on_a_terminal(script: str) -> str:
    """Return what a script prints to a terminal."""
    parent, child = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", script], stdout=child, stdin=child) as process:
        os.close(child)
        parts = []
        try:
            while part := os.read(parent, 1 << 16):
                parts.append(part)
        except OSError:
            pass
        assert process.wait() == 0
    os.close(parent)
    return b"".join(parts).decode()


def test_terminals_get_colours_and_files_do_not(program: Any) -> None:
    script = SCRIPT.format(path=program("basic"))
    to_terminal = on_a_terminal(script)
    assert "\x1b[91mrax\x1b[0m" in to_terminal
    assert "\x1b[94mwrite\x1b[39m" in to_terminal
    piped = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "rax\t" in piped
    assert "write(unsigned int fd = 0x1" in piped
    assert "\x1b" not in piped


class Cells(HTMLParser):
    """Collects the texts of a table's cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.rows[-1][-1] += data


def cells(shown: Any) -> list[list[str]]:
    return Cells(shown._repr_html_()).rows


def test_tables_in_html_are_escaped() -> None:
    html = html_table(["a & b"], [["<script>", '"x"']])
    assert "<script>" not in html
    assert Cells(html).rows == [["a & b"], ["<script>", '"x"']]


def test_notebooks_see_tables() -> None:
    with running("basic") as d:
        bp = d.breakpoint("counter_function", file="binary")
        assert ["rip", hex(d.regs.rip)] in cells(d.regs)
        heads, *rows = cells(d.maps)
        assert heads[0] == "start"
        assert rows == [[row[1] for row in cells(m)] for m in d.maps]
        assert ["symbol", "counter_function"] in cells(bp)
        assert ["thread id", str(d.tid)] in cells(d.threads[0])
        assert ["state", "stopped"] in cells(d.threads[0])
        assert ["Process ID", str(d.pid)] in cells(d)


def test_reprs_are_short_and_tell_what_it_is() -> None:
    with running("basic") as d:
        assert repr(d.regs).startswith(f"Registers(thread_id={d.tid})")
        assert repr(d.maps).startswith("MemoryMapList([MemoryMap(start=0x")
        assert "DirectMemoryView" in repr(d.memory)


def test_maps_are_the_same_list_as_long_as_a_stop_lasts() -> None:
    with running("basic") as d:
        maps = d.maps
        assert maps is d.maps is d.memory.maps
        at(d, "counter_function")
        assert d.maps is not maps


def test_lists_of_maps_are_values_and_identities() -> None:
    one = MemoryMap(0x1000, 0x2000, "r-xp", 0x1000, 0, "")
    assert one.backing_file == "anon_1000"
    assert one.base == 0x1000
    first, second = MemoryMapList([one]), MemoryMapList([one])
    assert first == second
    assert hash(first) != hash(second)
    assert one == MemoryMap.parse("1000-2000 r-xp 00000000 00:00 0 ")
    assert isinstance(first.filter("anon"), MemoryMapList)
    with pytest.raises(ValueError, match="not a line"):
        MemoryMap.parse("nonsense")


def test_instructions_are_values() -> None:
    row: Any = (0x1000, b"\x90", "nop", [], "nop", "other", None, None)
    one = Instruction(row)
    assert one == Instruction(row)
    assert one != row
    assert (one.symbol, str(one)) == (None, "nop")


def test_the_selector_of_32_bit_code_changes_the_language() -> None:
    with running("basic") as d:
        thread = d.threads[0]
        d.memory[d.regs.rip] = b"\x40\x55"
        assert str(d.disasm(n=1)[0]) == "push rbp"
        selector, d.regs.cs = d.regs.cs, 0x23
        assert [str(one) for one in thread.disasm(n=2)] == ["inc eax", "push ebp"]
        d.regs.cs = selector


def look_at(d: Debugger) -> None:
    d.pprint_registers()
    d.pprint_maps()


def test_callbacks_may_look(capsys: Any) -> None:
    with running("basic") as d:
        d.breakpoint("counter_function", callback=lambda t, _: look_at(t.debugger), file="binary")
        lines = printed(capsys, lambda: (d.cont(), d.wait()))
    assert sum(line.startswith("rip\t") for line in lines) == 10
