//! Memory: mapping, protection, advice.

use super::flags::Part::{Bits, Choice};
use super::flags::{ALL_BITS, FlagSet};

/// Flags of mremap(2).
pub(super) static MREMAP: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[(0x1, "MREMAP_MAYMOVE"), (0x2, "MREMAP_FIXED"), (0x4, "MREMAP_DONTUNMAP")])],
};

/// Flags of msync(2).
pub(super) static MSYNC: FlagSet =
    FlagSet { zero: "0", parts: &[Bits(&[(0x1, "MS_ASYNC"), (0x2, "MS_INVALIDATE"), (0x4, "MS_SYNC")])] };

/// Advice of madvise(2).
pub(super) static MADVISE: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (0, "MADV_NORMAL"),
            (1, "MADV_RANDOM"),
            (2, "MADV_SEQUENTIAL"),
            (3, "MADV_WILLNEED"),
            (4, "MADV_DONTNEED"),
            (8, "MADV_FREE"),
            (9, "MADV_REMOVE"),
            (10, "MADV_DONTFORK"),
            (11, "MADV_DOFORK"),
            (12, "MADV_MERGEABLE"),
            (13, "MADV_UNMERGEABLE"),
            (14, "MADV_HUGEPAGE"),
            (15, "MADV_NOHUGEPAGE"),
            (16, "MADV_DONTDUMP"),
            (17, "MADV_DODUMP"),
            (18, "MADV_WIPEONFORK"),
            (19, "MADV_KEEPONFORK"),
            (20, "MADV_COLD"),
            (21, "MADV_PAGEOUT"),
            (22, "MADV_POPULATE_READ"),
            (23, "MADV_POPULATE_WRITE"),
            (24, "MADV_DONTNEED_LOCKED"),
            (25, "MADV_COLLAPSE"),
            (100, "MADV_HWPOISON"),
            (101, "MADV_SOFT_OFFLINE"),
            (102, "MADV_GUARD_INSTALL"),
            (103, "MADV_GUARD_REMOVE"),
        ],
    )],
};

/// Flags of mlockall(2).
pub(super) static MLOCKALL: FlagSet =
    FlagSet { zero: "0", parts: &[Bits(&[(0x1, "MCL_CURRENT"), (0x2, "MCL_FUTURE"), (0x4, "MCL_ONFAULT")])] };

/// Flags of mlock2(2).
pub(super) static MLOCK2: FlagSet = FlagSet { zero: "0", parts: &[Bits(&[(0x1, "MLOCK_ONFAULT")])] };

/// Flags of memfd_create(2).
pub(super) static MEMFD: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[
        (0x1, "MFD_CLOEXEC"),
        (0x2, "MFD_ALLOW_SEALING"),
        (0x4, "MFD_HUGETLB"),
        (0x8, "MFD_NOEXEC_SEAL"),
        (0x10, "MFD_EXEC"),
    ])],
};
