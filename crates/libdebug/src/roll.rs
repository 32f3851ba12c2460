//! Which process a tracee belongs to, when one tracer thread has several.
//!
//! The kernel binds a tracee to the thread that traces it, and a child of a tracee to the same one. So the whole tree
//! of processes has one tracer thread, whose wait brings the events of all of them: also while it waits for those of
//! one only, in the middle of a step. What comes for the others then is kept here.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, VecDeque};

use libdebug_kernel::{Event, Pid, Ptrace, Stop, Tid, proc};

use crate::process::Process;
use crate::session::DebuggerId;

/// The tracees of one tracer thread.
#[derive(Default)]
pub(crate) struct Roll {
    owners: RefCell<HashMap<Tid, DebuggerId>>,
    /// Events that came while another process's were waited for; first stops of tracees whose creator has not told
    /// of them yet.
    strays: RefCell<VecDeque<(Tid, Event)>>,
    /// Threads of processes that were let go, on their way out.
    lingering: RefCell<BTreeSet<Tid>>,
    /// Processes that have come into being, and have no tracer yet.
    born: RefCell<Vec<Process>>,
    processes: Cell<usize>,
}

impl Roll {
    pub(crate) fn enlist(&self, tid: Tid, owner: DebuggerId) {
        self.owners.borrow_mut().insert(tid, owner);
    }

    pub(crate) fn strike(&self, tid: Tid) {
        self.owners.borrow_mut().remove(&tid);
    }

    pub(crate) fn owner(&self, tid: Tid) -> Option<DebuggerId> {
        self.owners.borrow().get(&tid).copied()
    }

    /// A process of `owner` is there; the tid of its leader stays its own as long as it lives.
    pub(crate) fn begin(&self, pid: Pid, owner: DebuggerId) {
        self.processes.set(self.processes.get() + 1);
        self.enlist(pid.leader(), owner);
    }

    /// The process of `owner` is gone, or let go.
    pub(crate) fn end(&self, owner: DebuggerId) {
        let mut owners = self.owners.borrow_mut();
        let before = owners.len();
        owners.retain(|_, of| *of != owner);
        if owners.len() < before {
            self.processes.set(self.processes.get().saturating_sub(1));
        }
    }

    /// Whether there is one process only.
    pub(crate) fn is_alone(&self) -> bool {
        self.processes.get() <= 1
    }

    /// An event that is nobody's who waits now.
    pub(crate) fn put_by(&self, ptrace: Ptrace, tid: Tid, event: Event) {
        if self.lingering.borrow().contains(&tid) {
            return self.see_out(ptrace, tid, event);
        }
        if self.owner(tid).is_some() {
            return self.strays.borrow_mut().push_back((tid, event));
        }
        match event {
            // A new tracee that is killed ends before anybody has told of it.
            Event::Stopped(Stop::Exit) => {
                self.forget(tid);
                let _ = ptrace.cont(tid, None);
            }
            Event::Died(_) => self.forget(tid),
            Event::Stopped(_) => self.strays.borrow_mut().push_back((tid, event)),
        }
    }

    fn forget(&self, tid: Tid) {
        self.strays.borrow_mut().retain(|(of, _)| *of != tid);
    }

    /// The oldest event that was put by for `owner`.
    pub(crate) fn take_of(&self, owner: DebuggerId) -> Option<(Tid, Event)> {
        let mut strays = self.strays.borrow_mut();
        let place = strays.iter().position(|(tid, _)| self.owner(*tid) == Some(owner))?;
        strays.remove(place)
    }

    pub(crate) fn has_events_of(&self, owner: DebuggerId) -> bool {
        let strays = self.strays.borrow();
        !strays.is_empty() && strays.iter().any(|(tid, _)| self.owner(*tid) == Some(owner))
    }

    /// The first stop of `tid`, if it was put by.
    pub(crate) fn take_newborn(&self, tid: Tid) -> bool {
        let mut strays = self.strays.borrow_mut();
        let place = strays.iter().position(|(of, _)| *of == tid);
        place.and_then(|place| strays.remove(place)).is_some()
    }

    /// New tracees that the process that has just ended did not live to tell of.
    pub(crate) fn orphans(&self) -> Vec<Tid> {
        let parent = |tid: Tid| proc::status(tid).map(|status| status.parent.leader());
        let lives = |tid: Tid| parent(tid).is_ok_and(|parent| self.owner(parent).is_some());
        let (orphans, kept) = self
            .strays
            .take()
            .into_iter()
            .partition::<VecDeque<_>, _>(|(tid, _)| self.owner(*tid).is_none() && !lives(*tid));
        self.strays.replace(kept);
        orphans.into_iter().map(|(tid, _)| tid).collect()
    }

    /// Threads that stay ours until they are dead, though their process was let go: it does not end for its own parent
    /// before we have heard of that.
    pub(crate) fn let_linger(&self, tids: impl IntoIterator<Item = Tid>) {
        self.lingering.borrow_mut().extend(tids);
    }

    pub(crate) fn has_lingering(&self) -> bool {
        !self.lingering.borrow().is_empty()
    }

    pub(crate) fn nobody_lingers(&self) {
        self.lingering.borrow_mut().clear();
    }

    fn see_out(&self, ptrace: Ptrace, tid: Tid, event: Event) {
        match event {
            Event::Died(_) => drop(self.lingering.borrow_mut().remove(&tid)),
            Event::Stopped(_) => drop(ptrace.cont(tid, None)),
        }
    }

    pub(crate) fn bear(&self, process: Process) {
        self.born.borrow_mut().push(process);
    }

    pub(crate) fn take_born(&self) -> Vec<Process> {
        self.born.take()
    }
}

#[cfg(test)]
mod tests {
    use libdebug_kernel::Death;

    use super::*;

    const STOPPED: Event = Event::Stopped(Stop::Event);

    #[test]
    fn events_are_kept_for_whom_they_concern_in_order() {
        let (roll, ptrace) = (Roll::default(), Ptrace::for_this_thread());
        let (one, two) = (DebuggerId(1), DebuggerId(2));
        roll.begin(Pid(10), one);
        roll.begin(Pid(20), two);
        assert!(!roll.is_alone());
        roll.put_by(ptrace, Tid(20), STOPPED);
        roll.put_by(ptrace, Tid(10), STOPPED);
        roll.put_by(ptrace, Tid(20), Event::Died(Death::Exited(0)));
        assert_eq!(roll.take_of(one), Some((Tid(10), STOPPED)));
        assert_eq!(roll.take_of(one), None);
        assert_eq!(roll.take_of(two), Some((Tid(20), STOPPED)));
        assert_eq!(roll.take_of(two), Some((Tid(20), Event::Died(Death::Exited(0)))));
        roll.end(two);
        assert!(roll.is_alone());
    }

    #[test]
    fn a_newborn_waits_until_its_creator_tells_of_it_or_it_dies() {
        let (roll, ptrace) = (Roll::default(), Ptrace::for_this_thread());
        roll.put_by(ptrace, Tid(30), STOPPED);
        assert!(roll.take_newborn(Tid(30)));
        assert!(!roll.take_newborn(Tid(30)));
        roll.put_by(ptrace, Tid(30), STOPPED);
        roll.put_by(ptrace, Tid(30), Event::Died(Death::Exited(0)));
        assert!(!roll.take_newborn(Tid(30)));
    }

    #[test]
    fn threads_on_their_way_out_are_seen_out() {
        let (roll, ptrace) = (Roll::default(), Ptrace::for_this_thread());
        roll.let_linger([Tid(40)]);
        assert!(roll.has_lingering());
        roll.put_by(ptrace, Tid(40), Event::Died(Death::Exited(0)));
        assert!(!roll.has_lingering());
    }
}
