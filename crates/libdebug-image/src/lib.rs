//! What an ELF file says: segments, entry point, symbols, build id, unwind tables.
//!
//! An [`Image`] takes bytes and knows addresses as the file writes them ([`FileAddress`]). It does not know any
//! process: where a file lies in one is told by [`Image::load_bias`], the only place that relates the two.
//!
//! The bytes may be damaged or hostile. Whatever they are, the answer is a value, in bounded time and memory.
#![forbid(unsafe_code)]

mod address;
mod by_address;
mod by_name;
mod by_readable;
mod core_file;
mod debug_link;
mod demangle;
mod dwarf;
mod dynamic;
mod error;
mod image;
mod imports;
mod layout;
mod mini;
mod mitigations;
mod plt;
mod symbol;
mod table;
mod unwind;

pub use address::{FileAddress, FileOffset};
pub use core_file::{CoreFile, CoreMapping, CoreProcess, CoreSegment, CoreThread, GENERAL_REGISTERS};
pub use debug_link::DebugLink;
pub use demangle::{Spelling, demangle};
pub use dwarf::{
    DebugInfo, Encoding, Field, Frame, InlinedCall, LinePlace, Registers, Shape, SourceLine, Type, Value,
    Variable, VariableKind,
};
pub use error::ImageError;
pub use image::{Image, ImageBytes};
pub use layout::{ImageKind, Machine, Section, Segment};
pub use mitigations::{Mitigations, Relro};
pub use symbol::{Symbol, SymbolBinding, SymbolKind};
pub use unwind::{CallerFrame, FrameRegisters, ReadMemory, UnwindError, UnwindScratch};
