//! 64-bit x86, as Linux shows it to a tracer.

pub mod breakpoint;
pub mod debug_registers;
mod disassemble;
pub mod dwarf;
mod general;
pub mod index;
mod instruction;
mod register;
mod relocate;
mod step_kind;
mod table;
pub mod translate;
mod value;
mod xsave;

pub use disassemble::{CodeSize, Disassembler, LONGEST_INSTRUCTION, NameOf};
pub use general::{GeneralRegisters, RESUME_FLAG, TRAP_FLAG};
pub use instruction::{decode, saves_flags};
pub use register::{Feature, Location, Register, RegisterClass, RegisterError};
pub use relocate::relocate;
pub use step_kind::{StepKind, step_kind};
pub use table::{register, registers};
pub use value::RegisterValue;
pub use xsave::XsaveLayout;
