//! Act: the handlers of system calls and signals, and what they put in the place of either.

use std::sync::Arc;

use libdebug_arch::x86_64::index;
use libdebug_kernel::{Signal, SyscallCall, Tid};

use crate::debugger::Debugger;
use crate::error::Error;
use crate::handler::Action;
use crate::mailbox::lock;
use crate::process::{Process, Thread};
use crate::session::StopReason;
use crate::signal::{CatcherCell, SignalCatcher};
use crate::syscall::{Entry, SyscallCell, SyscallEvent, SyscallHandler, SyscallSide, native_number};
use crate::syscall_stop::{ARGUMENTS, NO_CALL};
use crate::tracer::Tracer;

impl Tracer {
    fn with_thread<T>(&self, tid: Tid, act: impl FnOnce(&mut Thread) -> T) -> Option<T> {
        self.process.borrow_mut().as_mut()?.threads.get_mut(&tid).map(act)
    }

    fn with_process<T>(&self, act: impl FnOnce(&mut Process) -> T) -> Option<T> {
        self.process.borrow_mut().as_mut().map(act)
    }

    /// A thread at a syscall-enter-stop. A callback may put another call in the place of this one, whose own
    /// handler runs too if the first one says so: and so on, but never the same one twice.
    pub(crate) fn handle_enter(&self, tid: Tid, mut entry: Entry) -> bool {
        let mut made = Vec::new();
        let mut stop = false;
        loop {
            made.push(native_number(&entry.call));
            let handler =
                self.with_process(|process| process.syscalls.handler_for(native_number(&entry.call), tid));
            let handler = handler.flatten();
            let (stays, called) =
                handler.as_ref().map_or((false, false), |cell| self.enter(tid, entry, cell));
            stop |= stays;
            let Some(after) = self.call_in_registers(tid, &entry.call) else { break };
            let replaces = made.len() > 1;
            stop |= self.observe(
                tid,
                native_number(&entry.call),
                SyscallEvent::Enter { before: entry.call, after, called, replaces },
            );
            if after.number == entry.call.number {
                stop |= handler.is_some_and(|cell| self.skip_call(tid, &cell));
                break;
            }
            if made.contains(&native_number(&after)) {
                return self.fail(tid, Box::new(Error::HijackLoop("Syscall")));
            }
            if !handler.is_some_and(|cell| cell.life.is_recursive()) {
                let unhandled = SyscallEvent::Enter { before: after, after, called: false, replaces: true };
                stop |= self.observe(tid, native_number(&after), unhandled);
                break;
            }
            entry.call = after;
        }
        stop
    }

    /// Has the kernel skip the call if its handler answers it. Answers whether that has failed, which stops the process.
    fn skip_call(&self, tid: Tid, cell: &SyscallCell) -> bool {
        let (Some(value), Some(thread)) = (cell.answer(), self.thread(tid)) else { return false };
        let answered = thread.set_syscall_number(NO_CALL).and_then(|()| thread.set_syscall_return(value));
        answered.is_err_and(|error| !error.is_death() && self.fail(tid, Box::new(error)))
    }

    /// Answers whether the process is to stay stopped, and whether a callback ran.
    fn enter(&self, tid: Tid, entry: Entry, cell: &Arc<SyscallCell>) -> (bool, bool) {
        let action = cell.action(SyscallSide::Enter);
        let stop = action.as_ref().is_some_and(|action| {
            self.add_reason(tid, StopReason::SyscallEnter(cell.life.id));
            self.run_action(tid, action, || self.syscall_handle(cell))
        });
        if cell.life.is_enabled() && !entry.is_all(cell) {
            self.with_thread(tid, |thread| thread.entered.push(Arc::clone(cell)));
        } else {
            // It will not hear of the exit.
            cell.life.count_hit();
        }
        (stop, matches!(action, Some(Action::Call(_))))
    }

    fn syscall_handle(&self, cell: &Arc<SyscallCell>) -> SyscallHandler {
        SyscallHandler { cell: Arc::clone(cell), debugger: Debugger::from_shared(&self.shared) }
    }

    /// A thread behind a system call: everybody who heard of its entry hears of the exit.
    pub(crate) fn handle_exit(&self, tid: Tid) -> bool {
        let taken = self.with_thread(tid, |thread| {
            (std::mem::take(&mut thread.entered), std::mem::take(&mut thread.observed))
        });
        let Some((entered, observed)) = taken else { return false };
        let before = if observed { self.returned(tid) } else { None };
        let mut stop = false;
        let mut called = false;
        for cell in entered.iter().rev().filter(|cell| cell.life.is_enabled()) {
            cell.life.count_hit();
            let Some(action) = cell.action(SyscallSide::Exit) else { continue };
            self.add_reason(tid, StopReason::SyscallExit(cell.life.id));
            stop |= self.run_action(tid, &action, || self.syscall_handle(cell));
            called |= matches!(action, Action::Call(_));
        }
        let Some(before) = before else { return stop };
        let after = self.returned(tid).unwrap_or(before);
        stop | self.tell_observer(tid, &SyscallEvent::Exit { before, after, called })
    }

    fn observe(&self, tid: Tid, number: u64, event: SyscallEvent) -> bool {
        let observed = self.with_process(|process| process.syscalls.observes(number)).unwrap_or(false);
        self.with_thread(tid, |thread| thread.observed = observed);
        observed && self.tell_observer(tid, &event)
    }

    fn tell_observer(&self, tid: Tid, event: &SyscallEvent) -> bool {
        let observer = self.with_process(|process| process.syscalls.observer.clone()).flatten();
        observer.is_some_and(|observer| self.run_callback(tid, |thread| (observer.observe)(thread, event)))
    }

    /// What is left of `call` by who has changed the registers. Other conventions' registers are not looked at.
    fn call_in_registers(&self, tid: Tid, call: &SyscallCall) -> Option<SyscallCall> {
        // Registers that nobody has asked for are as they were.
        let loaded = self.with_thread(tid, |thread| lock(&thread.cell.registers).general().is_some())?;
        if native_number(call) == u64::MAX || !loaded {
            return Some(*call);
        }
        let general = self.general_registers(tid)?;
        let arguments = ARGUMENTS.map(|register| general[register]);
        Some(SyscallCall { number: general[index::ORIG_RAX], arguments, ..*call })
    }

    fn returned(&self, tid: Tid) -> Option<i64> {
        Some(self.general_registers(tid)?[index::RAX].cast_signed())
    }

    fn general_registers(&self, tid: Tid) -> Option<[u64; index::COUNT]> {
        self.with_process(|process| {
            process.load_general(tid).ok()?;
            let registers = lock(&process.threads.get(&tid)?.cell.registers);
            registers.general().map(|general| general.0)
        })?
    }

    /// A signal that is about to be delivered. A callback may put another one in its place, or none, whose own
    /// catcher runs too if the first one says so: and so on, but never the same one twice.
    pub(crate) fn handle_signal(&self, tid: Tid) -> bool {
        self.with_thread(tid, |thread| thread.caught = true);
        let mut seen = Vec::new();
        let mut stop = false;
        while let Some(signal) = self.pending_signal(tid) {
            if seen.contains(&signal) {
                return self.fail(tid, Box::new(Error::HijackLoop("Signal")));
            }
            let catcher = self.with_process(|process| process.signals.catcher_for(signal, tid)).flatten();
            let Some(catcher) = catcher else { break };
            stop |= self.catch(tid, &catcher);
            seen.push(signal);
            if self.pending_signal(tid) == Some(signal) || !catcher.life.is_recursive() {
                break;
            }
        }
        self.drop_blocked(tid);
        stop
    }

    fn catch(&self, tid: Tid, cell: &Arc<CatcherCell>) -> bool {
        cell.life.count_hit();
        self.add_reason(tid, StopReason::Caught(cell.life.id));
        let debugger = || Debugger::from_shared(&self.shared);
        self.run_action(tid, &cell.action(), || SignalCatcher {
            cell: Arc::clone(cell),
            debugger: debugger(),
        })
    }

    fn pending_signal(&self, tid: Tid) -> Option<Signal> {
        self.with_thread(tid, |thread| lock(&thread.cell.stop).deliver)?
    }

    fn drop_blocked(&self, tid: Tid) {
        self.with_process(|process| {
            let thread = process.threads.get(&tid)?;
            let mut stop = lock(&thread.cell.stop);
            stop.deliver = process.signals.unblocked(stop.deliver);
            Some(())
        });
    }
}
