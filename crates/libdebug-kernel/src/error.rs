//! What a request to the kernel can answer instead of a value.

use crate::ids::{Errno, Tid};

/// The result of a request to the kernel.
pub type Result<T> = std::result::Result<T, KernelError>;

/// Why the kernel refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// `ESRCH`: the tracee was killed, or is not stopped, or was never ours. ptrace(2): "a tracee can die
    /// between any two requests".
    #[error("thread {tid} is gone or not stopped ({call})")]
    Gone {
        /// The thread that was asked for.
        tid: Tid,
        /// The request.
        call: &'static str,
    },
    /// `EPERM` or `EACCES`.
    #[error("{call} on thread {tid} is not permitted")]
    Denied {
        /// The thread that was asked for.
        tid: Tid,
        /// The request.
        call: &'static str,
    },
    /// Any other error number.
    #[error("{call} failed on thread {tid}: {errno}")]
    Failed {
        /// The thread that was asked for; 0 when the call concerns none.
        tid: Tid,
        /// The request or system call.
        call: &'static str,
        /// The error number.
        errno: Errno,
    },
}

impl KernelError {
    /// The error that `errno` means for `call` on `tid`.
    pub(crate) fn new(call: &'static str, tid: Tid, errno: Errno) -> Self {
        match errno.0 {
            libc::ESRCH => Self::Gone { tid, call },
            libc::EPERM | libc::EACCES => Self::Denied { tid, call },
            _ => Self::Failed { tid, call, errno },
        }
    }

    /// The error of the libc call that just failed, for no thread in particular.
    pub(crate) fn last(call: &'static str) -> Self {
        Self::Failed { tid: Tid(0), call, errno: Errno::last() }
    }

    /// The error number behind the error.
    pub fn errno(self) -> Errno {
        match self {
            Self::Gone { .. } => Errno(libc::ESRCH),
            Self::Denied { .. } => Errno(libc::EPERM),
            Self::Failed { errno, .. } => errno,
        }
    }
}
