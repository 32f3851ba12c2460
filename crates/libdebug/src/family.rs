//! The debuggers of the processes that a process has created.

use std::time::{Duration, Instant};

use std::sync::atomic::Ordering;

use libdebug_kernel::{Pid, Tid, proc};

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::mailbox::lock;
use crate::session::Phase;

impl Debugger {
    /// The debuggers of the processes that the process has created while [`Debugger::follows_children`], in the
    /// order of their creation. Each is stopped until it is told to go on, and has no breakpoint or handler of its
    /// creator's. Does not wait.
    pub fn children(&self) -> Vec<Self> {
        lock(&self.shared().children).clone()
    }

    /// How many [`Debugger::children`] there are. Does not wait.
    pub fn child_count(&self) -> usize {
        lock(&self.shared().children).len()
    }

    /// One of [`Debugger::children`], by its place. Does not wait.
    pub fn child(&self, place: usize) -> Option<Self> {
        lock(&self.shared().children).get(place).cloned()
    }

    /// Whether processes that the process creates get debuggers of their own. Does not wait.
    pub fn follows_children(&self) -> bool {
        self.shared().follow_children.load(Ordering::Acquire)
    }

    /// Chooses whether processes that the process creates from now on get debuggers of their own, or run free.
    pub fn set_follows_children(&self, on: bool) {
        self.shared().follow_children.store(on, Ordering::Release);
    }

    /// The next child that nobody was told of by this method yet, as soon as there is one; `None` when the process
    /// stops or ends without another one.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use libdebug::Debugger;
    /// let script = "(exit 3); exit 4";
    /// let debugger = Debugger::builder("/bin/sh").arg("-c").arg(script).follow_children(true).run()?;
    /// debugger.cont()?;
    /// let child = debugger.wait_child(None)?.expect("a subshell");
    /// child.cont()?;
    /// assert_eq!((child.exit_code()?, debugger.exit_code()?), (Some(3), Some(4)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Debugger::wait_timeout`].
    pub fn wait_child(&self, timeout: Option<Duration>) -> Result<Option<Self>> {
        Ok(self.wait_birth(timeout)?.map(|(_, child)| child))
    }

    /// As [`Debugger::wait_child`], with the child's place among [`Debugger::children`].
    ///
    /// # Errors
    /// As [`Debugger::wait_timeout`].
    pub fn wait_birth(&self, timeout: Option<Duration>) -> Result<Option<(usize, Self)>> {
        self.forbid_in_callback("wait_child")?;
        self.open_session()?;
        let deadline = timeout.map(|timeout| (Instant::now() + timeout, timeout));
        loop {
            // Before the look for children: whoever is born afterwards makes the process run, or this look late.
            let stopped = self.shared().stopped.is_set();
            let next = self.shared().births.take(&lock(&self.shared().children));
            if next.is_some() {
                return Ok(next);
            }
            if stopped {
                return self.raise_failure().map(|()| None);
            }
            self.await_latches(deadline, &[&self.shared().births.unseen, &self.shared().stopped])?;
        }
    }

    /// Children that stand still until somebody lets them go on.
    pub(crate) fn still_children(&self) -> Vec<Pid> {
        let still =
            |child: &Self| child.shared().session().is_some_and(|session| session.phase() == Phase::Stopped);
        self.children().iter().filter(|child| still(child)).filter_map(Self::pid).collect()
    }

    pub(crate) fn may_wait_for_children(&self) -> bool {
        self.follows_children() || self.child_count() > 0
    }

    /// Tells the host when a process that is waited for waits itself, for a child that stands still.
    pub(crate) fn remark_on(&self, long_wait: &Error) {
        let Error::Timeout { waited, threads, children } = long_wait else { return };
        let waits = threads.iter().any(|(tid, _)| waits_for_child(*tid));
        if let Some(pid) = self.pid().filter(|_| waits && !children.is_empty()) {
            let children = children.iter().map(|child| child.0.to_string()).collect::<Vec<_>>().join(", ");
            self.shared().host.remark(&format!(
                "Process {pid} has been waited for for {} s. It waits for a child, and of its children {children} \
                 stands still until its debugger lets it go on: see `children`.",
                waited.as_secs_f64()
            ));
        }
    }
}

fn waits_for_child(tid: Tid) -> bool {
    let waiting = ["wait4", "waitid"].map(|name| Debugger::syscall_number(name).ok());
    proc::system_call(tid).is_some_and(|number| waiting.contains(&Some(number)))
}
