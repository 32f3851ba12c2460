//! What the handlers of all kinds of events have in common: what they do, and the numbers that users see.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::breakpoint::Breakpoint;
use crate::error::BoxError;
use crate::signal::SignalCatcher;
use crate::syscall::SyscallHandler;
use crate::thread::Thread;

/// A callback's answer: an error stops the process and comes out of the next wait.
pub type CallbackResult = std::result::Result<(), BoxError>;

/// A callback, run on the debugger's own thread while the whole process is stopped. It may use the thread, its
/// handler and the debugger, except for what resumes or ends the process.
pub type Callback<H = Breakpoint> = dyn Fn(&Thread, &H) -> CallbackResult + Send + Sync;

/// A callback of [`Debugger::on_exec`](crate::Debugger::on_exec), run as a [`Callback`] is.
pub type ExecCallback = dyn Fn(&Thread) -> CallbackResult + Send + Sync;

/// What an event does that has a handler of kind `H`.
pub enum Action<H = Breakpoint> {
    /// The process stops, and whoever waits is told.
    Stop,
    /// The event is counted; only the thread that it happened to is stopped for that, and only briefly.
    Count,
    /// The callback runs, then the process goes on.
    Call(Arc<Callback<H>>),
}

impl Action<Breakpoint> {
    /// An action that calls `callback` at a breakpoint.
    pub fn call(callback: impl Fn(&Thread, &Breakpoint) -> CallbackResult + Send + Sync + 'static) -> Self {
        Self::Call(Arc::new(callback))
    }
}

// One constructor for each kind, so that closures need not name the types of their arguments.
impl Action<SyscallHandler> {
    /// An action that calls `callback` at a system call.
    pub fn call_at_syscall(
        callback: impl Fn(&Thread, &SyscallHandler) -> CallbackResult + Send + Sync + 'static,
    ) -> Self {
        Self::Call(Arc::new(callback))
    }
}

impl Action<SignalCatcher> {
    /// An action that calls `callback` at a signal.
    pub fn call_at_signal(
        callback: impl Fn(&Thread, &SignalCatcher) -> CallbackResult + Send + Sync + 'static,
    ) -> Self {
        Self::Call(Arc::new(callback))
    }
}

impl<H> Action<H> {
    pub(crate) fn is_native(&self) -> bool {
        matches!(self, Self::Count)
    }
}

impl<H> Clone for Action<H> {
    fn clone(&self) -> Self {
        match self {
            Self::Stop => Self::Stop,
            Self::Count => Self::Count,
            Self::Call(callback) => Self::Call(Arc::clone(callback)),
        }
    }
}

impl<H> fmt::Debug for Action<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "Stop",
            Self::Count => "Count",
            Self::Call(_) => "Call",
        })
    }
}

/// Names one handler of one debugger, whatever it handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerId(pub(crate) u64);

/// What changes in a handler's life.
#[derive(Debug)]
pub(crate) struct Life {
    hits: AtomicU64,
    enabled: AtomicBool,
    recursive: AtomicBool,
}

impl Life {
    pub(crate) fn new(recursive: bool) -> Self {
        let (hits, enabled) = (AtomicU64::new(0), AtomicBool::new(true));
        Self { hits, enabled, recursive: AtomicBool::new(recursive) }
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Acquire)
    }

    pub(crate) fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Acquire)
    }

    pub(crate) fn set_enabled(&self, on: bool) {
        self.enabled.store(on, Ordering::Release);
    }

    pub(crate) fn is_recursive(&self) -> bool {
        self.recursive.load(Ordering::Acquire)
    }

    pub(crate) fn set_recursive(&self, on: bool) {
        self.recursive.store(on, Ordering::Release);
    }
}
