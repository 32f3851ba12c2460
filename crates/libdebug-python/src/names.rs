//! One descriptor per register name: a lookup by name at run time would cost ten times the read.

use libdebug::{Register, Thread, cpu_has, register};
use pyo3::prelude::*;

use crate::registers::RegisterFile;

const fn constant(name: &str) -> &'static Register {
    match register(name) {
        Some(register) => register,
        None => panic!("evaluated at compile time"),
    }
}

/// Getters and setters of a class of registers: `integers` lie in the general registers and are read without
/// a detour, `others` are vectors and floats.
macro_rules! names {
    ($class:ident, $file:expr, integers: { $($integer:ident $set_integer:ident,)* },
     others: { $($other:ident $set_other:ident,)* }) => {
        #[pymethods]
        impl $class {
            $(
                #[doc = concat!("The register ", stringify!($integer), ".")]
                #[getter]
                fn $integer(slf: &Bound<'_, Self>) -> PyResult<u64> {
                    const REGISTER: &Register = constant(stringify!($integer));
                    $file(slf).integer(slf.py(), REGISTER)
                }

                #[setter($integer)]
                fn $set_integer(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
                    const REGISTER: &Register = constant(stringify!($integer));
                    $file(slf).set(REGISTER, value)
                }
            )*
            $(
                #[doc = concat!("The register ", stringify!($other), ".")]
                #[getter]
                fn $other(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
                    const REGISTER: &Register = constant(stringify!($other));
                    $file(slf).get(slf.py(), REGISTER)
                }

                #[setter($other)]
                fn $set_other(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
                    const REGISTER: &Register = constant(stringify!($other));
                    $file(slf).set(REGISTER, value)
                }
            )*
        }
    };
}

/// The registers that every x86-64 processor has.
#[pyclass(frozen, subclass, extends = RegisterFile, module = "libdebug._native")]
pub(crate) struct Registers;

/// The registers of a processor with AVX.
#[pyclass(frozen, subclass, extends = Registers, module = "libdebug._native")]
pub(crate) struct RegistersAvx;

/// The registers of a processor with AVX-512.
#[pyclass(frozen, subclass, extends = RegistersAvx, module = "libdebug._native")]
pub(crate) struct RegistersAvx512;

fn of_base<'a>(registers: &'a Bound<'_, Registers>) -> &'a RegisterFile {
    registers.as_super().get()
}

fn of_avx<'a>(registers: &'a Bound<'_, RegistersAvx>) -> &'a RegisterFile {
    of_base(registers.as_super())
}

fn of_avx512<'a>(registers: &'a Bound<'_, RegistersAvx512>) -> &'a RegisterFile {
    of_avx(registers.as_super())
}

/// The registers of `thread`, with the names that this CPU has.
pub(crate) fn registers_of(py: Python<'_>, thread: Thread) -> PyResult<Py<PyAny>> {
    let base = PyClassInitializer::from(RegisterFile::new(thread)).add_subclass(Registers);
    if cpu_has(constant("zmm0")) {
        let all = base.add_subclass(RegistersAvx).add_subclass(RegistersAvx512);
        return Ok(Bound::new(py, all)?.into_any().unbind());
    }
    if cpu_has(constant("ymm0")) {
        return Ok(Bound::new(py, base.add_subclass(RegistersAvx))?.into_any().unbind());
    }
    Ok(Bound::new(py, base)?.into_any().unbind())
}

#[rustfmt::skip]
names! {
    Registers, of_base,
    integers: {
        rax set_rax, rbx set_rbx, rcx set_rcx, rdx set_rdx, rsi set_rsi, rdi set_rdi,
        rbp set_rbp, rsp set_rsp, r8 set_r8, r9 set_r9, r10 set_r10, r11 set_r11,
        r12 set_r12, r13 set_r13, r14 set_r14, r15 set_r15, rip set_rip,
        eax set_eax, ebx set_ebx, ecx set_ecx, edx set_edx, esi set_esi, edi set_edi,
        ebp set_ebp, esp set_esp, r8d set_r8d, r9d set_r9d, r10d set_r10d, r11d set_r11d,
        r12d set_r12d, r13d set_r13d, r14d set_r14d, r15d set_r15d,
        ax set_ax, bx set_bx, cx set_cx, dx set_dx, si set_si, di set_di,
        bp set_bp, sp set_sp, r8w set_r8w, r9w set_r9w, r10w set_r10w, r11w set_r11w,
        r12w set_r12w, r13w set_r13w, r14w set_r14w, r15w set_r15w,
        al set_al, bl set_bl, cl set_cl, dl set_dl, sil set_sil, dil set_dil,
        bpl set_bpl, spl set_spl, r8b set_r8b, r9b set_r9b, r10b set_r10b, r11b set_r11b,
        r12b set_r12b, r13b set_r13b, r14b set_r14b, r15b set_r15b,
        ah set_ah, bh set_bh, ch set_ch, dh set_dh,
        eflags set_eflags, cs set_cs, ss set_ss, ds set_ds, es set_es, fs set_fs,
        gs set_gs, fs_base set_fs_base, gs_base set_gs_base,
    },
    others: {
        xmm0 set_xmm0, xmm1 set_xmm1, xmm2 set_xmm2, xmm3 set_xmm3, xmm4 set_xmm4, xmm5 set_xmm5,
        xmm6 set_xmm6, xmm7 set_xmm7, xmm8 set_xmm8, xmm9 set_xmm9, xmm10 set_xmm10, xmm11 set_xmm11,
        xmm12 set_xmm12, xmm13 set_xmm13, xmm14 set_xmm14, xmm15 set_xmm15,
        mm0 set_mm0, mm1 set_mm1, mm2 set_mm2, mm3 set_mm3, mm4 set_mm4, mm5 set_mm5,
        mm6 set_mm6, mm7 set_mm7,
        st0 set_st0, st1 set_st1, st2 set_st2, st3 set_st3, st4 set_st4, st5 set_st5,
        st6 set_st6, st7 set_st7,
    }
}

#[rustfmt::skip]
names! {
    RegistersAvx, of_avx,
    integers: {},
    others: {
        ymm0 set_ymm0, ymm1 set_ymm1, ymm2 set_ymm2, ymm3 set_ymm3, ymm4 set_ymm4, ymm5 set_ymm5,
        ymm6 set_ymm6, ymm7 set_ymm7, ymm8 set_ymm8, ymm9 set_ymm9, ymm10 set_ymm10, ymm11 set_ymm11,
        ymm12 set_ymm12, ymm13 set_ymm13, ymm14 set_ymm14, ymm15 set_ymm15,
    }
}

#[rustfmt::skip]
names! {
    RegistersAvx512, of_avx512,
    integers: {},
    others: {
        xmm16 set_xmm16, xmm17 set_xmm17, xmm18 set_xmm18, xmm19 set_xmm19, xmm20 set_xmm20, xmm21 set_xmm21,
        xmm22 set_xmm22, xmm23 set_xmm23, xmm24 set_xmm24, xmm25 set_xmm25, xmm26 set_xmm26, xmm27 set_xmm27,
        xmm28 set_xmm28, xmm29 set_xmm29, xmm30 set_xmm30, xmm31 set_xmm31, ymm16 set_ymm16, ymm17 set_ymm17,
        ymm18 set_ymm18, ymm19 set_ymm19, ymm20 set_ymm20, ymm21 set_ymm21, ymm22 set_ymm22, ymm23 set_ymm23,
        ymm24 set_ymm24, ymm25 set_ymm25, ymm26 set_ymm26, ymm27 set_ymm27, ymm28 set_ymm28, ymm29 set_ymm29,
        ymm30 set_ymm30, ymm31 set_ymm31, zmm0 set_zmm0, zmm1 set_zmm1, zmm2 set_zmm2, zmm3 set_zmm3,
        zmm4 set_zmm4, zmm5 set_zmm5, zmm6 set_zmm6, zmm7 set_zmm7, zmm8 set_zmm8, zmm9 set_zmm9,
        zmm10 set_zmm10, zmm11 set_zmm11, zmm12 set_zmm12, zmm13 set_zmm13, zmm14 set_zmm14, zmm15 set_zmm15,
        zmm16 set_zmm16, zmm17 set_zmm17, zmm18 set_zmm18, zmm19 set_zmm19, zmm20 set_zmm20, zmm21 set_zmm21,
        zmm22 set_zmm22, zmm23 set_zmm23, zmm24 set_zmm24, zmm25 set_zmm25, zmm26 set_zmm26, zmm27 set_zmm27,
        zmm28 set_zmm28, zmm29 set_zmm29, zmm30 set_zmm30, zmm31 set_zmm31,
    }
}
