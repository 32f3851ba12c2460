//! What a user sets: breakpoints and watchpoints, as handles to one cell each.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use crate::debugger::Debugger;
use crate::error::Result;
use crate::handler::Action;
use crate::session::{read, write};
use crate::thread::Thread;

/// Names one breakpoint of one debugger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BreakpointId(pub(crate) u64);

/// What a hardware breakpoint waits for (Intel SDM volume 3, 17.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// The instruction at the address is about to be executed.
    Execute,
    /// The bytes were written.
    Write,
    /// The bytes were read or written.
    ReadWrite,
}

/// How a breakpoint stops the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakpointKind {
    /// A trap instruction in the program's text.
    Software,
    /// A debug register of every thread.
    Hardware {
        /// What it waits for.
        access: Access,
        /// How many bytes it watches: 1, 2, 4 or 8, aligned to that; 1 for [`Access::Execute`].
        length: u8,
    },
}

/// What a breakpoint is: everything but where it stands in its life.
#[derive(Debug, Clone)]
pub struct BreakpointSpec {
    /// The virtual address.
    pub address: u64,
    /// How the user named it; shown, never looked at.
    pub symbol: String,
    /// How it stops the program.
    pub kind: BreakpointKind,
    /// What a hit does.
    pub action: Action,
}

impl BreakpointSpec {
    /// A software breakpoint at `address` that stops the process.
    pub fn at(address: u64) -> Self {
        Self {
            address,
            symbol: format!("{address:#x}"),
            kind: BreakpointKind::Software,
            action: Action::Stop,
        }
    }
}

/// The one place where a breakpoint's state is.
#[derive(Debug)]
pub(crate) struct BreakpointCell {
    pub(crate) id: BreakpointId,
    pub(crate) address: u64,
    pub(crate) symbol: String,
    pub(crate) kind: BreakpointKind,
    pub(crate) action: RwLock<Action>,
    pub(crate) hits: AtomicU64,
    pub(crate) enabled: AtomicBool,
}

impl BreakpointCell {
    pub(crate) fn new(id: BreakpointId, spec: BreakpointSpec) -> Self {
        let BreakpointSpec { address, symbol, kind, action } = spec;
        let (hits, enabled) = (AtomicU64::new(0), AtomicBool::new(true));
        Self { id, address, symbol, kind, action: RwLock::new(action), hits, enabled }
    }

    pub(crate) fn action(&self) -> Action {
        read(&self.action).clone()
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Acquire)
    }

    pub(crate) fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether a hit needs no user's code and no stop of the other threads.
    pub(crate) fn is_native(&self) -> bool {
        matches!(*read(&self.action), Action::Count)
    }
}

/// A breakpoint or watchpoint that was set: a handle, cheap to clone. Dropping it removes nothing.
#[derive(Clone)]
pub struct Breakpoint {
    pub(crate) cell: Arc<BreakpointCell>,
    pub(crate) debugger: Debugger,
}

impl fmt::Debug for Breakpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, hits) = (self.address(), self.hit_count());
        let kind = self.cell.kind;
        write!(f, "Breakpoint {{ {address:#x} {:?}, {kind:?}, hits: {hits} }}", self.symbol())
    }
}

impl PartialEq for Breakpoint {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cell, &other.cell)
    }
}

impl Eq for Breakpoint {}

impl Breakpoint {
    /// Its name within its debugger.
    pub fn id(&self) -> BreakpointId {
        self.cell.id
    }

    /// The virtual address.
    pub fn address(&self) -> u64 {
        self.cell.address
    }

    /// How the user named it.
    pub fn symbol(&self) -> &str {
        &self.cell.symbol
    }

    /// How it stops the program.
    pub fn kind(&self) -> BreakpointKind {
        self.cell.kind
    }

    /// How often all threads together have hit it while it was enabled. Does not wait for a stop.
    pub fn hit_count(&self) -> u64 {
        self.cell.hits.load(Ordering::Acquire)
    }

    /// Whether the stop that `thread` is in was caused by this breakpoint.
    ///
    /// # Errors
    /// As [`Debugger::wait`]: the process is waited for first.
    pub fn hit_on(&self, thread: &Thread) -> Result<bool> {
        Ok(self.cell.is_enabled() && thread.has_reason_of(self.cell.id)?)
    }

    /// Whether it is enabled.
    pub fn is_enabled(&self) -> bool {
        self.cell.is_enabled()
    }

    /// Enables or disables it, effective from the next instruction on.
    ///
    /// # Errors
    /// [`Error::NoProcess`](crate::Error::NoProcess) after the process was killed or detached, and those of
    /// [`Debugger::wait`].
    pub fn set_enabled(&self, enabled: bool) -> Result<()> {
        self.debugger.set_breakpoint_enabled(&self.cell, enabled)
    }

    /// What a hit does.
    pub fn action(&self) -> Action {
        self.cell.action()
    }

    /// Changes what a hit does, from the next hit on.
    pub fn set_action(&self, action: Action) {
        *write(&self.cell.action) = action;
    }

    /// Removes it: the program's own instruction is back.
    ///
    /// # Errors
    /// As [`Breakpoint::set_enabled`].
    pub fn remove(&self) -> Result<()> {
        self.debugger.remove_breakpoint(&self.cell)
    }
}
