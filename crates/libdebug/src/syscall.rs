//! Handlers of system calls: what users set, and whom an enter or exit concerns.

use std::fmt;
use std::sync::{Arc, RwLock};

use libdebug_arch::SyscallAbi;
use libdebug_kernel::{SyscallCall, Tid};

use crate::acceleration::Filters;
use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::handler::{Action, CallbackResult, HandlerId, Life, Numbered, impl_replacing_handle, newest};
use crate::handling::NewArguments;
use crate::session::{read, write};
use crate::thread::Thread;

/// The two sides of a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyscallSide {
    /// Before the kernel executes it.
    Enter,
    /// Behind it.
    Exit,
}

/// What a handler of system calls is to be.
#[derive(Debug, Clone, Default)]
pub struct SyscallSpec {
    /// The call's number; `None` for every call that has no enabled handler of its own.
    pub number: Option<u64>,
    /// What happens before the call; `None` for nothing.
    pub on_enter: Option<Action<SyscallHandler>>,
    /// What happens behind it.
    pub on_exit: Option<Action<SyscallHandler>>,
    /// Whether the handlers of a call that [`SyscallSpec::on_enter`] puts in the place of this one run too.
    pub recursive: bool,
    /// The one thread whose calls it handles; `None` for all.
    pub thread: Option<Tid>,
    /// What the program gets instead of the call, which the kernel never makes; `None` for the call.
    pub answer: Option<i64>,
}

impl SyscallSpec {
    /// A handler that stops the process before and behind each call.
    pub fn stop(number: Option<u64>) -> Self {
        let (on_enter, on_exit) = (Some(Action::Stop), Some(Action::Stop));
        Self { number, on_enter, on_exit, ..Self::default() }
    }

    /// A handler that has the kernel not make the call, and gives the program `value` in its place: a negative error
    /// number (errno(3)) for a failure. Only the thread that calls is stopped for that, and only briefly.
    pub fn answer(number: Option<u64>, value: i64) -> Self {
        Self { number, answer: Some(value), ..Self::default() }
    }

    /// A handler that puts the call `new`, with `arguments`, in the place of every call of `original`.
    ///
    /// # Errors
    /// [`Error::SelfHijack`] when both are the same.
    pub fn hijack(original: Option<u64>, new: u64, arguments: NewArguments, recursive: bool) -> Result<Self> {
        if original == Some(new) {
            return Err(Error::SelfHijack("system call"));
        }
        let replace = move |thread: &Thread, _: &SyscallHandler| {
            thread.set_syscall_number(new)?;
            for (index, value) in arguments.into_iter().enumerate() {
                if let Some(value) = value {
                    thread.set_syscall_argument(index, value)?;
                }
            }
            Ok(())
        };
        let on_enter = Some(Action::call_at_syscall(replace));
        Ok(Self { number: original, on_enter, recursive, ..Self::default() })
    }
}

#[derive(Debug)]
struct Sides {
    enter: Option<Action<SyscallHandler>>,
    exit: Option<Action<SyscallHandler>>,
    answer: Option<i64>,
}

impl Sides {
    fn of(spec: SyscallSpec) -> Self {
        Self { enter: spec.on_enter, exit: spec.on_exit, answer: spec.answer }
    }
}

/// The one place where a handler's state is.
#[derive(Debug)]
pub(crate) struct SyscallCell {
    pub(crate) number: Option<u64>,
    sides: RwLock<Sides>,
    pub(crate) life: Life,
}

impl SyscallCell {
    pub(crate) fn new(id: HandlerId, spec: SyscallSpec) -> Self {
        let (number, life) = (spec.number, Life::new(id, spec.thread, spec.recursive));
        Self { number, sides: RwLock::new(Sides::of(spec)), life }
    }

    pub(crate) fn action(&self, side: SyscallSide) -> Option<Action<SyscallHandler>> {
        let sides = read(&self.sides);
        match side {
            SyscallSide::Enter => sides.enter.clone(),
            SyscallSide::Exit => sides.exit.clone(),
        }
    }

    pub(crate) fn spec(&self) -> SyscallSpec {
        SyscallSpec {
            number: self.number,
            on_enter: self.action(SyscallSide::Enter),
            on_exit: self.action(SyscallSide::Exit),
            recursive: self.life.is_recursive(),
            thread: self.life.thread,
            answer: self.answer(),
        }
    }

    /// What the program gets instead of the call.
    pub(crate) fn answer(&self) -> Option<i64> {
        read(&self.sides).answer
    }

    /// Whether that side needs no user's code and no stop of the other threads.
    pub(crate) fn is_native(&self, side: SyscallSide) -> bool {
        let sides = read(&self.sides);
        let action = if side == SyscallSide::Enter { &sides.enter } else { &sides.exit };
        action.as_ref().is_none_or(Action::is_native)
    }
}

impl Numbered for SyscallCell {
    type Number = u64;

    fn life(&self) -> &Life {
        &self.life
    }

    fn number(&self) -> Option<u64> {
        self.number
    }
}

/// A handler of system calls that was set: a handle, cheap to clone. Dropping it removes nothing. Its hits
/// are counted at the calls' exits; one that disables itself at the entry counts there, as does one that needs no exit
/// under a filter.
#[derive(Clone)]
pub struct SyscallHandler {
    pub(crate) cell: Arc<SyscallCell>,
    pub(crate) debugger: Debugger,
}

impl fmt::Debug for SyscallHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SyscallHandler");
        shown.field("number", &self.number()).field("hits", &self.hit_count()).finish()
    }
}

impl_replacing_handle!(SyscallHandler);

impl SyscallHandler {
    /// The number that it handles; `None` for all.
    pub fn number(&self) -> Option<u64> {
        self.cell.number
    }

    /// What happens on `side`.
    pub fn action(&self, side: SyscallSide) -> Option<Action<Self>> {
        self.cell.action(side)
    }

    /// What the program gets instead of the call; `None` for the call.
    pub fn answer(&self) -> Option<i64> {
        self.cell.answer()
    }

    /// Changes what happens, from the next event on, to what `spec` says; the number and the thread stay.
    pub fn replace(&self, spec: SyscallSpec) {
        self.set_recursive(spec.recursive);
        *write(&self.cell.sides) = Sides::of(spec);
    }

    /// The side that `thread` is stopped at because of this handler; `None` when it is stopped for other reasons.
    ///
    /// # Errors
    /// As [`Debugger::wait`]: the process is waited for first.
    pub fn side_hit_on(&self, thread: &Thread) -> Result<Option<SyscallSide>> {
        let side = thread.side_of(self.id())?;
        Ok(side.filter(|_| self.is_enabled()))
    }
}

/// What an observer is told of a system call, in the order of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyscallEvent {
    /// The call is about to be executed, unless `after` has another number: then that one is.
    Enter {
        /// As the program made it.
        before: SyscallCall,
        /// As the handler's callback has left it.
        after: SyscallCall,
        /// Whether a handler with a callback ran.
        called: bool,
        /// It takes the place of another call.
        replaces: bool,
    },
    /// It is over.
    Exit {
        /// What the kernel returned; a negative errno on failure.
        before: i64,
        /// What the callbacks have made of it.
        after: i64,
        /// Whether a handler with a callback ran.
        called: bool,
    },
}

/// Which calls an observer is told of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyscallFilter {
    /// Only these numbers, unless empty.
    pub only: Vec<u64>,
    /// None of these.
    pub except: Vec<u64>,
}

impl SyscallFilter {
    pub(crate) fn accepts(&self, number: u64) -> bool {
        (self.only.is_empty() || self.only.contains(&number)) && !self.except.contains(&number)
    }
}

/// Told of system calls on the debugger's own thread, while the whole process is stopped.
#[derive(Clone)]
pub struct SyscallObserver {
    /// Which calls.
    pub filter: SyscallFilter,
    /// The callback.
    pub observe: Arc<Observe>,
}

/// An observer's callback.
pub type Observe = dyn Fn(&Thread, &SyscallEvent) -> CallbackResult + Send + Sync;

impl fmt::Debug for SyscallObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyscallObserver").field("filter", &self.filter).finish()
    }
}

/// Who is interested in the system calls of one process.
#[derive(Debug, Default)]
pub(crate) struct Syscalls {
    pub(crate) handlers: Vec<Arc<SyscallCell>>,
    pub(crate) observer: Option<SyscallObserver>,
}

impl Syscalls {
    pub(crate) fn add(&mut self, cell: Arc<SyscallCell>) {
        self.handlers.push(cell);
    }

    pub(crate) fn remove(&mut self, id: HandlerId) {
        self.handlers.retain(|cell| cell.life.id != id);
    }

    /// Whether anybody wants to hear of a call of `tid` that is not among `filtered`.
    pub(crate) fn are_wanted(&self, filtered: &Filters, tid: Tid) -> bool {
        let unfiltered = |number: u64| !filtered.covers(number);
        let mut concerned = self.handlers.iter().filter(|cell| cell.life.concerns(tid));
        self.observer.is_some() || concerned.any(|cell| cell.number.is_none_or(unfiltered))
    }

    /// Who handles that call of `tid`.
    pub(crate) fn handler_for(&self, number: u64, tid: Tid) -> Option<Arc<SyscallCell>> {
        newest(&self.handlers, number, tid).cloned()
    }

    /// Whether the entry to a call can have a user's code run.
    pub(crate) fn call_users(&self) -> bool {
        self.handlers.iter().any(|cell| cell.life.is_enabled() && !cell.is_native(SyscallSide::Enter))
    }

    pub(crate) fn observes(&self, number: u64) -> bool {
        self.observer.as_ref().is_some_and(|observer| observer.filter.accepts(number))
    }
}

/// An entry to a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) call: SyscallCall,
    /// A filter has stopped it: there is no exit-stop unless one is asked for.
    pub(crate) filtered: bool,
}

impl Entry {
    /// Whether nobody needs the exit of this call: where that would be one more stop, the call is counted at its entry.
    pub(crate) fn is_all(&self, cell: &SyscallCell) -> bool {
        self.filtered && cell.is_native(SyscallSide::Exit)
    }
}

/// The number of a call as handlers know it: that of a 64-bit program's table. A call by another convention
/// (`int 0x80`) has none there.
pub(crate) fn native_number(call: &SyscallCall) -> u64 {
    match SyscallAbi::from_audit_arch(call.audit_arch) {
        Some(SyscallAbi::X86_64) => call.number,
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handlers(numbers: &[Option<u64>]) -> Syscalls {
        let mut syscalls = Syscalls::default();
        for (id, &number) in numbers.iter().enumerate() {
            syscalls.add(Arc::new(SyscallCell::new(HandlerId(id as u64), SyscallSpec::stop(number))));
        }
        syscalls
    }

    #[test]
    fn disabled_handlers_want_nothing() {
        let tid = Tid(7);
        let syscalls = handlers(&[Some(1)]);
        assert!(syscalls.are_wanted(&Filters::default(), tid));
        syscalls.handler_for(1, tid).unwrap().life.set_enabled(false);
        assert!(!syscalls.are_wanted(&Filters::default(), tid));
    }

    #[test]
    fn filters_take_what_is_named() {
        let filter =
            |only: &[u64], except: &[u64]| SyscallFilter { only: only.into(), except: except.into() };
        assert!(filter(&[], &[]).accepts(1));
        assert!(filter(&[1], &[]).accepts(1) && !filter(&[1], &[]).accepts(2));
        assert!(!filter(&[], &[1]).accepts(1) && filter(&[], &[1]).accepts(2));
    }

    #[test]
    fn calls_of_another_convention_are_no_native_numbers() {
        let call = |audit_arch| SyscallCall { audit_arch, number: 1, arguments: [0; 6] };
        assert_eq!(native_number(&call(0xc000_003e)), 1);
        assert_eq!(native_number(&call(0x4000_0003)), u64::MAX);
    }
}
