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

/// The name of a siginfo's `si_code` (sigaction(2)): what kind of fault the signal `number` tells of, or who sent it.
/// `None` for a code without a name.
///
/// ```
/// use libdebug_arch::decode::signal_code_name;
/// assert_eq!(signal_code_name(11, 1), Some("SEGV_MAPERR"));
/// assert_eq!(signal_code_name(10, 0), Some("SI_USER"));
/// assert_eq!(signal_code_name(10, 1), None);
/// ```
#[must_use]
pub fn signal_code_name(number: i32, code: i32) -> Option<&'static str> {
    let names = if code > 0 && code < SI_KERNEL { codes_of(number) } else { SENT };
    names.iter().find(|(value, _)| *value == code).map(|(_, name)| *name)
}

const SI_KERNEL: i32 = 0x80;

type Codes = &'static [(i32, &'static str)];

/// Codes that any signal can have (include/uapi/asm-generic/siginfo.h).
const SENT: Codes = &[
    (0, "SI_USER"),
    (SI_KERNEL, "SI_KERNEL"),
    (-1, "SI_QUEUE"),
    (-2, "SI_TIMER"),
    (-3, "SI_MESGQ"),
    (-4, "SI_ASYNCIO"),
    (-5, "SI_SIGIO"),
    (-6, "SI_TKILL"),
    (-7, "SI_DETHREAD"),
    (-60, "SI_ASYNCNL"),
];

/// Codes that say what has happened, each signal's own (same file).
#[rustfmt::skip]
fn codes_of(number: i32) -> Codes {
    match number {
        4 => &[
            (1, "ILL_ILLOPC"), (2, "ILL_ILLOPN"), (3, "ILL_ILLADR"), (4, "ILL_ILLTRP"), (5, "ILL_PRVOPC"),
            (6, "ILL_PRVREG"), (7, "ILL_COPROC"), (8, "ILL_BADSTK"), (9, "ILL_BADIADDR"),
        ],
        5 => &[
            (1, "TRAP_BRKPT"), (2, "TRAP_TRACE"), (3, "TRAP_BRANCH"), (4, "TRAP_HWBKPT"), (5, "TRAP_UNK"),
            (6, "TRAP_PERF"),
        ],
        7 => &[
            (1, "BUS_ADRALN"), (2, "BUS_ADRERR"), (3, "BUS_OBJERR"), (4, "BUS_MCEERR_AR"), (5, "BUS_MCEERR_AO"),
        ],
        8 => &[
            (1, "FPE_INTDIV"), (2, "FPE_INTOVF"), (3, "FPE_FLTDIV"), (4, "FPE_FLTOVF"), (5, "FPE_FLTUND"),
            (6, "FPE_FLTRES"), (7, "FPE_FLTINV"), (8, "FPE_FLTSUB"), (14, "FPE_FLTUNK"), (15, "FPE_CONDTRAP"),
        ],
        11 => &[
            (1, "SEGV_MAPERR"), (2, "SEGV_ACCERR"), (3, "SEGV_BNDERR"), (4, "SEGV_PKUERR"), (5, "SEGV_ACCADI"),
            (6, "SEGV_ADIDERR"), (7, "SEGV_ADIPERR"), (8, "SEGV_MTEAERR"), (9, "SEGV_MTESERR"), (10, "SEGV_CPERR"),
        ],
        17 => &[
            (1, "CLD_EXITED"), (2, "CLD_KILLED"), (3, "CLD_DUMPED"), (4, "CLD_TRAPPED"), (5, "CLD_STOPPED"),
            (6, "CLD_CONTINUED"),
        ],
        29 => &[
            (1, "POLL_IN"), (2, "POLL_OUT"), (3, "POLL_MSG"), (4, "POLL_ERR"), (5, "POLL_PRI"), (6, "POLL_HUP"),
        ],
        31 => &[(1, "SYS_SECCOMP"), (2, "SYS_USER_DISPATCH")],
        _ => &[],
    }
}
