//! One piece of code on its way into a program: armed, waited for, armed in another way, withdrawn.

use std::io;
use std::time::{Duration, Instant};

use libdebug::{Debugger, Frame, Thread, Tid};

use crate::error::{Error, Result};
use crate::inject::block::{Block, Claim, word};
use crate::inject::channel::{Channel, Packet};
use crate::inject::hold::Hold;
use crate::inject::pages::Pages;
use crate::inject::whereabouts::{Whereabouts, activity};
use crate::inject::arm;
use crate::interpreter::{Interpreter, Phase};

/// How long is waited before the thread is looked at again, which stops the program for some milliseconds: growing.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LAST_LOOK: Duration = Duration::from_millis(500);

/// Which thread is to run the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    /// The main thread.
    Main,
    /// Another one.
    Tid(Tid),
}

/// Code that has begun to run in the program, and the way to talk to it.
#[derive(Debug)]
pub(crate) struct Injection {
    pub(crate) hold: Hold,
    pub(crate) channel: Channel,
    pub(crate) pages: Pages,
}

/// What was armed already.
#[derive(Debug, Default)]
struct Armed {
    pending: bool,
    /// The thread goes on in our code for certain.
    certain: bool,
}

/// What is needed to arm.
struct Aim<'a> {
    whom: Whom,
    pages: Pages,
    interpreter: &'a Interpreter,
}

impl Injection {
    /// Has the program run `source`, which talks over a channel. Returns when it has begun.
    ///
    /// # Errors
    /// [`Error::NotReached`] after `limit`: then it is not going to run. What `check` answers when a signal's handler has run.
    pub(crate) fn begin(
        hold: Hold,
        whom: Whom,
        source: &str,
        limit: Duration,
        check: &dyn Fn() -> Result<()>,
    ) -> Result<Self> {
        let deadline = Instant::now() + limit;
        let mut armed = Armed::default();
        let interpreter = hold.interpreter()?;
        hold.check_free()?;
        let (pages, channel) = hold.stopped(|debugger| {
            check_phase(debugger, &interpreter)?;
            let thread = thread_of(debugger, whom)?;
            let block = Block::new(&|name| interpreter.symbol(name))?;
            let block = with_interrupt(debugger, &interpreter, block)?;
            let (pages, channel) = Pages::place(&thread, block, source)?;
            let aim = Aim { whom, pages, interpreter: &interpreter };
            aim.arm(debugger, &mut armed, false).inspect_err(|_| drop(pages.remove(&thread)))?;
            Ok((pages, channel))
        })?;
        let injection = Self { hold, channel, pages };
        let aim = Aim { whom, pages, interpreter: &interpreter };
        injection.await_start(&aim, armed, deadline, limit, check)?;
        Ok(injection)
    }

    fn await_start(
        &self,
        aim: &Aim<'_>,
        mut armed: Armed,
        deadline: Instant,
        limit: Duration,
        check: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        let mut look = FIRST_LOOK;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.channel.receive(Some(left.min(look))) {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => return Err(Error::ChannelClosed),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if let Err(error) = check() {
                        return if self.withdraw(aim)?.is_some() { Err(error) } else { self.receive_start() };
                    }
                }
                Err(error) if is_timeout(&error) && left > look => {
                    look = (look * 2).min(LAST_LOOK);
                    self.look_again(aim, &mut armed, left)?;
                }
                Err(error) if is_timeout(&error) => {
                    return match self.withdraw(aim)? {
                        Some(activity) => Err(Error::NotReached { waited: limit, activity }),
                        None => self.receive_start(),
                    };
                }
                Err(error) => return Err(Error::Channel(error)),
            }
        }
    }

    /// The code has begun, and says so in a moment.
    fn receive_start(&self) -> Result<()> {
        match self.channel.receive(None).map_err(Error::Channel)? {
            Some(Packet::Started) => Ok(()),
            _ => Err(Error::ChannelClosed),
        }
    }

    fn look_again(&self, aim: &Aim<'_>, armed: &mut Armed, left: Duration) -> Result<()> {
        if armed.certain {
            return Ok(());
        }
        self.hold.stopped(|debugger| {
            if aim.pages.is_open(debugger)? { aim.arm_within(debugger, armed, left) } else { Ok(()) }
        })
    }

    /// The code is not to run any more. Answers what the thread is doing; `None` when the code has begun meanwhile.
    fn withdraw(&self, aim: &Aim<'_>) -> Result<Option<String>> {
        self.hold.stopped(|debugger| {
            if !self.pages.is_open(debugger)? {
                return Ok(None);
            }
            self.pages.set_word(debugger, word::CLAIM, Claim::Withdrawn as u64)?;
            let thread = thread_of(debugger, aim.whom)?;
            self.pages.close(&thread)?;
            Ok(Some(activity(&thread.frames()?)))
        })
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Aim<'_> {
    /// Chooses the way by where the thread stands now.
    fn arm(&self, debugger: &Debugger, armed: &mut Armed, again: bool) -> Result<()> {
        let thread = thread_of(debugger, self.whom)?;
        let whereabouts = Whereabouts::of(&thread, &thread.frames()?, &self.interpreter.image().path)?;
        match whereabouts {
            Whereabouts::Waiting => {
                arm::out_of_wait(&thread, &self.pages)?;
                armed.certain = true;
            }
            Whereabouts::Fragile => {}
            place if self.whom == Whom::Main && !armed.pending => {
                armed.pending = arm::pending(&thread, &self.pages, self.function("Py_AddPendingCall")?)?;
                if place == Whereabouts::Interruptible {
                    arm::wake(&thread)?;
                }
            }
            Whereabouts::Interruptible if again => arm::wake(&thread)?,
            _ => {}
        }
        Ok(())
    }

    /// As [`Aim::arm`], and in C code that holds the lock where that asks for signals.
    fn arm_within(&self, debugger: &Debugger, armed: &mut Armed, left: Duration) -> Result<()> {
        self.arm(debugger, armed, true)?;
        let thread = thread_of(debugger, self.whom)?;
        if armed.certain || is_in_interpreter_loop(&thread.frames()?) {
            return Ok(());
        }
        let limit = left.min(LAST_LOOK);
        armed.certain = arm::before_function(&thread, &self.pages, self.function("PyErr_CheckSignals")?, limit)?;
        Ok(())
    }
}

/// Whether the thread is between two bytecodes, or as good as.
fn is_in_interpreter_loop(frames: &[Frame]) -> bool {
    let name = |frame: &Frame| frame.symbol.as_ref().is_some_and(|(name, _)| name.contains("Eval_EvalFrame"));
    frames.first().is_some_and(name)
}

impl Aim<'_> {
    fn function(&self, name: &'static str) -> Result<u64> {
        self.interpreter.symbol(name).ok_or(Error::MissingFunction(name))
    }
}

/// The exception that Ctrl-C raises: a variable of the interpreter's points to it.
fn with_interrupt(debugger: &Debugger, interpreter: &Interpreter, mut block: Block) -> Result<Block> {
    let name = "PyExc_KeyboardInterrupt";
    let variable = interpreter.symbol(name).ok_or(Error::MissingFunction(name))?;
    let bytes = debugger.read_memory(variable, 8)?;
    block.set(word::INTERRUPT, bytes.try_into().map_or(0, u64::from_le_bytes));
    Ok(block)
}

fn thread_of(debugger: &Debugger, whom: Whom) -> Result<Thread> {
    match whom {
        Whom::Main => Ok(debugger.main_thread()?),
        Whom::Tid(tid) => {
            let found = debugger.threads().into_iter().find(|thread| thread.tid() == tid && !thread.is_dead());
            found.ok_or_else(|| Error::NoSuchThread(tid.to_string()))
        }
    }
}

/// Refuses an interpreter that cannot run code now.
fn check_phase(debugger: &Debugger, interpreter: &Interpreter) -> Result<()> {
    match interpreter.phase(debugger)? {
        _ if interpreter.is_free_threaded() => {
            Err(Error::NotNow("a free-threaded interpreter has other safe points, which are not known yet".into()))
        }
        Phase::Starting => Err(Error::NotInitialized(interpreter.pid())),
        Phase::Finalizing => Err(Error::NotNow("the interpreter is being finalized".into())),
        Phase::Running => Ok(()),
    }
}
