//! Plan and resume: with what request a stopped thread goes on.

use libdebug_kernel::{Bell, KernelError, Ptrace, Signal, Tid};

use crate::error::Result;
use crate::mailbox::lock;
use crate::process::{KeptSignal, Process, Run, Thread};
use crate::session::Phase;

/// What is known of a stopped thread that is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    group_stopped: bool,
    /// It stands at a trap that it has reported or is not to report.
    at_passed_trap: bool,
    has_stub: bool,
}

/// How a thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// Stays in its group-stop, and reports what ends it.
    Listen,
    /// Runs from where it is.
    Continue,
    /// Runs through the stub.
    ThroughStub,
    /// Executes the instruction in place, alone, with the trap lifted; then runs.
    InPlace,
}

/// A thread, how it goes on, and the stub that it passes through.
type Planned = (Tid, Plan, Option<u64>);

fn plan(facts: Facts) -> Plan {
    match facts {
        Facts { group_stopped: true, .. } => Plan::Listen,
        Facts { at_passed_trap: false, .. } => Plan::Continue,
        Facts { has_stub: true, .. } => Plan::ThroughStub,
        Facts { has_stub: false, .. } => Plan::InPlace,
    }
}

impl Process {
    /// Lets every stopped thread go on that is not parked. Those that have to execute an instruction in place do so first, while
    /// all others are still stopped; when that sets something off, everything stays stopped for its handler.
    pub(crate) fn thaw(&mut self, bell: &Bell) -> Result<()> {
        let mut planned = Vec::new();
        let (held, free): (Vec<_>, Vec<_>) =
            self.unparked_tids().into_iter().partition(|&tid| self.is_held(tid));
        for tid in free {
            let (plan, stub) = self.plan_thread(tid)?;
            if plan == Plan::InPlace {
                self.step_in_place(tid, bell)?;
            }
            planned.push((tid, plan, stub));
        }
        if !self.happenings.is_empty() {
            return Ok(());
        }
        self.flush_all(&held, &planned)?;
        self.frozen = false;
        self.session.set_phase(Phase::Running);
        for tid in held {
            self.prepare(tid, None)?;
        }
        for (tid, plan, stub) in planned {
            self.resume_planned(tid, plan, stub)?;
        }
        Ok(())
    }

    /// Writes back what users have changed in any thread, so that what the kernel refuses is known before the first
    /// thread goes on.
    fn flush_all(&self, held: &[Tid], planned: &[Planned]) -> Result<()> {
        let held = held.iter().map(|&tid| (tid, None));
        for (tid, pc) in planned.iter().map(|&(tid, _, stub)| (tid, stub)).chain(held) {
            if let Some(thread) = self.threads.get(&tid) {
                flush(thread, self.ptrace, pc)?;
            }
        }
        Ok(())
    }

    pub(crate) fn flush_thread(&self, tid: Tid) -> Result<()> {
        self.threads.get(&tid).map_or(Ok(()), |thread| flush(thread, self.ptrace, None))
    }

    /// Lets one thread go on while others may be running.
    pub(crate) fn resume(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        let (plan, stub) = self.plan_thread(tid)?;
        if plan == Plan::InPlace {
            self.freeze(bell);
            // What others have come to meanwhile is handled before anybody goes on.
            return if self.happenings.is_empty() { self.thaw(bell) } else { Ok(()) };
        }
        self.resume_planned(tid, plan, stub)
    }

    fn plan_thread(&mut self, tid: Tid) -> Result<(Plan, Option<u64>)> {
        let Some(thread) = self.threads.get(&tid) else { return Ok((Plan::Continue, None)) };
        let group_stopped = thread.group_stopped;
        let site = thread.passed.filter(|&site| self.sites.get(site).is_some());
        let at_passed_trap = site.is_some() && lock(&thread.cell.registers).real_pc() == site;
        let stub = match site.filter(|_| at_passed_trap) {
            Some(site) => self.stub_for(tid, site)?,
            None => None,
        };
        Ok((plan(Facts { group_stopped, at_passed_trap, has_stub: stub.is_some() }), stub))
    }

    fn resume_planned(&mut self, tid: Tid, plan: Plan, stub: Option<u64>) -> Result<()> {
        let pc = if plan == Plan::ThroughStub { stub } else { None };
        let Some(signal) = self.prepare(tid, pc)? else { return Ok(()) };
        let resumed = match plan {
            Plan::Listen => self.ptrace.listen(tid),
            Plan::Continue | Plan::ThroughStub | Plan::InPlace => self.run_on(tid, signal),
        };
        self.started(tid, resumed)
    }

    /// With syscall-stops where somebody wants to hear of them.
    pub(crate) fn run_on(&self, tid: Tid, signal: Option<Signal>) -> libdebug_kernel::Result<()> {
        if self.wants_syscalls(tid) {
            self.ptrace.syscall(tid, signal)
        } else {
            self.ptrace.cont(tid, signal)
        }
    }

    /// Writes back what was changed and forgets what is known of the stop. `None` when the thread is not
    /// stopped (any more); else the signal to deliver.
    pub(crate) fn prepare(&mut self, tid: Tid, pc: Option<u64>) -> Result<Option<Option<Signal>>> {
        self.resend_deferred(tid);
        let pid = self.pid();
        let Some(thread) = self.threads.get_mut(&tid).filter(|thread| thread.run == Run::Stopped) else {
            return Ok(None);
        };
        // What the kernel refuses stays as it is, for its user to mend.
        flush(thread, self.ptrace, pc)?;
        lock(&thread.cell.registers).clear();
        let deliver = take_stop(thread);
        let at_signal = thread.at_signal;
        forget_stop(thread);
        match deliver {
            Some(signal) if !at_signal => {
                // A resume delivers a signal only out of a signal-delivery-stop; elsewhere it has to be sent.
                if libdebug_kernel::signal_thread(pid, tid, signal).is_ok() {
                    thread.requeued.push_back(KeptSignal { signal, info: None, caught: true });
                }
                Ok(Some(None))
            }
            deliver => Ok(Some(deliver)),
        }
    }

    /// The outcome of a resume request. A thread that is gone has died in its stop: its death comes to the
    /// wait, as if it had run.
    pub(crate) fn started(&mut self, tid: Tid, resumed: libdebug_kernel::Result<()>) -> Result<()> {
        match resumed {
            Ok(()) | Err(KernelError::Gone { .. }) => {
                if let Some(thread) = self.threads.get_mut(&tid) {
                    thread.run = Run::Running;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Flushes the registers; a thread that died in its stop takes nothing, which is no error.
fn flush(thread: &Thread, ptrace: Ptrace, pc: Option<u64>) -> Result<()> {
    match lock(&thread.cell.registers).flush(ptrace, thread.cell.tid, pc) {
        Err(error) if error.is_death() => Ok(()),
        other => other,
    }
}

/// Ends the stop in its record; answers the signal that is to be delivered.
fn take_stop(thread: &Thread) -> Option<Signal> {
    let mut stop = lock(&thread.cell.stop);
    stop.reasons.clear();
    stop.hit.clear();
    stop.signal = None;
    stop.side = None;
    stop.deliver.take()
}

fn forget_stop(thread: &mut Thread) {
    thread.at_fault = false;
    thread.caught = false;
    thread.passed = None;
    thread.group_stopped = false;
    thread.at_signal = false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_has_its_plan() {
        let facts =
            |group_stopped, at_passed_trap, has_stub| Facts { group_stopped, at_passed_trap, has_stub };
        assert_eq!(plan(facts(true, true, true)), Plan::Listen);
        assert_eq!(plan(facts(false, false, true)), Plan::Continue);
        assert_eq!(plan(facts(false, true, true)), Plan::ThroughStub);
        assert_eq!(plan(facts(false, true, false)), Plan::InPlace);
    }
}
