//! What a user sets: breakpoints and watchpoints, as handles to one cell each.

use std::fmt;
use std::sync::{Arc, Mutex, RwLock};

use libdebug_kernel::Tid;

use crate::debugger::Debugger;
use crate::error::Result;
use crate::handler::{Action, HandlerId, Life, impl_handle};
use crate::mailbox::lock;
use crate::session::{read, write};
use crate::thread::Thread;

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
    /// The one thread that it stops; `None` for all. The others pass it.
    pub thread: Option<Tid>,
}

impl BreakpointSpec {
    /// A software breakpoint at `address` that stops the process.
    pub fn at(address: u64) -> Self {
        Self {
            address,
            symbol: format!("{address:#x}"),
            kind: BreakpointKind::Software,
            action: Action::Stop,
            thread: None,
        }
    }
}

/// The one place where a breakpoint's state is.
#[derive(Debug)]
pub(crate) struct BreakpointCell {
    pub(crate) address: u64,
    pub(crate) symbol: String,
    pub(crate) kind: BreakpointKind,
    pub(crate) action: RwLock<Action>,
    pub(crate) life: Life,
    /// What a watchpoint has seen of its bytes: at the hit before the last one, or when it was set; and at the last one.
    seen: Mutex<(Option<u64>, Option<u64>)>,
}

impl BreakpointCell {
    pub(crate) fn new(id: HandlerId, spec: BreakpointSpec) -> Self {
        let BreakpointSpec { address, symbol, kind, action, thread } = spec;
        let life = Life::new(id, thread, false);
        Self { address, symbol, kind, action: RwLock::new(action), life, seen: Mutex::default() }
    }

    pub(crate) fn spec(&self) -> BreakpointSpec {
        BreakpointSpec {
            address: self.address,
            symbol: self.symbol.clone(),
            kind: self.kind,
            action: self.action(),
            thread: self.life.thread,
        }
    }

    /// How many bytes it watches; `None` for what waits for an execution.
    pub(crate) fn watched_bytes(&self) -> Option<usize> {
        match self.kind {
            BreakpointKind::Hardware { access: Access::Write | Access::ReadWrite, length } => {
                Some(length.into())
            }
            _ => None,
        }
    }

    /// The watched bytes hold `value` now.
    pub(crate) fn see(&self, value: Option<u64>) {
        let mut seen = lock(&self.seen);
        *seen = (seen.1, value);
    }

    pub(crate) fn action(&self) -> Action {
        read(&self.action).clone()
    }

    /// Whether a hit of `tid` needs no user's code and no stop of the other threads.
    pub(crate) fn is_native_for(&self, tid: Tid) -> bool {
        !self.life.concerns(tid) || self.is_native()
    }

    /// Whether no hit needs a user's code.
    pub(crate) fn is_native(&self) -> bool {
        read(&self.action).is_native()
    }

    /// Counts a hit of `tid`, if it is one.
    pub(crate) fn count_hit(&self, tid: Tid) {
        if self.life.concerns(tid) {
            self.life.count_hit();
        }
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

impl_handle!(Breakpoint);

impl Breakpoint {
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

    /// Whether the stop that `thread` is in was caused by this breakpoint.
    ///
    /// # Errors
    /// As [`Debugger::wait`]: the process is waited for first.
    pub fn hit_on(&self, thread: &Thread) -> Result<bool> {
        Ok(self.is_enabled() && thread.has_reason_of(self.id())?)
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

    /// What the watched bytes held at the hit before the last one, or when the watchpoint was set, as an unsigned
    /// number of its length; `None` before the first hit, and for what is no watchpoint or only counts.
    pub fn old_value(&self) -> Option<u64> {
        lock(&self.cell.seen).0
    }

    /// What the watched bytes held at the last hit, or when the watchpoint was set: the processor stops behind the
    /// access (Intel SDM volume 3, 17.3.1.1).
    pub fn new_value(&self) -> Option<u64> {
        lock(&self.cell.seen).1
    }

    /// Removes it: the program's own instruction is back.
    ///
    /// # Errors
    /// As [`Breakpoint::set_enabled`].
    pub fn remove(&self) -> Result<()> {
        self.debugger.remove_breakpoint(&self.cell)
    }
}
