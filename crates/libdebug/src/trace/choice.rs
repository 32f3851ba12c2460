//! Which system calls are of interest.

use std::collections::BTreeSet;

use libdebug_arch::decode::ArgumentKind;
use libdebug_arch::{Syscall, SyscallAbi, syscall_by_name, syscalls};
use libdebug_kernel::{AUDIT_ARCH_X86_64, SyscallCall};

use crate::describe::meaning;
use crate::error::{Error, Result};

/// A choice of system calls: by name, by class, by the paths that they are given.
///
/// ```
/// use libdebug::CallChoice;
/// assert!(CallChoice::parse("openat,%network").is_ok());
/// assert!(CallChoice::parse("!read,write").is_ok());
/// assert!(CallChoice::parse("no_such_call").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallChoice {
    /// `None` for all.
    numbers: Option<BTreeSet<u64>>,
    /// Only calls that are given one of these paths, or a descriptor that is open on one; all without any.
    pub paths: Vec<String>,
}

const ABI: SyscallAbi = SyscallAbi::X86_64;

const CLASSES: [&str; 8] = ["file", "desc", "network", "net", "process", "memory", "signal", "ipc"];
const NETWORK: [&str; 21] = [
    "socket",
    "socketpair",
    "bind",
    "listen",
    "accept",
    "accept4",
    "connect",
    "getsockname",
    "getpeername",
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "recvmmsg",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendfile",
    "getpmsg",
    "putpmsg",
];
const PROCESS: [&str; 15] = [
    "fork",
    "vfork",
    "clone",
    "clone3",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "wait4",
    "waitid",
    "kill",
    "tkill",
    "tgkill",
    "rt_sigqueueinfo",
    "pidfd_send_signal",
];
const MEMORY: [&str; 22] = [
    "brk",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "pkey_mprotect",
    "madvise",
    "process_madvise",
    "msync",
    "mincore",
    "mlock",
    "mlock2",
    "munlock",
    "mlockall",
    "munlockall",
    "mbind",
    "get_mempolicy",
    "set_mempolicy",
    "migrate_pages",
    "move_pages",
    "remap_file_pages",
    "shmat",
];
const IPC: [&str; 12] = [
    "shmget",
    "shmat",
    "shmctl",
    "shmdt",
    "semget",
    "semop",
    "semctl",
    "semtimedop",
    "msgget",
    "msgsnd",
    "msgrcv",
    "msgctl",
];
const SIGNAL: [&str; 15] = [
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigqueueinfo",
    "rt_sigsuspend",
    "rt_tgsigqueueinfo",
    "sigaltstack",
    "signalfd",
    "signalfd4",
    "kill",
    "tkill",
    "tgkill",
    "pause",
];

impl Default for CallChoice {
    fn default() -> Self {
        Self::all()
    }
}

impl CallChoice {
    /// Every call.
    pub const fn all() -> Self {
        Self { numbers: None, paths: Vec::new() }
    }

    /// What a list says: names and classes (`%file`, `%desc`, `%network`, `%process`, `%memory`, `%signal`, `%ipc`),
    /// with commas between them; with `!` before it all but those. `trace=` before it is as nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchSyscall`] for a name that no table has, [`Error::BadChoice`] for what is no such list.
    pub fn parse(list: &str) -> Result<Self> {
        let list = list.strip_prefix("trace=").unwrap_or(list);
        let (is_negated, names) = match list.strip_prefix('!') {
            Some(names) => (true, names),
            None => (false, list),
        };
        if matches!(names, "all" | "none") {
            let chooses_all = (names == "all") != is_negated;
            return Ok(Self { numbers: (!chooses_all).then(BTreeSet::new), paths: Vec::new() });
        }
        let mut chosen = BTreeSet::new();
        for name in names.split(',') {
            check_word(name)?;
            chosen.append(&mut numbers_of(name)?);
        }
        if is_negated {
            chosen = syscalls(ABI)
                .map(|row| u64::from(row.number))
                .filter(|number| !chosen.contains(number))
                .collect();
        }
        Ok(Self { numbers: Some(chosen), paths: Vec::new() })
    }

    /// Whether a call is of interest by its number. Of calls by another convention than the native one all are.
    pub(super) fn has(&self, call: &SyscallCall) -> bool {
        let has = |numbers: &BTreeSet<u64>| numbers.contains(&call.number);
        call.audit_arch != AUDIT_ARCH_X86_64 || self.numbers.as_ref().is_none_or(has)
    }

    /// The numbers for a filter; `None` for all calls.
    pub(super) fn numbers(&self) -> Option<Vec<u32>> {
        // A jump of the filter spans at most 255 instructions, but each is its own; its length is 4096 at most.
        let narrow =
            |numbers: &BTreeSet<u64>| numbers.iter().filter_map(|&number| number.try_into().ok()).collect();
        self.numbers.as_ref().map(narrow)
    }
}

fn check_word(word: &str) -> Result<()> {
    let fault = match word.strip_prefix(['!', '%']) {
        None if word.is_empty() => "a name is missing".to_owned(),
        Some(name) if word.starts_with('!') => format!("`!` goes before the whole list: !...,{name}"),
        Some(name) if !CLASSES.contains(&name) => {
            format!("there is no class %{name}, only %{}", CLASSES.join(", %"))
        }
        _ => return Ok(()),
    };
    Err(Error::BadChoice(fault))
}

fn numbers_of(name: &str) -> Result<BTreeSet<u64>> {
    let of = |choose: &dyn Fn(&Syscall) -> bool| -> BTreeSet<u64> {
        syscalls(ABI).filter(|row| choose(row)).map(|row| u64::from(row.number)).collect()
    };
    let takes = |row: &Syscall, kinds: fn(ArgumentKind) -> bool| {
        let call =
            SyscallCall { audit_arch: AUDIT_ARCH_X86_64, number: row.number.into(), arguments: [0; 6] };
        (0..row.arguments.len()).any(|index| meaning(&call, index).is_some_and(kinds))
    };
    let is_path = |kind| matches!(kind, ArgumentKind::Path);
    let is_descriptor = |kind| matches!(kind, ArgumentKind::Descriptor | ArgumentKind::DirectoryDescriptor);
    let found = match name.strip_prefix('%').unwrap_or(name) {
        "file" => of(&|row| takes(row, is_path)),
        "desc" => of(&|row| takes(row, is_descriptor)),
        "network" | "net" => of(&|row| NETWORK.contains(&row.name)),
        "process" => of(&|row| PROCESS.contains(&row.name)),
        "memory" => of(&|row| MEMORY.contains(&row.name)),
        "signal" => of(&|row| SIGNAL.contains(&row.name)),
        "ipc" => of(&|row| IPC.contains(&row.name)),
        // By either name: the kernel's `newstat` is `stat` in <asm/unistd.h>.
        name => syscall_by_name(ABI, name).map(|row| row.number.into()).into_iter().collect(),
    };
    if found.is_empty() { Err(Error::no_such_syscall(name)) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(list: &str, name: &str) -> bool {
        let number = syscall_by_name(ABI, name).unwrap().number.into();
        let call = SyscallCall { audit_arch: AUDIT_ARCH_X86_64, number, arguments: [0; 6] };
        CallChoice::parse(list).unwrap().has(&call)
    }

    #[test]
    fn names_classes_and_their_opposites_are_chosen() {
        for (list, name, expected) in [
            ("openat", "openat", true),
            ("openat,read", "read", true),
            ("openat", "read", false),
            ("!openat", "openat", false),
            ("!openat", "read", true),
            ("%file", "openat", true),
            ("%file", "execve", true),
            ("%file", "read", false),
            ("%desc", "read", true),
            ("%network", "connect", true),
            ("%process", "wait4", true),
            ("%memory", "brk", true),
            ("%signal", "rt_sigaction", true),
            ("trace=%file", "stat", true),
            ("all", "getpid", true),
            ("none", "getpid", false),
        ] {
            assert_eq!(has(list, name), expected, "{list} {name}");
        }
    }

    #[test]
    fn a_choice_of_all_needs_no_filter() {
        assert_eq!(CallChoice::all().numbers(), None);
        assert_eq!(CallChoice::parse("read").unwrap().numbers(), Some(vec![0]));
    }
}
