//! What a tracee creates: threads, processes with debuggers of their own, and processes that are let go.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_kernel::{
    Bell, Event, KernelError, Pid, ProcessMemory, Signal, Stop, Tid, Wait, proc, shares_memory,
};

use crate::debugger::Debugger;
use crate::error::Result;
use crate::mailbox::lock;
use crate::process::{Process, Run};
use crate::session::{Phase, Session, read};

impl Process {
    pub(crate) fn on_clone(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        let Some(child) = self.await_newborn(tid)? else { return self.go_on(tid, bell) };
        self.take_in(tid, child)?;
        if self.threads.contains_key(&child) {
            self.go_on(child, bell)?;
        }
        self.go_on_from_call(tid, bell)
    }

    /// A tracee that `creator` has just made: a thread of this process, or a process.
    pub(crate) fn take_in(&mut self, creator: Tid, child: Tid) -> Result<()> {
        self.placement.release(child);
        self.placement.part();
        match proc::status(child) {
            Ok(status) if status.process == self.pid() => {
                self.adopt(child, Run::Stopped);
                self.equip_thread(child);
            }
            // A process of its own that shares our memory and traps, as clone(CLONE_VM) makes.
            Ok(_) if shares_memory(creator, child) => self.admit_guest(child),
            _ => self.part_with(child)?,
        }
        Ok(())
    }

    pub(crate) fn on_fork(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        if let Some(child) = self.await_newborn(tid)? {
            self.take_in(tid, child)?;
        }
        self.go_on_from_call(tid, bell)
    }

    /// A vfork child runs in our memory until it executes a program: it stays a tracee as long, as it may run
    /// into our traps.
    pub(crate) fn on_vfork(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        if let Some(child) = self.await_newborn(tid)? {
            self.placement.release(child);
            self.admit_guest(child);
            if let Some(thread) = self.threads.get_mut(&tid) {
                thread.held = Some(child);
                return Ok(());
            }
        }
        self.go_on_from_call(tid, bell)
    }

    /// A vfork child needs its creator suspended no longer.
    pub(crate) fn dismiss_guest(&mut self, guest: Tid, bell: &Bell) -> Result<()> {
        if self.guests.remove(&guest) {
            self.roll.strike(guest);
        }
        let holder = self.threads.iter_mut().find(|(_, thread)| thread.held == Some(guest));
        let Some((&creator, thread)) = holder else { return Ok(()) };
        thread.held = None;
        self.go_on_from_call(creator, bell)
    }

    fn admit_guest(&mut self, child: Tid) {
        self.guests.insert(child);
        self.roll.enlist(child, self.shared.id);
        // One that was killed already is no reason to keep its creator stopped.
        let _ = self.ptrace.cont(child, None);
    }

    /// The tracee that `parent` has just created, in its first stop; `None` when it is dead already.
    pub(crate) fn await_newborn(&mut self, parent: Tid) -> Result<Option<Tid>> {
        let child = Tid(i32::try_from(self.ptrace.event_message(parent)?).unwrap_or(0));
        if self.threads.contains_key(&child) {
            // Found in the list of threads while attaching.
            return Ok(None);
        }
        if self.roll.take_newborn(child) {
            return Ok(Some(child));
        }
        // It has been created: its first stop comes without anybody's help.
        match self.ptrace.wait_for(child)? {
            Wait::Tracee(_, Event::Stopped(Stop::Exit)) => {
                let _ = self.ptrace.cont(child, None);
                Ok(None)
            }
            Wait::Tracee(_, Event::Stopped(_)) => Ok(Some(child)),
            _ => Ok(None),
        }
    }

    /// A forked child has a copy of our traps: it gets the program's bytes back, and runs free.
    pub(crate) fn release_child(&mut self, child: Tid) {
        match ProcessMemory::open(Pid(child.0)) {
            Ok(memory) => self.restore_text(&memory),
            Err(_) => self.poke_text(child),
        }
        self.placement.release(child);
        let _ = self.ptrace.detach(child, None);
    }

    /// As [`Self::restore_text`], without a descriptor.
    fn poke_text(&self, child: Tid) {
        for (&address, &original) in read(&self.session.traps).iter() {
            // One that was killed needs its text no longer.
            let _ = self.poke_byte(child, address, original);
        }
    }

    fn restore_text(&self, memory: &ProcessMemory) {
        for (&address, &original) in read(&self.session.traps).iter() {
            memory.write(address, &[original]);
        }
    }

    /// Let go, a child would fail at the calls that it has inherited a filter for.
    fn follows(&self) -> bool {
        self.filters.are_installed() || self.shared.follow_children.load(Ordering::Acquire)
    }

    /// A process that is not ours to keep, unless users want it.
    pub(crate) fn part_with(&mut self, child: Tid) -> Result<()> {
        if !self.follows() {
            self.release_child(child);
            return Ok(());
        }
        let Some(memory) = self.memory_of(child, |own| own.release_child(child))? else { return Ok(()) };
        self.restore_text(&memory);
        let mut process = self.child_process(child, memory, Run::Stopped);
        // The copy has the pages of our stubs too, and can be in the middle of one.
        process.displaced = self.displaced.clone();
        self.introduce_still(process);
        Ok(())
    }

    /// Opens the memory of a child; `None` when it has been killed. One that cannot be followed for want of a
    /// descriptor is let go by `release`, and users are told.
    fn memory_of(&mut self, child: Tid, release: impl FnOnce(&mut Self)) -> Result<Option<ProcessMemory>> {
        match ProcessMemory::open(Pid(child.0)) {
            Ok(memory) => Ok(Some(memory)),
            Err(KernelError::Gone { .. }) => Ok(None),
            Err(error) => {
                release(self);
                Err(error.into())
            }
        }
    }

    /// A child as a process of its own, with a debugger that nobody knows of yet.
    fn child_process(&mut self, child: Tid, memory: ProcessMemory, run: Run) -> Self {
        self.placement.release(child);
        let shared = Arc::new(self.shared.child());
        let session = Arc::new(Session::new(Pid(child.0), memory));
        let mut process = Self::new(Arc::clone(&shared), Rc::clone(&self.roll), session, self.options);
        process.adopt(child, run);
        process.filters = self.filters.clone();
        shared.set_session(Some(Arc::clone(&process.session)));
        process
    }

    /// Tells users' threads of a child that stands still. From then on they may let it go on.
    fn introduce_still(&self, mut child: Self) {
        child.note_started();
        child.publish();
        self.introduce(child);
    }

    fn introduce(&self, child: Self) {
        lock(&self.shared.children).push(Debugger::owning(&child.shared));
        self.shared.births.tell();
        self.roll.bear(child);
    }

    /// A vfork child has executed a program: from here on it is a process as any other.
    fn grow_up(&mut self, guest: Tid, bell: &Bell) -> Result<()> {
        self.guests.remove(&guest);
        self.roll.strike(guest);
        if !self.follows() {
            let _ = self.ptrace.detach(guest, None);
            return Ok(());
        }
        // It executes a program of its own, without our traps.
        let release = |own: &mut Self| {
            let _ = own.ptrace.detach(guest, None);
        };
        let Some(memory) = self.memory_of(guest, release)? else { return Ok(()) };
        let mut process = self.child_process(guest, memory, Run::Stopped);
        process.leave_exec(bell)?;
        self.introduce_still(process);
        Ok(())
    }

    /// A vfork child ends without having executed a program: users see how.
    fn end_guest(&mut self, guest: Tid) -> Result<()> {
        if self.shared.follow_children.load(Ordering::Acquire)
            && let Ok(memory) = ProcessMemory::open(Pid(guest.0))
        {
            self.guests.remove(&guest);
            let mut process = self.child_process(guest, memory, Run::Exiting);
            process.frozen = false;
            process.session.set_phase(Phase::Running);
            process.shared.stopped.clear();
            self.introduce(process);
        }
        Ok(self.ptrace.cont(guest, None)?)
    }

    pub(crate) fn on_guest_stop(&mut self, tid: Tid, stop: Stop, bell: &Bell) -> Result<()> {
        match stop {
            Stop::Signal(Signal::TRAP) => self.on_guest_trap(tid),
            Stop::Signal(signal) => Ok(self.ptrace.cont(tid, Some(signal))?),
            Stop::Exec => {
                self.grow_up(tid, bell)?;
                self.dismiss_guest(tid, bell)
            }
            Stop::Exit => {
                self.end_guest(tid)?;
                self.dismiss_guest(tid, bell)
            }
            Stop::Clone | Stop::Fork | Stop::Vfork => {
                match self.await_newborn(tid)? {
                    Some(child) if shares_memory(tid, child) => self.admit_guest(child),
                    Some(child) => self.part_with(child)?,
                    None => {}
                }
                Ok(self.ptrace.cont(tid, None)?)
            }
            Stop::Group(_) => Ok(self.ptrace.listen(tid)?),
            _ => Ok(self.ptrace.cont(tid, None)?),
        }
    }

    fn on_guest_trap(&mut self, tid: Tid) -> Result<()> {
        let index = libdebug_arch::x86_64::index::RIP;
        let site = self.isa.breakpoint_address(self.ptrace.general_register(tid, index)?);
        let Some(original) = self.sites.get(site).map(|site| site.original) else {
            return Ok(self.ptrace.cont(tid, Some(Signal::TRAP))?);
        };
        match self.stub_for(tid, site)? {
            Some(stub) => self.ptrace.set_general_register(tid, index, stub)?,
            None => {
                // Its creator is suspended until it executes a program, so the trap is lifted for good: what
                // other threads miss is less than a child that cannot go on.
                self.unpatch(site, original);
                self.ptrace.set_general_register(tid, index, site)?;
            }
        }
        Ok(self.ptrace.cont(tid, None)?)
    }
}
