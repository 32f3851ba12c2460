//! Raw system calls, and signals sent from outside ptrace.

use crate::count::count;
use crate::error::{KernelError, Result};
use crate::ids::{Errno, Pid, Signal, Tid};

/// A system call without libc: no errno, no thread-local state, so it may run in a child that shares our
/// memory. Answers the kernel's own value: a negative errno on failure.
///
/// # Safety
/// The call with these arguments must be sound where it is made: pointers valid for what the call does.
pub(crate) unsafe fn raw_syscall(number: i64, args: [u64; 6]) -> i64 {
    let result: i64;
    // SAFETY: the x86_64 syscall ABI (psABI A.2.1): number in rax, arguments in rdi rsi rdx r10 r8 r9; rcx and
    // r11 are clobbered, everything else is kept. What the call itself does is the caller's promise.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Whether two processes share one address space (kcmp(2), `KCMP_VM`). A kernel without kcmp says no.
pub fn shares_memory(one: Tid, other: Tid) -> bool {
    const KCMP_VM: libc::c_int = 1;
    count();
    // SAFETY: kcmp takes numbers only.
    unsafe { libc::syscall(libc::SYS_kcmp, one.0, other.0, KCMP_VM, 0, 0) == 0 }
}

/// Sends `signal` to every thread of `pid`, as kill(2).
///
/// # Errors
/// [`KernelError::Gone`] when there is no such process, [`KernelError::Denied`] when it may not be signalled.
pub fn signal_process(pid: Pid, signal: Signal) -> Result<()> {
    // SAFETY: kill has no memory effects in this process.
    match unsafe { libc::kill(pid.0, signal.0) } {
        0 => Ok(()),
        _ => Err(KernelError::new("kill", pid.leader(), Errno::last())),
    }
}

/// Sends `signal` to one thread, as tgkill(2).
///
/// # Errors
/// [`KernelError::Gone`] when there is no such thread in `pid`.
pub fn signal_thread(pid: Pid, tid: Tid, signal: Signal) -> Result<()> {
    // SAFETY: tgkill has no memory effects in this process.
    match unsafe { libc::syscall(libc::SYS_tgkill, pid.0, tid.0, signal.0) } {
        0 => Ok(()),
        _ => Err(KernelError::new("tgkill", tid, Errno::last())),
    }
}

/// A set of blocked signals.
#[derive(Clone, Copy)]
pub struct SignalMask(pub(crate) libc::sigset_t);

impl std::fmt::Debug for SignalMask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignalMask")
    }
}

/// The calling thread's blocked signals: what a program that it starts should inherit.
pub fn signal_mask() -> SignalMask {
    change_mask(libc::SIG_BLOCK, None)
}

/// What asks a program to end, by a key or by kill(1): SIGINT, SIGTERM and SIGHUP.
fn ending_signals() -> libc::sigset_t {
    let mut set = signal_set(Signal::INT);
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: sigaddset writes only to the set.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    set
}

/// Blocks SIGINT, SIGTERM and SIGHUP for the calling thread and those that it starts, so that
/// [`await_ending_signal`] gets them. Answers the mask that it had.
pub fn block_ending_signals() -> SignalMask {
    change_mask(libc::SIG_BLOCK, Some(&ending_signals()))
}

/// Sets the calling thread's mask, as [`block_ending_signals`] answered it.
pub fn unblock_ending_signals(mask: &SignalMask) {
    restore_signals(mask);
}

/// Blocks until one of the signals of [`block_ending_signals`] is sent to this process, and takes it.
pub fn await_ending_signal() -> Signal {
    let (set, mut signal) = (ending_signals(), 0);
    // SAFETY: both are live for the call, which fails only for a set with an invalid signal.
    unsafe { libc::sigwait(&set, &mut signal) };
    Signal(signal)
}

/// Blocks every signal for the calling thread and answers the mask to go back to.
pub(crate) fn block_signals() -> SignalMask {
    // SAFETY: an all-zero sigset_t is a valid value, and sigfillset writes only to it.
    let all = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut set);
        set
    };
    change_mask(libc::SIG_SETMASK, Some(&all))
}

/// Sets the calling thread's mask.
pub(crate) fn restore_signals(mask: &SignalMask) {
    change_mask(libc::SIG_SETMASK, Some(&mask.0));
}

/// Takes `signal` out of the calling thread's mask.
pub(crate) fn unblock(signal: Signal) {
    change_mask(libc::SIG_UNBLOCK, Some(&signal_set(signal)));
}

/// Adds `set` to the calling thread's mask and answers the mask to go back to.
pub(crate) fn block(set: &libc::sigset_t) -> SignalMask {
    change_mask(libc::SIG_BLOCK, Some(set))
}

/// Takes one pending signal of `set`, if there is one, so that it is never delivered.
pub(crate) fn take_pending(set: &libc::sigset_t) {
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `set` and `now` are live for the call; the siginfo is not asked for.
    unsafe { libc::sigtimedwait(set, std::ptr::null_mut(), &now) };
}

/// The set of one signal.
pub(crate) fn signal_set(signal: Signal) -> libc::sigset_t {
    // SAFETY: an all-zero sigset_t is the empty set; sigaddset writes only to it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&mut set, signal.0);
        set
    }
}

fn change_mask(how: i32, set: Option<&libc::sigset_t>) -> SignalMask {
    // SAFETY: both pointers are null or valid for the call; pthread_sigmask fails only for a bad `how`.
    unsafe {
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(how, set.map_or(std::ptr::null(), |set| set), &mut old);
        SignalMask(old)
    }
}
