//! How a user's thread waits: for a stop, for an answer, for output.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use libdebug_kernel::{Interest, Latch, Readiness, fork_generation, proc, wait_ready};

use crate::debugger::Debugger;
use crate::error::{Error, Result, activities};
use crate::host::Lookout;
use crate::immediate::must_not_wait;
use crate::io::{IoError, ProcessIo, ProcessState, Wait};
use crate::mailbox::{Check, Posted, Reply, Responder, reply};
use crate::session::{Phase, Session, Shared, read};
use crate::telling;
use crate::tracer::Command;
use crate::tree;

/// A wait without a limit that lasts as long as this is looked at, once: it may be for a child that nobody lets go on.
const LONG: Duration = Duration::from_secs(1);

impl Debugger {
    /// Blocks until the process has stopped or ended; at once when it has.
    ///
    /// # Errors
    /// [`Error::Callback`] when a callback failed; [`Error::Interrupted`] when the host ended the wait: the
    /// process runs on then; [`Error::InCallback`]; [`Error::NoProcess`]; [`Error::Terminated`].
    pub fn wait(&self) -> Result<()> {
        self.wait_until(None)
    }

    /// As [`Debugger::wait`], for a limited time.
    ///
    /// # Errors
    /// As [`Debugger::wait`], and [`Error::Timeout`] with what each thread is doing.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<()> {
        self.wait_until(Some((Instant::now() + timeout, timeout)))
    }

    fn wait_until(&self, deadline: Option<(Instant, Duration)>) -> Result<()> {
        self.forbid_in_callback("wait")?;
        self.open_session()?;
        self.await_stop(deadline)?;
        self.raise_failure()
    }

    /// Blocks until the process stops or ends. Reads its output meanwhile: a program that nobody reads from
    /// stands still after some 12 KiB and would never come to its stop.
    pub(crate) fn await_stop(&self, deadline: Option<(Instant, Duration)>) -> Result<()> {
        self.check_owner()?;
        if must_not_wait() {
            return if self.shared().stopped.is_set() { Ok(()) } else { Err(Error::WouldWait) };
        }
        if self.shared().link.rally.await_turn(|| self.shared().stopped.is_set()) {
            return Ok(());
        }
        let stopped = [&self.shared().stopped];
        if deadline.is_none() && self.may_wait_for_children() {
            match self.await_latches(Some((Instant::now() + LONG, LONG)), &stopped) {
                Err(error @ Error::Timeout { .. }) => self.remark_on(&error),
                ended => return ended,
            }
        }
        self.await_latches(deadline, &stopped)
    }

    /// Blocks until one of `latches` is set, and reads the process's output meanwhile.
    pub(crate) fn await_latches(
        &self,
        deadline: Option<(Instant, Duration)>,
        latches: &[&Latch],
    ) -> Result<()> {
        let lookout = Lookout::of(&*self.shared().host);
        let check = || lookout.look().map_err(Error::Interrupted);
        let check: Option<&Check<'_>> = if lookout.is_needed() { Some(&check) } else { None };
        let until = deadline.map(|(until, _)| until);
        let of_latches = (1 << latches.len()) - 1;
        let io = self.io();
        while !latches.iter().any(|latch| latch.is_set()) {
            let sources = io.as_ref().map_or_else(Vec::new, |io| io.sources());
            let watched: Vec<_> =
                latches.iter().map(|latch| latch.watch()).collect::<std::result::Result<_, _>>()?;
            let mut awaited: Vec<_> = watched.iter().map(|latch| (latch.as_fd(), Interest::Read)).collect();
            awaited.extend(sources.iter().map(|source| (source.as_fd(), Interest::Read)));
            match wait_ready(&awaited, until, check)? {
                Readiness::TimedOut => return Err(self.timeout(deadline)),
                Readiness::Ready(bits) if bits & !of_latches != 0 => {
                    io.iter().try_for_each(|io| io.absorb())?;
                }
                Readiness::Ready(_) | Readiness::Interrupted => {}
            }
        }
        Ok(())
    }

    fn timeout(&self, deadline: Option<(Instant, Duration)>) -> Error {
        let live = |session: Arc<Session>| read(&session.threads).clone();
        let cells = self.shared().session().map(live).unwrap_or_default();
        let living = cells.iter().filter(|cell| cell.death().is_none());
        let threads = living.map(|cell| (cell.tid, telling::activity(cell))).collect();
        let waited = deadline.map_or(Duration::ZERO, |(_, waited)| waited);
        Error::Timeout { waited, threads, children: self.still_children() }
    }

    /// Stops the process; nothing to do when it is stopped. In a callback: the process stays stopped after it.
    /// Returns at once; [`Debugger::wait`] says when it has happened.
    ///
    /// # Errors
    /// [`Error::NoProcess`], [`Error::Terminated`].
    pub fn interrupt(&self) -> Result<()> {
        let session = self.open_session()?;
        if let Some(tracer) = tree::current(self.shared()) {
            tracer.note_stop_wanted(true);
        } else if session.phase() == Phase::Running {
            self.shared().interrupt.store(true, Ordering::Release);
            self.shared().link.mailbox.ring();
        }
        Ok(())
    }

    /// Receives from or sends to the process: `act` gets its streams and how long to wait, which ends at once
    /// when the process stops or the host ends it.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use libdebug::{Debugger, Output};
    /// let debugger = Debugger::builder("/bin/echo").arg("hello").run()?;
    /// debugger.cont()?;
    /// let line = debugger.with_io(None, |io, wait| io.recv_line(Output::Stdout, 1, true, wait))?;
    /// assert_eq!(line, b"hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoProcess`] without streams of its own, [`Error::Io`] with what `act` answers.
    pub fn with_io<T>(
        &self,
        timeout: Option<Duration>,
        act: impl FnOnce(&ProcessIo, &Wait<'_>) -> std::result::Result<T, IoError>,
    ) -> Result<T> {
        self.check_owner()?;
        let io = self.io().ok_or(Error::NoProcess)?;
        let lookout = Lookout::of(&*self.shared().host);
        let check = || lookout.look();
        // A callback runs in a stop that only it knows of.
        let standstill = if tracer_is_current(self.shared()) { Some(Latch::new()) } else { None };
        standstill.iter().for_each(Latch::set);
        let wait = Wait {
            deadline: timeout.map(|timeout| Instant::now() + timeout),
            stopped: standstill.as_ref().unwrap_or(&self.shared().stopped),
            state: &|| self.process_state(),
            check: if lookout.is_needed() { Some(&check) } else { None },
        };
        act(&io, &wait).map_err(|error| match error {
            IoError::Timeout { received, .. } => {
                IoError::Timeout { received, meanwhile: self.meanwhile() }.into()
            }
            error => error.into(),
        })
    }

    /// What the program does that is waited for.
    fn meanwhile(&self) -> String {
        match self.timeout(None) {
            Error::Timeout { threads, children, .. } if !(threads.is_empty() && children.is_empty()) => {
                format!(": {}", activities(&threads, &children))
            }
            _ => String::new(),
        }
    }

    fn process_state(&self) -> ProcessState {
        match self.shared().session() {
            Some(session) if session.phase() != Phase::Dead && tracer_is_current(self.shared()) => {
                ProcessState::Stopped {
                    events: format!("a callback is running; {}", telling::stops(&session)),
                }
            }
            Some(session) if session.phase() == Phase::Running => ProcessState::Running,
            Some(session) if session.phase() == Phase::Stopped => {
                ProcessState::Stopped { events: telling::stops(&session) }
            }
            _ => ProcessState::Dead,
        }
    }

    /// Waits until the process is stopped, as every look at it does: where [`Debugger::set_auto_interrupt`] says so, it
    /// is interrupted. That a callback has failed is left for [`Debugger::wait`] to say.
    ///
    /// # Errors
    /// [`Error::NoProcess`], [`Error::Interrupted`], [`Error::Terminated`].
    pub fn settled(&self) -> Result<()> {
        self.stopped_session().map(drop)
    }

    /// The session, with the process stopped or dead: waits for that.
    pub(crate) fn stopped_session(&self) -> Result<Arc<Session>> {
        let session = self.open_session()?;
        self.settle(&session)?;
        Ok(session)
    }

    /// Waits until the process is stopped, unless a callback asks, for which it is.
    pub(crate) fn settle(&self, session: &Session) -> Result<()> {
        if session.detached.load(Ordering::Acquire) {
            return Err(Error::NoProcess);
        }
        session.check_present()?;
        if self.shared().stopped.is_set() || tracer_is_current(self.shared()) {
            return Ok(());
        }
        if self.shared().auto_interrupt.load(Ordering::Acquire) {
            self.interrupt()?;
            return self.await_stop(None);
        }
        match self.await_stop(Some((Instant::now() + LONG, LONG))) {
            Err(error @ Error::Timeout { .. }) => self.remark_on_standstill(&error),
            ended => return ended,
        }
        self.await_stop(None)
    }

    /// Tells the host, once for each process, that what it has asked for waits for a stop.
    fn remark_on_standstill(&self, long_wait: &Error) {
        let Error::Timeout { threads, children, .. } = long_wait else { return };
        let Some(session) = self.shared().session() else { return };
        if !session.has_remarked.swap(true, Ordering::AcqRel) {
            self.shared().host.remark(&format!(
                "Process {} runs, and this call waits for its next stop: {}. interrupt() stops it at once.",
                session.pid,
                activities(threads, children)
            ));
        }
    }

    pub(crate) fn open_session(&self) -> Result<Arc<Session>> {
        self.check_owner()?;
        let session = self.shared().session().ok_or(Error::NoProcess)?;
        if session.closed.load(Ordering::Acquire) {
            return Err(Error::NoProcess);
        }
        session.check_present()?;
        Ok(session)
    }

    pub(crate) fn check_owner(&self) -> Result<()> {
        if self.shared().generation == fork_generation() { Ok(()) } else { Err(Error::Terminated) }
    }

    pub(crate) fn forbid_in_callback(&self, what: &'static str) -> Result<()> {
        if tracer_is_current(self.shared()) { Err(Error::InCallback(what)) } else { Ok(()) }
    }

    pub(crate) fn raise_failure(&self) -> Result<()> {
        match self.shared().take_failure() {
            Some(error) if !tracer_is_current(self.shared()) => {
                // The engine's own errors say by themselves what failed.
                Err(error.downcast::<Error>().map_or_else(Error::Callback, |own| *own))
            }
            Some(error) => {
                self.shared().fail(error);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The maps, read once a published stop; anew in a callback, as the process has run since that stop.
    pub(crate) fn current_maps(&self, session: &Session) -> Result<Arc<[proc::Map]>> {
        if tracer_is_current(self.shared()) {
            session.forget_maps();
        }
        session.maps().map_err(|error| match Error::from(error) {
            error if error.is_death() => telling::death(session),
            error => error,
        })
    }

    /// One round trip to the tracer thread; none from a callback, which runs there.
    pub(crate) fn ask<T>(&self, command: impl FnOnce(Responder<T>) -> Command) -> Result<T> {
        self.check_owner()?;
        let (responder, answer) = reply();
        let command = command(responder);
        if let Some(tracer) = tree::current(self.shared()) {
            tracer.execute(command);
            return answer.wait().ok_or(Error::Terminated);
        }
        if must_not_wait() {
            return Err(Error::WouldWait);
        }
        let posted = self
            .shared()
            .link
            .mailbox
            .post((Arc::clone(self.shared()), command))
            .map_err(|_| Error::Terminated)?;
        self.await_answer(posted, answer)
    }

    /// Waits for what was posted. When the host ends the wait, a command that the tracer has not begun with is
    /// taken back.
    pub(crate) fn await_answer<T>(&self, posted: Posted, answer: Reply<T>) -> Result<T> {
        let lookout = Lookout::of(&*self.shared().host);
        let check = || lookout.look().map_err(Error::Interrupted);
        let check: Option<&Check<'_>> = if lookout.is_needed() { Some(&check) } else { None };
        let answered = answer.wait_for(posted, check);
        if let Err(Error::Interrupted(_)) = answered {
            self.shared().link.mailbox.withdraw(posted);
        }
        answered
    }
}

/// Whether the calling thread runs one of this debugger's callbacks.
pub(crate) fn tracer_is_current(shared: &Arc<Shared>) -> bool {
    tree::current(shared).is_some()
}
