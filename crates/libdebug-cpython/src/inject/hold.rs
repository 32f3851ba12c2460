//! The process, stopped for a moment and let go again.

use libdebug::{Debugger, Pid};

use crate::error::Result;

/// How the process is stopped and let go.
#[derive(Debug)]
pub(crate) enum Hold {
    /// It runs by itself, and is attached to for each of the moments.
    Attach { pid: Pid, debugger: Debugger },
    /// Somebody debugs it: it is stopped outside, and runs only while something is waited for.
    Lent(Debugger),
}

impl Hold {
    pub(crate) fn of_process(pid: Pid) -> Result<Self> {
        Ok(Self::Attach { pid, debugger: Debugger::new()? })
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

    /// At the end: whoever debugs the process finds it stopped, as it was.
    pub(crate) fn give_back(&self) -> Result<()> {
        if let Self::Lent(debugger) = self {
            debugger.interrupt()?;
            debugger.wait()?;
        }
        Ok(())
    }
}
