use super::flags::Names;

/// The name of a signal number as on x86 and ARM; real-time signals are `SIGRT_` with their distance from the kernel's
/// first, as strace(1) writes them. `None` outside of 1 to 64.
///
/// ```
/// use libdebug_arch::decode::signal_name;
/// assert_eq!(signal_name(9).as_deref(), Some("SIGKILL"));
/// assert_eq!(signal_name(34).as_deref(), Some("SIGRT_2"));
/// assert_eq!(signal_name(0), None);
/// ```
#[must_use]
pub fn signal_name(number: u64) -> Option<String> {
    match number {
        32..=64 => Some(format!("SIGRT_{}", number - 32)),
        _ => SIGNALS.iter().find(|(signal, _)| *signal == number).map(|(_, name)| (*name).to_owned()),
    }
}

pub(super) const SIGNALS: Names = &[
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (16, "SIGSTKFLT"),
    (17, "SIGCHLD"),
    (18, "SIGCONT"),
    (19, "SIGSTOP"),
    (20, "SIGTSTP"),
    (21, "SIGTTIN"),
    (22, "SIGTTOU"),
    (23, "SIGURG"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
    (26, "SIGVTALRM"),
    (27, "SIGPROF"),
    (28, "SIGWINCH"),
    (29, "SIGIO"),
    (30, "SIGPWR"),
    (31, "SIGSYS"),
];
