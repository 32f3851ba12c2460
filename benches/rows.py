"""The rows of the table: what each measures, how much work it does, what it must reach."""

from __future__ import annotations

from dataclasses import dataclass

RATE, SPAN, BYTES, CPU = "/s", "ms", "GB/s", "ms CPU"
BLOCK = 64 << 20


@dataclass(frozen=True)
class Row:
    """One row.

    `n` is the work given to raw, ours and peer, `strace` that given to strace, if it is asked at all. `ratio`
    is the least share of the raw loop's speed, `least` and `most` bound the value in the row's unit, `like`
    names a row that this one must equal within 20 %. `rounds` bounds how often a slow row is measured.
    """

    key: str
    what: str
    unit: str
    n: tuple[int, int, int]
    target: str
    ratio: float | None = None
    least: float | None = None
    most: float | None = None
    like: str | None = None
    judged: str = "ours"
    fixed: bool = False
    strace: int = 0
    rounds: int | None = None

    def work(self, contender: str, *, quick: bool) -> int:
        """Return N for a contender."""
        index = {"raw": 0, "ours": 1, "rust": 1}.get(contender, 2)
        full = self.strace if contender == "strace" else self.n[index]
        return full if self.fixed or not quick else max(1, full // 10)

    def due(self, turn: int) -> bool:
        """Say whether the row is measured in this round, the first being 0."""
        return self.rounds is None or turn < self.rounds

    def value(self, events: float, wall: float, cpu: float) -> float:
        """Return the figure of one measurement in the row's unit."""
        if self.unit == RATE:
            return events / wall
        if self.unit == BYTES:
            return events * BLOCK / wall / 1e9
        return (cpu if self.unit == CPU else wall) / events * 1e3

    def share(self, value: float, of: float) -> float:
        """Return how many times as fast `value` is as `of`."""
        faster_is_more = self.unit in (RATE, BYTES)
        above, below = (value, of) if faster_is_more else (of, value)
        return above / below if below else float("inf")


ROWS = [
    Row("B1", "breakpoint, Python callback reads a register", RATE, (100_000, 50_000, 10_000),
        ">= 85k, >= 0.78 raw", ratio=0.78, least=85e3),
    Row("B1-long", "the same, first instruction of 5 bytes", RATE, (100_000, 50_000, 10_000),
        ">= 85k, >= 0.78 raw", ratio=0.78, least=85e3),
    Row("B1-slot", "raw only: trap and out-of-line slot", RATE, (100_000, 1, 1), "-"),
    Row("B1-10000", "B1 with 10,000 breakpoints set", RATE, (100_000, 50_000, 100), "= B1", like="B1",
        rounds=3),
    Row("B2-closure", "breakpoint, Rust closure", RATE, (100_000, 50_000, 10_000),
        ">= 0.90 raw", ratio=0.90, judged="rust"),
    Row("B2-count", "breakpoint, count only", RATE, (100_000, 50_000, 10_000),
        ">= 0.90 raw", ratio=0.90),
    Row("B2-10000", "B2-count with 10,000 breakpoints set", RATE, (100_000, 50_000, 100),
        "= B2-count", like="B2-count", rounds=3),
    Row("B3", "cont + wait + pc", RATE, (50_000, 30_000, 5_000), ">= 0.80 raw", ratio=0.80),
    Row("B4", "hardware breakpoint, callback", RATE, (50_000, 30_000, 10_000), ">= 0.85 raw", ratio=0.85),
    Row("B5-8-call", "8 threads, all stopped, callback", RATE, (40_000, 20_000, 8_000),
        ">= 0.75 raw", ratio=0.75),
    Row("B5-64-call", "64 threads, all stopped, callback", RATE, (12_800, 12_800, 6_400),
        ">= 0.75 raw", ratio=0.75),
    Row("B5-8-each", "raw only: interrupts before it looks", RATE, (40_000, 1, 1), "-"),
    Row("B5-64-each", "the same with 64 threads", RATE, (12_800, 1, 1), "-"),
    Row("B5-8-count", "8 threads, count only", RATE, (100_000, 40_000, 8_000), ">= 0.75 raw", ratio=0.75),
    Row("B5-64-count", "64 threads, count only", RATE, (100_000, 40_000, 6_400), ">= 0.75 raw", ratio=0.75),
    Row("R1-rip", "t.regs.rip in one stop", RATE, (100_000_000, 1_000_000, 200_000), ">= 5 M", least=5e6),
    Row("R1-xmm0", "t.regs.xmm0 in one stop", RATE, (100_000_000, 500_000, 100_000), ">= 1.5 M", least=1.5e6),
    Row("M1", "read 64 MiB, new bytes", BYTES, (10, 10, 10),
        ">= 1.5, >= 0.88 raw", ratio=0.88, least=1.5, fixed=True),
    Row("M2", "random 8-byte reads", RATE, (100_000, 100_000, 50_000),
        ">= 450k, >= 0.66 raw", ratio=0.66, least=450e3),
    Row("M1-into", "read 64 MiB, into a buffer", BYTES, (20, 20, 1),
        ">= 4.0, >= 0.85 raw", ratio=0.85, least=4.0, fixed=True),
    Row("M2-batch", "random 8-byte reads at once", RATE, (100_000, 100_000, 1), ">= 1 M", least=1e6),
    Row("M3-dense", "find in 256 MiB", BYTES, (4, 4, 2),
        ">= 2.7, >= 0.88 raw", ratio=0.88, least=2.7, fixed=True, rounds=3),
    Row("M3-sparse", "find in 2 GiB, all but one page untouched", SPAN, (100, 100, 1), "<= 7 ms", most=7.0,
        fixed=True, rounds=3),
    Row("S1", "1 handled syscall in 1,000, by a filter", RATE, (3_000_000, 3_000_000, 5_000),
        ">= 0.75 raw", ratio=0.75, strace=1_000_000),
    Row("S1-64", "S1 with 64 threads", RATE, (3_200_000, 3_200_000, 1), "= S1", like="S1"),
    Row("S2", "1 handled syscall in 1,000, stop at each", RATE, (30_000, 20_000, 5_000),
        ">= 0.90 raw", ratio=0.90, strace=5_000),
    Row("S3-both", "frequent syscall, both sides, by a filter", RATE, (30_000, 20_000, 5_000),
        ">= 0.75 raw", ratio=0.75),
    Row("S3-enter", "frequent syscall, enter only, by a filter", RATE, (60_000, 40_000, 5_000),
        ">= 0.70 raw", ratio=0.70),
    Row("S3-both-ptrace", "S3-both without a filter", RATE, (30_000, 20_000, 5_000),
        ">= 0.75 raw", ratio=0.75),
    Row("S3-enter-ptrace", "S3-enter without a filter", RATE, (30_000, 20_000, 5_000),
        ">= 0.70 raw", ratio=0.70),
    Row("S4", "frequent syscall, count only", RATE, (100_000, 40_000, 5_000), ">= 0.75 raw", ratio=0.75),
    Row("S5", "libdebug trace, every call", RATE, (100_000, 100_000, 1), "-", strace=50_000),
    Row("S6", "libdebug trace -e, 1 call in 1,000 by a filter", RATE, (3_000_000, 3_000_000, 1),
        ">= 0.75 raw", ratio=0.75, strace=1_000_000),
    Row("invoke", "getpid invoked at a stop", RATE, (20_000, 10_000, 1), "-"),
    Row("T1", "step()", RATE, (30_000, 20_000, 5_000), ">= 45k", least=45e3),
    Row("T2", "step_until with a limit", RATE, (30_000, 20_000, 10_000), ">= 0.92 raw", ratio=0.92),
    Row("T4", "libdebug count, a loop", RATE, (50_000, 20_000_000, 1), ">= 50 M, >= 10 raw", ratio=10.0,
        least=50e6),
    Row("T4-python", "libdebug count, python -c pass", RATE, (50_000, 1_000_000, 1), ">= 50 M, >= 10 raw",
        ratio=10.0, least=50e6, fixed=True),
    Row("T4-step", "libdebug count, single steps", RATE, (50_000, 50_000, 1), ">= 0.92 raw", ratio=0.92),
    Row("T4-callgrind", "valgrind's callgrind, python -c pass", RATE, (1, 1, 1), "-", rounds=2),
    Row("T4-lackey", "valgrind's lackey, the same", RATE, (1, 1, 1), "-", rounds=2),
    Row("T4-gdb", "GDB's stepi N", RATE, (1, 10_000, 1), "-", rounds=2),
    Row("T3-short", "step_until without a limit, 10 calls", SPAN, (1, 1, 1), "-", fixed=True),
    Row("T3-long", "the same, 100,000 calls", SPAN, (1, 1, 1), "<= 10 ms", most=10.0, fixed=True, rounds=1),
    Row("P1-40M", "run to entry + kill, host of 40 MiB", RATE, (500, 300, 100),
        ">= 1,500, >= 0.78 raw", ratio=0.78, least=1500),
    Row("P1-4G", "the same, host of 4 GiB", RATE, (500, 300, 30), "= P1-40M", like="P1-40M",
        rounds=2),
    Row("P1-symbols", "the same, program of 100,000 symbols", RATE, (500, 300, 30),
        "= P1-40M", like="P1-40M"),
    Row("P2", "attach + detach, 201 threads", SPAN, (50, 30, 10),
        "<= 4 ms, >= 0.78 raw", ratio=0.78, most=4.0),
    Row("P3-followed", "children that are followed", RATE, (1_000, 500, 50),
        ">= 3.5k, >= 0.73 raw", ratio=0.73, least=3500),
    Row("P3-free", "children that run free", RATE, (1_000, 1_000, 500),
        ">= 4.5k, >= 0.90 raw", ratio=0.90, least=4500),
    Row("L1", "attach + run Python code + detach, idle program", SPAN, (1, 50, 10), "<= 100 ms", most=100.0),
    Row("L1-gdb", "GDB's recipe for that", SPAN, (1, 3, 1), "-", rounds=2),
    Row("C1", "debugger CPU in a wait of 2 s", CPU, (2000, 2000, 2000), "<= 1 ms", most=1.0, fixed=True,
        rounds=2),
    Row("C2-import", "interpreter + import libdebug", SPAN, (10, 10, 3), "<= 20 ms", most=20.0),
    Row("C2-hello", "the first script, whole", SPAN, (10, 10, 3), "<= 30 ms", most=30.0),
    Row("Y1", "first breakpoint by symbol in cc1", SPAN, (1, 1, 1), "<= 2 ms", most=2.0, fixed=True),
    Row("Y3", "backtrace of 16 frames, again at one stop", SPAN, (5_000, 5_000, 1_000), "<= 0.015 ms",
        most=0.015),
    Row("Y2", "all symbols of gdb and 58 libraries, listed", SPAN, (1, 1, 1), "<= 100 ms", most=100.0,
        fixed=True),
    Row("Y3-cc1", "all symbols of cc1, listed", SPAN, (1, 1, 1), "-", fixed=True),
    Row("Y3-python", "all symbols of python3, listed", SPAN, (1, 1, 1), "-", fixed=True),
    Row("Y3-rustc", "all symbols of rustc, listed", SPAN, (1, 1, 1), "-", fixed=True, rounds=2),
    Row("Y4-cc1", "names of cc1 resolved", RATE, (1, 10_000, 1_000), "-"),
    Row("Y4-rustc", "names of rustc's largest library resolved", RATE, (1, 10_000, 100), "-", rounds=2),
    Row("Y5-cc1", "addresses in cc1 to symbols", RATE, (1, 10_000, 100), "-"),
    Row("Y5-rustc", "addresses in rustc's largest library", RATE, (1, 10_000, 10), "-", rounds=2),
]  # fmt: skip

BY_KEY = {row.key: row for row in ROWS}
LIKE_ENOUGH = 0.8
