//! One piece of code on its way into a program: armed, waited for, armed in another way, withdrawn.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use libdebug::{Debugger, Frame, Thread, Tid};

use crate::error::{Error, Result};
use crate::inject::arm;
use crate::inject::block::{Block, Claim, word};
use crate::inject::channel::{Channel, Packet};
use crate::inject::hold::Hold;
use crate::inject::pages::Pages;
use crate::inject::request::Request;
use crate::inject::whereabouts::{Whereabouts, activity};
use crate::interpreter::{Interpreter, Phase};
use crate::threads::PythonThread;

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

/// What is to run, and how.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) whom: Whom,
    pub(crate) request: Request,
    /// How long is waited for it to begin.
    pub(crate) limit: Duration,
    /// It may raise an exception in the code that it interrupts; so it has to run where that can be.
    pub(crate) raises: bool,
}

/// Code that has begun to run in the program, and the way to talk to it.
#[derive(Debug)]
pub(crate) struct Injection {
    pub(crate) hold: Hold,
    pub(crate) channel: Rc<Channel>,
    pub(crate) pages: Pages,
}

/// What was armed already.
#[derive(Debug, Default)]
struct Armed {
    pending: bool,
    /// Another thread was asked to have this one run the code.
    relayed: bool,
    /// The thread goes on in our code for certain.
    certain: bool,
}

/// What is needed to arm.
struct Aim<'a> {
    order: &'a Order,
    /// The thread that comes to our code first.
    whom: Whom,
    pages: Pages,
    interpreter: &'a Interpreter,
}

impl Injection {
    /// Has the program run `source`, which talks over a channel. Returns when it has begun.
    ///
    /// # Errors
    /// [`Error::NotReached`] after `limit`: then it is not going to run. What `check` answers when a signal's handler has run.
    pub(crate) fn begin(hold: Hold, order: &Order, check: &dyn Fn() -> Result<()>) -> Result<Self> {
        let deadline = Instant::now() + order.limit;
        let mut armed = Armed::default();
        let interpreter = hold.interpreter()?;
        hold.check_free()?;
        let (pages, channel, whom) = hold.stopped(|debugger| {
            check_phase(debugger, &interpreter)?;
            let relay = order.relay_by_monitoring(debugger, &interpreter)?;
            // The main thread arms, and the other one runs the code.
            let whom = if relay.is_some() { Whom::Main } else { order.whom };
            let thread = thread_of(debugger, whom)?;
            let block = Block::new(&|name| interpreter.symbol(name))?;
            let block = with_interrupt(debugger, &interpreter, block)?;
            let source = relay.as_ref().map_or_else(|| order.request.source(), Clone::clone);
            let (pages, channel) = Pages::place(&thread, block, &source)?;
            if order.raises {
                // Whoever returns into the program to raise cannot unmap what it returns from.
                pages.set_word(debugger, word::REFERENCES, 1)?;
            }
            let aim = Aim { order, whom, pages, interpreter: &interpreter };
            aim.arm(debugger, &mut armed, false).inspect_err(|_| drop(pages.remove(&thread)))?;
            Ok((pages, channel, whom))
        })?;
        let injection = Self { hold, channel: Rc::new(channel), pages };
        let aim = Aim { order, whom, pages, interpreter: &interpreter };
        injection.await_start(&aim, armed, deadline, check)?;
        Ok(injection)
    }

    fn await_start(
        &self,
        aim: &Aim<'_>,
        mut armed: Armed,
        deadline: Instant,
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
                        Some(activity) => Err(Error::NotReached { waited: aim.order.limit, activity }),
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
            if aim.pages.is_open(debugger) { aim.arm_within(debugger, armed, left) } else { Ok(()) }
        })
    }

    /// Waits until the program has closed its end, if the request has come to its end, and gives the process back.
    pub(crate) fn finish(&self, ended: bool) -> Result<()> {
        let mut is_open = ended;
        while is_open {
            is_open = match self.channel.receive(None) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(Error::Channel(error));
                }
                received => !matches!(received, Ok(None)),
            };
        }
        self.hold.give_back(&self.pages)
    }

    /// Takes the pages of an order that `raises` back, once it has run and nobody is in them.
    pub(crate) fn clear(&self) -> Result<()> {
        self.hold.stopped(|debugger| {
            let is_inside =
                |thread: &Thread| !thread.is_dead() && thread.pc().is_ok_and(|pc| self.pages.contains(pc));
            for _ in 0..100 {
                let is_left = self.pages.word(debugger, word::REFERENCES)? == 1;
                if is_left && !debugger.threads().iter().any(is_inside) {
                    return self.pages.unmap(&debugger.main_thread()?);
                }
                arm::run_on(debugger)?;
            }
            Ok(())
        })
    }

    /// The code is not to run any more. Answers what the thread is doing; `None` when the code has begun meanwhile.
    fn withdraw(&self, aim: &Aim<'_>) -> Result<Option<String>> {
        let relays = aim.whom != aim.order.whom;
        let activity = self.hold.stopped(|debugger| {
            let thread = thread_of(debugger, aim.order.whom)?;
            if self.pages.is_open(debugger) {
                self.pages.set_word(debugger, word::CLAIM, Claim::Withdrawn as u64)?;
                self.pages.close(&thread)?;
            } else if !relays {
                return Ok(None);
            }
            Ok(Some(explanation(debugger, aim.interpreter, &thread)?))
        })?;
        Ok(activity)
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
            Whereabouts::Waiting if self.order.raises => {
                arm::wake(&thread)?;
                self.arm_at_signals(&thread, armed, FIRST_LOOK)
            }
            Whereabouts::Waiting => self.arm_now(&thread, armed),
            Whereabouts::Locked if !self.order.raises => self.arm_now(&thread, armed),
            Whereabouts::Fragile => Ok(()),
            place => self.arm_pending(&thread, armed, place, again),
        }
    }

    fn arm_now(&self, thread: &Thread, armed: &mut Armed) -> Result<()> {
        armed.certain = true;
        arm::out_of_wait(thread, &self.pages)
    }

    fn arm_pending(&self, thread: &Thread, armed: &mut Armed, place: Whereabouts, again: bool) -> Result<()> {
        if self.whom != Whom::Main {
            return self.arm_relay(thread, armed);
        }
        let is_first = !armed.pending;
        if is_first {
            armed.pending = arm::pending(thread, &self.pages, self.function("Py_AddPendingCall")?)?;
        }
        let repeats = matches!(place, Whereabouts::Interruptible | Whereabouts::Locked);
        if repeats && (is_first || again) { arm::wake(thread) } else { Ok(()) }
    }

    /// Has the main thread trace another one, which then runs the code at its next line (before Python 3.12).
    fn arm_relay(&self, thread: &Thread, armed: &mut Armed) -> Result<()> {
        let debugger = thread.debugger();
        if self.order.raises || self.interpreter.is_debug_build() {
            return Ok(());
        }
        if !armed.relayed {
            let state = state_of(debugger, self.interpreter, thread)?.state;
            self.pages.set_word(debugger, word::WORKER, state)?;
            arm::add_reference(debugger, &self.pages)?;
            armed.relayed = true;
        } else if self.pages.word(debugger, word::WORKER)? == 0 {
            return Ok(());
        }
        let main = debugger.main_thread()?;
        match Whereabouts::of(&main, &main.frames()?, &self.interpreter.image().path)? {
            Whereabouts::Waiting | Whereabouts::Locked => arm::out_of_wait(&main, &self.pages),
            Whereabouts::Fragile => Ok(()),
            _ if armed.pending => Ok(()),
            place => {
                armed.pending = arm::pending(&main, &self.pages, self.function("Py_AddPendingCall")?)?;
                if place == Whereabouts::Interruptible { arm::wake(&main) } else { Ok(()) }
            }
        }
    }

    fn arm_at_signals(&self, thread: &Thread, armed: &mut Armed, limit: Duration) -> Result<()> {
        let function = self.function("PyErr_CheckSignals")?;
        armed.certain = arm::before_function(thread, &self.pages, function, limit)?;
        Ok(())
    }

    /// As [`Aim::arm`], and in C code that holds the lock where that asks for signals.
    fn arm_within(&self, debugger: &Debugger, armed: &mut Armed, left: Duration) -> Result<()> {
        self.arm(debugger, armed, true)?;
        let thread = thread_of(debugger, self.whom)?;
        if armed.certain || is_in_interpreter_loop(&thread.frames()?) {
            return Ok(());
        }
        self.arm_at_signals(&thread, armed, left.min(LAST_LOOK))
    }
}

/// Whether the thread is between two bytecodes, or as good as.
fn is_in_interpreter_loop(frames: &[Frame]) -> bool {
    let name = |frame: &Frame| frame.symbol.as_ref().is_some_and(|(name, _)| name.contains("Eval_EvalFrame"));
    frames.first().is_some_and(name)
}

impl Order {
    /// The code by which the main thread has another one run the request; `None` where that one can be had directly.
    fn relay_by_monitoring(&self, debugger: &Debugger, interpreter: &Interpreter) -> Result<Option<String>> {
        let series = interpreter.version().series();
        if self.whom == Whom::Main || self.raises || series < (3, 12) {
            return Ok(None);
        }
        let thread = thread_of(debugger, self.whom)?;
        let place = Whereabouts::of(&thread, &thread.frames()?, &interpreter.image().path)?;
        if matches!(place, Whereabouts::Waiting | Whereabouts::Locked) {
            return Ok(None);
        }
        let ident = state_of(debugger, interpreter, &thread)?.ident;
        Ok(Some(self.request.relayed_source(ident)))
    }
}

/// What the interpreter knows of a thread.
fn state_of(debugger: &Debugger, interpreter: &Interpreter, thread: &Thread) -> Result<PythonThread> {
    let threads = interpreter.threads(debugger)?;
    let found = threads.into_iter().find(|known| known.tid == Some(thread.tid()));
    found.ok_or_else(|| Error::NoSuchThread(format!("{} that the interpreter knows", thread.tid())))
}

impl Aim<'_> {
    fn function(&self, name: &'static str) -> Result<u64> {
        self.interpreter.symbol(name).ok_or(Error::MissingFunction(name))
    }
}

/// Why a thread has not come to where it could run code.
fn explanation(debugger: &Debugger, interpreter: &Interpreter, thread: &Thread) -> Result<String> {
    let doing = activity(&thread.frames()?);
    let threads = interpreter.threads(debugger).unwrap_or_default();
    let own = threads.iter().find(|known| known.tid == Some(thread.tid()));
    let label = match own {
        Some(own) if own.is_main => format!("the main thread ({})", thread.tid()),
        Some(own) => format!("thread {} ({})", thread.tid(), own.name.as_deref().unwrap_or("without a name")),
        None => format!("thread {}", thread.tid()),
    };
    let holder = threads.iter().find(|known| known.holds_gil == Some(true));
    let lock = match (holder.and_then(|holder| holder.tid), holder) {
        (Some(tid), _) if tid == thread.tid() => "and holds the GIL meanwhile".to_owned(),
        (Some(tid), Some(holder)) => {
            let name = holder.name.as_deref().unwrap_or("without a name");
            format!("and waits without the GIL, which thread {tid} ({name}) holds")
        }
        _ => "without the GIL, and cannot be interrupted there".to_owned(),
    };
    Ok(format!("{label} is in {doing}, {lock}"))
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
            let found =
                debugger.threads().into_iter().find(|thread| thread.tid() == tid && !thread.is_dead());
            found.ok_or_else(|| Error::NoSuchThread(tid.to_string()))
        }
    }
}

/// Refuses an interpreter that cannot run code now.
fn check_phase(debugger: &Debugger, interpreter: &Interpreter) -> Result<()> {
    match interpreter.phase(debugger)? {
        _ if interpreter.is_free_threaded() => Err(Error::NotNow(
            "a free-threaded interpreter has other safe points, which are not known yet".into(),
        )),
        Phase::Starting => Err(Error::NotInitialized(interpreter.pid())),
        Phase::Finalizing => Err(Error::NotNow("the interpreter is being finalized".into())),
        Phase::Running => Ok(()),
    }
}
