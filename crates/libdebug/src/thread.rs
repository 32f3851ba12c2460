//! A thread under debug, as its users hold it.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_arch::x86_64::{GeneralRegisters, Register, RegisterValue, register};
use libdebug_kernel::{Death, Signal, Tid};

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::handler::HandlerId;
use crate::instruction_trace::{Steps, TracedInstructions};
use crate::mailbox::lock;
use crate::registers::{Block, RegisterCache, block_of, layout};
use crate::session::{Session, StopReason, ThreadCell};
use crate::step_out::WayOut;
use crate::tree;

/// The numbers of Linux's signals.
const SIGNALS: RangeInclusive<i32> = 1..=64;

/// One thread of the process under debug: a handle, cheap to clone. It outlives the thread.
#[derive(Clone)]
pub struct Thread {
    debugger: Debugger,
    cell: Arc<ThreadCell>,
    session: Option<Arc<Session>>,
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("tid", &self.cell.tid.0).field("death", &self.cell.death()).finish()
    }
}

/// How [`Thread::finish`] comes to the end of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Finish {
    /// All threads run until this one is back at the caller that the stack tells: one stop, whatever the function does.
    #[default]
    Backtrace,
    /// Instruction by instruction, all other threads stopped; also where no caller is known, by counting calls and
    /// returns.
    Steps,
}

impl PartialEq for Thread {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cell, &other.cell)
    }
}

impl Eq for Thread {}

impl Thread {
    pub(crate) fn new(debugger: Debugger, cell: Arc<ThreadCell>, session: Option<Arc<Session>>) -> Self {
        Self { debugger, cell, session }
    }

    pub(crate) fn cell(&self) -> &ThreadCell {
        &self.cell
    }

    /// Whether nothing has to be waited for, and the process was not let go.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        let held = |session: &Arc<Session>| {
            !session.detached.load(Ordering::Acquire) && !session.handed_over.load(Ordering::Acquire)
        };
        self.session.as_ref().is_some_and(held) && (self.debugger.is_settled() || self.cell.is_parked())
    }

    /// Its tid (gettid(2)).
    pub fn tid(&self) -> Tid {
        self.cell.tid
    }

    /// The debugger that it belongs to.
    pub fn debugger(&self) -> &Debugger {
        &self.debugger
    }

    /// Whether it has ended. Does not wait.
    pub fn is_dead(&self) -> bool {
        self.cell.death().is_some()
    }

    /// How it ended, once the kernel has told that. Does not wait.
    pub fn death(&self) -> Option<Death> {
        self.cell.death().flatten()
    }

    /// Whether it has begun to exit but is not gone: as a leader stays until the last thread ends. Does not
    /// wait.
    pub fn is_zombie(&self) -> bool {
        self.cell.zombie.load(Ordering::Acquire)
    }

    /// Why it stands where it stands; empty when nothing but other threads' stops holds it.
    ///
    /// # Errors
    /// As [`Debugger::wait`]: the process is waited for first.
    pub fn stop_reasons(&self) -> Result<Vec<StopReason>> {
        self.settle()?;
        Ok(lock(&self.cell.stop).reasons.clone())
    }

    pub(crate) fn has_reason_of(&self, breakpoint: HandlerId) -> Result<bool> {
        self.settle()?;
        Ok(lock(&self.cell.stop).reasons.contains(&StopReason::Breakpoint(breakpoint)))
    }

    /// The signal that it stopped with, SIGTRAP for stops of the debugger's own.
    ///
    /// # Errors
    /// As [`Debugger::wait`].
    pub fn signal(&self) -> Result<Option<Signal>> {
        self.settle()?;
        let stop = lock(&self.cell.stop);
        Ok(stop.deliver.or(stop.signal))
    }

    /// Changes the signal that it gets when it goes on; `None` drops the one that it stopped with.
    ///
    /// # Errors
    /// [`Error::NoSuchSignal`] for a number that is none of signal(7), 1 to 64; [`Error::Died`], and those of
    /// [`Debugger::wait`].
    pub fn set_signal(&self, signal: Option<Signal>) -> Result<()> {
        if let Some(Signal(number)) = signal.filter(|signal| !SIGNALS.contains(&signal.0)) {
            return Err(Error::NoSuchSignal(number));
        }
        self.settle()?;
        self.check_alive()?;
        let mut stop = lock(&self.cell.stop);
        stop.signal = signal;
        stop.deliver = signal;
        Ok(())
    }

    /// The value of the register called `name`, such as `rip`, `eax` or `xmm0`.
    ///
    /// # Errors
    /// [`Error::Register`] for a name that the CPU does not know; [`Error::Died`] when the thread was gone
    /// before anybody read its registers; and those of [`Debugger::wait`].
    pub fn register(&self, name: &str) -> Result<RegisterValue> {
        self.read(named(name)?)
    }

    /// Changes the register called `name`, effective when the thread goes on.
    ///
    /// # Errors
    /// As [`Thread::register`], and [`Error::Register`] for a value that does not fit.
    pub fn set_register(&self, name: &str, value: RegisterValue) -> Result<()> {
        self.write(named(name)?, value)
    }

    /// The value of `register`, at once after its block was read at this stop.
    ///
    /// # Errors
    /// As [`Thread::register`].
    pub fn read(&self, register: &'static Register) -> Result<RegisterValue> {
        self.with_block(block_of(register), |cache| cache.read(register))
    }

    /// Changes `register`, effective when the thread goes on.
    ///
    /// # Errors
    /// As [`Thread::set_register`].
    pub fn write(&self, register: &'static Register, value: RegisterValue) -> Result<()> {
        self.with_block(block_of(register), |cache| {
            // What the dead leave can be read only.
            let living = self.check_alive();
            if living.is_ok() { cache.write(register, value) } else { Some(living) }
        })
    }

    /// The program counter.
    ///
    /// # Errors
    /// As [`Thread::register`].
    pub fn pc(&self) -> Result<u64> {
        const RIP: &Register = constant("rip");
        Ok(self.read(RIP)?.as_u64().unwrap_or(0))
    }

    /// Moves the thread to `address`.
    ///
    /// # Errors
    /// As [`Thread::set_register`].
    pub fn set_pc(&self, address: u64) -> Result<()> {
        const RIP: &Register = constant("rip");
        self.write(RIP, RegisterValue::U64(address))
    }

    /// Executes one instruction; all other threads stay stopped. Also in callbacks.
    ///
    /// # Errors
    /// [`Error::Died`], and those of [`Debugger::wait`].
    pub fn step(&self) -> Result<()> {
        self.check_alive()?;
        self.debugger.step_thread(self.cell.tid)
    }

    /// Steps until the thread is at `address`, at most `limit` times. All other threads stay stopped; breakpoints and
    /// watchpoints on the way are passed, and not counted. At least one step is made.
    ///
    /// Without a limit the way's length does not matter: the thread runs to the place, where a debug register stops it.
    /// It stops where steps would have ended.
    ///
    /// # Errors
    /// As [`Thread::step`].
    pub fn step_until(&self, address: u64, limit: Option<u64>) -> Result<()> {
        self.check_alive()?;
        self.debugger.step_thread_until(self.cell.tid, address, limit)
    }

    /// Steps until the thread is at `until`, or ends, at most `limit` times, and answers how many instructions it has
    /// executed: each iteration of a repeated string instruction is one. All other threads stay stopped; breakpoints and
    /// watchpoints on the way are passed, and not counted. The system call that ends a thread, which does not return, is not
    /// among them. For whole programs, with their threads and children, see [`Counting`](crate::Counting).
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/true").run()?;
    /// let thread = debugger.main_thread()?;
    /// assert_eq!(thread.count_instructions(None, Some(100))?, 100);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Thread::step`].
    pub fn count_instructions(&self, until: Option<u64>, limit: Option<u64>) -> Result<u64> {
        Ok(self.take_steps(Steps::counted(until, limit))?.count)
    }

    pub(crate) fn take_steps(&self, steps: Steps) -> Result<TracedInstructions> {
        self.check_alive()?;
        self.debugger.step_thread_counted(self.cell.tid, Box::new(steps))
    }

    /// Executes one instruction, and all of the function where that is a call; breakpoints in it stop it.
    ///
    /// # Errors
    /// As [`Thread::step`].
    pub fn next(&self) -> Result<()> {
        self.check_alive()?;
        self.debugger.next_thread(self.cell.tid)
    }

    /// Runs to the end of the current function: the thread is at the caller then, behind the call.
    ///
    /// Breakpoints on the way stop it before, counted as ever. In a recursion it is this frame's own end.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/ls").run()?;
    /// debugger.breakpoint("malloc")?;
    /// debugger.cont()?;
    /// debugger.wait()?;
    /// let thread = debugger.main_thread()?;
    /// let caller = thread.saved_ip()?;
    /// thread.finish(libdebug::Finish::Backtrace)?;
    /// assert_eq!(thread.pc()?, caller);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoReturnAddress`] for [`Finish::Backtrace`] in the outermost frame, and those of [`Thread::step`].
    pub fn finish(&self, how: Finish) -> Result<()> {
        self.settle()?;
        self.check_alive()?;
        let caller = self.current_return();
        let way = match (how, caller) {
            (Finish::Backtrace, caller) => WayOut::Run(caller?),
            (Finish::Steps, Ok(caller)) => WayOut::Steps { caller_stack: Some(caller.stack) },
            (Finish::Steps, Err(Error::NoReturnAddress(_))) => WayOut::Steps { caller_stack: None },
            (Finish::Steps, Err(error)) => return Err(error),
        };
        self.debugger.leave_frame(self.cell.tid, way)
    }

    pub(crate) fn general_registers(&self) -> Result<GeneralRegisters> {
        self.with_block(Block::General, |cache| cache.general().copied().map(Ok))
    }

    /// Does `act` with the registers of a stop, of which `block` has been read if it needs that. Another thread can
    /// let the process go on in between: then it is the next stop's.
    fn with_block<T>(
        &self,
        block: Block,
        act: impl Fn(&mut RegisterCache) -> Option<Result<T>>,
    ) -> Result<T> {
        loop {
            self.settle()?;
            let stop = self.stop_number();
            if let Some(done) = act(&mut lock(&self.cell.registers)) {
                return done;
            }
            let loaded = self.load(block);
            if let Some(done) = act(&mut lock(&self.cell.registers)) {
                return done;
            }
            let went_on = !self.is_dead() && (!self.is_settled() || self.stop_number() != stop);
            if !went_on {
                return Err(loaded.err().unwrap_or_else(|| self.died()));
            }
        }
    }

    /// Both blocks of registers: the general ones, and the XSAVE area.
    pub(crate) fn register_blocks(&self) -> Result<(GeneralRegisters, Vec<u8>)> {
        let general = self.with_block(Block::General, |cache| cache.general().copied().map(Ok))?;
        let extended =
            self.with_block(Block::Extended, |cache| cache.extended().map(|area| Ok(area.to_vec())))?;
        Ok((general, extended))
    }

    fn stop_number(&self) -> u64 {
        self.session.as_ref().map_or(0, |session| session.stops.load(Ordering::Acquire))
    }

    fn load(&self, block: Block) -> Result<()> {
        if lock(&self.cell.registers).has(block) {
            return Ok(());
        }
        self.check_alive()?;
        if let Some(tracer) = tree::current(self.debugger.shared()) {
            return tracer.load_registers(self.cell.tid, block == Block::Extended);
        }
        self.debugger.load_registers(self.cell.tid, block == Block::Extended)
    }

    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    pub(crate) fn settle(&self) -> Result<()> {
        match &self.session {
            Some(_) if self.is_settled() => Ok(()),
            Some(session) => self.debugger.settle(session),
            None => Err(Error::NoProcess),
        }
    }

    pub(crate) fn check_alive(&self) -> Result<()> {
        if self.is_dead() { Err(self.died()) } else { Ok(()) }
    }

    fn died(&self) -> Error {
        Error::Died { tid: self.cell.tid, how: self.death() }
    }
}

const fn constant(name: &str) -> &'static Register {
    match register(name) {
        Some(register) => register,
        None => panic!("evaluated at compile time"),
    }
}

fn named(name: &str) -> Result<&'static Register> {
    let found = register(name).filter(|register| register.exists(layout()));
    found.ok_or_else(|| Error::NoSuchRegister(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_registers_are_named_in_the_error() {
        assert!(named("rax").is_ok());
        assert!(named("eip").unwrap_err().to_string().contains("eip"));
    }
}
