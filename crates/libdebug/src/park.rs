//! Threads that stand still, at a user's wish, while others of the process run.
//!
//! A parked thread is stopped as at any stop, but the process is not: the next stop of the process ends the parking,
//! as everything stands still then.

use libdebug_kernel::{Bell, Signal, Tid};

use crate::error::{Error, Result};
use crate::mailbox::lock;
use crate::process::{Happening, Process, Run};
use crate::session::{Session, StopReason, read};
use crate::thread::Thread;
use crate::tracer::{Command, Tracer};

impl Thread {
    /// Whether it stands still while others may run: its registers can be read and changed without a stop of the
    /// process. Does not wait.
    pub fn is_parked(&self) -> bool {
        self.cell().is_parked()
    }

    /// Lets this thread go on alone, and returns at once. Of a stopped process all others stay where they are,
    /// parked; a parked thread joins those that run. When nothing is left to run, the process stops.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/true").run()?;
    /// debugger.main_thread()?.cont()?;
    /// debugger.wait()?;
    /// assert_eq!(debugger.exit_code()?, Some(0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Died`], and those of [`Debugger::cont`](crate::Debugger::cont).
    pub fn cont(&self) -> Result<()> {
        self.debugger().forbid_in_callback("cont")?;
        self.check_alive()?;
        if self.is_parked() {
            return self.debugger().ask(|answer| Command::Unpark(self.tid(), answer))?;
        }
        self.debugger().resume_after(Command::Cont, |session| park_others(session, self.tid()))
    }

    /// Stops this thread, while all others go on; nothing to do when it is stopped. It has stopped when this returns.
    ///
    /// # Errors
    /// [`Error::Died`], [`Error::NoProcess`], [`Error::Terminated`].
    pub fn interrupt(&self) -> Result<()> {
        self.check_alive()?;
        if self.is_settled() {
            return Ok(());
        }
        self.debugger().ask(|answer| Command::Park(self.tid(), answer))?
    }
}

/// Parks all threads of a stopped process but `tid`.
fn park_others(session: &Session, tid: Tid) {
    for cell in read(&session.threads).iter().filter(|cell| cell.tid != tid && cell.death().is_none()) {
        cell.set_parked(true);
    }
}

impl Tracer {
    /// Everything is stopped for a moment: a thread that is on its way into a stop of its own is handled first.
    pub(crate) fn park(&self, tid: Tid) -> Result<()> {
        if let Some(process) = self.process.borrow_mut().as_mut().ok_or(Error::NoProcess)?.running() {
            process.freeze(&self.bell);
            process.park(tid);
        } else {
            return Ok(());
        }
        self.attend();
        let process = self.process.borrow();
        let alive = process.as_ref().is_some_and(|process| process.threads.contains_key(&tid));
        if alive { Ok(()) } else { Err(Error::Died { tid, how: None }) }
    }

    /// A stop of the process that has come in between is not gone over.
    pub(crate) fn unpark(&self, tid: Tid) -> Result<()> {
        let mut outcome = Err(Error::NoProcess);
        self.after(|process, bell| {
            outcome = process.running().map_or(Ok(()), |process| process.unpark(tid, bell));
        });
        outcome
    }
}

impl Process {
    fn running(&mut self) -> Option<&mut Self> {
        if self.frozen { None } else { Some(self) }
    }

    fn park(&mut self, tid: Tid) {
        let Some(thread) = self.threads.get(&tid) else { return };
        thread.cell.set_parked(true);
        let mut stop = lock(&thread.cell.stop);
        if stop.reasons.is_empty() {
            stop.reasons.push(StopReason::Interrupted);
        }
        drop(stop);
        self.note_standstill();
    }

    fn unpark(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        let Some(thread) = self.threads.get(&tid) else { return Err(Error::Died { tid, how: None }) };
        thread.cell.set_parked(false);
        self.resume(tid, bell)
    }

    pub(crate) fn unpark_all(&mut self) {
        self.threads.values().for_each(|thread| thread.cell.set_parked(false));
    }

    /// Stops the process when no thread is left that could run: nothing else would ever end its users' waits.
    pub(crate) fn note_standstill(&mut self) {
        let mut living = self.threads.values().filter(|thread| thread.run != Run::Exiting).peekable();
        if living.peek().is_some() && living.all(|thread| thread.cell.is_parked()) && !self.parked_are_dying()
        {
            self.happenings.push_back(Happening::Standstill);
        }
    }

    /// exit_group(2) and SIGKILL take parked threads out of their stops, some as far as their exit-stops already: their
    /// deaths are still to come.
    fn parked_are_dying(&mut self) -> bool {
        let gone = |tid: &Tid| self.ptrace.signal_info(*tid).map_or(true, |info| is_exit_stop(info.code()));
        let dying: Vec<_> = self.stopped_tids().into_iter().filter(gone).collect();
        for tid in &dying {
            if let Some(thread) = self.threads.get_mut(tid) {
                thread.run = Run::Running;
                thread.cell.set_parked(false);
            }
        }
        !dying.is_empty()
    }
}

/// ptrace(2), PTRACE_O_TRACEEXIT: the event is in the bits above the signal's.
fn is_exit_stop(si_code: i32) -> bool {
    const PTRACE_EVENT_EXIT: i32 = 6;
    si_code == Signal::TRAP.0 | PTRACE_EVENT_EXIT << 8
}
