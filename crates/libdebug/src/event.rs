//! Decode, decide and apply one event of one tracee.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_kernel::{Bell, Event, ProcessMemory, Signal, Stop, Tid, Wait, decode};

use crate::error::Result;
use crate::mailbox::lock;
use crate::process::{Happening, Process, Run};
use crate::session::Phase;
use crate::stop::{Trap, decide_by_code, decide_by_place, has_executed_trap, is_fault};
use crate::syscall::SyscallCell;

impl Process {
    /// Blocks for one event, or the bell, and deals with it if it concerns this process.
    pub(crate) fn wait_once(&mut self, bell: &Bell) {
        if let Some((tid, event)) = self.roll.take_of(self.shared.id) {
            return self.on_event(tid, event, bell);
        }
        self.placement.before_wait();
        match self.ptrace.wait(bell) {
            Ok(Wait::Tracee(tid, event)) => self.sort_out(tid, event, bell),
            Ok(Wait::Rung) => bell.answer(),
            Ok(Wait::Interrupted) => self.placement.expired(),
            Ok(Wait::NoTracees) => self.bury_all(),
            Err(error) => self.shared.fail(Box::new(error)),
        }
    }

    fn sort_out(&mut self, tid: Tid, event: Event, bell: &Bell) {
        if self.threads.contains_key(&tid) || self.roll.owner(tid) == Some(self.shared.id) {
            self.take_event(tid, event, bell);
        } else {
            self.roll.put_by(self.ptrace, tid, event);
        }
    }

    /// An event that a wait has brought.
    pub(crate) fn take_event(&mut self, tid: Tid, event: Event, bell: &Bell) {
        if self.threads.len() == 1 && self.roll.is_alone() {
            self.placement.after_stop(tid);
        }
        self.on_event(tid, event, bell);
    }

    /// Takes one event that is already there, without blocking. Answers whether there was one.
    pub(crate) fn poll_once(&mut self, bell: &Bell) -> bool {
        if let Some((tid, event)) = self.roll.take_of(self.shared.id) {
            self.on_event(tid, event, bell);
            return true;
        }
        let Ok(Some((tid, event))) = self.ptrace.poll() else { return false };
        self.sort_out(tid, event, bell);
        true
    }

    /// Takes the stops that are already there, without blocking: a thread that has stopped by itself need not
    /// be interrupted. Right after a blocking wait, when many threads run into the same breakpoint, this saves
    /// most of the work of a stop.
    pub(crate) fn drain(&mut self, bell: &Bell) {
        while self.any_running() && self.poll_once(bell) {}
    }

    /// Deals with one event. An error of the kernel's that is no death is kept for the user's next wait.
    pub(crate) fn on_event(&mut self, tid: Tid, event: Event, bell: &Bell) {
        let result = match event {
            Event::Died(death) => {
                self.bury(tid, Some(death));
                self.dismiss_guest(tid, bell)
            }
            Event::Stopped(stop) if self.threads.contains_key(&tid) => self.on_stop(tid, stop, bell),
            Event::Stopped(Stop::Exec) if tid == self.pid().leader() => self.on_exec(tid, bell),
            Event::Stopped(stop) if self.guests.contains(&tid) => self.on_guest_stop(tid, stop, bell),
            // Of a tracee that is not here any more.
            Event::Stopped(_) => Ok(()),
        };
        match result {
            Err(error) if !error.is_death() => {
                // The thread stands where it stands, and somebody has to be told.
                self.shared.fail(Box::new(error));
                self.happenings.push_back(Happening::Failed);
            }
            _ => {}
        }
    }

    fn on_stop(&mut self, tid: Tid, stop: Stop, bell: &Bell) -> Result<()> {
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.run = Run::Stopped;
            thread.at_signal = matches!(stop, Stop::Signal(_));
            let group_stop = if let Stop::Group(signal) = stop { Some(signal) } else { None };
            thread.group_stopped = group_stop.is_some();
            thread.cell.set_group_stop(group_stop);
        }
        match stop {
            Stop::Signal(Signal::TRAP) => self.on_trap(tid, bell),
            Stop::Signal(signal) => self.on_signal(tid, signal, bell),
            Stop::Clone => self.on_clone(tid, bell),
            Stop::Fork => self.on_fork(tid, bell),
            Stop::Vfork => self.on_vfork(tid, bell),
            Stop::Exec => self.on_exec(tid, bell),
            Stop::Exit => self.on_exit(tid),
            Stop::VforkDone => self.go_on_from_call(tid, bell),
            Stop::Event if self.frozen && self.has_executed_trap(tid) => {
                let resumed = self.ptrace.cont(tid, None);
                self.started(tid, resumed)
            }
            Stop::Syscall => self.on_syscall_stop(tid, bell),
            Stop::Seccomp => self.on_seccomp_stop(tid, bell),
            Stop::Group(_) | Stop::Event => self.go_on(tid, bell),
        }
    }

    /// Whether an interrupt came between a trap that `tid` has executed and its signal. Shown so, the thread would
    /// stand behind the breakpoint, and die of the signal if the breakpoint went meanwhile.
    fn has_executed_trap(&mut self, tid: Tid) -> bool {
        self.may_have_executed_trap(tid).unwrap_or(false) && has_executed_trap(self.ptrace, tid)
    }

    /// Without a look at the pending signals, which is dear. A debug register's trap leaves the thread anywhere.
    fn may_have_executed_trap(&mut self, tid: Tid) -> Result<bool> {
        let Some(thread) = self.threads.get(&tid) else { return Ok(false) };
        if thread.stepping || !self.hardware.is_empty() {
            return Ok(true);
        }
        if self.sites.is_empty() {
            return Ok(false);
        }
        let pc = lock(&thread.cell.registers).load_pc(self.ptrace, tid)?;
        Ok(self.sites.get(self.isa.breakpoint_address(pc)).is_some())
    }

    /// Nothing that anybody wants to hear of: the thread runs on, unless everything is to stop.
    pub(crate) fn go_on(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        if self.frozen { Ok(()) } else { self.resume(tid, bell) }
    }

    /// As [`Process::go_on`], for a stop in the middle of a system call, whose result the kernel would still
    /// write over registers that are changed now. So the thread is to stop once more, behind the call.
    pub(crate) fn go_on_from_call(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        let stepping = self.threads.get(&tid).is_some_and(|thread| thread.stepping);
        if !self.frozen || stepping {
            return self.go_on(tid, bell);
        }
        self.leave_call(tid)
    }

    /// Lets a thread that is stopped in the middle of a system call run to its end.
    pub(crate) fn leave_call(&mut self, tid: Tid) -> Result<()> {
        if let Some(thread) = self.threads.get(&tid) {
            lock(&thread.cell.registers).clear();
        }
        let resumed = self.ptrace.interrupt(tid).and_then(|()| self.run_on(tid, None));
        self.started(tid, resumed)
    }

    fn on_signal(&mut self, tid: Tid, signal: Signal, bell: &Bell) -> Result<()> {
        self.restore_signal(tid, signal);
        if self.is_own_cont(tid, signal) {
            return self.go_on(tid, bell);
        }
        self.note_signal(tid, Some(signal), Some(signal));
        if self.lost_its_stub(tid, signal)? {
            self.note_signal(tid, None, None);
            return self.go_on(tid, bell);
        }
        if self.fault_in_call(tid, signal)? {
            self.happenings.push_back(Happening::Failed);
            return Ok(());
        }
        self.hide_stub(tid)?;
        let stepping = self.threads.get(&tid).is_some_and(|thread| thread.stepping);
        // What comes in the middle of a step is put off, unless it is the step's own fault.
        if !stepping && self.offer_to_catcher(tid, signal) { Ok(()) } else { self.go_on(tid, bell) }
    }

    /// A handler of the program's is to find the program's own addresses in its context. A thread behind what its
    /// stub stands for goes on from the program's text at once; one whose instruction has faulted executes that
    /// at its own place if the handler returns to it. What has not been executed yet stays in the stub: to the
    /// trap, it would come a second time.
    fn hide_stub(&mut self, tid: Tid) -> Result<()> {
        if self.displaced.is_empty() {
            return Ok(());
        }
        let Some(thread) = self.threads.get(&tid) else { return Ok(()) };
        let mut registers = lock(&thread.cell.registers);
        let raw = registers.load_pc(self.ptrace, tid)?;
        let Some(place) = self.displaced.place(raw) else { return Ok(()) };
        let info = self.ptrace.signal_info(tid)?;
        if place.behind || is_fault(info.signal(), info.code()) {
            registers.show_pc(place.pc, None);
        }
        Ok(())
    }

    /// The program has unmapped the page of a stub that it was in the middle of: a fault at the pc itself. It
    /// goes back to the instruction's own place.
    fn lost_its_stub(&mut self, tid: Tid, signal: Signal) -> Result<bool> {
        if signal != Signal::SEGV || self.displaced.is_empty() {
            return Ok(false);
        }
        let fault = self.ptrace.signal_info(tid)?.address();
        let Some(place) = self.displaced.place(fault) else { return Ok(false) };
        let Some(thread) = self.threads.get_mut(&tid) else { return Ok(false) };
        let mut registers = lock(&thread.cell.registers);
        if registers.load_pc(self.ptrace, tid)? != fault {
            return Ok(false);
        }
        registers.show_pc(place.pc, None);
        thread.passed = Some(place.pc);
        self.displaced.give_up();
        Ok(true)
    }

    fn on_trap(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        let Some(thread) = self.threads.get(&tid) else { return Ok(()) };
        let stepping = thread.stepping;
        let pc = self.load_place(tid)?;
        let site = self.isa.breakpoint_address(pc);
        let facts = self.site_facts(site);
        let trap = match decide_by_place(stepping, facts) {
            Some(trap) => trap,
            None => decide_by_code(self.ptrace.signal_info(tid)?.code(), stepping, facts),
        };
        match trap {
            Trap::Breakpoint => self.on_breakpoint(tid, site, bell),
            Trap::Debug => self.on_debug_trap(tid, bell),
            Trap::Program => self.on_signal(tid, Signal::TRAP, bell),
        }
    }

    /// The kernel's pc of a thread that has just stopped; with it all general registers, in one request, where
    /// somebody is likely to look at them.
    fn load_place(&mut self, tid: Tid) -> Result<u64> {
        let Some(thread) = self.threads.get(&tid) else { return Ok(0) };
        let mut registers = lock(&thread.cell.registers);
        if !self.only_native {
            registers.load_general(self.ptrace, tid)?;
        }
        registers.load_pc(self.ptrace, tid)
    }

    fn on_breakpoint(&mut self, tid: Tid, address: u64, bell: &Bell) -> Result<()> {
        if let Some(thread) = self.threads.get_mut(&tid) {
            lock(&thread.cell.registers).show_pc(address, None);
            thread.passed = Some(address);
            // A load of ss holds the step's trap back until the next instruction, which was this one.
            if std::mem::take(&mut thread.stepping) {
                self.note_signal(tid, Some(Signal::TRAP), None);
                return Ok(());
            }
        }
        let Some(site) = self.sites.get(address) else { return Ok(()) };
        if !self.frozen && !site.internal && site.breakpoints.iter().all(|cell| cell.is_native_for(tid)) {
            site.breakpoints.iter().for_each(|cell| cell.count_hit(tid));
            return self.resume(tid, bell);
        }
        if site.internal {
            self.happenings.push_back(Happening::Arrived(tid));
        }
        let hit = site.breakpoints.iter().map(|cell| Happening::Hit(tid, Arc::clone(cell)));
        self.happenings.extend(hit);
        self.note_signal(tid, Some(Signal::TRAP), None);
        Ok(())
    }

    fn on_debug_trap(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        let (fired, stepped) = self.take_fired(tid);
        let Some(thread) = self.threads.get_mut(&tid) else { return Ok(()) };
        if thread.stepping && !stepped {
            // An execution breakpoint at the instruction that is being stepped: it has not been executed.
            return Ok(());
        }
        let stepping = std::mem::replace(&mut thread.stepping, false);
        if !stepping && fired.is_empty() && !thread.was_stepped {
            // The program traces itself, with the trap flag.
            return self.on_signal(tid, Signal::TRAP, bell);
        }
        if !self.frozen && fired.iter().all(|cell| cell.is_native_for(tid)) {
            fired.iter().for_each(|cell| cell.count_hit(tid));
            return self.resume(tid, bell);
        }
        self.note_signal(tid, Some(Signal::TRAP), None);
        fired.iter().for_each(|cell| self.look_at_watched(cell));
        self.happenings.extend(fired.into_iter().map(|cell| Happening::Hit(tid, cell)));
        Ok(())
    }

    pub(crate) fn on_exit(&mut self, tid: Tid) -> Result<()> {
        if let Some(io) = lock(&self.shared.io).as_ref().filter(|io| io.is_terminal()) {
            // The end of a session's leader hangs its terminal up, and what nobody has read is lost.
            let _ = io.absorb();
        }
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.run = Run::Exiting;
            thread.cell.zombie.store(true, Ordering::Release);
        }
        if tid == self.pid().leader() {
            // It may stay a zombie for as long as the others are parked.
            self.note_standstill();
        }
        // A thread that was killed on its way out has none left to read.
        let _ = self.load_all(tid);
        if self.promised {
            return self.give_back(tid);
        }
        Ok(self.ptrace.cont(tid, None)?)
    }

    /// A death that we wait for is gone for all of the host: the kernel keeps it for a parent in another process
    /// only. A child of the host's is let go at its exit event, which tells how it ends, and dies for its own
    /// parent.
    fn give_back(&mut self, tid: Tid) -> Result<()> {
        let status = self.ptrace.event_message(tid)?;
        self.ptrace.detach(tid, None)?;
        let death = match decode(i32::try_from(status).unwrap_or_default()) {
            Some(Event::Died(death)) => Some(death),
            _ => None,
        };
        self.bury(tid, death);
        Ok(())
    }

    /// ptrace(2), "execve(2) under ptrace": all other threads are gone, without a word, and whichever thread
    /// called execve has the leader's tid now. The address space is new, and knows no breakpoint.
    fn on_exec(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        let (entered, observed) = self.calls_of_executor(tid)?;
        let others: Vec<_> = self.threads.keys().copied().filter(|&other| other != tid).collect();
        if !self.threads.contains_key(&tid) {
            self.adopt(tid, Run::Stopped);
        }
        for other in others {
            self.bury(other, None);
        }
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.run = Run::Stopped;
            thread.cell.zombie.store(false, Ordering::Release);
            lock(&thread.cell.registers).clear();
            (thread.entered, thread.observed) = (entered, observed);
        }
        self.sites.clear();
        self.displaced.clear();
        self.hardware = Default::default();
        for cell in self.breakpoints.values() {
            cell.life.set_enabled(false);
        }
        self.session.replace_memory(ProcessMemory::open(self.pid())?);
        if lock(&self.shared.on_exec).is_none() {
            return self.go_on_from_call(tid, bell);
        }
        // Who is told of the new program is to find it before its first instruction.
        self.frozen = true;
        self.leave_call(tid)?;
        self.await_thread(tid, bell);
        self.happenings.push_back(Happening::Executed(tid));
        Ok(())
    }

    /// The handlers that wait for the exit of the execve, which may have been called by a thread with another tid:
    /// the event's message.
    fn calls_of_executor(&mut self, tid: Tid) -> Result<(Vec<Arc<SyscallCell>>, bool)> {
        let former = Tid(i32::try_from(self.ptrace.event_message(tid)?).unwrap_or(tid.0));
        let thread = self.threads.get_mut(&former);
        Ok(thread.map_or_else(Default::default, |thread| {
            (std::mem::take(&mut thread.entered), std::mem::take(&mut thread.observed))
        }))
    }

    pub(crate) fn bury_all(&mut self) {
        let left: Vec<_> = self.threads.keys().copied().collect();
        for tid in left {
            self.bury(tid, None);
        }
        self.session.set_phase(Phase::Dead);
    }

    /// The pc that users see of a stopped thread.
    pub(crate) fn shown_pc(&mut self, tid: Tid) -> Result<u64> {
        let Some(thread) = self.threads.get(&tid) else {
            return Err(crate::Error::Died { tid, how: None });
        };
        let mut registers = lock(&thread.cell.registers);
        if let Some(pc) = registers.shown() {
            return Ok(pc);
        }
        let raw = registers.load_pc(self.ptrace, tid)?;
        match self.displaced.place(raw) {
            Some(place) => registers.show_pc(place.pc, Some(raw)),
            None => registers.show_pc(raw, None),
        }
        Ok(registers.pc().unwrap_or(raw))
    }

    /// Loads all registers of a stopped thread.
    pub(crate) fn load_all(&mut self, tid: Tid) -> Result<()> {
        self.load_general(tid)?;
        match self.threads.get(&tid) {
            Some(thread) => lock(&thread.cell.registers).load_extended(self.ptrace, tid),
            None => Ok(()),
        }
    }

    /// Loads the general registers of a stopped thread as users see them.
    pub(crate) fn load_general(&mut self, tid: Tid) -> Result<()> {
        match self.threads.get(&tid) {
            // The kernel's pc is among them: it need not be asked for first.
            Some(thread) => lock(&thread.cell.registers).load_general(self.ptrace, tid)?,
            None => return Err(crate::Error::Died { tid, how: None }),
        }
        self.shown_pc(tid).map(drop)
    }
}
