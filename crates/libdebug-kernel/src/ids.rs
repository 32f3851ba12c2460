//! The kernel's small integers, each with its own type.

use std::fmt;

/// One thread as the kernel numbers it (see gettid(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tid(pub i32);

/// A thread group; its number is the leader's tid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid(pub i32);

impl Pid {
    /// The tid of the group's leader.
    pub const fn leader(self) -> Tid {
        Tid(self.0)
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An error number of errno(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

impl Errno {
    /// `EINVAL`.
    pub const INVALID: Self = Self(libc::EINVAL);
    /// `EACCES`.
    pub const ACCESS: Self = Self(libc::EACCES);

    /// The calling thread's last error.
    pub(crate) fn last() -> Self {
        Self(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the number, which stands behind.
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        f.write_str(text.split(" (os error").next().unwrap_or(&text))
    }
}

/// A signal number of signal(7), real-time signals included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(pub i32);

impl Signal {
    /// Killed, cannot be caught.
    pub const KILL: Self = Self(libc::SIGKILL);
    /// Trace or breakpoint trap.
    pub const TRAP: Self = Self(libc::SIGTRAP);
    /// Stop, cannot be caught.
    pub const STOP: Self = Self(libc::SIGSTOP);
    /// Continue if stopped.
    pub const CONT: Self = Self(libc::SIGCONT);
    /// Invalid memory reference.
    pub const SEGV: Self = Self(libc::SIGSEGV);
    /// A write to a pipe that nobody reads.
    pub const PIPE: Self = Self(libc::SIGPIPE);
    /// Interrupt from the keyboard.
    pub const INT: Self = Self(libc::SIGINT);
    /// Terminal output from a background process.
    pub const TTOU: Self = Self(libc::SIGTTOU);

    /// The name with its prefix, as in signal(7): `SIGSEGV`, `SIGRTMIN+3`; `SIG0` and the like for numbers
    /// that name no signal.
    ///
    /// ```
    /// assert_eq!(libdebug_kernel::Signal::SEGV.name(), "SIGSEGV");
    /// assert_eq!(libdebug_kernel::Signal(37).name(), "SIGRTMIN+3");
    /// ```
    pub fn name(self) -> String {
        // SIGRTMIN as users see it: glibc keeps the kernel's first two (32, 33) for itself.
        const RTMIN: i32 = 34;
        match usize::try_from(self.0).ok().and_then(|n| NAMES.get(n)) {
            Some(name) => format!("SIG{name}"),
            None if self.0 == RTMIN => "SIGRTMIN".to_owned(),
            None if (RTMIN..=64).contains(&self.0) => format!("SIGRTMIN+{}", self.0 - RTMIN),
            None => format!("SIG{}", self.0),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[rustfmt::skip]
const NAMES: [&str; 32] = [
    "0", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
