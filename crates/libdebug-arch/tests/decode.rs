//! What arguments of system calls mean, and how their values read.

use libdebug_arch::SyscallAbi::{self, Aarch64, I386, X86_64};
use libdebug_arch::decode::ArgumentKind::{
    Buffer, Descriptor, DirectoryDescriptor, Flags, Mode, Path, Pointer, ProcessId, Signal, Signed, Text,
    TextArray, Unsigned,
};
use libdebug_arch::decode::{ArgumentKind, argument_kind, render_argument};
use libdebug_arch::{Syscall, syscall_by_name, syscalls};

fn found(abi: SyscallAbi, name: &str) -> &'static Syscall {
    syscall_by_name(abi, name).unwrap_or_else(|| panic!("no {name} in {abi:?}"))
}

fn kinds(abi: SyscallAbi, name: &str) -> Vec<ArgumentKind> {
    let call = found(abi, name);
    (0..call.arguments.len())
        .filter_map(|index| argument_kind(abi, call.name, &call.arguments, index))
        .collect()
}

/// A call with these values, as a tracer would show it without looking at memory.
fn shown(abi: SyscallAbi, name: &str, values: &[u64]) -> String {
    let call = found(abi, name);
    let arguments = kinds(abi, name).into_iter().zip(&call.arguments).zip(values);
    arguments
        .map(|((kind, text), value)| render_argument(abi, kind, text, *value))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn kinds_of_known_calls() {
    let out = |length| Buffer { length, filled: true };
    let into = |length| Buffer { length, filled: false };
    let rows: &[(SyscallAbi, &str, &[ArgumentKind])] = &[
        (X86_64, "read", &[Descriptor, out(2), Unsigned]),
        (X86_64, "pwrite64", &[Descriptor, into(2), Unsigned, Signed]),
        (I386, "pread64", &[Descriptor, out(2), Unsigned, Unsigned, Unsigned]),
        (X86_64, "execve", &[Path, TextArray, TextArray]),
        (X86_64, "newstat", &[Path, Pointer]),
        (X86_64, "mkdirat", &[DirectoryDescriptor, Path, Mode]),
        (X86_64, "readlink", &[Path, out(2), Signed]),
        (X86_64, "getxattr", &[Path, Text, out(3), Unsigned]),
        (X86_64, "kill", &[ProcessId, Signal]),
        (X86_64, "brk", &[Pointer]),
        (X86_64, "sendfile64", &[Descriptor, Descriptor, Pointer, Unsigned]),
        (X86_64, "mincore", &[Pointer, Unsigned, Pointer]),
        (Aarch64, "capget", &[Pointer, Pointer]),
        (I386, "signal", &[Signal, Pointer]),
        (X86_64, "getpid", &[]),
    ];
    for (abi, name, expected) in rows {
        assert_eq!(kinds(*abi, name), *expected, "{abi:?} {name}");
    }
}

#[test]
fn a_call_that_is_in_no_table_is_read_by_its_declarations() {
    let arguments =
        ["unsigned int fd", "const char *filename", "umode_t mode", "struct stat *statbuf", "int flags"];
    let kind = |index| argument_kind(X86_64, "no_such_call", &arguments, index);
    assert_eq!((kind(0), kind(1), kind(2)), (Some(Descriptor), Some(Path), Some(Mode)));
    assert_eq!((kind(3), kind(4), kind(5)), (Some(Pointer), Some(Signed), None));
}

#[test]
fn the_constants_are_those_of_the_abi() {
    let rows = [
        (X86_64, "openat", vec![0xffff_ff9c, 0, 0x9_0000], "AT_FDCWD, NULL, O_RDONLY|O_DIRECTORY|O_CLOEXEC"),
        (Aarch64, "openat", vec![0xffff_ff9c, 0, 0x8_4000], "AT_FDCWD, NULL, O_RDONLY|O_DIRECTORY|O_CLOEXEC"),
        (X86_64, "mprotect", vec![0x1000, 4096, 0x13], "0x1000, 4096, PROT_READ|PROT_WRITE|0x10"),
        (Aarch64, "mprotect", vec![0x1000, 4096, 0x13], "0x1000, 4096, PROT_READ|PROT_WRITE|PROT_BTI"),
        (X86_64, "pipe2", vec![1, 0x4000], "0x1, O_DIRECT"),
        (Aarch64, "pipe2", vec![1, 0x1_0000], "0x1, O_DIRECT"),
    ];
    for (abi, name, values, text) in rows {
        assert_eq!(shown(abi, name, &values), text, "{abi:?} {name}");
    }
}

#[test]
fn values_in_words() {
    let rows: &[(&str, &[u64], &str)] = &[
        ("open", &[0x1000, 0o101, 0o644], "0x1000, O_WRONLY|O_CREAT, 0644"),
        (
            "mmap",
            &[0, 8192, 3, 0x22, 0xffff_ffff, 0],
            "NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0",
        ),
        ("mprotect", &[0x1000, 1, 0], "0x1000, 1, PROT_NONE"),
        (
            "clone",
            &[0x0120_0011, 0, 0, 0x70, 0],
            "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, NULL, NULL, 0x70, NULL",
        ),
        ("futex", &[0x10, 0x80, 2], "0x10, FUTEX_WAIT|FUTEX_PRIVATE_FLAG, 2"),
        ("futex", &[0x10, 0x189, 2], "0x10, FUTEX_WAIT_BITSET|FUTEX_PRIVATE_FLAG|FUTEX_CLOCK_REALTIME, 2"),
        ("socket", &[2, 0x8_0801, 6], "AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 6"),
        ("sendto", &[3, 0x10, 4, 0x4040], "3, 0x10, 4, MSG_DONTWAIT|MSG_NOSIGNAL"),
        ("access", &[0x10, 0], "0x10, F_OK"),
        ("access", &[0x10, 6], "0x10, R_OK|W_OK"),
        ("fcntl", &[1, 1030, 0], "1, F_DUPFD_CLOEXEC, NULL"),
        ("wait4", &[u64::MAX, 0, 0x4000_0001, 0], "-1, NULL, WNOHANG|__WALL, NULL"),
        ("epoll_ctl", &[4, 1, 5, 0x20], "4, EPOLL_CTL_ADD, 5, 0x20"),
        ("madvise", &[0x1000, 1, 4], "0x1000, 1, MADV_DONTNEED"),
        ("lseek", &[3, u64::MAX, 2], "3, -1, SEEK_END"),
        ("rt_sigprocmask", &[2, 0, 0, 8], "SIG_SETMASK, NULL, NULL, 8"),
        ("prctl", &[15, 0x10, 0, 0, 0], "PR_SET_NAME, 0x10, NULL, NULL, NULL"),
        ("arch_prctl", &[0x1002, 0x7000], "ARCH_SET_FS, 0x7000"),
        ("kill", &[5, 9], "5, SIGKILL"),
        ("kill", &[5, 0], "5, 0"),
        ("tgkill", &[5, 5, 34], "5, 5, SIGRT_2"),
        ("getrusage", &[0xffff_ffff, 0], "RUSAGE_CHILDREN, NULL"),
        ("unlinkat", &[3, 0x10, 0x200], "3, 0x10, AT_REMOVEDIR"),
        ("faccessat2", &[3, 0x10, 1, 0x200], "3, 0x10, X_OK, AT_EACCESS"),
        ("statx", &[3, 0, 0x1000, 0x7ff, 0], "3, NULL, AT_EMPTY_PATH, STATX_BASIC_STATS, NULL"),
        ("clock_gettime", &[1, 0x10], "CLOCK_MONOTONIC, 0x10"),
        ("prlimit64", &[0, 7, 0, 0], "0, RLIMIT_NOFILE, NULL, NULL"),
        ("inotify_add_watch", &[3, 0x10, 0xfff], "3, 0x10, IN_ALL_EVENTS"),
        ("ioctl", &[0, 0x5413, 0x10], "0, TIOCGWINSZ, 0x10"),
        ("umask", &[0xdead_0000_0000_0012], "18"),
    ];
    for (name, values, text) in rows {
        assert_eq!(shown(X86_64, name, values), *text, "{name}");
    }
}

#[test]
fn every_argument_of_every_call_is_read() {
    for abi in SyscallAbi::ALL {
        for call in syscalls(abi) {
            for (index, declaration) in call.arguments.iter().enumerate() {
                let kind = argument_kind(abi, call.name, &call.arguments, index).unwrap();
                let pointer = declaration.contains('*');
                let address = matches!(kind, Pointer | Path | Text | TextArray | Buffer { .. });
                assert!(address || !pointer, "{abi:?} {}: {declaration} is {kind:?}", call.name);
                assert!(!render_argument(abi, kind, declaration, u64::MAX).is_empty());
                if let Buffer { length, .. } = kind {
                    let counted = argument_kind(abi, call.name, &call.arguments, length);
                    assert!(matches!(counted, Some(Signed | Unsigned)), "{abi:?} {}", call.name);
                }
            }
        }
    }
}

#[test]
fn most_flags_have_names() {
    let named =
        syscalls(X86_64).filter(|call| kinds(X86_64, call.name).iter().any(|kind| matches!(kind, Flags(_))));
    assert!(named.count() > 80);
}
