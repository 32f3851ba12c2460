//! What is known of single arguments, by system call and by the name of the parameter.

use super::abi::{mmap_flags, open_flags, pipe_flags, protection};
use super::{ArgumentKind, FlagSet, events, files, memory, process};
use crate::SyscallAbi;

/// System calls, a parameter that they share, and what its values are called.
type Row = (&'static [&'static str], &'static str, &'static FlagSet);

/// The names of an argument's values; `None` when it has no set of them.
pub(super) fn flag_set(abi: SyscallAbi, call: &str, name: &str) -> Option<&'static FlagSet> {
    let row = SETS.iter().find(|(calls, parameter, _)| *parameter == name && calls.contains(&call));
    row.map(|(.., set)| *set).or_else(|| match (call, name) {
        ("open" | "openat" | "open_by_handle_at", "flags")
        | ("mq_open", "oflag")
        | ("fanotify_init", "event_f_flags") => Some(open_flags(abi)),
        ("mmap" | "mmap_pgoff" | "mprotect" | "pkey_mprotect" | "remap_file_pages", "prot") => {
            Some(protection(abi))
        }
        ("pipe2" | "dup3", "flags") => Some(pipe_flags(abi)),
        ("mmap" | "mmap_pgoff", "flags") => Some(mmap_flags(abi)),
        _ => None,
    })
}

const SETS: &[Row] = &[
    (&["access", "faccessat", "faccessat2"], "mode", &files::ACCESS),
    (&["newfstatat", "fstatat64", "fchownat"], "flag", &files::AT),
    (&["name_to_handle_at"], "flag", &files::AT),
    (&["linkat", "utimensat", "fchmodat2", "execveat"], "flags", &files::AT),
    (
        &["setxattrat", "getxattrat", "listxattrat", "removexattrat", "file_getattr", "file_setattr"],
        "at_flags",
        &files::AT,
    ),
    (&["unlinkat"], "flag", &files::AT_UNLINK),
    (&["faccessat2"], "flags", &files::AT_ACCESS),
    (&["statx"], "flags", &files::AT_STATX),
    (&["statx"], "mask", &files::STATX),
    (&["fcntl", "fcntl64"], "cmd", &files::FCNTL),
    (&["lseek", "llseek"], "whence", &files::WHENCE),
    (&["flock"], "cmd", &files::FLOCK),
    (&["renameat2"], "flags", &files::RENAME),
    (&["fallocate"], "mode", &files::FALLOCATE),
    (&["fadvise64", "fadvise64_64"], "advice", &files::FADVISE),
    (&["splice", "tee", "vmsplice"], "flags", &files::SPLICE),
    (&["preadv2", "pwritev2"], "flags", &files::READ_WRITE),
    (&["setxattr", "lsetxattr", "fsetxattr"], "flags", &files::XATTR),
    (&["mount"], "flags", &files::MOUNT),
    (&["umount"], "flags", &files::UMOUNT),
    (&["close_range"], "flags", &files::CLOSE_RANGE),
    (&["ioctl"], "cmd", &files::IOCTL),
    (&["mremap"], "flags", &memory::MREMAP),
    (&["msync"], "flags", &memory::MSYNC),
    (&["madvise", "process_madvise"], "behavior", &memory::MADVISE),
    (&["mlockall"], "flags", &memory::MLOCKALL),
    (&["mlock2"], "flags", &memory::MLOCK2),
    (&["memfd_create"], "flags", &memory::MEMFD),
    (&["clone"], "clone_flags", &process::CLONE),
    (&["unshare"], "unshare_flags", &process::UNSHARE),
    (&["setns"], "flags", &process::UNSHARE),
    (&["wait4", "waitpid", "waitid"], "options", &process::WAIT),
    (&["waitid"], "which", &process::WAITID_WHICH),
    (&["rt_sigprocmask", "sigprocmask"], "how", &process::SIGMASK_HOW),
    (&["futex"], "op", &process::FUTEX),
    (&["prctl"], "option", &process::PRCTL),
    (&["arch_prctl"], "option", &process::ARCH_PRCTL),
    (&["ptrace"], "request", &process::PTRACE),
    (&["seccomp"], "op", &process::SECCOMP),
    (&["getrlimit", "setrlimit", "prlimit64"], "resource", &process::RESOURCE),
    (&["getrusage"], "who", &process::RUSAGE),
    (
        &["sched_setscheduler", "sched_get_priority_max", "sched_get_priority_min"],
        "policy",
        &process::SCHED_POLICY,
    ),
    (&["getrandom"], "flags", &process::RANDOM),
    (&["socket", "socketpair"], "family", &events::SOCKET_FAMILY),
    (&["socket", "socketpair"], "type", &events::SOCKET_TYPE),
    (&["accept4"], "flags", &events::ACCEPT),
    (&["sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"], "flags", &events::MSG),
    (&["shutdown"], "how", &events::SHUTDOWN),
    (&["getsockopt", "setsockopt"], "level", &events::SOCKET_LEVEL),
    (&["epoll_ctl"], "op", &events::EPOLL_CTL),
    (&["epoll_create1"], "flags", &events::EPOLL_CREATE),
    (&["eventfd2"], "flags", &events::EVENTFD),
    (&["signalfd4"], "flags", &events::SIGNALFD),
    (&["timerfd_create"], "clockid", &events::CLOCK),
    (&["timerfd_create"], "flags", &events::TIMERFD),
    (&["timerfd_settime"], "flags", &events::TIMERFD_SET),
    (&["inotify_init1"], "flags", &events::INOTIFY),
    (&["inotify_add_watch"], "mask", &events::INOTIFY_EVENTS),
    (&["clock_nanosleep", "timer_settime"], "flags", &events::TIMER),
    (&["getitimer", "setitimer"], "which", &events::ITIMER),
    (&["pidfd_open"], "flags", &events::PIDFD),
];

/// The parameter that says how long a buffer is, and whether the kernel fills it; `None` for what is no buffer.
pub(super) fn buffer(call: &str, name: &str) -> Option<(&'static str, bool)> {
    let row = BUFFERS.iter().find(|(calls, buffer, ..)| *buffer == name && calls.contains(&call))?;
    Some((row.2, row.3))
}

const BUFFERS: &[(&[&str], &str, &str, bool)] = &[
    (&["read", "pread64"], "buf", "count", true),
    (&["pread64"], "ubuf", "count", true),
    (&["write", "pwrite64"], "buf", "count", false),
    (&["pwrite64"], "ubuf", "count", false),
    (&["getrandom"], "ubuf", "len", true),
    (&["recvfrom"], "ubuf", "size", true),
    (&["sendto"], "buff", "len", false),
    (&["readlink", "readlinkat"], "buf", "bufsiz", true),
    (&["getcwd"], "buf", "size", true),
    (&["getdents", "getdents64"], "dirent", "count", true),
    (&["syslog"], "buf", "len", true),
    (&["sethostname", "setdomainname"], "name", "len", false),
    (&["setxattr", "lsetxattr", "fsetxattr"], "value", "size", false),
    (&["getxattr", "lgetxattr", "fgetxattr"], "value", "size", true),
    (&["listxattr", "llistxattr", "flistxattr", "listxattrat"], "list", "size", true),
    (&["setsockopt"], "optval", "optlen", false),
    (&["mq_timedsend"], "u_msg_ptr", "msg_len", false),
    (&["mq_timedreceive"], "u_msg_ptr", "msg_len", true),
    (&["add_key"], "_payload", "plen", false),
    (&["init_module"], "umod", "len", false),
    (&["kexec_file_load"], "cmdline_ptr", "cmdline_len", false),
    (&["bind"], "umyaddr", "addrlen", false),
    (&["connect"], "uservaddr", "addrlen", false),
    (&["sendto"], "addr", "addr_len", false),
];

/// What a parameter means in one call and not in others.
pub(super) fn exception(call: &str, name: &str) -> Option<ArgumentKind> {
    match (call, name) {
        ("execveat", "fd") => Some(ArgumentKind::DirectoryDescriptor),
        ("umount" | "oldumount" | "acct" | "name_to_handle_at", "name")
        | ("mq_open" | "mq_unlink", "u_name")
        | ("utime" | "utimes", "filename") => Some(ArgumentKind::Path),
        ("mount", "dev_name" | "dir_name") => Some(ArgumentKind::Path),
        ("mount", "type") => Some(ArgumentKind::Text),
        ("brk", "brk") => Some(ArgumentKind::Pointer),
        ("get_robust_list", "pid") | ("ptrace", "pid") => Some(ArgumentKind::ProcessId),
        ("rseq", "sig") => Some(ArgumentKind::Pointer),
        _ => None,
    }
}

/// Whether a parameter `const char *NAME` is a path.
pub(super) fn is_path(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "filename",
        "pathname",
        "path",
        "oldname",
        "newname",
        "library",
        "specialfile",
        "special",
        "new_root",
        "put_old",
        "from_pathname",
        "to_pathname",
        "dev_name",
        "dir_name",
    ];
    NAMES.contains(&name)
}

/// What a parameter that is no pointer means by its name alone.
pub(super) fn by_name(name: &str) -> Option<ArgumentKind> {
    match name {
        "fd" | "fildes" | "oldfd" | "newfd" | "epfd" | "ufd" | "pidfd" | "fd_in" | "fd_out" | "in_fd"
        | "out_fd" | "fdin" | "fdout" | "fs_fd" | "group_fd" | "fanotify_fd" | "ruleset_fd" | "kernel_fd"
        | "initrd_fd" => Some(ArgumentKind::Descriptor),
        "dfd" | "olddfd" | "newdfd" | "from_dfd" | "to_dfd" | "mountdirfd" => {
            Some(ArgumentKind::DirectoryDescriptor)
        }
        "sig" => Some(ArgumentKind::Signal),
        "addr" | "start" | "new_addr" | "newsp" | "tls" | "entry" | "arg" | "arg2" | "arg3" | "arg4"
        | "arg5" | "data" => Some(ArgumentKind::Pointer),
        _ => None,
    }
}
