//! Lending the host's terminal to the program.

use std::io::stdin;
use std::os::fd::AsFd;

use libdebug_kernel::{Pid, set_foreground, terminal_foreground};

/// The terminal on descriptor 0 is lent to a program; dropping this takes it back.
#[derive(Debug)]
pub(crate) struct Foreground {
    previous: Pid,
    child: Option<Pid>,
}

impl Foreground {
    /// Remembers who is in the foreground of the terminal on descriptor 0; `None` when that is no terminal that
    /// controls us.
    pub(super) fn of_stdin() -> Option<Self> {
        terminal_foreground(stdin().as_fd()).map(|previous| Self { previous, child: None })
    }

    pub(super) fn given_to(mut self, child: Pid) -> Self {
        self.child = Some(child);
        self
    }

    /// Gives the terminal back, for a while or for ever.
    pub(crate) fn suspend(&self) {
        let terminal = stdin();
        if terminal_foreground(terminal.as_fd()).is_some_and(|current| self.is_ours_to_return(current)) {
            // Nothing is left to do when the terminal is gone, or the previous group is.
            let _ = set_foreground(terminal.as_fd(), self.previous);
        }
    }

    /// The program has it again, unless somebody else has taken it meanwhile.
    pub(crate) fn restore(&self) {
        let terminal = stdin();
        if let Some(child) = self.child
            && terminal_foreground(terminal.as_fd()) == Some(self.previous)
        {
            let _ = set_foreground(terminal.as_fd(), child);
        }
    }

    /// A shell may have taken the terminal from the program meanwhile, and keeps it then. Without a child the
    /// one that failed to start may still have moved itself to the foreground.
    fn is_ours_to_return(&self, current: Pid) -> bool {
        self.child.map_or(current != self.previous, |child| current == child)
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        self.suspend();
    }
}
