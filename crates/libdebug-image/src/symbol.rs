use crate::FileAddress;

/// What a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    /// A function.
    Function,
    /// A function that chooses the function to call (`STT_GNU_IFUNC`); the address is the chooser's.
    IndirectFunction,
    /// A variable.
    Object,
    /// A variable of which every thread has its own (`STT_TLS`). Its address is an offset into the block of such
    /// variables, so [`Image::symbol_at`](crate::Image::symbol_at) never finds it.
    ThreadLocal,
    /// A place without a type, as assembly labels are.
    NoType,
}

/// How a symbol behaves when several files define its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SymbolBinding {
    /// Seen by its own object file only.
    Local,
    /// Gives way to a global one.
    Weak,
    /// Seen by all.
    Global,
}

/// One defined symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Symbol<'image> {
    /// Its name, without version.
    pub name: &'image str,
    /// Where it begins.
    pub address: FileAddress,
    /// How many bytes it covers, 0 when the file does not tell.
    pub size: u64,
    /// What it names.
    pub kind: SymbolKind,
    /// How it behaves when several files define its name.
    pub binding: SymbolBinding,
    /// False for an old version of a name, kept for programs linked long ago.
    pub is_default_version: bool,
    /// True when it comes from `.dynsym`, false when from `.symtab`.
    pub is_dynamic: bool,
}

impl Symbol<'_> {
    /// The greater, the more likely it is what a user means by the name or the address.
    pub(crate) fn rank(&self) -> impl Ord + use<> {
        (self.is_default_version, !self.is_dynamic, self.binding, self.kind != SymbolKind::NoType)
    }
}
