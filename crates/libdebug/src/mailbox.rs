//! How users' threads hand commands to the tracer thread.
//!
//! The tracer sleeps in one of two places. While nothing runs it sleeps here, on a condition variable: the
//! cheapest hand-over there is. While tracees run it sleeps in wait4, and the doorbell ends that.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use libdebug_kernel::{Doorbell, Interest, Latch, wait_ready};

use crate::error::{Error, Result};

/// A lock that survives a panic of another holder: what it guards is plain data, valid at every moment.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the tracer thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tracer {
    /// Working; it looks here before it sleeps.
    Busy,
    /// With nothing to do; it looks here before it sleeps.
    Free,
    /// Asleep on `wake`.
    Idle,
    /// In wait4, or on its way there.
    Waiting,
    /// Ended: nobody will take a command any more.
    Gone,
}

/// The queue of commands of one tracer thread.
#[derive(Debug)]
pub(crate) struct Mailbox<C> {
    inner: Mutex<Inner<C>>,
    /// How many commands are in the queue.
    waiting: AtomicUsize,
    wake: Condvar,
    doorbell: OnceLock<Doorbell>,
}

#[derive(Debug)]
struct Inner<C> {
    queue: VecDeque<(Ticket, C)>,
    next: u64,
    tracer: Tracer,
}

/// What a command in the queue is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticket(u64);

/// A command that was handed over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posted {
    ticket: Ticket,
    /// It is the next thing that the tracer does. If not, it may have to wait for a callback, for any time.
    at_once: bool,
}

impl<C> Mailbox<C> {
    pub(crate) fn new() -> Self {
        let inner = Inner { queue: VecDeque::new(), next: 0, tracer: Tracer::Busy };
        Self {
            inner: Mutex::new(inner),
            waiting: AtomicUsize::new(0),
            wake: Condvar::new(),
            doorbell: OnceLock::new(),
        }
    }

    /// The tracer thread's bell, told by the tracer thread before it first waits.
    pub(crate) fn connect(&self, doorbell: Doorbell) {
        // Only the tracer thread connects, once.
        let _ = self.doorbell.set(doorbell);
    }

    /// Hands over `command`; gives it back when the tracer thread is gone.
    pub(crate) fn post(&self, command: C) -> std::result::Result<Posted, C> {
        let mut inner = lock(&self.inner);
        if inner.tracer == Tracer::Gone {
            return Err(command);
        }
        let tracer = inner.tracer;
        let ticket = Ticket(inner.next);
        let at_once = matches!(tracer, Tracer::Free | Tracer::Idle) && inner.queue.is_empty();
        inner.next += 1;
        inner.queue.push_back((ticket, command));
        self.waiting.store(inner.queue.len(), Ordering::Release);
        drop(inner);
        self.rouse(tracer);
        Ok(Posted { ticket, at_once })
    }

    /// Takes a command back, unless the tracer has it already.
    pub(crate) fn withdraw(&self, posted: Posted) {
        let mut inner = lock(&self.inner);
        let place = inner.queue.iter().position(|(ticket, _)| *ticket == posted.ticket);
        let command = place.and_then(|place| inner.queue.remove(place));
        self.waiting.store(inner.queue.len(), Ordering::Release);
        drop(inner);
        // It tells whoever waits for it that it will not be answered, for which no lock may be held.
        drop(command);
    }

    /// Makes the tracer look at what was changed for it elsewhere.
    pub(crate) fn ring(&self) {
        // A busy tracer may be in the middle of a step, and wait for the end of that.
        if matches!(lock(&self.inner).tracer, Tracer::Waiting | Tracer::Busy) {
            self.rouse(Tracer::Waiting);
        }
    }

    /// Without the lock: on one CPU the tracer runs at once, and would only come to wait for it.
    fn rouse(&self, tracer: Tracer) {
        match (tracer, self.doorbell.get()) {
            (Tracer::Idle, _) => self.wake.notify_one(),
            (Tracer::Waiting, Some(doorbell)) => doorbell.ring(),
            _ => {}
        }
    }

    /// The next command, if there is one; without one the tracer is about to wait for tracees, and whoever
    /// posts from now on rings.
    pub(crate) fn take_or_wait(&self) -> Option<C> {
        let mut inner = lock(&self.inner);
        let command = inner.queue.pop_front().map(|(_, command)| command);
        self.waiting.store(inner.queue.len(), Ordering::Release);
        inner.tracer = if command.is_some() { Tracer::Busy } else { Tracer::Waiting };
        command
    }

    /// The tracer is at work, as after its wait, and looks here before the next one: it need not be rung for.
    pub(crate) fn awake(&self) {
        lock(&self.inner).tracer = Tracer::Busy;
    }

    /// The tracer has nothing to do, and is about to look for a command: the next one is served at once.
    pub(crate) fn free(&self) {
        lock(&self.inner).tracer = Tracer::Free;
    }

    /// Whether there is a command; without the lock.
    pub(crate) fn has_command(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// The next command; blocks until there is one.
    pub(crate) fn take_or_sleep(&self) -> C {
        let mut inner = lock(&self.inner);
        loop {
            if let Some((_, command)) = inner.queue.pop_front() {
                inner.tracer = Tracer::Busy;
                self.waiting.store(inner.queue.len(), Ordering::Release);
                return command;
            }
            inner.tracer = Tracer::Idle;
            inner = self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the tracer has ended.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.inner).tracer == Tracer::Gone
    }

    /// The tracer ends: what is queued is dropped, and nothing more is taken.
    pub(crate) fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.tracer = Tracer::Gone;
        inner.queue.clear();
    }
}

/// What can end a wait from outside, and the descriptor that says when to look again.
pub(crate) type Check<'a> = dyn Fn() -> Result<Option<BorrowedFd<'a>>> + 'a;

/// Where one answer arrives. Dropping the sender's side unanswered answers "gone".
#[derive(Debug)]
pub(crate) struct Reply<T> {
    slot: Arc<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    answer: Mutex<Answer<T>>,
    arrived: Condvar,
    /// There once somebody waits who can be interrupted: a signal does not end the wait for a condition variable.
    latch: OnceLock<Latch>,
}

#[derive(Debug)]
enum Answer<T> {
    Awaited,
    /// Somebody sleeps until it is here. To wake nobody would be a system call all the same.
    SleptFor,
    Here(T),
    Never,
}

/// The side that answers.
#[derive(Debug)]
pub(crate) struct Responder<T> {
    slot: Arc<Slot<T>>,
}

/// A new pair.
pub(crate) fn reply<T>() -> (Responder<T>, Reply<T>) {
    let answer = Mutex::new(Answer::Awaited);
    let slot = Arc::new(Slot { answer, arrived: Condvar::new(), latch: OnceLock::new() });
    (Responder { slot: Arc::clone(&slot) }, Reply { slot })
}

impl<T> Responder<T> {
    pub(crate) fn send(self, answer: T) {
        self.slot.settle(Answer::Here(answer));
    }
}

impl<T> Slot<T> {
    /// The first answer counts.
    fn settle(&self, answer: Answer<T>) {
        let mut place = lock(&self.answer);
        let asleep = match *place {
            Answer::Awaited => false,
            Answer::SleptFor => true,
            Answer::Here(_) | Answer::Never => return,
        };
        *place = answer;
        drop(place);
        if asleep {
            self.arrived.notify_one();
        }
        if let Some(latch) = self.latch.get() {
            latch.set();
        }
    }

    /// The latch that the answer sets; `None` when it is here already.
    fn watch(&self) -> Option<&Latch> {
        let answer = lock(&self.answer);
        if matches!(*answer, Answer::Awaited) { Some(self.latch.get_or_init(Latch::new)) } else { None }
    }
}

impl<T> Drop for Responder<T> {
    fn drop(&mut self) {
        self.slot.settle(Answer::Never);
    }
}

impl<T> Reply<T> {
    /// As [`Reply::wait`] for the answer to a command that was posted; what is not served at once is waited for in
    /// a way that `check` can end, where there is one.
    ///
    /// # Errors
    /// What `check` says, and [`Error::Terminated`] without an answer.
    pub(crate) fn wait_for(self, posted: Posted, check: Option<&Check<'_>>) -> Result<T> {
        if !posted.at_once && check.is_some() {
            self.sleep(check)?;
        }
        self.wait().ok_or(Error::Terminated)
    }

    fn sleep(&self, check: Option<&Check<'_>>) -> Result<()> {
        if let Some(latch) = self.slot.watch() {
            // Without a descriptor the answer is waited for all the same, and nothing can end that.
            while let (false, Ok(arrived)) = (latch.is_set(), latch.watch()) {
                wait_ready(&[(arrived.as_fd(), Interest::Read)], None, check)?;
            }
        }
        Ok(())
    }

    /// Blocks until the answer is here; `None` when it never will be.
    pub(crate) fn wait(self) -> Option<T> {
        let mut answer = lock(&self.slot.answer);
        loop {
            match std::mem::replace(&mut *answer, Answer::SleptFor) {
                Answer::Here(value) => return Some(value),
                Answer::Never => return None,
                Answer::Awaited | Answer::SleptFor => {
                    answer = self.slot.arrived.wait(answer).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    #[test]
    fn a_command_that_is_next_is_told_from_one_that_has_to_wait() {
        let mailbox = Mailbox::new();
        assert!(!mailbox.post('a').unwrap().at_once, "the tracer has not looked yet");
        assert_eq!(mailbox.take_or_sleep(), 'a');
        assert!(!mailbox.post('b').unwrap().at_once, "the tracer is at work");
        assert_eq!(mailbox.take_or_wait(), Some('b'));
        assert_eq!(mailbox.take_or_wait(), None);
        assert!(!mailbox.post('c').unwrap().at_once, "tracees run");
        assert_eq!(mailbox.take_or_wait(), Some('c'));
        mailbox.free();
        assert!(mailbox.post('d').unwrap().at_once);
        assert!(!mailbox.post('e').unwrap().at_once, "another one comes before it");
    }

    #[test]
    fn a_command_can_be_taken_back_until_the_tracer_has_it() {
        let mailbox = Mailbox::new();
        let posted = ['a', 'b', 'c'].map(|command| mailbox.post(command).unwrap());
        mailbox.withdraw(posted[1]);
        assert_eq!(mailbox.take_or_sleep(), 'a');
        mailbox.withdraw(posted[0]);
        assert_eq!(mailbox.take_or_sleep(), 'c');
        assert!(!mailbox.has_command());
    }

    #[test]
    fn whoever_can_be_interrupted_gets_the_answer_however_it_falls() {
        let posted = Posted { ticket: Ticket(0), at_once: false };
        for round in 0..2_000_u32 {
            let (responder, answer) = reply();
            let answers = round % 3 != 0;
            thread::scope(|scope| {
                scope.spawn(move || {
                    (0..round % 83).for_each(|_| std::hint::spin_loop());
                    if answers { responder.send(round) } else { drop(responder) }
                });
                let got = answer.wait_for(posted, Some(&|| Ok(None)));
                assert!(if answers { got.unwrap() == round } else { matches!(got, Err(Error::Terminated)) });
            });
        }
    }

    #[test]
    fn the_check_ends_the_wait() {
        let posted = Posted { ticket: Ticket(0), at_once: false };
        let (responder, answer) = reply::<()>();
        let ended = answer.wait_for(posted, Some(&|| Err(Error::Interrupted("Ctrl-C".into()))));
        assert!(matches!(ended, Err(Error::Interrupted(_))));
        responder.send(());
    }

    #[test]
    fn what_is_served_at_once_looks_at_no_check() {
        let posted = Posted { ticket: Ticket(0), at_once: true };
        let (responder, answer) = reply();
        responder.send(7);
        let looked = AtomicBool::new(false);
        let check = || {
            looked.store(true, Ordering::Release);
            Ok(None)
        };
        assert_eq!(answer.wait_for(posted, Some(&check)).unwrap(), 7);
        assert!(!looked.load(Ordering::Acquire));
    }
}
