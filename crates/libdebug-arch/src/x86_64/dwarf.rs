//! The numbers that DWARF gives the general registers: System V ABI for AMD64, figure 3.36.

use super::index;

/// Name and [index] of each register that unwinding deals with, by its DWARF number.
///
/// ```
/// use libdebug_arch::x86_64::{dwarf, index};
/// assert_eq!(dwarf::REGISTERS[usize::from(dwarf::STACK_POINTER)], ("rsp", index::RSP));
/// ```
pub const REGISTERS: [(&str, usize); 17] = [
    ("rax", index::RAX),
    ("rdx", index::RDX),
    ("rcx", index::RCX),
    ("rbx", index::RBX),
    ("rsi", index::RSI),
    ("rdi", index::RDI),
    ("rbp", index::RBP),
    ("rsp", index::RSP),
    ("r8", index::R8),
    ("r9", index::R9),
    ("r10", index::R10),
    ("r11", index::R11),
    ("r12", index::R12),
    ("r13", index::R13),
    ("r14", index::R14),
    ("r15", index::R15),
    ("rip", index::RIP),
];

/// `rbp`.
pub const FRAME_POINTER: u16 = 6;
/// `rsp`.
pub const STACK_POINTER: u16 = 7;
/// The return address, which is the caller's `rip`.
pub const RETURN_ADDRESS: u16 = 16;
