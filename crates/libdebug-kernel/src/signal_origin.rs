//! What a siginfo tells, by who made it: which fields of its union mean anything.

use crate::ptrace::SignalInfo;

/// Who or what a signal comes from (sigaction(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalOrigin {
    /// A process: kill(2), tkill(2), sigqueue(3), mq_notify(3).
    Process {
        /// Its pid.
        pid: i32,
        /// The real user id that it had.
        uid: u32,
        /// What it sent along, if it could send anything.
        value: Option<u64>,
    },
    /// A timer of the process itself (timer_create(2)).
    Timer {
        /// What was chosen for it.
        value: u64,
    },
    /// An instruction of the thread itself.
    Fault {
        /// The memory that it touched; for SIGILL, SIGFPE and SIGTRAP the instruction.
        address: u64,
    },
    /// A child that ended, stopped or went on.
    Child {
        /// Its pid.
        pid: i32,
        /// Its real user id.
        uid: u32,
        /// Its exit status or the signal.
        status: i32,
    },
    /// The kernel, for a reason that it does not tell more of.
    Kernel,
}

const SI_USER: i32 = libc::SI_USER;

impl SignalInfo {
    /// Who or what the signal comes from.
    pub fn origin(&self) -> SignalOrigin {
        match self.code() {
            SI_USER | libc::SI_TKILL => self.sent(None),
            libc::SI_QUEUE | libc::SI_MESGQ => self.sent(Some(self.value())),
            libc::SI_TIMER => SignalOrigin::Timer { value: self.value() },
            code if code > 0 && code < libc::SI_KERNEL => self.told_by_kernel(),
            _ => SignalOrigin::Kernel,
        }
    }

    fn sent(&self, value: Option<u64>) -> SignalOrigin {
        SignalOrigin::Process { pid: self.sender(), uid: self.user(), value }
    }

    fn told_by_kernel(&self) -> SignalOrigin {
        match self.signal().0 {
            libc::SIGILL | libc::SIGTRAP | libc::SIGBUS | libc::SIGFPE | libc::SIGSEGV => {
                SignalOrigin::Fault { address: self.address() }
            }
            libc::SIGCHLD => {
                SignalOrigin::Child { pid: self.sender(), uid: self.user(), status: self.status() }
            }
            _ => SignalOrigin::Kernel,
        }
    }
}
