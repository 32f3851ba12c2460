# ruff: noqa: PYI021 - what is native has its documentation here
"""Registers: one class per set of names that a processor can have."""

from typing_extensions import disjoint_base

__all__ = ["RegisterFile", "Registers", "RegistersAvx", "RegistersAvx512"]

@disjoint_base
class RegisterFile:
    """The registers of one thread: each is an attribute.

    Reading waits until the process is stopped; after its death the last values are still there. A value
    that is assigned becomes effective when the thread goes on.
    """

    def _repr_html_(self) -> str: ...
    def filter(self, value: float) -> list[str]:
        """Return the names of all registers, of whatever width, that hold the value."""

    def raw(self, name: str) -> bytes:
        """Return a register's bytes, least significant first.

        For the `st` registers these are all 80 bits, which no float holds; such bytes may be assigned too.
        """

class Registers(RegisterFile):
    """The registers that every x86-64 processor has."""

    rax: int
    rbx: int
    rcx: int
    rdx: int
    rsi: int
    rdi: int
    rbp: int
    rsp: int
    r8: int
    r9: int
    r10: int
    r11: int
    r12: int
    r13: int
    r14: int
    r15: int
    rip: int
    eax: int
    ebx: int
    ecx: int
    edx: int
    esi: int
    edi: int
    ebp: int
    esp: int
    r8d: int
    r9d: int
    r10d: int
    r11d: int
    r12d: int
    r13d: int
    r14d: int
    r15d: int
    ax: int
    bx: int
    cx: int
    dx: int
    si: int
    di: int
    bp: int
    sp: int
    r8w: int
    r9w: int
    r10w: int
    r11w: int
    r12w: int
    r13w: int
    r14w: int
    r15w: int
    al: int
    bl: int
    cl: int
    dl: int
    sil: int
    dil: int
    bpl: int
    spl: int
    r8b: int
    r9b: int
    r10b: int
    r11b: int
    r12b: int
    r13b: int
    r14b: int
    r15b: int
    ah: int
    bh: int
    ch: int
    dh: int
    eflags: int
    cs: int
    ss: int
    ds: int
    es: int
    fs: int
    gs: int
    fs_base: int
    gs_base: int
    xmm0: int
    xmm1: int
    xmm2: int
    xmm3: int
    xmm4: int
    xmm5: int
    xmm6: int
    xmm7: int
    xmm8: int
    xmm9: int
    xmm10: int
    xmm11: int
    xmm12: int
    xmm13: int
    xmm14: int
    xmm15: int
    mm0: int
    mm1: int
    mm2: int
    mm3: int
    mm4: int
    mm5: int
    mm6: int
    mm7: int
    st0: float
    st1: float
    st2: float
    st3: float
    st4: float
    st5: float
    st6: float
    st7: float

class RegistersAvx(Registers):
    """The registers of a processor with AVX."""

    ymm0: int
    ymm1: int
    ymm2: int
    ymm3: int
    ymm4: int
    ymm5: int
    ymm6: int
    ymm7: int
    ymm8: int
    ymm9: int
    ymm10: int
    ymm11: int
    ymm12: int
    ymm13: int
    ymm14: int
    ymm15: int

class RegistersAvx512(RegistersAvx):
    """The registers of a processor with AVX-512."""

    xmm16: int
    xmm17: int
    xmm18: int
    xmm19: int
    xmm20: int
    xmm21: int
    xmm22: int
    xmm23: int
    xmm24: int
    xmm25: int
    xmm26: int
    xmm27: int
    xmm28: int
    xmm29: int
    xmm30: int
    xmm31: int
    ymm16: int
    ymm17: int
    ymm18: int
    ymm19: int
    ymm20: int
    ymm21: int
    ymm22: int
    ymm23: int
    ymm24: int
    ymm25: int
    ymm26: int
    ymm27: int
    ymm28: int
    ymm29: int
    ymm30: int
    ymm31: int
    zmm0: int
    zmm1: int
    zmm2: int
    zmm3: int
    zmm4: int
    zmm5: int
    zmm6: int
    zmm7: int
    zmm8: int
    zmm9: int
    zmm10: int
    zmm11: int
    zmm12: int
    zmm13: int
    zmm14: int
    zmm15: int
    zmm16: int
    zmm17: int
    zmm18: int
    zmm19: int
    zmm20: int
    zmm21: int
    zmm22: int
    zmm23: int
    zmm24: int
    zmm25: int
    zmm26: int
    zmm27: int
    zmm28: int
    zmm29: int
    zmm30: int
    zmm31: int
