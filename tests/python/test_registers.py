"""Registers: every name, every width, what is written reaches the program, and 80 bits stay 80 bits."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from face import at, debugging, running
from libdebug import _native

GENERAL = ["rax", "rcx", "rdx", "rbx", "", "rbp", "rsi", "rdi", *(f"r{i}" for i in range(8, 16))]
FLAGS = Path("/proc/cpuinfo").read_text().split("flags", 1)[1].splitlines()[0].split()
LEVEL = "avx512" if {"avx512f", "avx512bw"} <= set(FLAGS) else "avx" if "avx" in FLAGS else "sse"
PI = bytes.fromhex("35c26821a2da0fc90040")


def general(number: int) -> int:
    """What the fixture loads into a general register."""
    return int.from_bytes(bytes(16 * number + j for j in range(8)), "little")


def vector(number: int, size: int) -> int:
    """What the fixture loads into a vector register."""
    return int.from_bytes(bytes((7 * number + 3 * j + 1) & 0xFF for j in range(size)), "little")


@pytest.mark.parametrize("number", [n for n, name in enumerate(GENERAL) if name])
def test_general_registers_and_their_parts(number: int) -> None:
    name, value = GENERAL[number], general(number)
    with running("regs") as d:
        at(d, "regs_ready")
        halves = {
            8: (f"{name}d", f"{name}w", f"{name}b"),
            0: (f"e{name[1:]}", name[1:], name[1:].rstrip("x") + "l"),
        }[8 if number >= 8 else 0]
        read = [getattr(d.regs, part) for part in (name, *halves)]
        assert read == [value, value & 0xFFFFFFFF, value & 0xFFFF, value & 0xFF]
        if name in ("rax", "rbx", "rcx", "rdx"):
            assert getattr(d.regs, f"{name[1]}h") == value >> 8 & 0xFF


def test_vector_registers() -> None:
    with running("regs") as d:
        at(d, "regs_ready")
        count = 32 if LEVEL == "avx512" else 16
        for i in range(count):
            assert getattr(d.regs, f"xmm{i}") == vector(i, 16)
            if LEVEL != "sse":
                assert getattr(d.regs, f"ymm{i}") == vector(i, 32)
            if LEVEL == "avx512":
                assert getattr(d.regs, f"zmm{i}") == vector(i, 64)


def test_names_are_those_of_this_cpu() -> None:
    with running("regs") as d:
        names = {name for name in dir(d.regs) if not name.startswith("_")} - {"filter", "raw"}
        widths = {"sse": "x", "avx": "xy", "avx512": "xyz"}[LEVEL]
        count = 32 if LEVEL == "avx512" else 16
        vectors = {f"{w}mm{i}" for w in widths for i in range(count)}
        assert {name for name in names if name[1:].startswith("mm")} == vectors
        assert {"rip", "eflags", "fs_base", "r15b", "dh", "mm7", "st0", "spl"} <= names
        assert not names & {"eip", "ip", "orig_rax"}
        for name in names:
            assert isinstance(d.regs.__getattribute__(name), float if name.startswith("st") else int), name


def test_x87_registers_are_floats_and_all_their_bits_can_be_had() -> None:
    with running("regs", "x87") as d:
        at(d, "regs_ready")
        assert d.regs.st0 == pytest.approx(3.141592653589793, abs=0)
        assert d.regs.raw("st0") == PI
        assert [d.regs.raw(f"st{i}")[0] for i in range(1, 8)] == list(range(1, 8))
        d.regs.st3 = -2.5
        assert (d.regs.st3, d.regs.raw("st3")) == (-2.5, bytes.fromhex("00000000000000a000c0"))
        d.regs.st3 = PI  # type: ignore[assignment]
        assert d.regs.raw("st3") == PI
        with pytest.raises(ValueError, match="10 bytes"):
            d.regs.st3 = PI[:8]  # type: ignore[assignment]
        with pytest.raises(TypeError):
            d.regs.st3 = "1.5"  # type: ignore[assignment]


def test_mmx_registers() -> None:
    with running("regs", "mmx") as d:
        at(d, "regs_ready")
        for i in range(8):
            assert getattr(d.regs, f"mm{i}") == int.from_bytes(
                bytes(0xA0 + 8 * i + j for j in range(8)), "little"
            )


def test_the_program_goes_on_with_what_was_written() -> None:
    with running("regs") as d:
        at(d, "regs_ready")
        d.regs.rbx = 0x1234567890ABCDEF
        d.regs.xmm5 = 7
        at(d, "show_general")
        out = d.resolve_symbol("regs_out")
        assert d.memory[out + 3 * 8, 8] == (0x1234567890ABCDEF).to_bytes(8, "little")
        assert d.memory[out + 128 + 5 * 64, 16] == (7).to_bytes(16, "little")
        upper = vector(5, 32) >> 128 if LEVEL != "sse" else None
        if upper is not None:
            assert d.memory[out + 128 + 5 * 64 + 16, 16] == upper.to_bytes(16, "little")


def test_parts_merge_as_the_processor_does_it() -> None:
    with running("basic") as d:
        d.regs.rax = 0x1111222233334444
        d.regs.al = 0xAA
        assert d.regs.rax == 0x11112222333344AA
        d.regs.ah = 0xBB
        assert d.regs.rax == 0x111122223333BBAA
        d.regs.ax = 0xCCDD
        assert d.regs.rax == 0x111122223333CCDD
        d.regs.eax = 0x99887766
        assert d.regs.rax == 0x99887766
        d.regs.eax = -1
        assert d.regs.rax == 0xFFFFFFFF
        d.regs.al = 0x123
        assert d.regs.rax == 0xFFFFFF23


@pytest.mark.parametrize("name", ["rax", "rip", "r15", "xmm0", *([] if LEVEL == "sse" else ["ymm1"])])
@pytest.mark.parametrize("kind", [OverflowError, TypeError])
def test_values_that_do_not_fit_are_refused(name: str, kind: type[Exception]) -> None:
    bits = {"x": 128, "y": 256}.get(name[0], 64) if name.endswith(("mm0", "mm1")) else 64
    with running("basic") as d:
        before = getattr(d.regs, name)
        for value in (-1, 1 << bits):
            with pytest.raises(kind, match=f"register {name}.*{bits} bits"):
                setattr(d.regs, name, value)
        assert getattr(d.regs, name) == before


def test_values_of_another_type_are_refused() -> None:
    with running("basic") as d:
        for value in ("1", 1.5, b"1", None):
            with pytest.raises(TypeError, match="register rax takes an int"):
                d.regs.rax = value  # type: ignore[assignment]
        with pytest.raises(AttributeError):
            d.regs.eip = 1  # type: ignore[attr-defined]


def test_filter_finds_every_name_that_holds_a_value() -> None:
    with running("basic") as d:
        d.regs.r12 = 0xAABB
        d.regs.rbx = 0x11AABB
        found = d.regs.filter(0xAABB)
        assert {"r12", "r12d", "r12w", "bx"} <= set(found)
        assert not set(found) & {"rbx", "ebx"}


def test_repr_has_one_line_for_each_general_register() -> None:
    with running("basic") as d:
        lines = repr(d.regs).splitlines()
        assert lines[0] == f"Registers(thread_id={d.thread_id})"
        assert f"  rip: {d.regs.rip:#x}" in lines
        assert len(lines) == 18


def test_registers_before_run_after_death_and_after_detach() -> None:
    with debugging("basic") as d:
        with pytest.raises(RuntimeError):
            d.regs  # noqa: B018
        d.run(redirect_pipes=False)
        d.kill()
        assert d.regs.rip > 0
        d.run(redirect_pipes=False)
        saved = d.regs
        d.detach()
        os.waitpid(d.pid, 0)
        with pytest.raises(RuntimeError):
            d.regs  # noqa: B018
        with pytest.raises(RuntimeError, match="cannot access registers"):
            saved.rip  # noqa: B018
        with pytest.raises(RuntimeError):
            saved.rip = 1


def test_reading_waits_for_a_stop_and_lets_callbacks_run_meanwhile() -> None:
    with running("basic") as d:
        seen: list[int] = []
        d.breakpoint("counter_function", callback=lambda t, _: seen.append(t.regs.edi), file="binary")
        d.cont()
        assert d.regs.rip > 0
        assert seen == list(range(10))
        assert d.dead


def test_many_reads_of_one_stop_ask_the_kernel_nothing() -> None:
    with running("basic") as d:
        regs = d.regs
        assert regs.rip
        assert regs.xmm0 is not None
        before = _native.tracer_syscalls()
        start = time.perf_counter()
        for _ in range(10_000):
            regs.rip  # noqa: B018
            regs.xmm0  # noqa: B018
        assert _native.tracer_syscalls() == before
        assert time.perf_counter() - start < 1
