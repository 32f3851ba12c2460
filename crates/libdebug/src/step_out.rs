//! Out of a function, by steps or by a run to where it returns to; and long ways that are no steps at all.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_arch::InstructionKind;
use libdebug_arch::x86_64::{GeneralRegisters, RESUME_FLAG, index};
use libdebug_kernel::{Bell, Tid};

use crate::attend::note_interrupted;
use crate::breakpoint::{BreakpointCell, BreakpointKind};
use crate::error::Result;
use crate::instruction_trace::Steps;
use crate::mailbox::lock;
use crate::process::{Happening, Process};
use crate::step::{Pace, StepEnd};
use crate::tracer::Tracer;
use crate::unwind::Return;

/// How a function is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WayOut {
    /// Everything runs until the thread comes back to the caller.
    Run(Return),
    /// The thread alone, step by step, until its stack pointer is back at the caller's.
    Steps { caller_stack: Option<u64> },
}

/// What of a way out by steps is behind.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// The caller's stack pointer, unless nothing tells.
    caller_stack: Option<u64>,
    /// Calls that were not returned from; what counts where the stack does not tell.
    depth: u64,
}

impl Progress {
    /// Notes an instruction that was executed; answers whether it has left the function.
    fn has_left(&mut self, kind: Option<InstructionKind>, stack: u64) -> bool {
        let returned = kind == Some(InstructionKind::Return);
        if kind == Some(InstructionKind::Call) {
            self.depth += 1;
        }
        match self.caller_stack {
            Some(caller) => returned && stack >= caller,
            None if returned && self.depth == 0 => true,
            None => {
                self.depth -= u64::from(returned);
                false
            }
        }
    }
}

impl Tracer {
    /// Lets `tid` leave its function; breakpoints on the way end that.
    pub(crate) fn leave(&self, tid: Tid, way: WayOut) {
        match way {
            WayOut::Run(to) => self.run_to(tid, to.address, Some(to.stack)),
            WayOut::Steps { caller_stack } => self.step_out(tid, Progress { caller_stack, depth: 0 }),
        }
    }

    fn step_out(&self, tid: Tid, mut progress: Progress) {
        loop {
            let Some(over) = self.step_out_once(tid, &mut progress) else {
                return self.shared.stopped.set();
            };
            let stop = self.handle_happenings();
            self.note_stop_wanted(stop);
            if over || stop || self.shared.interrupt.load(Ordering::Acquire) {
                break;
            }
        }
        if let Some(process) = self.process.borrow_mut().as_mut() {
            note_interrupted(process);
            self.publish(process);
        }
    }

    /// Answers whether the way is over; `None` without a process.
    fn step_out_once(&self, tid: Tid, progress: &mut Progress) -> Option<bool> {
        let mut process = self.process.borrow_mut();
        let process = process.as_mut()?;
        let left = process.step_out_once(tid, progress, &self.bell);
        process.freeze(&self.bell);
        let failed = left.is_err();
        let over = *left.as_ref().unwrap_or(&true);
        self.note_outcome(process, left.map(drop));
        if over && !failed {
            process.end_step(tid);
        }
        Some(over)
    }
}

impl Process {
    /// One step, and the hits of what breakpoints it has come to. Answers whether the function is left, or the thread
    /// can get no further.
    fn step_out_once(&mut self, tid: Tid, progress: &mut Progress, bell: &Bell) -> Result<bool> {
        let kind = self.instruction_at(tid)?.map(|instruction| instruction.kind);
        if self.step(tid, bell)? == StepEnd::Ended {
            return Ok(true);
        }
        let stack = self.stack_of(tid)?;
        let pc = self.shown_pc(tid)?;
        let hits = self.breakpoints_at(tid, pc);
        if hits.iter().any(|cell| cell.kind != BreakpointKind::Software) {
            // Or else the CPU would report it once more when the thread goes on.
            let thread = self.threads.get(&tid);
            let set_flag = |flags| flags | RESUME_FLAG;
            thread.inspect(|thread| lock(&thread.cell.registers).change_general(index::EFLAGS, set_flag));
        }
        self.happenings.extend(hits.into_iter().map(|cell| Happening::Hit(tid, cell)));
        Ok(progress.has_left(kind, stack))
    }

    fn stack_of(&mut self, tid: Tid) -> Result<u64> {
        self.load_general(tid)?;
        let thread = self.threads.get(&tid);
        let general = thread.and_then(|thread| lock(&thread.cell.registers).general().copied());
        Ok(general.as_ref().map_or(0, GeneralRegisters::sp))
    }

    /// The enabled breakpoints that wait for an execution of `address` by `tid`.
    fn breakpoints_at(&self, tid: Tid, address: u64) -> Vec<Arc<BreakpointCell>> {
        let traps = self.sites.get(address).map(|site| site.breakpoints.clone()).unwrap_or_default();
        let here = traps.into_iter().chain(self.hardware.waiting_at(address));
        here.filter(|cell| cell.life.concerns(tid)).collect()
    }

    /// Steps `tid` until it is at `address`, at most `limit` times, whatever breakpoints and watchpoints it passes.
    pub(crate) fn step_until(
        &mut self,
        tid: Tid,
        address: u64,
        limit: Option<u64>,
        bell: &Bell,
    ) -> Result<()> {
        let users = self.suspend_hardware();
        let stepped = match limit {
            Some(limit) => self.step_on(tid, address, limit, bell),
            // The first one for certain: the thread may be at the place already, and shall come to it again.
            None => self.step_on(tid, address, 1, bell).and_then(|()| self.run_alone(tid, address, bell)),
        };
        stepped.and(self.restore_hardware(users))
    }

    /// Steps `tid` as [`Process::step_until`] does with a limit, and counts the instructions, also where it ends otherwise.
    pub(crate) fn count_steps(&mut self, tid: Tid, steps: &mut Steps, bell: &Bell) -> Result<()> {
        let users = self.suspend_hardware();
        let stepped = self.count_on(tid, steps, bell);
        stepped.and(self.restore_hardware(users))
    }

    fn count_on(&mut self, tid: Tid, steps: &mut Steps, bell: &Bell) -> Result<()> {
        while steps.count < steps.limit {
            self.look_at_step(tid, steps)?;
            if self.step(tid, bell)? == StepEnd::Ended {
                break;
            }
            steps.add()?;
            let is_there = steps.until.is_some_and(|until| self.shown_pc(tid).is_ok_and(|pc| pc == until));
            if is_there || self.shared.interrupt.load(Ordering::Acquire) {
                break;
            }
        }
        Ok(())
    }

    fn step_on(&mut self, tid: Tid, address: u64, limit: u64, bell: &Bell) -> Result<()> {
        for _ in 0..limit {
            if self.step(tid, bell)? == StepEnd::Ended || self.is_at(tid, address)? {
                break;
            }
        }
        Ok(())
    }

    fn is_at(&mut self, tid: Tid, address: u64) -> Result<bool> {
        Ok(self.shown_pc(tid)? == address || self.shared.interrupt.load(Ordering::Acquire))
    }

    /// Lets `tid` run until it is about to execute the instruction at `address`, all others stopped. A debug register
    /// waits there: in contrast to a trap it changes nothing, and does not fire where `address` is inside of an
    /// instruction. So this ends where steps would have ended, after however many, unless the CPU has no such register
    /// for us.
    fn run_alone(&mut self, tid: Tid, address: u64, bell: &Bell) -> Result<()> {
        while !self.is_at(tid, address)? && self.threads.contains_key(&tid) {
            // After execve there is none any more.
            if self.hardware.is_empty() && !self.wait_at(tid, address) {
                return self.step_on(tid, address, u64::MAX, bell);
            }
            if self.advance(tid, Pace::Run, bell)? == StepEnd::Ended {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Option<InstructionKind> = Some(InstructionKind::Call);
    const RETURN: Option<InstructionKind> = Some(InstructionKind::Return);

    #[test]
    fn a_function_is_left_by_the_return_that_brings_the_callers_stack_back() {
        let mut progress = Progress { caller_stack: Some(0x1010), depth: 0 };
        assert!(!progress.has_left(RETURN, 0x1000), "an inner function's");
        assert!(!progress.has_left(Some(InstructionKind::Other), 0x1010));
        assert!(progress.has_left(RETURN, 0x1010));
    }

    #[test]
    fn calls_are_counted_where_the_stack_is_not_known() {
        let mut progress = Progress { caller_stack: None, depth: 0 };
        let steps = [CALL, CALL, RETURN, None, RETURN, RETURN];
        assert_eq!(steps.map(|kind| progress.has_left(kind, 0)), [false, false, false, false, false, true]);
    }
}
