//! Catchers of signals: what users set, and whom a delivery concerns.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, RwLock};

use libdebug_kernel::{Signal, Tid};

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::handler::{Action, HandlerId, Life, Numbered, impl_replacing_handle, newest};
use crate::session::{StopReason, read, write};
use crate::thread::Thread;

/// What a catcher of signals is to be.
#[derive(Debug, Clone)]
pub struct CatcherSpec {
    /// The signal; `None` for every one that has no enabled catcher of its own.
    pub signal: Option<Signal>,
    /// What happens before the program gets it. A callback may change or drop the signal
    /// ([`Thread::set_signal`]).
    pub action: Action<SignalCatcher>,
    /// Whether the catcher of a signal that a callback puts in the place of this one runs too.
    pub recursive: bool,
    /// The one thread whose signals it catches; `None` for all.
    pub thread: Option<Tid>,
}

impl CatcherSpec {
    /// A catcher that stops the process.
    pub fn stop(signal: Option<Signal>) -> Self {
        Self { signal, action: Action::Stop, recursive: false, thread: None }
    }

    /// A catcher that puts the signal `new` in the place of every `original`.
    ///
    /// # Errors
    /// [`Error::SelfHijack`] when both are the same.
    pub fn hijack(original: Option<Signal>, new: Signal, recursive: bool) -> Result<Self> {
        if original == Some(new) {
            return Err(Error::SelfHijack("signal"));
        }
        let replace = move |thread: &Thread, _: &SignalCatcher| Ok(thread.set_signal(Some(new))?);
        Ok(Self { signal: original, action: Action::call_at_signal(replace), recursive, thread: None })
    }

    /// SIGKILL and SIGSTOP come to no stop before they take effect (ptrace(2)).
    pub(crate) fn check(&self) -> Result<()> {
        match self.signal {
            Some(signal) if !(1..=64).contains(&signal.0) => Err(Error::NoSuchSignal(signal.0)),
            Some(signal) if UNCATCHABLE.contains(&signal) => Err(Error::Uncatchable(signal)),
            _ => Ok(()),
        }
    }
}

const UNCATCHABLE: [Signal; 2] = [Signal::KILL, Signal::STOP];

/// The one place where a catcher's state is.
#[derive(Debug)]
pub(crate) struct CatcherCell {
    pub(crate) signal: Option<Signal>,
    action: RwLock<Action<SignalCatcher>>,
    pub(crate) life: Life,
}

impl CatcherCell {
    pub(crate) fn new(id: HandlerId, spec: CatcherSpec) -> Self {
        let life = Life::new(id, spec.thread, spec.recursive);
        Self { signal: spec.signal, action: RwLock::new(spec.action), life }
    }

    pub(crate) fn action(&self) -> Action<SignalCatcher> {
        read(&self.action).clone()
    }

    pub(crate) fn spec(&self) -> CatcherSpec {
        CatcherSpec {
            signal: self.signal,
            action: self.action(),
            recursive: self.life.is_recursive(),
            thread: self.life.thread,
        }
    }

    pub(crate) fn is_native(&self) -> bool {
        read(&self.action).is_native()
    }
}

impl Numbered for CatcherCell {
    type Number = Signal;

    fn life(&self) -> &Life {
        &self.life
    }

    fn number(&self) -> Option<Signal> {
        self.signal
    }
}

/// A catcher of signals that was set: a handle, cheap to clone. Dropping it removes nothing.
#[derive(Clone)]
pub struct SignalCatcher {
    pub(crate) cell: Arc<CatcherCell>,
    pub(crate) debugger: Debugger,
}

impl fmt::Debug for SignalCatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SignalCatcher");
        shown.field("signal", &self.signal()).field("hits", &self.hit_count()).finish()
    }
}

impl_replacing_handle!(SignalCatcher);

impl SignalCatcher {
    /// The signal that it catches; `None` for all.
    pub fn signal(&self) -> Option<Signal> {
        self.cell.signal
    }

    /// What a signal does.
    pub fn action(&self) -> Action<Self> {
        self.cell.action()
    }

    /// Changes what a signal does, from the next one on.
    pub fn set_action(&self, action: Action<Self>) {
        *write(&self.cell.action) = action;
    }

    /// Whether the stop that `thread` is in was caused by this catcher.
    ///
    /// # Errors
    /// As [`Debugger::wait`]: the process is waited for first.
    pub fn hit_on(&self, thread: &Thread) -> Result<bool> {
        Ok(self.is_enabled() && thread.stop_reasons()?.contains(&StopReason::Caught(self.id())))
    }
}

/// Who is interested in the signals of one process.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pub(crate) catchers: Vec<Arc<CatcherCell>>,
    /// Never delivered, whatever catchers there are.
    pub(crate) blocked: BTreeSet<Signal>,
}

impl Signals {
    pub(crate) fn add(&mut self, cell: Arc<CatcherCell>) {
        self.catchers.push(cell);
    }

    pub(crate) fn remove(&mut self, id: HandlerId) {
        self.catchers.retain(|cell| cell.life.id != id);
    }

    /// Who catches that signal of `tid`. What cannot be caught comes to no stop that could be told of.
    pub(crate) fn catcher_for(&self, signal: Signal, tid: Tid) -> Option<Arc<CatcherCell>> {
        newest(&self.catchers, signal, tid).filter(|_| !UNCATCHABLE.contains(&signal)).cloned()
    }

    /// What of `signal` is delivered.
    pub(crate) fn unblocked(&self, signal: Option<Signal>) -> Option<Signal> {
        signal.filter(|signal| !self.blocked.contains(signal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catchers(signals: &[Option<Signal>]) -> Signals {
        let mut found = Signals::default();
        for (id, &signal) in signals.iter().enumerate() {
            found.add(Arc::new(CatcherCell::new(HandlerId(id as u64), CatcherSpec::stop(signal))));
        }
        found
    }

    #[test]
    fn a_catcher_of_all_signals_catches_what_can_be_caught() {
        let signals = catchers(&[None]);
        assert!(signals.catcher_for(Signal::SEGV, Tid(7)).is_some());
        assert!(signals.catcher_for(Signal::STOP, Tid(7)).is_none());
    }

    #[test]
    fn what_no_stop_comes_before_cannot_be_caught() {
        for number in [0, -1, 65, 9, 19] {
            assert!(CatcherSpec::stop(Some(Signal(number))).check().is_err(), "{number}");
        }
        for number in [1, 5, 34, 64] {
            assert!(CatcherSpec::stop(Some(Signal(number))).check().is_ok(), "{number}");
        }
        assert!(CatcherSpec::stop(None).check().is_ok());
    }

    #[test]
    fn blocked_signals_are_not_delivered() {
        let mut signals = Signals::default();
        signals.blocked.insert(Signal::INT);
        assert_eq!(signals.unblocked(Some(Signal::INT)), None);
        assert_eq!(signals.unblocked(Some(Signal::SEGV)), Some(Signal::SEGV));
    }
}
