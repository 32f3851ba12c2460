//! What a debugger asks about an instruction, in words that hold for every instruction set.

/// What an instruction does to the flow of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstructionKind {
    /// Enters a function and leaves a return address.
    Call,
    /// Leaves a function.
    Return,
    /// Always goes elsewhere.
    Branch,
    /// Goes elsewhere or falls through.
    ConditionalBranch,
    /// Asks the kernel for a service (`syscall`, `sysenter`).
    Syscall,
    /// Raises a software interrupt or trap on purpose.
    Interrupt,
    /// Continues at the next instruction.
    Other,
    /// A byte where no instruction starts that this processor has. Only disassembly shows such.
    Invalid,
}

/// One decoded instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// Where it lies.
    pub address: u64,
    /// Its size in bytes.
    pub length: usize,
    /// What it does to the flow of control.
    pub kind: InstructionKind,
    /// Where a direct call or branch goes; `None` for indirect ones and for all other kinds.
    pub target: Option<u64>,
}

/// One instruction in words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DisassembledInstruction {
    /// Where it lies and what it does.
    pub instruction: Instruction,
    /// Its name with its prefixes, such as `rep movsb`; `(bad)` for what is none.
    pub mnemonic: String,
    /// What it works on, in the order in which it is written.
    pub operands: Vec<String>,
}

impl DisassembledInstruction {
    /// All of it, as an assembler takes it.
    #[must_use]
    pub fn text(&self) -> String {
        if self.operands.is_empty() {
            return self.mnemonic.clone();
        }
        format!("{} {}", self.mnemonic, self.operands.join(","))
    }
}

/// Where an instruction leaves a copy of the flags register, which a single step has set a flag in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SavedFlags {
    /// At the new top of the stack, in two bytes or more.
    OnStack,
    /// In the general register with this index.
    InRegister(usize),
}

impl Instruction {
    /// The address of the instruction behind this one, and of the return when this is a call.
    ///
    /// ```
    /// let call = libdebug_arch::Isa::X86_64.decode(&[0xe8, 0, 0, 0, 0], 0x1000).unwrap();
    /// assert_eq!(call.next_address(), 0x1005);
    /// ```
    #[must_use]
    pub const fn next_address(&self) -> u64 {
        self.address.wrapping_add(self.length as u64)
    }
}
