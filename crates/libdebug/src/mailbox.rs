//! How users' threads hand commands to the tracer thread.
//!
//! The tracer sleeps in one of two places. While nothing runs it sleeps here, on a condition variable: the
//! cheapest hand-over there is. While tracees run it sleeps in wait4, and the doorbell ends that.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use libdebug_kernel::Doorbell;

/// A lock that survives a panic of another holder: what it guards is plain data, valid at every moment.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the tracer thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tracer {
    /// Working; it looks here before it sleeps.
    Busy,
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
    queue: VecDeque<C>,
    tracer: Tracer,
}

impl<C> Mailbox<C> {
    pub(crate) fn new() -> Self {
        let inner = Inner { queue: VecDeque::new(), tracer: Tracer::Busy };
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
    pub(crate) fn post(&self, command: C) -> Result<(), C> {
        let mut inner = lock(&self.inner);
        if inner.tracer == Tracer::Gone {
            return Err(command);
        }
        inner.queue.push_back(command);
        self.waiting.store(inner.queue.len(), Ordering::Release);
        let tracer = inner.tracer;
        drop(inner);
        self.rouse(tracer);
        Ok(())
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
        let command = inner.queue.pop_front();
        self.waiting.store(inner.queue.len(), Ordering::Release);
        inner.tracer = if command.is_some() { Tracer::Busy } else { Tracer::Waiting };
        command
    }

    /// The tracer has come back from its wait, and looks here before the next one: it need not be rung for.
    pub(crate) fn awake(&self) {
        lock(&self.inner).tracer = Tracer::Busy;
    }

    /// Whether there is a command; without the lock.
    pub(crate) fn has_command(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// The next command; blocks until there is one.
    pub(crate) fn take_or_sleep(&self) -> C {
        let mut inner = lock(&self.inner);
        loop {
            if let Some(command) = inner.queue.pop_front() {
                inner.tracer = Tracer::Busy;
                self.waiting.store(inner.queue.len(), Ordering::Release);
                return command;
            }
            inner.tracer = Tracer::Idle;
            inner = self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The tracer ends: what is queued is dropped, and nothing more is taken.
    pub(crate) fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.tracer = Tracer::Gone;
        inner.queue.clear();
    }
}

/// Where one answer arrives. Dropping the sender's side unanswered answers "gone".
#[derive(Debug)]
pub(crate) struct Reply<T> {
    slot: Arc<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    answer: Mutex<Answer<T>>,
    arrived: Condvar,
}

#[derive(Debug)]
enum Answer<T> {
    Awaited,
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
    let slot = Arc::new(Slot { answer: Mutex::new(Answer::Awaited), arrived: Condvar::new() });
    (Responder { slot: Arc::clone(&slot) }, Reply { slot })
}

impl<T> Responder<T> {
    pub(crate) fn send(self, answer: T) {
        *lock(&self.slot.answer) = Answer::Here(answer);
        self.slot.arrived.notify_one();
    }
}

impl<T> Drop for Responder<T> {
    fn drop(&mut self) {
        let mut answer = lock(&self.slot.answer);
        if matches!(*answer, Answer::Awaited) {
            *answer = Answer::Never;
            self.slot.arrived.notify_one();
        }
    }
}

impl<T> Reply<T> {
    /// Blocks until the answer is here; `None` when it never will be.
    pub(crate) fn wait(self) -> Option<T> {
        let mut answer = lock(&self.slot.answer);
        loop {
            match std::mem::replace(&mut *answer, Answer::Awaited) {
                Answer::Here(value) => return Some(value),
                Answer::Never => return None,
                Answer::Awaited => {
                    answer = self.slot.arrived.wait(answer).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}
