//! How a command wakes a tracer thread that is blocked in wait4: a directed signal, without a race.
//!
//! There is no `pwait4`: a signal that lands between "is there a command?" and the system call would be lost
//! and the tracer would sleep on. The window is closed as musl closes its cancellation points: the signal's
//! handler looks where it interrupted the thread, and when that is between the check and the system call, it
//! moves the thread to the exit. So one ring wakes exactly one wait, and no ring needs to be sent again.
//!
//! Tried or weighed, and worse:
//! - ringing again after a while until answered: a time-out as synchronization, and 130 µs when it is needed;
//! - a child process of our own that is traced too and gets a signal (its stop ends the wait without any
//!   handler): right, but a second process shows up among the host's children, and a ring costs two
//!   hand-overs instead of one;
//! - signalling the tracee itself: it may sit in vfork and not react;
//! - a pidfd in poll: it tells of deaths only, not of stops; io_uring's waitid is too new and often forbidden.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ids::{Pid, Signal, Tid};
use crate::sys;

const SILENT: u32 = 0;
const RUNG: u32 = 1;

core::arch::global_asm!(
    ".text",
    ".p2align 4",
    ".hidden libdebug_wait4",
    ".hidden libdebug_wait4_window",
    ".hidden libdebug_wait4_done",
    ".hidden libdebug_wait4_rung",
    ".globl libdebug_wait4",
    ".globl libdebug_wait4_window",
    ".globl libdebug_wait4_done",
    ".globl libdebug_wait4_rung",
    ".type libdebug_wait4, @function",
    "libdebug_wait4:", // (bell: rdi, pid: esi, status: rdx, options: ecx) -> rax
    "mov r8, rdi",
    "movsxd rdi, esi",
    "mov rsi, rdx",
    "movsxd rdx, ecx",
    "xor r10d, r10d",
    "libdebug_wait4_window:",
    "cmp dword ptr [r8], 0",
    "jne libdebug_wait4_rung",
    "mov eax, 61", // SYS_wait4
    "syscall",
    "libdebug_wait4_done:",
    "ret",
    "libdebug_wait4_rung:",
    "mov rax, -4", // -EINTR
    "ret",
    ".size libdebug_wait4, . - libdebug_wait4",
);

unsafe extern "C" {
    fn libdebug_wait4(bell: *const u32, pid: i32, status: *mut i32, options: i32) -> i64;
    static libdebug_wait4_window: u8;
    static libdebug_wait4_done: u8;
    static libdebug_wait4_rung: u8;
}

/// The tracer thread's side: a wait that a [`Doorbell`] ends.
#[derive(Debug)]
pub struct Bell {
    shared: Arc<AtomicU32>,
}

/// The other threads' side. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Doorbell {
    shared: Arc<AtomicU32>,
    process: Pid,
    tracer: Tid,
}

impl Bell {
    /// A bell for the calling thread, which from here on takes no signals but the bell's (and those that its
    /// own instructions cause), so that the host's signals go to the host's threads.
    ///
    /// SIGCHLD stays let in: the kernel sends it at every stop of a tracee, and drops it at once when nobody
    /// handles it, but only where it is not blocked. Blocked here, it would wake another thread of the host at
    /// every stop, on another CPU as a rule, which costs more than all the rest of the stop.
    pub fn for_this_thread() -> (Self, Doorbell) {
        sys::block_signals();
        sys::unblock(bell_signal());
        sys::unblock(Signal(libc::SIGCHLD));
        let shared = Arc::new(AtomicU32::new(SILENT));
        let process = Pid(std::process::id().cast_signed());
        // SAFETY: gettid has no preconditions.
        let tracer = Tid(unsafe { libc::gettid() });
        (Self { shared: Arc::clone(&shared) }, Doorbell { shared, process, tracer })
    }

    /// Whether it was rung since [`Bell::answer`].
    pub fn is_rung(&self) -> bool {
        self.shared.load(Ordering::Acquire) == RUNG
    }

    /// Makes the bell silent again. Look for commands after this, not before.
    pub fn answer(&self) {
        self.shared.store(SILENT, Ordering::Release);
    }

    /// `wait4(pid, &status, options, NULL)` that also ends, with `-EINTR`, once the bell is rung.
    pub(crate) fn wait4(&self, pid: i32, status: &mut i32, options: i32) -> i64 {
        // SAFETY: the assembly above reads the bell's word, which lives as long as `self`, and writes `status`
        // through wait4 alone; it clobbers only what the C ABI lets it.
        unsafe { libdebug_wait4(self.shared.as_ptr(), pid, status, options) }
    }
}

impl Doorbell {
    /// Rings: the tracer's current wait ends, or its next one does at once.
    pub fn ring(&self) {
        if self.shared.swap(RUNG, Ordering::AcqRel) == SILENT {
            // A tracer that has ended meanwhile needs no bell, so the error says nothing.
            let _ = sys::signal_thread(self.process, self.tracer, bell_signal());
        }
    }
}

/// The signal of the bell: the highest real-time signal that nobody in this process has claimed when the
/// first debugger starts. Its handler is installed once, and does nothing outside the window above.
pub(crate) fn bell_signal() -> Signal {
    static SIGNAL: OnceLock<Signal> = OnceLock::new();
    *SIGNAL.get_or_init(|| {
        let free = (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev().find(|&number| is_default(number));
        let number = free.unwrap_or(libc::SIGRTMAX());
        install(number);
        Signal(number)
    })
}

fn is_default(number: i32) -> bool {
    // SAFETY: a zeroed sigaction is a valid value to be overwritten; a null new action only reads.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        libc::sigaction(number, std::ptr::null(), &mut old) == 0 && old.sa_sigaction == libc::SIG_DFL
    }
}

fn install(number: i32) {
    // SAFETY: the handler has the SA_SIGINFO signature and is async-signal-safe: it compares and stores words.
    // No SA_RESTART: a blocked wait4 has to return.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_ring as extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(number, &action, std::ptr::null_mut());
    }
}

/// How many timers of this process have expired.
static EXPIRIES: AtomicU32 = AtomicU32::new(0);

/// Changes whenever a [`Timer`](crate::Timer) of this process expires, also outside of a wait.
pub fn timer_expiries() -> u32 {
    EXPIRIES.load(Ordering::Relaxed)
}

extern "C" fn on_ring(_: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo_t.
    if unsafe { (*info).si_code } == libc::SI_TIMER {
        EXPIRIES.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: with SA_SIGINFO the kernel passes a valid ucontext_t; the labels are addresses of our own text,
    // of which only the address is taken.
    unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        let pc = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
        let window = (&raw const libdebug_wait4_window) as i64..(&raw const libdebug_wait4_done) as i64;
        if window.contains(pc) {
            *pc = (&raw const libdebug_wait4_rung) as i64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_before_the_wait_ends_it() {
        let (bell, doorbell) = Bell::for_this_thread();
        doorbell.ring();
        let mut status = 0;
        assert_eq!(bell.wait4(-1, &mut status, libc::__WALL | libc::__WNOTHREAD), -i64::from(libc::EINTR));
        bell.answer();
        assert!(!bell.is_rung());
    }

    #[test]
    fn no_ring_is_lost_however_it_falls() {
        // A child that never ends keeps wait4 from answering ECHILD; the other thread rings at every phase.
        let (bell, doorbell) = Bell::for_this_thread();
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let (tx, rx) = std::sync::mpsc::channel();
        let ringer = std::thread::spawn(move || {
            for round in 0..20_000_u32 {
                for _ in 0..round % 97 {
                    std::hint::spin_loop();
                }
                doorbell.ring();
                if rx.recv().is_err() {
                    break;
                }
            }
        });
        for _ in 0..20_000 {
            let mut status = 0;
            let options = libc::__WALL | libc::__WNOTHREAD;
            assert_eq!(bell.wait4(-1, &mut status, options), -i64::from(libc::EINTR));
            bell.answer();
            tx.send(()).unwrap();
        }
        ringer.join().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
