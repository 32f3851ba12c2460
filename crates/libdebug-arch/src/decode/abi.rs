//! Constants that are not the same in every ABI.

use super::flags::FlagSet;
use super::flags::Part::{Bits, Choice};
use crate::SyscallAbi;

/// The flags of open(2).
#[must_use]
pub const fn open_flags(abi: SyscallAbi) -> &'static FlagSet {
    match abi {
        SyscallAbi::X86_64 | SyscallAbi::I386 => &OPEN_X86,
        SyscallAbi::Aarch64 => &OPEN_ARM,
    }
}

/// The protection of mmap(2) and mprotect(2).
#[must_use]
pub const fn protection(abi: SyscallAbi) -> &'static FlagSet {
    match abi {
        SyscallAbi::X86_64 | SyscallAbi::I386 => &PROT_X86,
        SyscallAbi::Aarch64 => &PROT_ARM,
    }
}

/// The flags of mmap(2).
#[must_use]
pub const fn mmap_flags(abi: SyscallAbi) -> &'static FlagSet {
    match abi {
        SyscallAbi::X86_64 | SyscallAbi::I386 => &MAP_X86,
        SyscallAbi::Aarch64 => &MAP_ARM,
    }
}

/// The flags of pipe2(2) and dup3(2).
#[must_use]
pub(super) const fn pipe_flags(abi: SyscallAbi) -> &'static FlagSet {
    match abi {
        SyscallAbi::X86_64 | SyscallAbi::I386 => &PIPE_X86,
        SyscallAbi::Aarch64 => &PIPE_ARM,
    }
}

static PIPE_X86: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[(0x800, "O_NONBLOCK"), (0x4000, "O_DIRECT"), (0x8_0000, "O_CLOEXEC")])],
};

static PIPE_ARM: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[(0x800, "O_NONBLOCK"), (0x1_0000, "O_DIRECT"), (0x8_0000, "O_CLOEXEC")])],
};

static OPEN_X86: FlagSet = FlagSet {
    zero: "O_RDONLY",
    parts: &[
        Choice(3, &[(0, "O_RDONLY"), (1, "O_WRONLY"), (2, "O_RDWR"), (3, "O_ACCMODE")]),
        Bits(&[
            (0x40, "O_CREAT"),
            (0x80, "O_EXCL"),
            (0x100, "O_NOCTTY"),
            (0x200, "O_TRUNC"),
            (0x400, "O_APPEND"),
            (0x800, "O_NONBLOCK"),
            (0x10_1000, "O_SYNC"),
            (0x1000, "O_DSYNC"),
            (0x2000, "O_ASYNC"),
            (0x4000, "O_DIRECT"),
            (0x8000, "O_LARGEFILE"),
            (0x41_0000, "O_TMPFILE"),
            (0x1_0000, "O_DIRECTORY"),
            (0x2_0000, "O_NOFOLLOW"),
            (0x4_0000, "O_NOATIME"),
            (0x8_0000, "O_CLOEXEC"),
            (0x20_0000, "O_PATH"),
        ]),
    ],
};

static OPEN_ARM: FlagSet = FlagSet {
    zero: "O_RDONLY",
    parts: &[
        Choice(3, &[(0, "O_RDONLY"), (1, "O_WRONLY"), (2, "O_RDWR"), (3, "O_ACCMODE")]),
        Bits(&[
            (0x40, "O_CREAT"),
            (0x80, "O_EXCL"),
            (0x100, "O_NOCTTY"),
            (0x200, "O_TRUNC"),
            (0x400, "O_APPEND"),
            (0x800, "O_NONBLOCK"),
            (0x10_1000, "O_SYNC"),
            (0x1000, "O_DSYNC"),
            (0x2000, "O_ASYNC"),
            (0x40_4000, "O_TMPFILE"),
            (0x4000, "O_DIRECTORY"),
            (0x8000, "O_NOFOLLOW"),
            (0x1_0000, "O_DIRECT"),
            (0x2_0000, "O_LARGEFILE"),
            (0x4_0000, "O_NOATIME"),
            (0x8_0000, "O_CLOEXEC"),
            (0x20_0000, "O_PATH"),
        ]),
    ],
};

static PROT_X86: FlagSet = FlagSet {
    zero: "PROT_NONE",
    parts: &[Bits(&[
        (1, "PROT_READ"),
        (2, "PROT_WRITE"),
        (4, "PROT_EXEC"),
        (8, "PROT_SEM"),
        (0x100_0000, "PROT_GROWSDOWN"),
        (0x200_0000, "PROT_GROWSUP"),
    ])],
};

static PROT_ARM: FlagSet = FlagSet {
    zero: "PROT_NONE",
    parts: &[Bits(&[
        (1, "PROT_READ"),
        (2, "PROT_WRITE"),
        (4, "PROT_EXEC"),
        (8, "PROT_SEM"),
        (0x10, "PROT_BTI"),
        (0x20, "PROT_MTE"),
        (0x100_0000, "PROT_GROWSDOWN"),
        (0x200_0000, "PROT_GROWSUP"),
    ])],
};

static MAP_X86: FlagSet = FlagSet {
    zero: "0",
    parts: &[
        Choice(
            0xf,
            &[(1, "MAP_SHARED"), (2, "MAP_PRIVATE"), (3, "MAP_SHARED_VALIDATE"), (8, "MAP_DROPPABLE")],
        ),
        Bits(&[
            (0x10, "MAP_FIXED"),
            (0x20, "MAP_ANONYMOUS"),
            (0x40, "MAP_32BIT"),
            (0x80, "MAP_ABOVE4G"),
            (0x100, "MAP_GROWSDOWN"),
            (0x800, "MAP_DENYWRITE"),
            (0x1000, "MAP_EXECUTABLE"),
            (0x2000, "MAP_LOCKED"),
            (0x4000, "MAP_NORESERVE"),
            (0x8000, "MAP_POPULATE"),
            (0x1_0000, "MAP_NONBLOCK"),
            (0x2_0000, "MAP_STACK"),
            (0x4_0000, "MAP_HUGETLB"),
            (0x8_0000, "MAP_SYNC"),
            (0x10_0000, "MAP_FIXED_NOREPLACE"),
        ]),
    ],
};

static MAP_ARM: FlagSet = FlagSet {
    zero: "0",
    parts: &[
        Choice(
            0xf,
            &[(1, "MAP_SHARED"), (2, "MAP_PRIVATE"), (3, "MAP_SHARED_VALIDATE"), (8, "MAP_DROPPABLE")],
        ),
        Bits(&[
            (0x10, "MAP_FIXED"),
            (0x20, "MAP_ANONYMOUS"),
            (0x100, "MAP_GROWSDOWN"),
            (0x800, "MAP_DENYWRITE"),
            (0x1000, "MAP_EXECUTABLE"),
            (0x2000, "MAP_LOCKED"),
            (0x4000, "MAP_NORESERVE"),
            (0x8000, "MAP_POPULATE"),
            (0x1_0000, "MAP_NONBLOCK"),
            (0x2_0000, "MAP_STACK"),
            (0x4_0000, "MAP_HUGETLB"),
            (0x8_0000, "MAP_SYNC"),
            (0x10_0000, "MAP_FIXED_NOREPLACE"),
        ]),
    ],
};
