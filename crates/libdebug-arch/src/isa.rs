use crate::{CannotRelocate, Instruction, SavedFlags, Stub, x86_64};

/// The instruction set that a tracee runs, chosen per process at run time.
///
/// ```
/// use libdebug_arch::Isa;
/// assert_eq!(Isa::X86_64.trap_bytes(), &[0xcc]);
/// assert_eq!(Isa::X86_64.pointer_bytes(), 8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// AMD64, also called Intel 64: 64-bit code on an x86 processor.
    X86_64,
}

impl Isa {
    /// The name that users write, for example `amd64`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
        }
    }

    /// The size of a pointer, in bytes.
    #[must_use]
    pub const fn pointer_bytes(self) -> usize {
        match self {
            Self::X86_64 => 8,
        }
    }

    /// The instruction that a software breakpoint writes over the program's own bytes.
    #[must_use]
    pub const fn trap_bytes(self) -> &'static [u8] {
        match self {
            Self::X86_64 => x86_64::breakpoint::TRAP,
        }
    }

    /// The address of the breakpoint whose trap left the program counter at `pc`.
    #[must_use]
    pub const fn breakpoint_address(self, pc: u64) -> u64 {
        match self {
            Self::X86_64 => x86_64::breakpoint::address_of_trap(pc),
        }
    }

    /// What the first instruction of `bytes` does when it lies at `address`; `None` when no complete, valid
    /// instruction starts there.
    #[must_use]
    pub fn decode(self, bytes: &[u8], address: u64) -> Option<Instruction> {
        match self {
            Self::X86_64 => x86_64::decode(bytes, address),
        }
    }

    /// Where the first instruction of `bytes` puts a copy of the flags register; `None` for all others.
    #[must_use]
    pub fn saves_flags(self, bytes: &[u8]) -> Option<SavedFlags> {
        match self {
            Self::X86_64 => x86_64::saves_flags(bytes),
        }
    }

    /// Code for address `to` that does what the first instruction of `bytes` does at address `from`, and then
    /// continues behind it. See [`x86_64::relocate`].
    ///
    /// # Errors
    /// [`CannotRelocate`] says why the instruction only works at its own address.
    pub fn relocate(self, bytes: &[u8], from: u64, to: u64, max_len: usize) -> Result<Stub, CannotRelocate> {
        match self {
            Self::X86_64 => x86_64::relocate(bytes, from, to, max_len),
        }
    }
}
