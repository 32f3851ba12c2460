//! Instruction-set facts for a debugger, as plain values.
//!
//! Nothing here does I/O or depends on the machine that it is compiled for: every instruction set is always
//! compiled, and [`Isa`] picks one per process at run time. A new instruction set is a new module beside
//! [`x86_64`] and a new arm of [`Isa`]; the compiler then lists every place that has to answer for it.
#![forbid(unsafe_code)]

pub mod decode;
pub mod errno;
pub mod float80;
pub mod instruction;
mod isa;
pub mod stub;
pub mod syscalls;
pub mod x86_64;

pub use errno::{errno_description, errno_name, errno_of_return};
pub use instruction::{DisassembledInstruction, Instruction, InstructionKind, SavedFlags};
pub use isa::Isa;
pub use stub::{CannotRelocate, Stub};
pub use syscalls::{Syscall, SyscallAbi, syscall_by_name, syscall_by_number, syscalls};
