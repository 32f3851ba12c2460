//! What the process has open.

use std::os::fd::{OwnedFd, RawFd};

use libdebug_kernel::duplicate_descriptor;

use crate::debugger::Debugger;
use crate::error::{Error, Result};

impl Debugger {
    /// A descriptor of this program for what `number` is open on in the process: the same open file, as dup(2) makes
    /// one. Linux 5.6 or later. Does not wait.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use libdebug::Debugger;
    /// let debugger = Debugger::builder("/bin/true").run()?;
    /// let pipe2 = Debugger::syscall_number("pipe2")?;
    /// let thread = debugger.main_thread()?;
    /// let place = thread.register("rsp")?.as_u64().unwrap_or(0) - 256;
    /// assert_eq!(thread.invoke_syscall(pipe2, &[place, 0])?, 0);
    /// let ends = debugger.read_memory(place, 8)?;
    /// let end = |at: usize| i32::from_le_bytes(ends[at..at + 4].try_into().unwrap_or_default());
    /// let pipe = std::fs::File::from(debugger.descriptor(end(0))?);
    /// assert!(debugger.descriptor(1000).is_err());
    /// # drop(pipe);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoProcess`]; [`Error::Kernel`] for a number that is not open there, or without the right to trace it.
    pub fn descriptor(&self, number: RawFd) -> Result<OwnedFd> {
        let pid = self.pid().ok_or(Error::NoProcess)?;
        Ok(duplicate_descriptor(pid, number)?)
    }
}
