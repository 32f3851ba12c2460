//! Lending the process to another debugger, and taking it back: everything that is set stays set here meanwhile.
//!
//! Let go, the process must not execute a single instruction before the other debugger has it. So it gets a SIGSTOP
//! before it is detached from: the first thread to be let go takes the signal on its way out of its ptrace-stop and
//! begins the group-stop, in which all others join before they get to user code. On return a SIGCONT ends it, which the
//! program never sees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_kernel::{Bell, Pid, ProcessMemory, Signal, Tid, Wait, signal_process};

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::launch::seize_all;
use crate::mailbox::lock;
use crate::process::{Process, Run, Thread};
use crate::session::Phase;
use crate::tracer::{Command, Tracer};

/// What is kept of a process that another debugger has.
#[derive(Debug, Default)]
pub(crate) struct Away {
    threads: BTreeMap<Tid, Thread>,
    /// We have stopped it for the other debugger.
    stopped_by_us: bool,
}

impl Debugger {
    /// Lends the process to another debugger: lets go of it, stopped as it is, with no trap of ours in it. Every other
    /// request answers [`Error::HandedOver`] until [`Debugger::take_back`]. Also in callbacks.
    ///
    /// # Errors
    /// [`Error::Filtered`] when system calls are filtered; [`Error::Died`]; those of [`Debugger::wait`].
    pub fn hand_over(&self) -> Result<()> {
        self.stopped_session()?;
        self.ask(Command::HandOver)?
    }

    /// Takes the process back, once the other debugger has left it: it is stopped, wherever it is by then, and its
    /// breakpoints and handlers are there again. Nothing happens when it was not lent.
    ///
    /// # Errors
    /// [`Error::Died`] when it has ended meanwhile; [`Error::AttachDenied`] while another debugger still has it;
    /// [`Error::NoProcess`], [`Error::Terminated`].
    pub fn take_back(&self) -> Result<()> {
        self.check_owner()?;
        self.ask(Command::TakeBack)?
    }

    /// Whether another debugger has the process. Does not wait.
    pub fn is_handed_over(&self) -> bool {
        self.shared().session().is_some_and(|session| session.handed_over.load(Ordering::Acquire))
    }
}

impl Tracer {
    pub(crate) fn hand_over(&self) -> Result<()> {
        let mut process = self.process.borrow_mut();
        process.as_mut().ok_or(Error::NoProcess)?.hand_over(&self.bell)
    }

    pub(crate) fn take_back(&self) -> Result<()> {
        let mut slot = self.process.borrow_mut();
        let process = slot.as_mut().ok_or(Error::NoProcess)?;
        if process.away.is_none() {
            return Ok(());
        }
        let taken = process.take_back(&self.bell);
        if self.callbacks.get() == 0 && process.away.is_none() {
            process.publish();
        }
        taken
    }
}

impl Process {
    fn hand_over(&mut self, bell: &Bell) -> Result<()> {
        if self.filters.are_installed() {
            return Err(Error::Filtered("choose the mode `ptrace` where another debugger is to have it"));
        }
        self.freeze(bell);
        if self.threads.is_empty() {
            return Err(Error::Died { tid: self.pid().leader(), how: None });
        }
        self.withdraw(bell)?;
        let stopped_by_us = !self.threads.values().any(|thread| thread.group_stopped);
        if stopped_by_us {
            signal_process(self.pid(), Signal::STOP)?;
        }
        for tid in self.stopped_tids() {
            if let Some(signal) = self.prepare(tid, None)? {
                let _ = self.ptrace.detach(tid, signal);
            }
        }
        self.away = Some(Away { threads: std::mem::take(&mut self.threads), stopped_by_us });
        self.session.handed_over.store(true, Ordering::Release);
        Ok(())
    }

    fn take_back(&mut self, bell: &Bell) -> Result<()> {
        let mut tids = BTreeSet::new();
        match seize_all(self.ptrace, self.pid(), self.options, &mut tids) {
            Ok(()) => {}
            Err(Error::NoSuchProcess(_)) => return self.end_away(),
            Err(error) => return Err(error),
        }
        let away = self.away.take().unwrap_or_default();
        self.session.handed_over.store(false, Ordering::Release);
        self.rejoin(away.threads, tids);
        self.displaced.clear();
        self.freeze(bell);
        if self.threads.is_empty() {
            return Err(self.ended_away());
        }
        self.session.replace_memory(ProcessMemory::open(self.session.inhabited())?);
        if away.stopped_by_us || self.threads.values().any(|thread| thread.group_stopped) {
            self.end_group_stop(bell)?;
        }
        self.plant_all();
        self.note_started();
        Ok(())
    }

    /// The threads that are left, with the cells that users hold; those that are new; and the ends of the others.
    fn rejoin(&mut self, mut known: BTreeMap<Tid, Thread>, tids: BTreeSet<Tid>) {
        for tid in tids {
            match known.remove(&tid) {
                Some(thread) => {
                    lock(&thread.cell.registers).clear();
                    self.threads.insert(tid, Thread { run: Run::Running, ..thread });
                }
                None => self.adopt(tid, Run::Running),
            }
        }
        for (tid, thread) in known {
            // A leader that has exited stays until the last thread ends.
            if tid != self.pid().leader() {
                thread.cell.set_death(None);
                self.roll.strike(tid);
            }
        }
    }

    /// It has ended while it was away.
    fn end_away(&mut self) -> Result<()> {
        let away = self.away.take().unwrap_or_default();
        self.session.handed_over.store(false, Ordering::Release);
        self.threads = away.threads;
        let leader = self.pid().leader();
        // A child of ours left its status for us; of another process's, nobody will ever tell.
        let how = match self.ptrace.wait_for(leader) {
            Ok(Wait::Tracee(_, libdebug_kernel::Event::Died(death))) => Some(death),
            _ => None,
        };
        let others: Vec<_> = self.threads.keys().copied().filter(|&tid| tid != leader).collect();
        others.into_iter().for_each(|tid| self.bury(tid, how));
        self.bury(leader, how);
        Err(self.ended_away())
    }

    /// Its users are told now, and not once more at the next stop.
    fn ended_away(&mut self) -> Error {
        self.happenings.clear();
        self.session.set_phase(Phase::Dead);
        let how = self.session.leader().and_then(|leader| leader.death().flatten());
        Error::Died { tid: self.pid().leader(), how }
    }

    /// SIGCONT ends the group-stop; its own delivery, which comes to some thread after that, is dropped.
    fn end_group_stop(&mut self, bell: &Bell) -> Result<()> {
        self.drops_cont = true;
        signal_process(self.pid(), Signal::CONT)?;
        for tid in self.stopped_tids() {
            let thread = self.threads.get_mut(&tid).filter(|thread| thread.group_stopped);
            let Some(thread) = thread else { continue };
            thread.group_stopped = false;
            thread.cell.set_group_stop(None);
            // The end of a group-stop is a stop of its own, which comes before any user code.
            self.leave_call(tid)?;
            self.await_thread(tid, bell);
        }
        Ok(())
    }

    /// Puts traps and debug registers back for all that is enabled. What cannot be set any more is disabled.
    fn plant_all(&mut self) {
        let enabled: Vec<_> =
            self.breakpoints.values().filter(|cell| cell.life.is_enabled()).map(Arc::clone).collect();
        for cell in enabled {
            if self.plant(&cell).is_err() {
                cell.life.set_enabled(false);
            }
        }
    }

    /// Ends a process that another debugger has, when nobody is going to take it back.
    pub(crate) fn kill_away(&self) {
        if self.away.is_some() {
            let _ = signal_process(self.pid(), Signal::KILL);
        }
    }

    /// Whether `signal`, delivered now, is the end of our own group-stop.
    pub(crate) fn is_own_cont(&mut self, tid: Tid, signal: Signal) -> bool {
        if !self.drops_cont || signal != Signal::CONT {
            return false;
        }
        let own = Pid(std::process::id().cast_signed());
        let from_us = self.ptrace.signal_info(tid).is_ok_and(|info| info.sender() == own.0);
        self.drops_cont &= !from_us;
        from_us
    }
}
