//! The out-of-line copy of one instruction, with which a thread steps past a breakpoint while the trap stays.

/// Code that has the effect of one instruction at another address, and then continues behind the original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stub {
    /// The bytes to place at the address that the stub was built for, and at no other.
    pub code: Vec<u8>,
    pub(crate) boundaries: Vec<Boundary>,
    /// How many bytes of the program it stands for: one instruction's, or two's.
    pub covers: usize,
}

/// From this offset on, up to the next boundary, the program believes to be at `original`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Boundary {
    pub(crate) offset: usize,
    pub(crate) original: u64,
}

impl Stub {
    /// The program counter that the program would show if the thread stood at its own code instead of at
    /// `offset` bytes into the stub; `None` outside the stub.
    ///
    /// Inside an expansion of several instructions this is the address of the original instruction, although
    /// a part of its effect may already be visible.
    ///
    /// ```
    /// let nop = libdebug_arch::Isa::X86_64.relocate(&[0x90], 0x1000, 0x9000, 64).unwrap();
    /// assert_eq!(nop.original_pc(0), Some(0x1000));
    /// assert_eq!(nop.original_pc(1), Some(0x1001));
    /// assert_eq!(nop.original_pc(4096), None);
    /// ```
    #[must_use]
    pub fn original_pc(&self, offset: usize) -> Option<u64> {
        if offset >= self.code.len() {
            return None;
        }
        self.boundaries.iter().rev().find(|boundary| boundary.offset <= offset).map(|found| found.original)
    }
}

/// Why an instruction only works at its own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CannotRelocate {
    /// The bytes are no complete, valid instruction.
    #[error("the bytes are not a complete, valid instruction")]
    Undecodable,
    /// The instruction's own address is part of its meaning (`int3`, `int n`, `ud2`, `iret`, `xbegin`, …).
    #[error("the instruction depends on its own address")]
    AddressMatters,
    /// A form that compilers do not emit and whose copy would need registers to spare (`call rsp`, far and
    /// 16-bit branches).
    #[error("this form of branch has no out-of-line equivalent")]
    UnsupportedForm,
    /// The memory operand is too far from the stub's address to be encoded.
    #[error("the memory operand at {target:#x} cannot be reached from the out-of-line copy")]
    OutOfReach {
        /// The address that the operand names.
        target: u64,
    },
    /// The stub would be longer than the caller has room for.
    #[error("the out-of-line copy takes {needed} bytes, more than there is room for")]
    TooLong {
        /// The bytes that the stub takes.
        needed: usize,
    },
}
