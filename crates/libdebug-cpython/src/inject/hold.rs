//! The process, stopped for a moment and let go again.

use std::sync::Arc;

use libdebug::{Debugger, Host, Pid, ProcessView, Thread};

use crate::error::{Error, Result};
use crate::inject::arm;
use crate::inject::pages::Pages;
use crate::interpreter::Interpreter;

/// How the process is stopped and let go.
#[derive(Debug)]
pub(crate) enum Hold {
    /// It runs by itself, and is attached to for each of the moments.
    Attach { pid: Pid, debugger: Debugger },
    /// Somebody debugs it: it is stopped outside, and runs only while something is waited for.
    Lent(Debugger),
}

impl Hold {
    pub(crate) fn of_process(pid: Pid, host: Arc<dyn Host>) -> Result<Self> {
        Ok(Self::Attach { pid, debugger: Debugger::with_host(host)? })
    }

    /// The interpreter: looked for without a stop, where that is possible.
    pub(crate) fn interpreter(&self) -> Result<Interpreter> {
        match self {
            Self::Attach { pid, .. } => Interpreter::look(&ProcessView::open(*pid)?),
            Self::Lent(debugger) => Interpreter::find(debugger),
        }
    }

    /// Refuses a process whose threads could not go on in our code.
    pub(crate) fn check_free(&self) -> Result<()> {
        let Some(pid) = self.debugger_pid() else { return Ok(()) };
        let view = ProcessView::open(pid)?;
        if matches!(self, Self::Attach { .. }) && view.is_stopped()? {
            let text = format!("process {pid} is stopped, as by SIGSTOP or Ctrl-Z: continue it first");
            return Err(Error::NotNow(text));
        }
        if view.has_shadow_stack()? {
            let text = format!("process {pid} has a shadow stack, which code from outside would break");
            return Err(Error::NotNow(text));
        }
        Ok(())
    }

    fn debugger_pid(&self) -> Option<Pid> {
        match self {
            Self::Attach { pid, .. } => Some(*pid),
            Self::Lent(debugger) => debugger.pid(),
        }
    }

    pub(crate) fn debugger(&self) -> &Debugger {
        match self {
            Self::Attach { debugger, .. } | Self::Lent(debugger) => debugger,
        }
    }

    /// Does `act` while all threads of the process are stopped. It runs afterwards, whatever comes of it.
    pub(crate) fn stopped<T>(&self, act: impl FnOnce(&Debugger) -> Result<T>) -> Result<T> {
        self.stop()?;
        let done = act(self.debugger());
        let gone_on = self.let_go();
        let done = done?;
        gone_on?;
        Ok(done)
    }

    fn stop(&self) -> Result<()> {
        match self {
            Self::Attach { pid, debugger } => debugger.attach(*pid, false)?,
            Self::Lent(debugger) => {
                debugger.interrupt()?;
                debugger.wait()?;
            }
        }
        Ok(())
    }

    fn let_go(&self) -> Result<()> {
        match self {
            Self::Attach { debugger, .. } => debugger.detach()?,
            Self::Lent(debugger) => debugger.cont()?,
        }
        Ok(())
    }

    /// At the end: whoever debugs the process finds it stopped, as it was, and no thread still in our pages.
    pub(crate) fn give_back(&self, pages: &Pages) -> Result<()> {
        let Self::Lent(debugger) = self else { return Ok(()) };
        self.stop()?;
        for _ in 0..100 {
            // Also in what our code has called: assignments to variables of the frame are made last.
            let is_inside = |thread: &Thread| {
                !thread.is_dead()
                    && thread.backtrace().is_ok_and(|stack| stack.iter().any(|&pc| pages.contains(pc)))
            };
            if !debugger.threads().iter().any(is_inside) {
                break;
            }
            arm::run_on(debugger)?;
        }
        Ok(())
    }
}
