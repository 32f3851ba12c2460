//! Decide: what a SIGTRAP stop means.

use libdebug_kernel::{Ptrace, Signal, Tid, proc};

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

/// Whether the stopped `tid` has executed a trap whose signal is still to come: an interrupt was faster.
pub(crate) fn has_executed_trap(ptrace: Ptrace, tid: Tid) -> bool {
    // To look through the queue itself takes the square of its length, and real-time signals make it long.
    proc::status(tid).is_ok_and(|status| status.is_pending(Signal::TRAP))
        && ptrace.is_pending(tid, |info| is_executed_trap(info.signal(), info.code()))
}

/// Whether a pending signal is that of a trap which was executed: a breakpoint's, a debug register's, a step's. The
/// kernel forces such a signal on the thread, so nothing but a stop of another kind can come before it.
fn is_executed_trap(signal: Signal, si_code: i32) -> bool {
    let executed = [code::KERNEL, code::CALL, code::TRACE, code::BRANCH, code::HARDWARE];
    signal == Signal::TRAP && executed.contains(&si_code)
}

/// Whether a signal says that the instruction at the pc cannot be executed: sent by the kernel (`si_code` > 0)
/// for something that the thread itself did.
pub(crate) fn is_fault(signal: Signal, si_code: i32) -> bool {
    const SEGV: i32 = 11;
    const BUS: i32 = 7;
    const ILL: i32 = 4;
    const FPE: i32 = 8;
    const TRAP: i32 = 5;
    const SYS: i32 = 31;
    si_code > 0 && matches!(signal.0, SEGV | BUS | ILL | FPE | TRAP | SYS)
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
    fn only_the_kernels_own_traps_are_let_out() {
        for si_code in [0x80, 1, 2, 3, 4] {
            assert!(is_executed_trap(Signal::TRAP, si_code));
        }
        for (signal, si_code) in
            [(Signal::TRAP, 0), (Signal::TRAP, -6), (Signal::TRAP, 6), (Signal::SEGV, 0x80)]
        {
            assert!(!is_executed_trap(signal, si_code), "{signal} {si_code}");
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

    #[test]
    fn only_what_the_kernel_sends_for_an_instruction_is_a_fault() {
        assert!(is_fault(Signal::SEGV, 1));
        assert!(is_fault(Signal::TRAP, 0x80));
        assert!(!is_fault(Signal::SEGV, 0), "kill(1) can send SIGSEGV too");
        assert!(!is_fault(Signal::SEGV, -6));
        assert!(!is_fault(Signal(14), 0x80), "a timer's SIGALRM comes from the kernel, but from outside");
    }
}
