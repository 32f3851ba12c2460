//! Why the kernel refuses to run a program, or to attach to a process: in words, with what to do.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use libdebug_kernel::{Errno, Pid, Tid, proc};

use crate::images;

/// Why a process cannot be attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachRefusal {
    /// It has a tracer already.
    Traced(Tid),
    /// It is the process that asks.
    Own,
    /// It is a thread of the kernel, without a program.
    KernelThread,
    /// Yama forbids it: what `/proc/sys/kernel/yama/ptrace_scope` says (ptrace(2)).
    Scope(u32),
    /// Another user's process, or one with more privileges.
    Permission,
}

impl AttachRefusal {
    pub(crate) fn of(pid: Pid, tracer: Tid) -> Self {
        if tracer.0 != 0 {
            return Self::Traced(tracer);
        }
        if pid.0.cast_unsigned() == std::process::id() {
            return Self::Own;
        }
        // A kernel thread has an executable that nobody can name, and no memory, also for those who may look.
        let is_bare = proc::maps(pid).is_ok_and(|maps| maps.is_empty()) && proc::executable(pid).is_err();
        match proc::ptrace_scope() {
            _ if is_bare => Self::KernelThread,
            Some(scope @ 1..) => Self::Scope(scope),
            _ => Self::Permission,
        }
    }
}

impl fmt::Display for AttachRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DENIED: &str =
            "You don't have permission to attach to the process. Did you check the ptrace_scope?";
        match self {
            Self::Traced(tracer) => {
                write!(f, "it is already traced by {tracer}; only one tracer is possible")
            }
            Self::Own => f.write_str("a process cannot debug itself"),
            Self::KernelThread => f.write_str("it is a thread of the kernel, which cannot be debugged"),
            Self::Scope(scope) => write!(
                f,
                "{DENIED} It is {scope}: run as root, or with CAP_SYS_PTRACE, or set \
                 /proc/sys/kernel/yama/ptrace_scope to 0"
            ),
            Self::Permission => {
                write!(f, "{DENIED} It does not forbid it: run as root, or as the user that runs the process")
            }
        }
    }
}

/// Which call failed in the new process, why, and what to do.
pub(crate) fn spawn_reason(path: &Path, call: &str, errno: Errno) -> String {
    let hint = match errno.0 {
        2 if call == "execve" => missing_interpreter(path)
            .map(|interpreter| format!(" (its interpreter {} does not exist)", interpreter.display())),
        8 => Some(
            " (not an executable format: is it for another architecture, or a script without #!?)".to_owned(),
        ),
        13 if path.is_dir() => Some(" (it is a directory)".to_owned()),
        13 => {
            Some(" (check the file's execute permission, its directories', and the mount options)".to_owned())
        }
        _ => None,
    };
    format!("{call}: {errno}{}", hint.unwrap_or_default())
}

/// The kernel says of a program whose interpreter is missing that it is missing itself.
fn missing_interpreter(path: &Path) -> Option<PathBuf> {
    const LONGEST: u64 = 256;
    let mut line = Vec::new();
    File::open(path).ok()?.take(LONGEST).read_to_end(&mut line).ok()?;
    let interpreter = match line.strip_prefix(b"#!") {
        Some(rest) => of_script(rest)?,
        None => PathBuf::from(images::open(path)?.interpreter()?),
    };
    (!interpreter.exists()).then_some(interpreter)
}

fn of_script(line: &[u8]) -> Option<PathBuf> {
    let line = line.split(|&byte| byte == b'\n').next()?;
    let word = line.split(|byte| byte.is_ascii_whitespace()).find(|word| !word.is_empty())?;
    Some(PathBuf::from(String::from_utf8_lossy(word).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_names_its_interpreter() {
        for (line, expected) in [
            ("/bin/sh\necho", Some("/bin/sh")),
            (" /usr/bin/env python3\n", Some("/usr/bin/env")),
            ("\n/bin/sh", None),
            ("", None),
        ] {
            assert_eq!(of_script(line.as_bytes()), expected.map(PathBuf::from), "{line:?}");
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        let own = Pid(std::process::id().cast_signed());
        assert_eq!(AttachRefusal::of(own, Tid(0)), AttachRefusal::Own);
        assert_eq!(AttachRefusal::of(own, Tid(7)), AttachRefusal::Traced(Tid(7)));
        assert!(AttachRefusal::Scope(1).to_string().contains("It is 1: run as root"));
    }
}
