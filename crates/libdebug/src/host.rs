//! What a debugger asks of the program that it runs in.

use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd};

use crate::error::BoxError;

/// The host program's part: how threads start and what can end a wait. The default methods are right for a
/// plain Rust program.
pub trait Host: Send + Sync {
    /// Starts `body` on a new thread, the debugger's tracer thread.
    ///
    /// # Errors
    /// When no thread can be started.
    fn spawn(&self, body: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        std::thread::Builder::new().name("libdebug-tracer".to_owned()).spawn(body).map(drop)
    }

    /// Looked at before and during every wait of a user's thread: an error ends the wait, as a pending Ctrl-C
    /// does in Python.
    ///
    /// # Errors
    /// Whatever should end the wait.
    fn check(&self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Something that users may want to know, as a sentence; nobody is told by default.
    fn remark(&self, _remark: &str) {}

    /// Whether [`Host::check`] says anything at all; without it a wait saves two system calls.
    fn has_check(&self) -> bool {
        false
    }

    /// Asked for once by a wait that has to block, before its first [`Host::check`], and dropped at its end by the
    /// same thread: a descriptor that is readable whenever `check` may have something to say. `check` reads it empty.
    /// For hosts whose signals another thread than the waiting one may handle.
    fn alarm(&self) -> Option<Box<dyn AsFd + '_>> {
        None
    }
}

/// What can end one wait from outside: the host, while it is looked at.
pub(crate) struct Lookout<'a> {
    host: &'a dyn Host,
    alarm: OnceCell<Option<Box<dyn AsFd + 'a>>>,
}

impl<'a> Lookout<'a> {
    /// Nothing is asked of the host before the first [`Lookout::look`].
    pub(crate) fn of(host: &'a dyn Host) -> Self {
        Self { host, alarm: OnceCell::new() }
    }

    /// Whether there is anything to look for.
    pub(crate) fn is_needed(&self) -> bool {
        self.host.has_check()
    }

    /// Right before a thread falls asleep: answers what is to wake it up.
    pub(crate) fn look(&self) -> Result<Option<BorrowedFd<'_>>, BoxError> {
        let alarm = self.alarm.get_or_init(|| self.host.alarm());
        self.host.check()?;
        Ok(alarm.as_ref().map(AsFd::as_fd))
    }
}

/// A plain Rust program.
#[derive(Debug, Clone, Copy, Default)]
pub struct RustHost;

impl Host for RustHost {}
