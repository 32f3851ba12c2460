//! What the handlers of all kinds of events have in common: what they do, and the numbers that users see.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libdebug_kernel::Tid;

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

/// What every handler is, and what changes in its life.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) id: HandlerId,
    /// The one thread whose events it handles; `None` for all.
    pub(crate) thread: Option<Tid>,
    hits: AtomicU64,
    enabled: AtomicBool,
    recursive: AtomicBool,
}

impl Life {
    pub(crate) fn new(id: HandlerId, thread: Option<Tid>, recursive: bool) -> Self {
        let (hits, enabled) = (AtomicU64::new(0), AtomicBool::new(true));
        Self { id, thread, hits, enabled, recursive: AtomicBool::new(recursive) }
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

    /// Answers whether it was enabled before.
    pub(crate) fn set_enabled(&self, on: bool) -> bool {
        self.enabled.swap(on, Ordering::AcqRel)
    }

    /// Whether it handles what happens to `tid` now.
    pub(crate) fn concerns(&self, tid: Tid) -> bool {
        self.is_enabled() && self.thread.is_none_or(|only| only == tid)
    }

    /// Whether it is of the process as a whole, and enabled.
    pub(crate) fn is_heritable(&self) -> bool {
        self.is_enabled() && self.thread.is_none()
    }

    pub(crate) fn is_recursive(&self) -> bool {
        self.recursive.load(Ordering::Acquire)
    }

    pub(crate) fn set_recursive(&self, on: bool) {
        self.recursive.store(on, Ordering::Release);
    }
}

/// A handler of events that each have a number, or of all of them.
pub(crate) trait Numbered {
    type Number: Copy + PartialEq;

    fn life(&self) -> &Life;

    /// `None` for all.
    fn number(&self) -> Option<Self::Number>;
}

/// The newest handler of that number that concerns `tid`, else the newest of all numbers.
pub(crate) fn newest<H: Numbered>(handlers: &[Arc<H>], number: H::Number, tid: Tid) -> Option<&Arc<H>> {
    let concerned = || handlers.iter().rev().filter(|handler| handler.life().concerns(tid));
    let exact = concerned().find(|handler| handler.number() == Some(number));
    exact.or_else(|| concerned().find(|handler| handler.number().is_none()))
}

/// What the handles of all kinds of handlers have in common; `cell` and `debugger` are their fields.
macro_rules! impl_handle {
    ($handle:ident) => {
        impl PartialEq for $handle {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.cell, &other.cell)
            }
        }

        impl Eq for $handle {}

        impl $handle {
            /// Its name within its debugger.
            pub fn id(&self) -> $crate::HandlerId {
                self.cell.life.id
            }

            /// The debugger that it belongs to.
            pub fn debugger(&self) -> &$crate::Debugger {
                &self.debugger
            }

            /// The one thread whose events it handles; `None` for all.
            pub fn thread(&self) -> Option<$crate::Tid> {
                self.cell.life.thread
            }

            /// How often it has fired while it was enabled, in all threads together. Does not wait for a stop.
            pub fn hit_count(&self) -> u64 {
                self.cell.life.hits()
            }

            /// Whether it is enabled.
            pub fn is_enabled(&self) -> bool {
                self.cell.life.is_enabled()
            }
        }
    };
}

/// What the handles of handlers have in common that can replace an event by another one.
macro_rules! impl_replacing_handle {
    ($handle:ident) => {
        $crate::handler::impl_handle!($handle);

        impl $handle {
            /// Enables or disables it.
            ///
            /// # Errors
            /// [`Error::NoProcess`](crate::Error::NoProcess), and those of [`Debugger::wait`](crate::Debugger::wait):
            /// the process is waited for.
            pub fn set_enabled(&self, on: bool) -> $crate::Result<()> {
                self.debugger.stopped_session()?;
                self.cell.life.set_enabled(on);
                Ok(())
            }

            /// Whether the handler of what a callback puts in the place of an event runs too.
            pub fn is_recursive(&self) -> bool {
                self.cell.life.is_recursive()
            }

            /// Chooses whether the handler of what a callback puts in the place of an event runs too.
            pub fn set_recursive(&self, on: bool) {
                self.cell.life.set_recursive(on);
            }

            /// Removes it.
            ///
            /// # Errors
            /// As [`Self::set_enabled`].
            pub fn remove(&self) -> $crate::Result<()> {
                self.debugger.remove_handler(self.cell.life.id)
            }
        }
    };
}

pub(crate) use {impl_handle, impl_replacing_handle};

#[cfg(test)]
mod tests {
    use super::*;

    struct OfNumber(Option<u64>, Life);

    impl Numbered for OfNumber {
        type Number = u64;

        fn life(&self) -> &Life {
            &self.1
        }

        fn number(&self) -> Option<u64> {
            self.0
        }
    }

    fn handlers(of: &[(Option<u64>, Option<Tid>)]) -> Vec<Arc<OfNumber>> {
        let life = |id: usize, thread| Life::new(HandlerId(id as u64), thread, false);
        let handler = |(id, &(number, thread))| Arc::new(OfNumber(number, life(id, thread)));
        of.iter().enumerate().map(handler).collect()
    }

    const TID: Tid = Tid(7);

    fn chosen(handlers: &[Arc<OfNumber>], number: u64) -> Option<u64> {
        newest(handlers, number, TID).map(|handler| handler.life().id.0)
    }

    #[test]
    fn a_handler_of_the_number_comes_before_one_of_all() {
        let all = handlers(&[(Some(1), None), (None, None), (Some(2), None)]);
        assert_eq!((chosen(&all, 1), chosen(&all, 2), chosen(&all, 3)), (Some(0), Some(2), Some(1)));
        all[0].life().set_enabled(false);
        assert_eq!(chosen(&all, 1), Some(1));
        assert_eq!(chosen(&handlers(&[(Some(1), None)]), 2), None);
    }

    #[test]
    fn a_handler_of_another_thread_handles_nothing() {
        let all = handlers(&[(Some(1), None), (Some(1), Some(Tid(8))), (None, Some(TID))]);
        assert_eq!((chosen(&all, 1), chosen(&all, 2)), (Some(0), Some(2)));
        let own = handlers(&[(Some(1), None), (Some(1), Some(TID))]);
        assert_eq!(chosen(&own, 1), Some(1), "the newest of those that it concerns");
    }
}
