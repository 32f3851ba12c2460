//! Act: runs the handlers of what happened, on the tracer thread, with the process stopped.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_kernel::Tid;

use crate::breakpoint::{Breakpoint, BreakpointCell};
use crate::debugger::Debugger;
use crate::error::BoxError;
use crate::handler::{Action, CallbackResult};
use crate::mailbox::lock;
use crate::process::{Happening, Process};
use crate::session::{Session, StopReason, ThreadCell};
use crate::thread::Thread;
use crate::tracer::Tracer;

impl Tracer {
    /// Everything is stopped: runs the handlers of what happened, and then lets the process go on or tells the
    /// user that it has stopped.
    pub(crate) fn attend(&self) {
        loop {
            let stop = self.handle_happenings();
            let mut process = self.process.borrow_mut();
            let Some(process) = process.as_mut() else { return };
            if stop || self.shared.interrupt.load(Ordering::Acquire) {
                note_interrupted(process);
                return process.publish();
            }
            if self.thaw_failed(process) {
                return process.publish();
            }
            // An instruction that was executed on the way may have set something off.
            match (process.happenings.is_empty(), process.frozen) {
                (true, false) => return,
                (true, true) => return process.publish(),
                (false, _) => {}
            }
        }
    }

    pub(crate) fn in_callback(&self) -> bool {
        self.callbacks.get() > 0
    }

    /// What should stop the process in the middle of a callback does so at the callback's end.
    pub(crate) fn note_stop_wanted(&self, stop: bool) {
        if stop && self.in_callback() {
            self.stop_wanted.set(true);
        }
    }

    /// Answers whether somebody wants the process to stay stopped. The state is not borrowed while a callback
    /// runs: the callback may ask for anything.
    pub(crate) fn handle_happenings(&self) -> bool {
        let mut stop = false;
        while let Some(happening) = self.next_happening() {
            stop |= match happening {
                Happening::Hit(tid, cell) => self.handle_hit(tid, &cell),
                Happening::Caught(tid) => self.handle_signal(tid),
                Happening::Executed(tid) => self.handle_exec(tid),
                Happening::SyscallEnter(tid, entry) => self.handle_enter(tid, entry),
                Happening::SyscallExit(tid) => self.handle_exit(tid),
                Happening::Arrived(_) | Happening::Ended | Happening::Standstill | Happening::Failed => true,
            };
            stop |= !self.in_callback() && self.stop_wanted.take();
        }
        stop
    }

    fn next_happening(&self) -> Option<Happening> {
        self.process.borrow_mut().as_mut()?.happenings.pop_front()
    }

    fn handle_hit(&self, tid: Tid, cell: &Arc<BreakpointCell>) -> bool {
        if !cell.life.concerns(tid) {
            return false;
        }
        cell.life.count_hit();
        let Some(thread) = self.thread_cell(tid) else { return false };
        {
            let mut stop = lock(&thread.stop);
            stop.reasons.push(StopReason::Breakpoint(cell.life.id));
            stop.hit.push(Arc::clone(cell));
        }
        let debugger = || Debugger::from_shared(&self.shared);
        self.run_action(tid, &cell.action(), || Breakpoint { cell: Arc::clone(cell), debugger: debugger() })
    }

    fn handle_exec(&self, tid: Tid) -> bool {
        self.add_reason(tid, StopReason::Exec);
        let callback = lock(&self.shared.on_exec).clone();
        callback.is_some_and(|callback| self.run_callback(tid, |thread| callback(thread)))
    }

    /// What a handler does at an event of `tid`. Answers whether the process is to stay stopped.
    pub(crate) fn run_action<H>(&self, tid: Tid, action: &Action<H>, handle: impl FnOnce() -> H) -> bool {
        match action {
            Action::Stop => true,
            Action::Count => false,
            Action::Call(callback) => {
                let handle = handle();
                self.run_callback(tid, |thread| callback(thread, &handle))
            }
        }
    }

    /// Runs a user's code in the middle of a stop of `tid`. Answers whether the process is to stay stopped.
    pub(crate) fn run_callback(&self, tid: Tid, callback: impl FnOnce(&Thread) -> CallbackResult) -> bool {
        let Some(thread) = self.thread(tid) else { return false };
        self.callbacks.set(self.callbacks.get() + 1);
        // What unwinds here would end the tracer thread, and the process with it.
        let result = catch_unwind(AssertUnwindSafe(|| callback(&thread)));
        let result = result.unwrap_or_else(|panic| Err(panic_message(&*panic).into()));
        self.callbacks.set(self.callbacks.get() - 1);
        self.callback_ended(tid, result)
    }

    pub(crate) fn add_reason(&self, tid: Tid, reason: StopReason) -> bool {
        let process = self.process.borrow();
        let thread = process.as_ref().and_then(|process| process.threads.get(&tid));
        thread.inspect(|thread| thread.add_reason(reason)).is_some()
    }

    fn thread_cell(&self, tid: Tid) -> Option<Arc<ThreadCell>> {
        let process = self.process.borrow();
        Some(Arc::clone(&process.as_ref()?.threads.get(&tid)?.cell))
    }

    /// The thread as users hold it.
    pub(crate) fn thread(&self, tid: Tid) -> Option<Thread> {
        Some(Thread::new(Debugger::from_shared(&self.shared), self.thread_cell(tid)?, self.session()))
    }

    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.process.borrow().as_ref().map(|process| Arc::clone(&process.session))
    }

    fn callback_ended(&self, tid: Tid, result: std::result::Result<(), BoxError>) -> bool {
        let Err(error) = result else { return false };
        self.fail(tid, error)
    }

    /// Something failed at an event of `tid`: the process stops, and the next wait says so.
    pub(crate) fn fail(&self, tid: Tid, error: BoxError) -> bool {
        self.shared.fail(error);
        self.add_reason(tid, StopReason::Callback);
        true
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the callback panicked: {}", text.unwrap_or("with a value that is no text"))
}

/// The threads that stopped for no reason of their own.
pub(crate) fn note_interrupted(process: &Process) {
    for thread in process.threads.values() {
        let mut stop = lock(&thread.cell.stop);
        if stop.reasons.is_empty() {
            let reason = stop.deliver.map_or(StopReason::Interrupted, StopReason::Signal);
            stop.reasons.push(reason);
        }
    }
}
