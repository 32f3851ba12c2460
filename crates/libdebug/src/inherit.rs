//! The handlers of one process, set in another one: a child that is to be handled as its creator was.

use std::collections::BTreeSet;
use std::sync::Arc;

use libdebug_kernel::Signal;

use crate::breakpoint::{Breakpoint, BreakpointCell, BreakpointSpec};
use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::process::Process;
use crate::signal::{CatcherCell, CatcherSpec, SignalCatcher};
use crate::syscall::{SyscallCell, SyscallHandler, SyscallSpec};
use crate::tracer::Command;

/// All that is set in one process.
#[derive(Debug, Default)]
pub(crate) struct Handlers {
    pub(crate) breakpoints: Vec<Arc<BreakpointCell>>,
    pub(crate) syscalls: Vec<Arc<SyscallCell>>,
    pub(crate) catchers: Vec<Arc<CatcherCell>>,
    pub(crate) blocked: BTreeSet<Signal>,
}

impl Debugger {
    pub(crate) fn handlers(&self) -> Result<Handlers> {
        self.open_session()?;
        self.ask(Command::Handlers)?.ok_or(Error::NoProcess)
    }

    /// The breakpoints and watchpoints that are set, the oldest first. Does not wait for a stop.
    ///
    /// # Errors
    /// [`Error::NoProcess`], [`Error::Terminated`].
    pub fn breakpoints(&self) -> Result<Vec<Breakpoint>> {
        let handle = |cell| Breakpoint { cell, debugger: self.clone() };
        Ok(self.handlers()?.breakpoints.into_iter().map(handle).collect())
    }

    /// The handlers of system calls that are set, the oldest first. Does not wait for a stop.
    ///
    /// # Errors
    /// As [`Debugger::breakpoints`].
    pub fn syscall_handlers(&self) -> Result<Vec<SyscallHandler>> {
        let handle = |cell| SyscallHandler { cell, debugger: self.clone() };
        Ok(self.handlers()?.syscalls.into_iter().map(handle).collect())
    }

    /// The catchers of signals that are set, the oldest first. Does not wait for a stop.
    ///
    /// # Errors
    /// As [`Debugger::breakpoints`].
    pub fn signal_catchers(&self) -> Result<Vec<SignalCatcher>> {
        let handle = |cell| SignalCatcher { cell, debugger: self.clone() };
        Ok(self.handlers()?.catchers.into_iter().map(handle).collect())
    }

    /// Sets what is set and enabled in `parent`'s process, and is not for one thread only, in this one's too: each with
    /// a count of its own; and the signals that are never delivered. Breakpoints are left out unless both execute the same program.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use libdebug::{Debugger, SyscallSpec};
    /// let debugger = Debugger::builder("/bin/sh").args(["-c", "(exit 3); exit 4"]).follow_children(true).run()?;
    /// debugger.handle_syscall(SyscallSpec::stop(Some(Debugger::syscall_number("exit_group")?)))?;
    /// debugger.cont()?;
    /// let child = debugger.wait_child(None)?.expect("a subshell");
    /// child.inherit_handlers(&debugger)?;
    /// child.cont()?;
    /// child.wait()?;
    /// assert_eq!(child.main_thread()?.syscall_argument(0)?, 3);
    /// # child.kill()?;
    /// # debugger.kill()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Debugger::set_breakpoint`] and [`Debugger::handle_syscall`]; what was set before stays.
    pub fn inherit_handlers(&self, parent: &Self) -> Result<()> {
        let handlers = parent.handlers()?;
        if self.executable() == parent.executable() {
            for cell in handlers.breakpoints.iter().filter(|cell| cell.life.is_heritable()) {
                self.set_breakpoint(cell.spec())?;
            }
        }
        for cell in handlers.syscalls.iter().filter(|cell| cell.life.is_heritable()) {
            self.handle_syscall(cell.spec())?;
        }
        for cell in handlers.catchers.iter().filter(|cell| cell.life.is_heritable()) {
            self.catch_signal(cell.spec())?;
        }
        self.set_blocked_signals(handlers.blocked)
    }
}

impl Process {
    pub(crate) fn handlers(&self) -> Handlers {
        Handlers {
            breakpoints: self.breakpoints.values().cloned().collect(),
            syscalls: self.syscalls.handlers.clone(),
            catchers: self.signals.catchers.clone(),
            blocked: self.signals.blocked.clone(),
        }
    }
}

impl Breakpoint {
    /// What it is, as it could be set once more.
    pub fn spec(&self) -> BreakpointSpec {
        self.cell.spec()
    }
}

impl SyscallHandler {
    /// What it is, as it could be set once more.
    pub fn spec(&self) -> SyscallSpec {
        self.cell.spec()
    }
}

impl SignalCatcher {
    /// What it is, as it could be set once more.
    pub fn spec(&self) -> CatcherSpec {
        self.cell.spec()
    }
}
