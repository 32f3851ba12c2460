//! Debug information by the DWARF standard (versions 2 to 5): functions, lines, variables.
//!
//! Everything is looked for when it is first asked for, and kept as plain values; the sections themselves stay where they
//! are, or are unpacked once.

mod entry;
mod evaluate;
mod frame;
mod functions;
mod lines;
mod scopes;
mod sections;
mod types;
mod units;
mod values;
mod variables;

pub use frame::{Frame, Registers};
pub use lines::{LinePlace, SourceLine};
pub use scopes::InlinedCall;
pub(crate) use sections::DebugStore;
pub use types::{Encoding, Field, Shape, Type};
pub use values::Value;
pub use variables::{Variable, VariableKind};

use crate::{FileAddress, Image, Symbol};

/// The debug information of a file.
#[derive(Clone, Copy, Debug)]
pub struct DebugInfo<'image> {
    store: &'image DebugStore,
    data: &'image [u8],
    image: &'image Image,
}

impl Image {
    /// The file's debug information; `None` without `.debug_info`, or when that cannot be unpacked.
    #[must_use]
    pub fn debug_info(&self) -> Option<DebugInfo<'_>> {
        let store = self.debug.get_or_init(|| DebugStore::open(self));
        store.is_there().then_some(DebugInfo { store, data: self.data(), image: self })
    }
}

impl<'image> DebugInfo<'image> {
    /// All functions that have code, by address. A function in several pieces is listed once, with its first piece.
    pub fn functions(self) -> impl Iterator<Item = Symbol<'image>> {
        self.function_index().entries()
    }

    /// The functions of that name: mangled, or readable with or without parameters.
    #[must_use]
    pub fn functions_named(self, name: &str) -> Vec<Symbol<'image>> {
        self.function_index().named(name)
    }

    /// The function whose code includes that address, the innermost that was not inlined.
    #[must_use]
    pub fn function_at(self, address: FileAddress) -> Option<Symbol<'image>> {
        self.function_index().at(address.0).map(functions::Row::symbol)
    }

    fn function_index(self) -> &'image functions::Functions {
        self.store.functions.get_or_init(|| functions::Functions::read(self))
    }
}
