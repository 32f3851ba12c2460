//! What the kernel offers: the system calls of each ABI with their arguments as C declarations.
//!
//! The tables are written from the kernel's own sources; `docs/howto/syscall-tables.md` says how.

mod table;

use std::sync::OnceLock;

use table::Table;

/// A way of calling Linux: which registers carry a call is the instruction set's matter, which numbers exist is
/// this one's.
///
/// A process of one instruction set may use another's calls: a 64-bit program that executes `int 0x80` calls as an
/// i386 program does. ptrace(2)'s `PTRACE_GET_SYSCALL_INFO` tells which, as an `AUDIT_ARCH_*` value.
///
/// ```
/// use libdebug_arch::SyscallAbi;
/// assert_eq!(SyscallAbi::from_audit_arch(0xc000_003e), Some(SyscallAbi::X86_64));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SyscallAbi {
    /// The `syscall` instruction of 64-bit x86. The numbers of x32 (bit 30) are not among them.
    X86_64,
    /// `int 0x80` and the 32-bit `sysenter` and `syscall`.
    I386,
    /// `svc 0` of 64-bit ARM.
    Aarch64,
}

impl SyscallAbi {
    /// Every ABI that there is a table of.
    pub const ALL: [Self; 3] = [Self::X86_64, Self::I386, Self::Aarch64];

    /// The ABI that an `AUDIT_ARCH_*` value of `<linux/audit.h>` stands for; `None` for those without a table.
    ///
    /// ```
    /// use libdebug_arch::SyscallAbi;
    /// assert_eq!(SyscallAbi::from_audit_arch(0x4000_0003), Some(SyscallAbi::I386));
    /// assert_eq!(SyscallAbi::from_audit_arch(0xc000_00b7), Some(SyscallAbi::Aarch64));
    /// assert_eq!(SyscallAbi::from_audit_arch(0), None);
    /// ```
    #[must_use]
    pub const fn from_audit_arch(value: u32) -> Option<Self> {
        match value {
            0xc000_003e => Some(Self::X86_64),
            0x4000_0003 => Some(Self::I386),
            0xc000_00b7 => Some(Self::Aarch64),
            _ => None,
        }
    }

    fn table(self) -> &'static Table {
        static X86_64: OnceLock<Table> = OnceLock::new();
        static I386: OnceLock<Table> = OnceLock::new();
        static AARCH64: OnceLock<Table> = OnceLock::new();
        match self {
            Self::X86_64 => X86_64.get_or_init(|| Table::read(include_str!("x86_64.tsv"))),
            Self::I386 => I386.get_or_init(|| Table::read(include_str!("i386.tsv"))),
            Self::Aarch64 => AARCH64.get_or_init(|| Table::read(include_str!("aarch64.tsv"))),
        }
    }
}

/// One system call of one ABI.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Syscall {
    /// What the program puts into the number register.
    pub number: u32,
    /// The kernel's function behind the number, without prefix: `newstat`, not `stat`. On i386 the older of two
    /// functions that differ in the width of a type only has the same name as the newer: `clock_gettime` is both
    /// 265 and 403.
    pub name: &'static str,
    /// The name in `<asm/unistd.h>`, behind `__NR_`: `stat`. One per number.
    pub uapi_name: &'static str,
    /// Whether some Linux answers. Otherwise the number is only reserved, and the call fails with `ENOSYS`.
    pub implemented: bool,
    /// C declarations such as `unsigned int fd`, in the order of the argument registers. Empty also where nothing
    /// is [`implemented`](Self::implemented). On i386 a 64-bit value takes two registers, as it does in the call.
    pub arguments: Box<[&'static str]>,
}

/// The system call with a number; `None` when the ABI's table has none.
///
/// Linux takes the number from the lower 32 bits of the register (`u64` so that a register's value fits); a number
/// that does not fit is in no table.
///
/// ```
/// use libdebug_arch::{SyscallAbi, syscall_by_number};
/// let read = syscall_by_number(SyscallAbi::X86_64, 0).unwrap();
/// assert_eq!(read.name, "read");
/// assert_eq!(*read.arguments, ["unsigned int fd", "char *buf", "size_t count"]);
/// assert_eq!(syscall_by_number(SyscallAbi::X86_64, 0x1337), None);
/// ```
#[must_use]
pub fn syscall_by_number(abi: SyscallAbi, number: u64) -> Option<&'static Syscall> {
    abi.table().by_number(u32::try_from(number).ok()?)
}

/// The system call with a name, either kind of name: [`Syscall::name`] goes before [`Syscall::uapi_name`].
///
/// Where several calls have the name, it is the one whose two names are equal, and otherwise the lowest number.
///
/// ```
/// use libdebug_arch::{SyscallAbi, syscall_by_name};
/// let number = |abi, name| syscall_by_name(abi, name).map(|call| call.number);
/// assert_eq!(number(SyscallAbi::X86_64, "openat"), Some(257));
/// assert_eq!(number(SyscallAbi::Aarch64, "openat"), Some(56));
/// assert_eq!(number(SyscallAbi::X86_64, "newstat"), number(SyscallAbi::X86_64, "stat"));
/// assert_eq!(number(SyscallAbi::X86_64, "no_such_call"), None);
/// ```
#[must_use]
pub fn syscall_by_name(abi: SyscallAbi, name: &str) -> Option<&'static Syscall> {
    abi.table().by_name(name)
}

/// All system calls of an ABI, by number.
///
/// ```
/// use libdebug_arch::{SyscallAbi, syscalls};
/// assert!(syscalls(SyscallAbi::I386).any(|call| call.name == "socketcall"));
/// assert!(!syscalls(SyscallAbi::Aarch64).any(|call| call.name == "fork"));
/// ```
pub fn syscalls(abi: SyscallAbi) -> impl ExactSizeIterator<Item = &'static Syscall> + Clone {
    abi.table().rows.iter()
}
