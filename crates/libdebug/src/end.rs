//! How a debugger ends, and with it those of its process's children.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_kernel::{Signal, fork_generation, signal_process};

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::mailbox::{Posted, Reply, lock, reply};
use crate::session::{Phase, Shared};
use crate::tracer::Command;
use crate::tree;

/// Which debuggers are to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    /// This one: those of children that somebody holds live on.
    One,
    /// Those of all descendants too, whoever holds them.
    Family,
}

/// Tells the tracer thread to end a debugger and its process. Answers what to wait for, if anything: after a fork
/// the thread exists in the parent only, and it cannot wait for itself.
pub(crate) fn order_end(shared: &Arc<Shared>, whom: Whom) -> Option<(Posted, Reply<()>)> {
    let over = shared.ended.load(Ordering::Acquire) || shared.abandoned.load(Ordering::Acquire);
    if over || shared.generation != fork_generation() {
        return None;
    }
    // Whatever the tracer thread is in the middle of, a step of a child among it, is to end.
    members(shared, whom).iter().for_each(|member| member.interrupt.store(true, Ordering::Release));
    shared.link.mailbox.ring();
    let (answer, ended) = reply();
    let posted = shared.link.mailbox.post((Arc::clone(shared), Command::Terminate { whom, answer })).ok()?;
    if tree::current(shared).is_some() { None } else { Some((posted, ended)) }
}

fn members(shared: &Arc<Shared>, whom: Whom) -> Vec<Arc<Shared>> {
    let mut members = vec![Arc::clone(shared)];
    if whom == Whom::Family {
        let children = lock(&shared.children).clone();
        members.extend(children.iter().flat_map(|child| self::members(child.shared(), whom)));
    }
    members
}

impl Debugger {
    /// Ends the process, unless it is to live on, and the debugger; and those of all processes that came from it
    /// and were followed, whoever holds them. A callback that is running is waited for.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the host ended the wait for a callback: the debugger is as good as before then,
    /// and the process stops at the callback's end.
    pub fn terminate(&self) -> Result<()> {
        let family = members(self.shared(), Whom::Family);
        if let Some((posted, ended)) = order_end(self.shared(), Whom::Family) {
            match self.await_answer(posted, ended) {
                // The tracer thread is gone: all is done.
                Ok(()) | Err(Error::Terminated) => {}
                Err(error) => return Err(error),
            }
        }
        // They may hold the debuggers in their turn.
        family.iter().for_each(|member| member.forget_failures());
        lock(&self.shared().foreground).take();
        Ok(())
    }

    /// For a host that ends while a callback does not: kills the process and those that came from it, unless they
    /// are to live on, and waits for nothing. The tracer thread ends with its callback or with the host; the
    /// debuggers are of no use any more.
    pub fn abandon(&self) {
        let ordered = order_end(self.shared(), Whom::Family).is_some();
        for member in members(self.shared(), Whom::Family) {
            member.abandoned.store(true, Ordering::Release);
            let live = member.session().filter(|session| session.phase() != Phase::Dead);
            if let Some(session) = live.filter(|_| ordered && member.kill_on_exit.load(Ordering::Acquire)) {
                // One that is gone needs no signal.
                let _ = signal_process(session.pid, Signal::KILL);
            }
        }
        lock(&self.shared().foreground).take();
    }

    /// Whether the tracer thread has ended or is about to: it does with the last debugger of its tree of processes.
    pub fn has_no_tracer(&self) -> bool {
        self.shared().link.mailbox.is_closed()
    }
}
