use super::index;

/// The general registers of one thread, in the order of Linux's `struct user_regs_struct`.
///
/// The array is the block that `PTRACE_GETREGSET` with `NT_PRSTATUS` fills; [`index`] names its elements.
///
/// ```
/// use libdebug_arch::x86_64::{GeneralRegisters, index};
/// let mut registers = GeneralRegisters::default();
/// registers.set_pc(0x401000);
/// assert_eq!(registers.0[index::RIP], 0x401000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct GeneralRegisters(pub [u64; index::COUNT]);

/// The bit of `eflags` that makes the processor trap after each instruction (TF).
pub const TRAP_FLAG: u64 = 1 << 8;

/// The bit of `eflags` that lets one instruction pass an execution breakpoint of the debug registers (RF).
pub const RESUME_FLAG: u64 = 1 << 16;

impl GeneralRegisters {
    /// Whether the program itself has set its trap flag.
    #[must_use]
    pub const fn traps(&self) -> bool {
        self.0[index::EFLAGS] & TRAP_FLAG != 0
    }

    /// The program counter, `rip`.
    #[inline]
    #[must_use]
    pub const fn pc(&self) -> u64 {
        self.0[index::RIP]
    }

    /// Sets the program counter.
    #[inline]
    pub const fn set_pc(&mut self, address: u64) {
        self.0[index::RIP] = address;
    }

    /// The stack pointer, `rsp`.
    #[inline]
    #[must_use]
    pub const fn sp(&self) -> u64 {
        self.0[index::RSP]
    }

    /// Sets the stack pointer.
    #[inline]
    pub const fn set_sp(&mut self, address: u64) {
        self.0[index::RSP] = address;
    }

    /// The number of the system call that the thread is in, `orig_rax`; all bits set when it is in none.
    #[inline]
    #[must_use]
    pub const fn syscall_number(&self) -> u64 {
        self.0[index::ORIG_RAX]
    }

    /// Changes the system call that a thread at its entry will make. All bits set keeps the kernel from
    /// restarting an interrupted one.
    #[inline]
    pub const fn set_syscall_number(&mut self, number: u64) {
        self.0[index::ORIG_RAX] = number;
    }

    /// The six arguments of a system call: rdi, rsi, rdx, r10, r8, r9 (`syscall(2)`).
    #[must_use]
    pub const fn syscall_arguments(&self) -> [u64; 6] {
        let all = &self.0;
        [all[index::RDI], all[index::RSI], all[index::RDX], all[index::R10], all[index::R8], all[index::R9]]
    }

    /// What a function or system call returned, `rax`.
    #[inline]
    #[must_use]
    pub const fn return_value(&self) -> u64 {
        self.0[index::RAX]
    }

    /// Sets what a function or system call returns.
    #[inline]
    pub const fn set_return_value(&mut self, value: u64) {
        self.0[index::RAX] = value;
    }
}
