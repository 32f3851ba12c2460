//! Decide: what a SIGTRAP stop means. Pure.

/// The `si_code` values of SIGTRAP (sigaction(2)) that the kernel sends for the debugger's own doings.
mod code {
    /// `int3`: the kernel's `force_sig` without a code of its own.
    pub(super) const KERNEL: i32 = 0x80;
    /// A step over a system call; without one, the program's own `icebp`.
    pub(super) const CALL: i32 = 1;
    pub(super) const TRACE: i32 = 2;
    pub(super) const BRANCH: i32 = 3;
    pub(super) const HARDWARE: i32 = 4;
    /// A step that delivered a signal: the thread is at the first instruction of its handler.
    pub(super) const HANDLER: i32 = 5;
}

/// What is known of a site whose trap may have been executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SiteFacts {
    /// A thread can come to stand right behind the trap without having executed it: the program's own
    /// instruction there is one byte long, and threads that pass it come back to that place.
    pub(crate) ambiguous: bool,
}

/// What a SIGTRAP means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trap {
    /// The trap of the site right before the pc was executed.
    Breakpoint,
    /// A single step is complete, or debug registers fired: DR6 tells.
    Debug,
    /// The program's own: an `int3` of its text, or a SIGTRAP that somebody sent.
    Program,
}

/// Decides without asking for the siginfo where that is possible: a thread right behind a longer instruction's
/// first byte can only have come there by executing the trap.
pub(crate) fn decide_by_place(stepping: bool, site: Option<SiteFacts>) -> Option<Trap> {
    match site {
        Some(SiteFacts { ambiguous: false }) if !stepping => Some(Trap::Breakpoint),
        _ => None,
    }
}

/// Decides by the `si_code` of the signal.
pub(crate) fn decide_by_code(si_code: i32, stepping: bool, site: Option<SiteFacts>) -> Trap {
    match si_code {
        code::CALL if stepping => Trap::Debug,
        code::KERNEL if site.is_some() => Trap::Breakpoint,
        code::TRACE | code::BRANCH | code::HARDWARE | code::HANDLER => Trap::Debug,
        _ => Trap::Program,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Option<SiteFacts> = Some(SiteFacts { ambiguous: false });
    const SHORT: Option<SiteFacts> = Some(SiteFacts { ambiguous: true });

    #[test]
    fn the_place_alone_decides_only_where_it_must_be_the_trap() {
        assert_eq!(decide_by_place(false, LONG), Some(Trap::Breakpoint));
        for (stepping, site) in [(false, SHORT), (false, None), (true, LONG), (true, SHORT), (true, None)] {
            assert_eq!(decide_by_place(stepping, site), None);
        }
    }

    #[test]
    fn the_code_tells_ours_from_the_programs() {
        const SI_USER: i32 = 0;
        const SI_TKILL: i32 = -6;
        let table = [
            (0x80, LONG, Trap::Breakpoint),
            (0x80, SHORT, Trap::Breakpoint),
            (0x80, None, Trap::Program),
            (2, SHORT, Trap::Debug),
            (4, None, Trap::Debug),
            (5, None, Trap::Debug),
            (SI_USER, SHORT, Trap::Program),
            (SI_TKILL, SHORT, Trap::Program),
            (1, None, Trap::Program),
        ];
        assert_eq!(decide_by_code(1, true, None), Trap::Debug, "a step over a system call");
        assert_eq!(decide_by_code(SI_USER, true, None), Trap::Program);
        for (si_code, site, meaning) in table {
            assert_eq!(decide_by_code(si_code, false, site), meaning, "{si_code}");
        }
    }
}
