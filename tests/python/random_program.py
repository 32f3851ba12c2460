"""Programs of random instructions that end and write what they have computed, for the GNU assembler."""

from __future__ import annotations

import random

WIDE = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", *(f"r{n}" for n in range(8, 16))]
NARROW = ["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", *(f"r{n}d" for n in range(8, 16))]
BYTES = ["al", "bl", "cl", "dl", "sil", "dil", "bpl", *(f"r{n}b" for n in range(8, 16))]
CONDITIONS = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"]
BUFFER = 4096
# Functions that are entered, all in all, before the program ends.
FUEL = 120

HEAD = """
.globl _start
.text
_start:
    mov %rsp, first_stack(%rip)
    call f0
finish:
    mov first_stack(%rip), %rsp
    pushfq
    pop state+120(%rip)
    andq $0xcd5, state+120(%rip)
"""

END = """
    mov $1, %eax
    mov $1, %edi
    lea state(%rip), %rsi
    mov $state_end - state, %edx
    syscall
    mov $231, %eax
    xor %edi, %edi
    syscall
"""

DATA = """
.section .data.rel.ro, "aw"
.balign 8
{tables}
.data
.balign 16
first_stack: .quad 0
fuel: .quad {fuel}
counters: .fill {counters}, 8, 0
state: .fill 16, 8, 0
buffer: .fill {buffer}, 1, 0x5a
state_end:
.section .note.GNU-stack, "", @progbits
"""


def lines(*each: str) -> str:
    """Return instructions and labels, one in each line."""
    return "".join(f"{line}\n" if line.endswith(":") else f"    {line}\n" for line in each)


class Program:
    """One program, by a number that everything in it follows from."""

    def __init__(self, seed: int, functions: int = 8) -> None:
        """Write the program."""
        self.random = random.Random(seed)
        self.functions = functions
        self.labels = 0
        self.counters = 0
        self.tables: list[str] = []
        saved = lines(*(f"mov %{name}, state+{8 * n}(%rip)" for n, name in enumerate(WIDE)))
        bodies = "".join(self.function(number) for number in range(functions))
        data = DATA.format(tables="".join(self.tables), fuel=FUEL, counters=self.counters + 1, buffer=BUFFER)
        self.text = HEAD + saved + END + bodies + data

    def label(self) -> str:
        """Return a label that is not used yet."""
        self.labels += 1
        return f"l{self.labels}"

    def table(self, *labels: str) -> str:
        """Return the label of a table of addresses."""
        name = self.label()
        self.tables.append(f"{name}: .quad {', '.join(labels)}\n")
        return name

    def counter(self) -> str:
        """Return a word that nothing else is kept in."""
        self.counters += 1
        return f"counters+{8 * (self.counters - 1)}(%rip)"

    def one_of(self, *names: str) -> str:
        """Return one of them."""
        return self.random.choice(names)

    def number(self) -> str:
        """Return a constant of 31 bits."""
        return f"${self.random.randrange(2**31)}"

    def wide(self) -> str:
        """Return a register."""
        return "%" + self.random.choice(WIDE)

    def narrow(self) -> str:
        """Return a register of 32 bits."""
        return "%" + self.random.choice(NARROW)

    def place(self, size: int = 8) -> str:
        """Return a place in memory."""
        return f"buffer+{self.random.randrange(0, BUFFER - size)}(%rip)"

    def function(self, number: int) -> str:
        """Return one function, which calls only those with higher numbers."""
        body = "".join(self.item(number, 3) for _ in range(self.random.randrange(20, 50)))
        takes = self.random.choice([0, 0, 8, 24])
        back = f"ret ${takes}" if takes and number else "ret"
        begin = lines(f"f{number}:", "push %rbp", "mov %rsp, %rbp", "sub $768, %rsp", "push %rbp")
        # The address of the frame is at the top of the stack whenever an item ends.
        end = lines("mov (%rsp), %rbp", "mov %rbp, %rsp", "pop %rbp", back)
        return begin + lines("decq fuel(%rip)", "js finish") + body + end

    def item(self, number: int, depth: int) -> str:
        """Return some instructions."""
        kinds = [self.arithmetic] * 12 + [self.memory] * 6 + [self.vector] * 2 + [self.below] * 2
        kinds += [self.flags, self.repeat, self.address, self.call_out, self.stack, self.short_loop]
        choice = self.random.random()
        if depth > 0 and choice < 0.2:
            structured = [self.branch, self.branch, self.branch, self.loop, self.switch]
            return self.random.choice(structured)(number, depth - 1)
        if depth > 0 and choice < 0.3 and number + 1 < self.functions:
            return self.call(number)
        return self.random.choice(kinds)()

    def arithmetic(self) -> str:
        """Return an instruction on registers."""
        both = self.one_of("add", "sub", "xor", "and", "or", "adc", "sbb", "cmp")
        shift = self.one_of("shl", "shr", "sar", "rol", "ror", "rcl", "rcr")
        other = self.one_of("test", "imul", "xchg", "mov", "bt", "bts")
        one = self.one_of("inc", "dec", "neg", "not", "bswap")
        condition = self.random.choice(CONDITIONS)
        return lines(
            self.one_of(
                f"{both} {self.wide()}, {self.wide()}",
                f"{both} {self.number()}, {self.wide()}",
                f"{shift} ${self.random.randrange(1, 31)}, {self.narrow()}",
                f"mov ${self.random.randrange(2**64)}, {self.wide()}",
                f"{one} {self.narrow()}",
                f"cmov{condition} {self.wide()}, {self.wide()}",
                f"set{condition} %{self.random.choice(BYTES)}",
                f"{other} {self.wide()}, {self.wide()}",
            )
        )

    def memory(self) -> str:
        """Return an instruction on a place in memory."""
        name = self.one_of("mov", "add", "xor", "or", "adc", "cmp", "and", "mov")
        return lines(
            self.one_of(
                f"{name} {self.place()}, {self.wide()}",
                f"{name} {self.wide()}, {self.place()}",
                f"{name}l {self.number()}, {self.place()}",
                f"lock xadd {self.wide()}, {self.place()}",
            )
        )

    def vector(self) -> str:
        """Return an instruction on vectors."""
        one, other = f"%xmm{self.random.randrange(16)}", f"%xmm{self.random.randrange(16)}"
        return lines(
            self.one_of(
                f"movups {self.place(16)}, {one}",
                f"movups {one}, {self.place(16)}",
                f"pxor {one}, {other}",
                f"paddq {one}, {other}",
                f"movq {self.wide()}, {one}",
                f"movq {one}, {self.wide()}",
                f"pmovmskb {one}, {self.narrow()}",
            )
        )

    def below(self) -> str:
        """Return instructions that use what is below the stack."""
        place = f"{-8 * self.random.randrange(1, 16)}(%rsp)"
        return lines(f"mov {self.wide()}, {place}") + self.arithmetic() + lines(f"xor {place}, {self.wide()}")

    def flags(self) -> str:
        """Return instructions that show or set the flags."""
        wide = self.wide()
        shown = lines("pushfq", f"pop {wide}", f"and $0xcd5, {wide}", f"add {wide}, {self.place()}")
        simple = lines(self.one_of("lahf", "cmc", "stc", "clc"))
        return self.one_of(shown, simple, lines("pushfq", "popfq") + shown)

    def repeat(self) -> str:
        """Return a repeated instruction, and what it leaves in registers."""
        name = self.one_of("rep movsb", "rep stosb", "rep stosq", "rep lodsb", "repe cmpsb", "repne scasb")
        return lines(
            f"lea buffer+{self.random.randrange(0, 2000)}(%rip), %rsi",
            f"lea buffer+{self.random.randrange(2000, 3500)}(%rip), %rdi",
            f"mov ${self.random.choice([0, 0, 1, 2, 7, 40])}, %ecx",
            name,
            f"add %rcx, {self.place()}",
            f"add %rdi, {self.place()}",
        )

    def address(self) -> str:
        """Return instructions that show where they are, or go where a register says."""
        wide, label = self.wide(), self.label()
        shown = lines(f"add {wide}, {self.place()}")
        return self.one_of(
            lines(f"lea 0(%rip), {wide}") + shown,
            lines(f"call {label}", f"{label}:", f"pop {wide}") + shown,
            lines(f"lea {label}(%rip), {wide}", f"jmp *{wide}", "nop", f"{label}:"),
            lines(f"lea {label}(%rip), {wide}", f"push {wide}", "ret", "nop", f"{label}:"),
        )

    def call_out(self) -> str:
        """Return a system call (getuid), and what all of them leave in registers."""
        seen = [f"add %rcx, {self.place()}", "and $0xcd5, %r11d", f"add %r11, {self.place()}"]
        return lines("mov $102, %eax", "syscall", *seen)

    def stack(self) -> str:
        """Return pushes and pops."""
        one, other = self.wide(), self.wide()
        return lines(f"push {one}", f"push {self.number()}", f"pop {other}", f"pop {self.place()}")

    def branch(self, number: int, depth: int) -> str:
        """Return a branch over some instructions."""
        label = self.label()
        inner = self.item(number, depth) + self.item(number, depth)
        return lines(f"j{self.random.choice(CONDITIONS)} {label}") + inner + lines(f"{label}:")

    def loop(self, number: int, depth: int) -> str:
        """Return some instructions, a few times."""
        label, counter = self.label(), self.counter()
        inner = self.item(number, depth) + self.item(number, depth)
        begin = lines(f"movq ${self.random.randrange(1, 9)}, {counter}", f"{label}:")
        return begin + inner + lines(f"decq {counter}", f"jnz {label}")

    def short_loop(self) -> str:
        """Return a loop by an instruction of its own."""
        label, skip = self.label(), self.label()
        others = [name for name in WIDE if name != "rcx"]
        inner = [f"add %{self.random.choice(others)}, %{self.random.choice(others)}" for _ in range(3)]
        begin = [f"mov ${self.random.randrange(1, 6)}, %ecx", f"{label}:"]
        end = [f"{self.one_of('loop', 'loope', 'loopne')} {label}"]
        skipped = [f"{self.one_of('jrcxz', 'jecxz')} {skip}", "nop", f"{skip}:"]
        return lines(*begin, *inner, *end, *skipped)

    def switch(self, number: int, depth: int) -> str:
        """Return a jump by a table."""
        labels, end = [self.label() for _ in range(4)], self.label()
        base, position = self.random.sample(WIDE, 2)
        entry = f"(%{base},%{position},8)"
        how = self.one_of(lines(f"jmp *{entry}"), lines(f"lea {entry}, %{base}", f"jmp *(%{base})"))
        text = lines(f"and $3, %{position}", f"lea {self.table(*labels)}(%rip), %{base}") + how
        for label in labels:
            text += lines(f"{label}:") + self.item(number, depth) + lines(f"jmp {end}")
        return text + lines(f"{end}:")

    def call(self, number: int) -> str:
        """Return a call of another function, which may take some of the stack along."""
        name = f"f{self.random.randrange(number + 1, self.functions)}"
        wide, table, kept = self.wide(), self.table(name), self.counter()
        how = self.one_of(
            lines(f"call {name}"),
            lines(f"lea {name}(%rip), {wide}", f"call *{wide}"),
            lines(f"call *{table}(%rip)"),
            lines(f"push {table}(%rip)", "call *(%rsp)"),
            lines(f"push {table}(%rip)", f"lea (%rsp), {wide}", f"call *({wide})"),
        )
        return lines(f"mov %rsp, {kept}", "sub $64, %rsp") + how + lines(f"mov {kept}, %rsp")
