//! How long to wait, and what ends it.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use libdebug_kernel::{Interest, Latch, wait_ready};

use super::IoError;
use crate::error::BoxError;

/// Where a process is in its life, for input and output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessState {
    /// Some thread may run.
    Running,
    /// No thread runs until the process is continued.
    Stopped {
        /// Why each thread stands where it stands, for the error's text.
        events: String,
    },
    /// All threads have ended.
    Dead,
}

/// How long to wait for input or output, and what ends the wait early.
pub struct Wait<'a> {
    /// When to give up; `None` is never. What can be done at once is done even when it has passed.
    pub deadline: Option<Instant>,
    /// Set while the process is stopped or dead.
    pub stopped: &'a Latch,
    /// Asked when `stopped` is set.
    pub state: &'a dyn Fn() -> ProcessState,
    /// Looked at before and during the wait: its error ends it, as Ctrl-C does. What it answers is a descriptor that
    /// is readable when it is to be looked at again.
    pub check: Option<&'a Check<'a>>,
}

/// What can end a wait from outside.
pub type Check<'a> = dyn Fn() -> Result<Option<BorrowedFd<'a>>, BoxError> + 'a;

impl Wait<'_> {
    /// Why the process is stopped; `None` when it has been continued meanwhile, or is dead: descendants of a
    /// dead process may still hold its streams, and when they do not the stream itself tells the end.
    pub(super) fn stop_events(&self) -> Option<String> {
        match (self.state)() {
            ProcessState::Stopped { events } => Some(events),
            ProcessState::Running | ProcessState::Dead => None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    pub(super) fn check(&self) -> Result<Option<BorrowedFd<'_>>, IoError> {
        self.check.map_or(Ok(None), |check| check().map_err(IoError::Interrupted))
    }

    /// Blocks until `file` may be ready, the process stops, or one of `latches` is set; returns at the deadline
    /// too.
    pub(super) fn sleep(&self, file: &File, interest: Interest, latches: &[&Latch]) -> Result<(), IoError> {
        let mut awaited = vec![(file.as_fd(), interest)];
        let watched: Vec<_> = latches.iter().map(|latch| latch.watch()).collect::<Result<_, _>>()?;
        awaited.extend(watched.iter().map(|latch| (latch.as_fd(), Interest::Read)));
        // What the latch of a dead process says is known, and would end every wait for its descendants' output.
        let dead = self.stopped.is_set() && (self.state)() == ProcessState::Dead;
        let stopped = if dead { None } else { Some(self.stopped.watch()?) };
        awaited.extend(stopped.iter().map(|latch| (latch.as_fd(), Interest::Read)));
        let check = || self.check();
        let check: Option<&dyn Fn() -> Result<_, IoError>> = self.check.map(|_| &check as _);
        wait_ready(&awaited, self.deadline, check).map(drop)
    }
}
