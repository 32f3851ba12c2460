//! Steps, as the tracer thread carries them out: with the handlers of what happens on the way.

use libdebug_kernel::{Bell, Tid};
use std::sync::atomic::Ordering;

use crate::attend::note_interrupted;
use crate::error::Result;
use crate::mailbox::lock;
use crate::process::{Happening, Process};
use crate::site::Owner;
use crate::tracer::Tracer;

impl Tracer {
    /// A step of any kind, all other threads stopped; handlers of what happened on the way run at its end.
    pub(crate) fn step(&self, tid: Tid, step: impl FnOnce(&mut Process, &Bell) -> Result<()>) {
        if let Some(process) = self.process.borrow_mut().as_mut() {
            let stepped = step(process, &self.bell);
            process.freeze(&self.bell);
            process.end_step(tid);
            self.note_outcome(process, stepped);
        }
        // What other threads did is handled after the callback that this step is a part of.
        if !self.in_callback() {
            self.handle_happenings();
        }
        match self.process.borrow_mut().as_mut() {
            Some(process) => self.publish(process),
            None => self.shared.stopped.set(),
        }
    }

    /// Over a call: everything runs until the thread is behind it, or something else stops the process.
    pub(crate) fn next(&self, tid: Tid) {
        let call = match self.process.borrow_mut().as_mut() {
            Some(process) => process.call_at(tid),
            None => return self.shared.stopped.set(),
        };
        match call {
            Ok(Some(behind)) => self.run_to(tid, behind, self.stack_pointer(tid)),
            Ok(None) => self.step(tid, |process, bell| process.step(tid, bell).map(drop)),
            Err(error) => drop(self.go(|_, _| Err(error))),
        }
    }

    /// Runs until `tid` comes to `address` with its stack pointer at or above `stack`, so that a recursion's inner
    /// frames do not count; or until something else stops the process.
    pub(crate) fn run_to(&self, tid: Tid, address: u64, stack: Option<u64>) {
        if !self.go(|process, bell| process.begin_run_to(address, bell)) {
            return;
        }
        let arrived = self.run_until(tid, address, stack);
        if let Some(process) = self.process.borrow_mut().as_mut() {
            if arrived {
                process.end_step(tid);
            }
            note_interrupted(process);
            self.publish(process);
        }
    }

    /// Whether `tid` has arrived at `address`, where the tracer has a site that is gone then, rather than been stopped
    /// by something else.
    pub(crate) fn run_until(&self, tid: Tid, address: u64, stack: Option<u64>) -> bool {
        loop {
            self.wait_for_happenings(tid);
            let arrived = self.take_arrival(tid, stack);
            let stop = self.handle_happenings() || self.shared.interrupt.load(Ordering::Acquire);
            let mut process = self.process.borrow_mut();
            let Some(process) = process.as_mut() else { return false };
            self.note_stop_wanted(stop);
            let over = arrived || stop || !process.threads.contains_key(&tid);
            if over || self.thaw_failed(process) {
                process.remove_site(address, &Owner::Tracer);
                return arrived;
            }
        }
    }

    /// Deaths are no failure: they come to the next wait.
    pub(crate) fn thaw_failed(&self, process: &mut Process) -> bool {
        let thawed = process.thaw(&self.bell);
        let failed = thawed.as_ref().is_err_and(|error| !error.is_death());
        self.note_outcome(process, thawed);
        failed
    }

    fn wait_for_happenings(&self, tid: Tid) {
        if let Some(process) = self.process.borrow_mut().as_mut() {
            while process.happenings.is_empty()
                && process.threads.contains_key(&tid)
                && !self.shared.interrupt.load(Ordering::Acquire)
            {
                process.wait_once(&self.bell);
            }
            process.freeze(&self.bell);
        }
    }

    /// Whether `tid` has arrived; arrivals of other threads and of inner frames are dropped, and pass the trap.
    fn take_arrival(&self, tid: Tid, stack: Option<u64>) -> bool {
        let Some(mut arrivals) = self.process.borrow_mut().as_mut().map(|process| {
            let (arrivals, others): (Vec<_>, Vec<_>) = process
                .happenings
                .drain(..)
                .partition(|happening| matches!(happening, Happening::Arrived(_)));
            process.happenings.extend(others);
            arrivals
        }) else {
            return false;
        };
        let own =
            arrivals.drain(..).any(|happening| matches!(happening, Happening::Arrived(at) if at == tid));
        own && self.stack_pointer(tid) >= stack
    }

    fn stack_pointer(&self, tid: Tid) -> Option<u64> {
        let mut process = self.process.borrow_mut();
        let process = process.as_mut()?;
        process.load_general(tid).ok()?;
        let registers = lock(&process.threads.get(&tid)?.cell.registers);
        registers.general().map(libdebug_arch::x86_64::GeneralRegisters::sp)
    }
}
