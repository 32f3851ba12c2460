//! The tables of system calls: well-known rows, names, and what the kernel headers of this machine say.

use std::{collections::HashMap, fs};

use libdebug_arch::SyscallAbi::{Aarch64, I386, X86_64};
use libdebug_arch::{SyscallAbi, syscall_by_name, syscall_by_number, syscalls};

#[test]
fn well_known_calls() {
    let rows = [
        (X86_64, 0, "read", "read", "unsigned int fd, char *buf, size_t count"),
        (X86_64, 4, "newstat", "stat", "const char *filename, struct stat *statbuf"),
        (X86_64, 15, "rt_sigreturn", "rt_sigreturn", ""),
        (X86_64, 40, "sendfile64", "sendfile", "int out_fd, int in_fd, loff_t *offset, size_t count"),
        (
            X86_64,
            56,
            "clone",
            "clone",
            "unsigned long clone_flags, unsigned long newsp, int *parent_tidptr, int *child_tidptr, unsigned long tls",
        ),
        (
            X86_64,
            59,
            "execve",
            "execve",
            "const char *filename, const char *const *argv, const char *const *envp",
        ),
        (X86_64, 435, "clone3", "clone3", "struct clone_args *uargs, size_t size"),
        (I386, 13, "time", "time", "old_time32_t *tloc"),
        (I386, 72, "sigsuspend", "sigsuspend", "int unused1, int unused2, old_sigset_t mask"),
        (I386, 90, "mmap", "mmap", "struct mmap_arg_struct *arg"),
        (
            I386,
            120,
            "clone",
            "clone",
            "unsigned long clone_flags, unsigned long newsp, int *parent_tidptr, unsigned long tls, int *child_tidptr",
        ),
        (I386, 180, "pread64", "pread64", "unsigned int fd, char *ubuf, u32 count, u32 poslo, u32 poshi"),
        (
            I386,
            339,
            "fanotify_mark",
            "fanotify_mark",
            "int fanotify_fd, unsigned int flags, u32 mask_lo, u32 mask_hi, int dfd, const char *pathname",
        ),
        (
            I386,
            403,
            "clock_gettime",
            "clock_gettime64",
            "const clockid_t which_clock, struct __kernel_timespec *tp",
        ),
        (Aarch64, 56, "openat", "openat", "int dfd, const char *filename, int flags, umode_t mode"),
        (Aarch64, 80, "newfstat", "fstat", "unsigned int fd, struct stat *statbuf"),
        (Aarch64, 92, "personality", "personality", "unsigned int personality"),
        (
            Aarch64,
            220,
            "clone",
            "clone",
            "unsigned long clone_flags, unsigned long newsp, int *parent_tidptr, unsigned long tls, int *child_tidptr",
        ),
    ];
    for (abi, number, name, uapi_name, arguments) in rows {
        let call = syscall_by_number(abi, number).unwrap();
        assert_eq!((call.name, call.uapi_name), (name, uapi_name), "{abi:?} {number}");
        assert_eq!(call.arguments.join(", "), arguments, "{abi:?} {number}");
        assert!(call.implemented && u64::from(call.number) == number);
    }
}

#[test]
fn names_lead_to_one_number() {
    let rows = [
        (X86_64, "stat", 4),
        (X86_64, "newstat", 4),
        (X86_64, "umount", 166),
        (X86_64, "umount2", 166),
        (X86_64, "uname", 63),
        // The function's name goes before the header's: sys_stat is the oldest of three.
        (I386, "stat", 18),
        (I386, "newstat", 106),
        (I386, "stat64", 195),
        (I386, "getuid", 199),
        (I386, "getuid16", 24),
        // Two functions of one name: the one that the header calls so, too.
        (I386, "select", 82),
        (I386, "_newselect", 142),
        (I386, "clock_gettime", 265),
        (I386, "clock_gettime64", 403),
        (I386, "mmap", 90),
        (I386, "mmap2", 192),
        (I386, "mmap_pgoff", 192),
        (Aarch64, "fadvise64", 223),
    ];
    for (abi, name, number) in rows {
        assert_eq!(syscall_by_name(abi, name).map(|call| call.number), Some(number), "{abi:?} {name}");
    }
}

#[test]
fn every_name_is_found_again() {
    for abi in SyscallAbi::ALL {
        for call in syscalls(abi) {
            assert_eq!(syscall_by_number(abi, call.number.into()), Some(call));
            assert_eq!(syscall_by_name(abi, call.name).map(|found| found.name), Some(call.name));
            assert!(syscall_by_name(abi, call.uapi_name).is_some(), "{abi:?} {}", call.uapi_name);
        }
    }
}

#[test]
fn numbers_that_only_a_wide_register_holds_are_unknown() {
    for number in [1 << 32, u64::MAX, 0x4000_0000] {
        assert_eq!(syscall_by_number(X86_64, number), None);
    }
}

#[test]
fn reserved_numbers_have_a_name_and_no_arguments() {
    let call = syscall_by_number(X86_64, 174).unwrap();
    assert_eq!((call.name, call.implemented, call.arguments.len()), ("create_module", false, 0));
}

/// The `__NR_` constants of a header; `None` when it is not installed.
fn header(name: &str) -> Option<HashMap<String, u64>> {
    let places = ["/usr/include/x86_64-linux-gnu/asm", "/usr/include/asm", "/usr/include/i386-linux-gnu/asm"];
    let text = places.iter().find_map(|place| fs::read_to_string(format!("{place}/{name}")).ok())?;
    let constants = text.lines().filter_map(|line| {
        let (name, number) = line.strip_prefix("#define __NR_")?.split_once(' ')?;
        Some((name.to_owned(), number.trim().parse().ok()?))
    });
    Some(constants.collect())
}

#[test]
fn the_headers_of_this_machine_agree() {
    for (abi, name) in [(X86_64, "unistd_64.h"), (I386, "unistd_32.h")] {
        let Some(numbers) = header(name) else {
            eprintln!("not compared: no <asm/{name}>, which Linux's headers for x86 have");
            continue;
        };
        assert!(numbers.len() > 300, "{name} was not understood");
        for (name, number) in numbers {
            let found = syscalls(abi).find(|call| call.uapi_name == name);
            assert_eq!(found.map(|call| call.number.into()), Some(number), "{abi:?} {name}");
        }
    }
}
