//! The tracer thread: the debuggers of one tree of processes, and the loop that serves their commands and the
//! kernel's events.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use libdebug_kernel::{Bell, Event, Ptrace, Tid, Wait};

use crate::end::Whom;
use crate::mailbox::{Mailbox, lock};
use crate::process::Process;
use crate::rally::Rally;
use crate::roll::Roll;
use crate::session::{DebuggerId, Shared};
use crate::tracer::{Command, Tracer};

/// A command, and the debugger that it is for.
pub(crate) type Post = (Arc<Shared>, Command);

/// How the debuggers of one tree reach their tracer thread.
pub(crate) struct Link {
    pub(crate) mailbox: Mailbox<Post>,
    pub(crate) rally: Rally,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self { mailbox: Mailbox::new(), rally: Rally::new() }
    }
}

/// The tracer thread's own side of it.
struct Tree {
    link: Arc<Link>,
    bell: Rc<Bell>,
    roll: Rc<Roll>,
    tracers: RefCell<BTreeMap<DebuggerId, Rc<Tracer>>>,
}

thread_local! {
    /// The tree whose tracer this thread is, so that a callback's requests need no hand-over.
    static CURRENT: RefCell<Option<Rc<Tree>>> = const { RefCell::new(None) };
}

/// The tracer of `shared` if the calling thread is it: a callback is running.
pub(crate) fn current(shared: &Arc<Shared>) -> Option<Rc<Tracer>> {
    CURRENT.with_borrow(|tree| {
        let tree = tree.as_ref().filter(|tree| Arc::ptr_eq(&tree.link, &shared.link))?;
        tree.admit_born();
        tree.tracer(shared.id)
    })
}

/// The whole life of a tracer thread.
pub(crate) fn run(root: Arc<Shared>) {
    let (bell, doorbell) = Bell::for_this_thread();
    root.link.mailbox.connect(doorbell);
    let (bell, roll) = (Rc::new(bell), Rc::new(Roll::default()));
    let (id, link) = (root.id, Arc::clone(&root.link));
    let tracer = Rc::new(Tracer::new(root, Rc::clone(&bell), Rc::clone(&roll), None));
    let tracers = RefCell::new(BTreeMap::from([(id, tracer)]));
    let tree = Rc::new(Tree { link, bell, roll, tracers });
    CURRENT.set(Some(Rc::clone(&tree)));
    let _farewell = Farewell(Rc::clone(&tree));
    tree.serve();
}

/// Whatever ends the tracer thread, nobody is left waiting for it.
struct Farewell(Rc<Tree>);

impl Drop for Farewell {
    fn drop(&mut self) {
        CURRENT.set(None);
        self.0.link.mailbox.close();
        self.0.tracers.take().into_values().for_each(|tracer| tracer.shared.close());
    }
}

impl Tree {
    fn serve(&self) {
        loop {
            self.admit_born();
            match self.next_post() {
                Some((shared, Command::Terminate { whom, answer })) => {
                    self.dismiss(&shared, whom);
                    let is_last = self.tracers.borrow().is_empty();
                    if is_last {
                        // Before the answer, so that whoever gets it knows that this thread can be waited for.
                        self.link.mailbox.close();
                    }
                    // So that nothing of the debugger is left when its user has the answer.
                    drop(shared);
                    answer.send(());
                    if is_last {
                        return;
                    }
                }
                Some((shared, command)) => match self.tracer(shared.id) {
                    Some(tracer) => tracer.execute(command),
                    // Nobody answers any more: whoever waits for a stop is not to wait for ever.
                    None => shared.stopped.set(),
                },
                None => self.turn(),
            }
        }
    }

    /// `None` when there are events to be waited for, and no command.
    fn next_post(&self) -> Option<Post> {
        let running = self.tracers.borrow().values().any(|tracer| tracer.is_running());
        if running || self.roll.has_lingering() {
            return self.link.mailbox.take_or_wait();
        }
        self.link.mailbox.free();
        self.link.rally.await_turn(|| self.link.mailbox.has_command());
        Some(self.link.mailbox.take_or_sleep())
    }

    fn tracer(&self, id: DebuggerId) -> Option<Rc<Tracer>> {
        self.tracers.borrow().get(&id).cloned()
    }

    fn running(&self) -> Vec<Rc<Tracer>> {
        self.tracers.borrow().values().filter(|tracer| tracer.is_running()).cloned().collect()
    }

    fn admit_born(&self) {
        for process in self.roll.take_born() {
            let shared = Arc::clone(&process.shared);
            let id = shared.id;
            let tracer = Tracer::new(shared, Rc::clone(&self.bell), Rc::clone(&self.roll), Some(process));
            self.tracers.borrow_mut().insert(id, Rc::new(tracer));
        }
    }

    /// Ends debuggers, and their processes unless those are to live on.
    fn dismiss(&self, shared: &Arc<Shared>, whom: Whom) {
        let tracer = self.tracers.borrow_mut().remove(&shared.id);
        if let Some(tracer) = tracer {
            tracer.end();
        }
        if whom == Whom::Family {
            // The last ones were born while their creator ended.
            self.admit_born();
            let children = std::mem::take(&mut *lock(&shared.children));
            children.iter().for_each(|child| self.dismiss(child.shared(), whom));
        }
        shared.close();
    }

    /// One wait, and all that follows from it.
    fn turn(&self) {
        let called = |tracer: &&Rc<Tracer>| tracer.is_running() && tracer.is_called();
        let called = self.tracers.borrow().values().find(called).cloned();
        match called {
            Some(tracer) => tracer.answer_call(),
            None => self.wait(),
        }
    }

    fn wait(&self) {
        let ptrace = Ptrace::for_this_thread();
        self.for_all_running(|process| process.placement.before_wait());
        match ptrace.wait(&self.bell) {
            Ok(Wait::Tracee(tid, event)) => self.route(ptrace, tid, event),
            Ok(Wait::Rung) => self.bell.answer(),
            Ok(Wait::Interrupted) => self.for_all_running(|process| process.placement.expired()),
            Ok(Wait::NoTracees) => {
                self.roll.nobody_lingers();
                self.running().iter().for_each(|tracer| tracer.lost_all());
            }
            Err(error) => self.running().iter().for_each(|tracer| tracer.shared.fail(Box::new(error))),
        }
    }

    fn for_all_running(&self, act: impl Fn(&mut Process)) {
        for tracer in self.tracers.borrow().values() {
            if let Some(process) = tracer.process.borrow_mut().as_mut().filter(|process| !process.frozen) {
                act(process);
            }
        }
    }

    /// What comes for a process that stands still waits until it goes on.
    fn route(&self, ptrace: Ptrace, tid: Tid, event: Event) {
        let owner = self.roll.owner(tid).and_then(|id| self.tracer(id));
        match owner.filter(|tracer| tracer.is_running()) {
            Some(tracer) => tracer.take_event(tid, event),
            None => self.roll.put_by(ptrace, tid, event),
        }
    }
}
