//! Act: the handlers of system calls and signals, and what they put in the place of either.

use std::sync::Arc;

use libdebug_arch::x86_64::index;
use libdebug_kernel::{Signal, SyscallCall, SyscallInfo, Tid};

use crate::debugger::Debugger;
use crate::error::Error;
use crate::handler::Action;
use crate::mailbox::lock;
use crate::process::{Process, Thread};
use crate::session::StopReason;
use crate::signal::{CatcherCell, SignalCatcher};
use crate::syscall::{SyscallCell, SyscallEvent, SyscallHandler, SyscallSide, native_number};
use crate::syscall_stop::ARGUMENTS;
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
    pub(crate) fn handle_enter(&self, tid: Tid) -> bool {
        let Some(mut call) = self.pending_call(tid) else { return false };
        let mut made = Vec::new();
        let mut stop = false;
        loop {
            made.push(native_number(&call));
            let handler = self.with_process(|process| process.syscalls.handler_for(native_number(&call)));
            let handler = handler.flatten();
            let (stays, called) = handler.as_ref().map_or((false, false), |cell| self.enter(tid, cell));
            stop |= stays;
            let Some(after) = self.call_in_registers(tid, &call) else { break };
            let replaces = made.len() > 1;
            stop |= self.observe(
                tid,
                native_number(&call),
                SyscallEvent::Enter { before: call, after, called, replaces },
            );
            if after.number == call.number {
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
            call = after;
        }
        stop
    }

    /// Answers whether the process is to stay stopped, and whether a callback ran.
    fn enter(&self, tid: Tid, cell: &Arc<SyscallCell>) -> (bool, bool) {
        let Some(action) = cell.action(SyscallSide::Enter) else {
            self.with_thread(tid, |thread| thread.entered.push(Arc::clone(cell)));
            return (false, false);
        };
        self.add_reason(tid, StopReason::SyscallEnter(cell.id));
        let stop = self.run_action(tid, &action, || self.syscall_handle(cell));
        if cell.life.is_enabled() {
            self.with_thread(tid, |thread| thread.entered.push(Arc::clone(cell)));
        } else {
            // It will not hear of the exit any more.
            cell.life.count_hit();
        }
        (stop, matches!(action, Action::Call(_)))
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
        let before = self.returned(tid);
        let mut stop = false;
        let mut called = false;
        for cell in entered.iter().rev().filter(|cell| cell.life.is_enabled()) {
            cell.life.count_hit();
            let Some(action) = cell.action(SyscallSide::Exit) else { continue };
            self.add_reason(tid, StopReason::SyscallExit(cell.id));
            stop |= self.run_action(tid, &action, || self.syscall_handle(cell));
            called |= matches!(action, Action::Call(_));
        }
        match (before, self.returned(tid)) {
            (Some(before), Some(after)) if observed => {
                stop | self.tell_observer(tid, &SyscallEvent::Exit { before, after, called })
            }
            _ => stop,
        }
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

    /// The call that the kernel is about to execute.
    fn pending_call(&self, tid: Tid) -> Option<SyscallCall> {
        let info = self.with_process(|process| process.ptrace.syscall_info(tid))?;
        match info.ok()? {
            SyscallInfo::Enter(call) | SyscallInfo::Seccomp { call, .. } => Some(call),
            SyscallInfo::Exit { .. } | SyscallInfo::Outside => None,
        }
    }

    /// What is left of `call` by who has changed the registers. Other conventions' registers are not looked at.
    fn call_in_registers(&self, tid: Tid, call: &SyscallCall) -> Option<SyscallCall> {
        if native_number(call) == u64::MAX {
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
            let catcher = self.with_process(|process| process.signals.catcher_for(signal)).flatten();
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
        self.add_reason(tid, StopReason::Caught(cell.id));
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
