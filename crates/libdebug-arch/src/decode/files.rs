//! Files: opening, reading, linking, mounting.

use super::flags::Part::{Bits, Choice};
use super::flags::{ALL_BITS, FlagSet};

/// Access(2)'s and faccessat(2)'s mode.
pub(super) static ACCESS: FlagSet =
    FlagSet { zero: "F_OK", parts: &[Bits(&[(0x4, "R_OK"), (0x2, "W_OK"), (0x1, "X_OK")])] };

/// Flags of the `*at` calls.
pub(super) static AT: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[
        (0x100, "AT_SYMLINK_NOFOLLOW"),
        (0x400, "AT_SYMLINK_FOLLOW"),
        (0x800, "AT_NO_AUTOMOUNT"),
        (0x1000, "AT_EMPTY_PATH"),
        (0x8000, "AT_RECURSIVE"),
    ])],
};

/// Flags of unlinkat(2).
pub(super) static AT_UNLINK: FlagSet = FlagSet { zero: "0", parts: &[Bits(&[(0x200, "AT_REMOVEDIR")])] };

/// Flags of faccessat2(2).
pub(super) static AT_ACCESS: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[(0x200, "AT_EACCESS"), (0x100, "AT_SYMLINK_NOFOLLOW"), (0x1000, "AT_EMPTY_PATH")])],
};

/// Flags of statx(2).
pub(super) static AT_STATX: FlagSet = FlagSet {
    zero: "AT_STATX_SYNC_AS_STAT",
    parts: &[
        Choice(0x6000, &[(0x2000, "AT_STATX_FORCE_SYNC"), (0x4000, "AT_STATX_DONT_SYNC")]),
        Bits(&[(0x100, "AT_SYMLINK_NOFOLLOW"), (0x800, "AT_NO_AUTOMOUNT"), (0x1000, "AT_EMPTY_PATH")]),
    ],
};

/// Mask of statx(2).
pub(super) static STATX: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[
        (0xfff, "STATX_ALL"),
        (0x7ff, "STATX_BASIC_STATS"),
        (0x1, "STATX_TYPE"),
        (0x2, "STATX_MODE"),
        (0x4, "STATX_NLINK"),
        (0x8, "STATX_UID"),
        (0x10, "STATX_GID"),
        (0x20, "STATX_ATIME"),
        (0x40, "STATX_MTIME"),
        (0x80, "STATX_CTIME"),
        (0x100, "STATX_INO"),
        (0x200, "STATX_SIZE"),
        (0x400, "STATX_BLOCKS"),
        (0x800, "STATX_BTIME"),
        (0x1000, "STATX_MNT_ID"),
        (0x2000, "STATX_DIOALIGN"),
    ])],
};

/// Commands of fcntl(2).
pub(super) static FCNTL: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (0, "F_DUPFD"),
            (1, "F_GETFD"),
            (2, "F_SETFD"),
            (3, "F_GETFL"),
            (4, "F_SETFL"),
            (5, "F_GETLK"),
            (6, "F_SETLK"),
            (7, "F_SETLKW"),
            (8, "F_SETOWN"),
            (9, "F_GETOWN"),
            (10, "F_SETSIG"),
            (11, "F_GETSIG"),
            (12, "F_GETLK64"),
            (13, "F_SETLK64"),
            (14, "F_SETLKW64"),
            (15, "F_SETOWN_EX"),
            (16, "F_GETOWN_EX"),
            (17, "F_GETOWNER_UIDS"),
            (36, "F_OFD_GETLK"),
            (37, "F_OFD_SETLK"),
            (38, "F_OFD_SETLKW"),
            (1024, "F_SETLEASE"),
            (1025, "F_GETLEASE"),
            (1026, "F_NOTIFY"),
            (1027, "F_DUPFD_QUERY"),
            (1028, "F_CREATED_QUERY"),
            (1029, "F_CANCELLK"),
            (1030, "F_DUPFD_CLOEXEC"),
            (1031, "F_SETPIPE_SZ"),
            (1032, "F_GETPIPE_SZ"),
            (1033, "F_ADD_SEALS"),
            (1034, "F_GET_SEALS"),
            (1035, "F_GET_RW_HINT"),
            (1036, "F_SET_RW_HINT"),
            (1037, "F_GET_FILE_RW_HINT"),
            (1038, "F_SET_FILE_RW_HINT"),
        ],
    )],
};

/// Lseek(2)'s whence.
pub(super) static WHENCE: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[(0, "SEEK_SET"), (1, "SEEK_CUR"), (2, "SEEK_END"), (3, "SEEK_DATA"), (4, "SEEK_HOLE")],
    )],
};

/// Operations of flock(2).
pub(super) static FLOCK: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[(0x1, "LOCK_SH"), (0x2, "LOCK_EX"), (0x8, "LOCK_UN"), (0x4, "LOCK_NB")])],
};

/// Flags of renameat2(2).
pub(super) static RENAME: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[(0x1, "RENAME_NOREPLACE"), (0x2, "RENAME_EXCHANGE"), (0x4, "RENAME_WHITEOUT")])],
};

/// Mode of fallocate(2).
pub(super) static FALLOCATE: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[
        (0x1, "FALLOC_FL_KEEP_SIZE"),
        (0x2, "FALLOC_FL_PUNCH_HOLE"),
        (0x4, "FALLOC_FL_NO_HIDE_STALE"),
        (0x8, "FALLOC_FL_COLLAPSE_RANGE"),
        (0x10, "FALLOC_FL_ZERO_RANGE"),
        (0x20, "FALLOC_FL_INSERT_RANGE"),
        (0x40, "FALLOC_FL_UNSHARE_RANGE"),
    ])],
};

/// Advice of posix_fadvise(2).
pub(super) static FADVISE: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (0, "POSIX_FADV_NORMAL"),
            (1, "POSIX_FADV_RANDOM"),
            (2, "POSIX_FADV_SEQUENTIAL"),
            (3, "POSIX_FADV_WILLNEED"),
            (4, "POSIX_FADV_DONTNEED"),
            (5, "POSIX_FADV_NOREUSE"),
        ],
    )],
};

/// Flags of splice(2).
pub(super) static SPLICE: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[
        (0x1, "SPLICE_F_MOVE"),
        (0x2, "SPLICE_F_NONBLOCK"),
        (0x4, "SPLICE_F_MORE"),
        (0x8, "SPLICE_F_GIFT"),
    ])],
};

/// Flags of preadv2(2).
pub(super) static READ_WRITE: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[
        (0x1, "RWF_HIPRI"),
        (0x2, "RWF_DSYNC"),
        (0x4, "RWF_SYNC"),
        (0x8, "RWF_NOWAIT"),
        (0x10, "RWF_APPEND"),
        (0x20, "RWF_NOAPPEND"),
        (0x40, "RWF_ATOMIC"),
        (0x80, "RWF_DONTCACHE"),
    ])],
};

/// Flags of setxattr(2).
pub(super) static XATTR: FlagSet =
    FlagSet { zero: "0", parts: &[Bits(&[(0x1, "XATTR_CREATE"), (0x2, "XATTR_REPLACE")])] };

/// Flags of mount(2).
pub(super) static MOUNT: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[
        (0x1, "MS_RDONLY"),
        (0x2, "MS_NOSUID"),
        (0x4, "MS_NODEV"),
        (0x8, "MS_NOEXEC"),
        (0x10, "MS_SYNCHRONOUS"),
        (0x20, "MS_REMOUNT"),
        (0x40, "MS_MANDLOCK"),
        (0x80, "MS_DIRSYNC"),
        (0x100, "MS_NOSYMFOLLOW"),
        (0x400, "MS_NOATIME"),
        (0x800, "MS_NODIRATIME"),
        (0x1000, "MS_BIND"),
        (0x2000, "MS_MOVE"),
        (0x4000, "MS_REC"),
        (0x8000, "MS_SILENT"),
        (0x10000, "MS_POSIXACL"),
        (0x20000, "MS_UNBINDABLE"),
        (0x40000, "MS_PRIVATE"),
        (0x80000, "MS_SLAVE"),
        (0x100000, "MS_SHARED"),
        (0x200000, "MS_RELATIME"),
        (0x400000, "MS_KERNMOUNT"),
        (0x800000, "MS_I_VERSION"),
        (0x1000000, "MS_STRICTATIME"),
        (0x2000000, "MS_LAZYTIME"),
    ])],
};

/// Flags of umount2(2).
pub(super) static UMOUNT: FlagSet = FlagSet {
    zero: "0",
    parts: &[Bits(&[(0x1, "MNT_FORCE"), (0x2, "MNT_DETACH"), (0x4, "MNT_EXPIRE"), (0x8, "UMOUNT_NOFOLLOW")])],
};

/// Flags of close_range(2).
pub(super) static CLOSE_RANGE: FlagSet =
    FlagSet { zero: "0", parts: &[Bits(&[(0x2, "CLOSE_RANGE_UNSHARE"), (0x4, "CLOSE_RANGE_CLOEXEC")])] };

/// The commonest requests of ioctl(2), as on x86 and ARM.
pub(super) static IOCTL: FlagSet = FlagSet {
    zero: "0",
    parts: &[Choice(
        ALL_BITS,
        &[
            (0x5401, "TCGETS"),
            (0x5402, "TCSETS"),
            (0x5403, "TCSETSW"),
            (0x5404, "TCSETSF"),
            (0x5409, "TCSBRK"),
            (0x540a, "TCXONC"),
            (0x540b, "TCFLSH"),
            (0x540c, "TIOCEXCL"),
            (0x540d, "TIOCNXCL"),
            (0x540e, "TIOCSCTTY"),
            (0x540f, "TIOCGPGRP"),
            (0x5410, "TIOCSPGRP"),
            (0x5411, "TIOCOUTQ"),
            (0x5412, "TIOCSTI"),
            (0x5413, "TIOCGWINSZ"),
            (0x5414, "TIOCSWINSZ"),
            (0x541b, "FIONREAD"),
            (0x5421, "FIONBIO"),
            (0x5422, "TIOCNOTTY"),
            (0x5423, "TIOCSETD"),
            (0x5424, "TIOCGETD"),
            (0x5425, "TCSBRKP"),
            (0x5429, "TIOCGSID"),
            (0x5441, "TIOCGPTPEER"),
            (0x5450, "FIONCLEX"),
            (0x5451, "FIOCLEX"),
            (0x5452, "FIOASYNC"),
            (0x40045431, "TIOCSPTLCK"),
            (0x80045430, "TIOCGPTN"),
        ],
    )],
};
