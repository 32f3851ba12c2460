//! One instruction at a time.

use std::sync::atomic::Ordering;

use libdebug_arch::x86_64::TRAP_FLAG;
use libdebug_arch::{Instruction, InstructionKind, SavedFlags};
use libdebug_kernel::{Bell, Signal, Tid};

use crate::error::Result;
use crate::mailbox::lock;
use crate::process::{KeptSignal, Process, Run};
use crate::session::StopReason;
use crate::site::Owner;
use crate::stop::is_fault;

/// How one step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepEnd {
    /// One instruction was executed.
    Done,
    /// It ended otherwise: a fault, an interrupt, the thread's death.
    Ended,
}

/// How far a thread that goes on alone gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// One instruction.
    Step,
    /// To the next stop, whatever that is.
    Run,
}

/// What a stop in the middle of a step asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Finish(StepEnd),
    /// The instruction has not been executed (completely).
    Again,
}

impl Process {
    /// Executes one instruction of `tid` while all other threads stay stopped. A trap at its address is
    /// passed. Signals from outside are kept for when the thread runs freely.
    pub(crate) fn step(&mut self, tid: Tid, bell: &Bell) -> Result<StepEnd> {
        self.frozen = true;
        let pc = self.shown_pc(tid)?;
        let exposed = self.exposed_flags(tid, pc)?;
        let end = self.pass(tid, Pace::Step, bell)?;
        if let (StepEnd::Done, Some(place)) = (end, exposed) {
            self.hide_trap_flag(tid, place)?;
        }
        if end == StepEnd::Done {
            self.exit_by_step(tid);
        }
        self.arrive(tid);
        Ok(end)
    }

    /// Lets `tid` go on alone, from a trap at its address too.
    fn pass(&mut self, tid: Tid, pace: Pace, bell: &Bell) -> Result<StepEnd> {
        match self.site_under(tid) {
            Some(site) => match self.stub_for(tid, site)? {
                Some(stub) => self.go_from(tid, Some(stub), pace, bell),
                None => self.step_lifted(tid, site, bell),
            },
            None => self.go_from(tid, None, pace, bell),
        }
    }

    /// As [`Process::step`], to the next stop of any kind.
    pub(crate) fn advance(&mut self, tid: Tid, pace: Pace, bell: &Bell) -> Result<StepEnd> {
        self.frozen = true;
        let end = self.pass(tid, pace, bell)?;
        self.arrive(tid);
        Ok(end)
    }

    /// Where the instruction at `pc` is going to put a copy of the flags, and with it the trap flag of the step.
    /// The kernel hides that flag in the flags alone. Nowhere, if the program has set it itself.
    fn exposed_flags(&mut self, tid: Tid, pc: u64) -> Result<Option<SavedFlags>> {
        let mut code = [0; 4];
        let length = self.session.memory().read(pc, &mut code);
        let Some(place) = self.isa.saves_flags(&self.original_bytes(pc, &code[..length])) else {
            return Ok(None);
        };
        self.load_general(tid)?;
        let registers = self.threads.get(&tid).map(|thread| lock(&thread.cell.registers));
        let traps = registers.is_some_and(|registers| registers.general().is_some_and(|own| own.traps()));
        Ok(Some(place).filter(|_| !traps))
    }

    fn hide_trap_flag(&mut self, tid: Tid, place: SavedFlags) -> Result<()> {
        self.load_general(tid)?;
        let Some(thread) = self.threads.get(&tid) else { return Ok(()) };
        let mut registers = lock(&thread.cell.registers);
        match place {
            SavedFlags::InRegister(register) => {
                registers.change_general(register, |value| value & !TRAP_FLAG)
            }
            SavedFlags::OnStack => {
                // The second byte has the flag, whatever the copy's size.
                let at = registers.general().map_or(0, |own| own.sp() + 1);
                let mut byte = [0];
                if self.session.memory().read(at, &mut byte) == 1 {
                    self.session.memory().write(at, &[byte[0] & !((TRAP_FLAG >> 8) as u8)]);
                }
            }
        }
        Ok(())
    }

    /// The site that `tid` is about to execute.
    fn site_under(&self, tid: Tid) -> Option<u64> {
        let pc = lock(&self.threads.get(&tid)?.cell.registers).real_pc()?;
        self.sites.get(pc).map(|_| pc)
    }

    fn step_from(&mut self, tid: Tid, pc: Option<u64>, bell: &Bell) -> Result<StepEnd> {
        self.go_from(tid, pc, Pace::Step, bell)
    }

    fn go_from(&mut self, tid: Tid, mut pc: Option<u64>, pace: Pace, bell: &Bell) -> Result<StepEnd> {
        loop {
            self.go_once(tid, pc.take(), pace, bell)?;
            match (self.after_step(tid)?, pace) {
                (Next::Finish(end), _) => return Ok(end),
                (Next::Again, Pace::Step) => {}
                (Next::Again, Pace::Run) => return Ok(StepEnd::Done),
            }
        }
    }

    /// Puts the program's byte back for the time of the step; all other threads are stopped.
    fn step_lifted(&mut self, tid: Tid, site: u64, bell: &Bell) -> Result<StepEnd> {
        let Some(original) = self.sites.get(site).map(|site| site.original) else {
            return self.step_from(tid, None, bell);
        };
        let memory = self.session.memory();
        memory.write(site, &[original]);
        let end = self.step_from(tid, None, bell);
        memory.write(site, self.isa.trap_bytes());
        end
    }

    /// Passes the trap at `tid`'s pc in place, before everything else runs.
    pub(crate) fn step_in_place(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        let Some(site) = self.site_under(tid) else { return Ok(()) };
        self.step_lifted(tid, site, bell)?;
        self.arrive(tid);
        Ok(())
    }

    fn go_once(&mut self, tid: Tid, pc: Option<u64>, pace: Pace, bell: &Bell) -> Result<()> {
        self.await_release(tid, bell);
        let deliver = self.signal_for_step(tid);
        if let Some(thread) = self.threads.get(&tid) {
            let mut stop = lock(&thread.cell.stop);
            stop.deliver = deliver;
        }
        let deferred = self.threads.get_mut(&tid).map(|thread| std::mem::take(&mut thread.deferred));
        let prepared = self.prepare(tid, pc)?;
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.deferred = deferred.unwrap_or_default();
            thread.stepping = true;
            thread.was_stepped = true;
        }
        let Some(signal) = prepared.filter(|_| !self.is_held(tid)) else { return Ok(()) };
        let gone = match pace {
            Pace::Step => self.ptrace.step(tid, signal),
            Pace::Run => self.ptrace.cont(tid, signal),
        };
        self.started(tid, gone)?;
        self.await_thread(tid, bell);
        Ok(())
    }

    /// A thread whose vfork child is not done cannot go on.
    fn await_release(&mut self, tid: Tid, bell: &Bell) {
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.stepping = true;
        }
        while self.is_held(tid) && !self.shared.interrupt.load(Ordering::Acquire) {
            self.wait_once(bell);
        }
    }

    /// A fault's signal goes with the step, as the instruction can get no further; one from outside waits.
    fn signal_for_step(&mut self, tid: Tid) -> Option<Signal> {
        let thread = self.threads.get(&tid)?;
        let deliver = lock(&thread.cell.stop).deliver?;
        if thread.at_fault {
            return Some(deliver);
        }
        if thread.at_signal {
            self.defer(tid, deliver);
        } else if let Some(thread) = self.threads.get_mut(&tid) {
            thread.deferred.push(KeptSignal { signal: deliver, info: None, caught: true });
        }
        None
    }

    pub(crate) fn await_thread(&mut self, tid: Tid, bell: &Bell) {
        let is_running =
            |process: &Self| process.threads.get(&tid).is_some_and(|thread| thread.run == Run::Running);
        while is_running(self) {
            self.wait_once(bell);
            if is_running(self) && self.shared.interrupt.load(Ordering::Acquire) {
                let _ = self.ptrace.interrupt(tid);
            }
        }
    }

    fn after_step(&mut self, tid: Tid) -> Result<Next> {
        let Some(thread) = self.threads.get_mut(&tid).filter(|thread| thread.run == Run::Stopped) else {
            return Ok(Next::Finish(StepEnd::Ended));
        };
        // A completed step clears the flag (the debug trap); everything else came in between.
        let completed = !std::mem::replace(&mut thread.stepping, false);
        let signal = lock(&thread.cell.stop).deliver;
        let at_signal = thread.at_signal;
        if completed {
            return self.after_trap(tid);
        }
        if at_signal && signal.is_none() {
            // An execution breakpoint stopped the step before the instruction; the CPU lets it pass now (RF).
            return Ok(Next::Again);
        }
        let Some(signal) = signal else {
            // An interrupt from before this step, or a system call's own event in the middle of it.
            let over = self.shared.interrupt.load(Ordering::Acquire);
            return Ok(if over { Next::Finish(StepEnd::Ended) } else { Next::Again });
        };
        let fault = self.ptrace.signal_info(tid).is_ok_and(|info| is_fault(info.signal(), info.code()));
        if fault {
            if let Some(thread) = self.threads.get_mut(&tid) {
                thread.at_fault = true;
            }
            self.offer_to_catcher(tid, signal);
            return Ok(Next::Finish(StepEnd::Ended));
        }
        self.defer(tid, signal);
        self.note_signal(tid, None, None);
        Ok(Next::Again)
    }

    /// A stub is several instructions, one of which at least jumps back. The thread leaves it as soon as it is
    /// behind the first of the program's that the stub stands for.
    fn after_trap(&mut self, tid: Tid) -> Result<Next> {
        if self.displaced.is_empty() {
            return Ok(Next::Finish(StepEnd::Done));
        }
        let Some(thread) = self.threads.get(&tid) else { return Ok(Next::Finish(StepEnd::Ended)) };
        let mut registers = lock(&thread.cell.registers);
        let raw = registers.load_pc(self.ptrace, tid)?;
        match self.displaced.place(raw) {
            Some(place) if place.midway || place.behind => return Ok(Next::Again),
            Some(place) => registers.show_pc(place.pc, None),
            None => {}
        }
        Ok(Next::Finish(StepEnd::Done))
    }

    /// A trap at the new pc has not been come to by running: the next resume passes it.
    fn arrive(&mut self, tid: Tid) {
        let Ok(pc) = self.shown_pc(tid) else { return };
        let at_site = self.sites.get(pc).is_some();
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.passed = at_site.then_some(pc);
        }
    }

    /// The instruction that `tid` is at.
    pub(crate) fn instruction_at(&mut self, tid: Tid) -> Result<Option<Instruction>> {
        let pc = self.shown_pc(tid)?;
        let mut code = [0; 16];
        let length = self.session.memory().read(pc, &mut code);
        let code = self.original_bytes(pc, &code[..length]);
        Ok(self.isa.decode(&code, pc))
    }

    /// Whether the instruction that `tid` is at is a call, and the address behind it.
    pub(crate) fn call_at(&mut self, tid: Tid) -> Result<Option<u64>> {
        let instruction = self.instruction_at(tid)?;
        Ok(instruction.filter(|found| found.kind == InstructionKind::Call).map(|call| call.next_address()))
    }

    /// Lets the whole process run until `tid` is at `address` in the same frame or a caller's, or something
    /// else stops it. Answers whether the thread arrived.
    pub(crate) fn begin_run_to(&mut self, address: u64, bell: &Bell) -> Result<()> {
        self.insert_site(address, Owner::Tracer)?;
        self.thaw(bell)
    }

    /// Ends a single step for its users.
    pub(crate) fn end_step(&mut self, tid: Tid) {
        if let Some(thread) = self.threads.get(&tid) {
            thread.add_reason(StopReason::Step);
            let mut stop = lock(&thread.cell.stop);
            stop.signal = stop.signal.or(Some(Signal::TRAP));
        }
    }
}
