use super::index;
use super::register::{Feature, Location, Register, RegisterClass};

/// Every register, in the order in which it is listed to users.
///
/// ```
/// assert!(libdebug_arch::x86_64::registers().iter().any(|register| register.name == "r8d"));
/// ```
#[must_use]
pub const fn registers() -> &'static [Register] {
    REGISTERS
}

/// The register of that name, lower case; `None` when there is none.
///
/// Usable in a constant, so that a name costs nothing at run time:
///
/// ```
/// use libdebug_arch::x86_64::{Register, register};
/// const RIP: &Register = register("rip").unwrap();
/// assert_eq!(RIP.bits, 64);
/// ```
#[must_use]
pub const fn register(name: &str) -> Option<&'static Register> {
    let mut at = 0;
    while at < REGISTERS.len() {
        if same(REGISTERS[at].name.as_bytes(), name.as_bytes()) {
            return Some(&REGISTERS[at]);
        }
        at += 1;
    }
    None
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}

const fn general(name: &'static str, bits: u16, index: usize) -> Register {
    let location = Location::General { index, shift: 0 };
    Register { name, class: RegisterClass::General, bits, feature: Feature::Base, location }
}

const fn high_byte(name: &'static str, index: usize) -> Register {
    let location = Location::General { index, shift: 8 };
    Register { name, class: RegisterClass::General, bits: 8, feature: Feature::Base, location }
}

const fn special(name: &'static str, index: usize) -> Register {
    let location = Location::General { index, shift: 0 };
    Register { name, class: RegisterClass::Special, bits: 64, feature: Feature::Base, location }
}

const fn orig_rax() -> Register {
    let location = Location::General { index: index::ORIG_RAX, shift: 0 };
    Register { name: "orig_rax", class: RegisterClass::Internal, bits: 64, feature: Feature::Base, location }
}

const fn vector(name: &'static str, bits: u16, number: usize) -> Register {
    let feature = match (bits, number) {
        (128, 0..16) => Feature::Base,
        (256, 0..16) => Feature::Avx,
        _ => Feature::Avx512,
    };
    Register { name, class: RegisterClass::Vector, bits, feature, location: Location::Vector { number } }
}

const fn mmx(name: &'static str, number: usize) -> Register {
    let location = Location::Mmx { number };
    Register { name, class: RegisterClass::Mmx, bits: 64, feature: Feature::Base, location }
}

const fn x87(name: &'static str, number: usize) -> Register {
    let location = Location::X87 { number };
    Register { name, class: RegisterClass::X87, bits: 80, feature: Feature::Base, location }
}

// A constant and not a static: other crates then see the rows at compile time and fold a read of a register
// named in a constant into one array access.
const REGISTERS: &[Register] = &[
    general("rax", 64, index::RAX),
    general("rbx", 64, index::RBX),
    general("rcx", 64, index::RCX),
    general("rdx", 64, index::RDX),
    general("rsi", 64, index::RSI),
    general("rdi", 64, index::RDI),
    general("rbp", 64, index::RBP),
    general("rsp", 64, index::RSP),
    general("r8", 64, index::R8),
    general("r9", 64, index::R9),
    general("r10", 64, index::R10),
    general("r11", 64, index::R11),
    general("r12", 64, index::R12),
    general("r13", 64, index::R13),
    general("r14", 64, index::R14),
    general("r15", 64, index::R15),
    general("rip", 64, index::RIP),
    general("eax", 32, index::RAX),
    general("ebx", 32, index::RBX),
    general("ecx", 32, index::RCX),
    general("edx", 32, index::RDX),
    general("esi", 32, index::RSI),
    general("edi", 32, index::RDI),
    general("ebp", 32, index::RBP),
    general("esp", 32, index::RSP),
    general("r8d", 32, index::R8),
    general("r9d", 32, index::R9),
    general("r10d", 32, index::R10),
    general("r11d", 32, index::R11),
    general("r12d", 32, index::R12),
    general("r13d", 32, index::R13),
    general("r14d", 32, index::R14),
    general("r15d", 32, index::R15),
    general("ax", 16, index::RAX),
    general("bx", 16, index::RBX),
    general("cx", 16, index::RCX),
    general("dx", 16, index::RDX),
    general("si", 16, index::RSI),
    general("di", 16, index::RDI),
    general("bp", 16, index::RBP),
    general("sp", 16, index::RSP),
    general("r8w", 16, index::R8),
    general("r9w", 16, index::R9),
    general("r10w", 16, index::R10),
    general("r11w", 16, index::R11),
    general("r12w", 16, index::R12),
    general("r13w", 16, index::R13),
    general("r14w", 16, index::R14),
    general("r15w", 16, index::R15),
    general("al", 8, index::RAX),
    general("bl", 8, index::RBX),
    general("cl", 8, index::RCX),
    general("dl", 8, index::RDX),
    general("sil", 8, index::RSI),
    general("dil", 8, index::RDI),
    general("bpl", 8, index::RBP),
    general("spl", 8, index::RSP),
    general("r8b", 8, index::R8),
    general("r9b", 8, index::R9),
    general("r10b", 8, index::R10),
    general("r11b", 8, index::R11),
    general("r12b", 8, index::R12),
    general("r13b", 8, index::R13),
    general("r14b", 8, index::R14),
    general("r15b", 8, index::R15),
    high_byte("ah", index::RAX),
    high_byte("bh", index::RBX),
    high_byte("ch", index::RCX),
    high_byte("dh", index::RDX),
    special("eflags", index::EFLAGS),
    special("cs", index::CS),
    special("ss", index::SS),
    special("ds", index::DS),
    special("es", index::ES),
    special("fs", index::FS),
    special("gs", index::GS),
    special("fs_base", index::FS_BASE),
    special("gs_base", index::GS_BASE),
    orig_rax(),
    vector("xmm0", 128, 0),
    vector("xmm1", 128, 1),
    vector("xmm2", 128, 2),
    vector("xmm3", 128, 3),
    vector("xmm4", 128, 4),
    vector("xmm5", 128, 5),
    vector("xmm6", 128, 6),
    vector("xmm7", 128, 7),
    vector("xmm8", 128, 8),
    vector("xmm9", 128, 9),
    vector("xmm10", 128, 10),
    vector("xmm11", 128, 11),
    vector("xmm12", 128, 12),
    vector("xmm13", 128, 13),
    vector("xmm14", 128, 14),
    vector("xmm15", 128, 15),
    vector("xmm16", 128, 16),
    vector("xmm17", 128, 17),
    vector("xmm18", 128, 18),
    vector("xmm19", 128, 19),
    vector("xmm20", 128, 20),
    vector("xmm21", 128, 21),
    vector("xmm22", 128, 22),
    vector("xmm23", 128, 23),
    vector("xmm24", 128, 24),
    vector("xmm25", 128, 25),
    vector("xmm26", 128, 26),
    vector("xmm27", 128, 27),
    vector("xmm28", 128, 28),
    vector("xmm29", 128, 29),
    vector("xmm30", 128, 30),
    vector("xmm31", 128, 31),
    vector("ymm0", 256, 0),
    vector("ymm1", 256, 1),
    vector("ymm2", 256, 2),
    vector("ymm3", 256, 3),
    vector("ymm4", 256, 4),
    vector("ymm5", 256, 5),
    vector("ymm6", 256, 6),
    vector("ymm7", 256, 7),
    vector("ymm8", 256, 8),
    vector("ymm9", 256, 9),
    vector("ymm10", 256, 10),
    vector("ymm11", 256, 11),
    vector("ymm12", 256, 12),
    vector("ymm13", 256, 13),
    vector("ymm14", 256, 14),
    vector("ymm15", 256, 15),
    vector("ymm16", 256, 16),
    vector("ymm17", 256, 17),
    vector("ymm18", 256, 18),
    vector("ymm19", 256, 19),
    vector("ymm20", 256, 20),
    vector("ymm21", 256, 21),
    vector("ymm22", 256, 22),
    vector("ymm23", 256, 23),
    vector("ymm24", 256, 24),
    vector("ymm25", 256, 25),
    vector("ymm26", 256, 26),
    vector("ymm27", 256, 27),
    vector("ymm28", 256, 28),
    vector("ymm29", 256, 29),
    vector("ymm30", 256, 30),
    vector("ymm31", 256, 31),
    vector("zmm0", 512, 0),
    vector("zmm1", 512, 1),
    vector("zmm2", 512, 2),
    vector("zmm3", 512, 3),
    vector("zmm4", 512, 4),
    vector("zmm5", 512, 5),
    vector("zmm6", 512, 6),
    vector("zmm7", 512, 7),
    vector("zmm8", 512, 8),
    vector("zmm9", 512, 9),
    vector("zmm10", 512, 10),
    vector("zmm11", 512, 11),
    vector("zmm12", 512, 12),
    vector("zmm13", 512, 13),
    vector("zmm14", 512, 14),
    vector("zmm15", 512, 15),
    vector("zmm16", 512, 16),
    vector("zmm17", 512, 17),
    vector("zmm18", 512, 18),
    vector("zmm19", 512, 19),
    vector("zmm20", 512, 20),
    vector("zmm21", 512, 21),
    vector("zmm22", 512, 22),
    vector("zmm23", 512, 23),
    vector("zmm24", 512, 24),
    vector("zmm25", 512, 25),
    vector("zmm26", 512, 26),
    vector("zmm27", 512, 27),
    vector("zmm28", 512, 28),
    vector("zmm29", 512, 29),
    vector("zmm30", 512, 30),
    vector("zmm31", 512, 31),
    mmx("mm0", 0),
    mmx("mm1", 1),
    mmx("mm2", 2),
    mmx("mm3", 3),
    mmx("mm4", 4),
    mmx("mm5", 5),
    mmx("mm6", 6),
    mmx("mm7", 7),
    x87("st0", 0),
    x87("st1", 1),
    x87("st2", 2),
    x87("st3", 3),
    x87("st4", 4),
    x87("st5", 5),
    x87("st6", 6),
    x87("st7", 7),
];
