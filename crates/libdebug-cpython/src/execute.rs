//! Python code run in the frame that a program executes.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libdebug::{Debugger, Host, Pid, RustHost, Tid};

use crate::error::{Error, Result};
use crate::inject::{Hold, Injection, Order, Packet, Request, Whom};

/// How long is waited for the program to come to a place where it can run code, unless somebody says otherwise.
const LIMIT: Duration = Duration::from_secs(5);

/// No request is being carried out.
const NONE: i32 = -1;

/// A piece of what running code says, as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Printed to standard output.
    Output(&'a str),
    /// Printed to standard error.
    Error(&'a str),
}

/// What became of code that was run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// What it has printed, to standard output and standard error, in the order in which it came.
    pub output: String,
    /// The exception that it has raised, as Python shows it, with its traceback.
    pub raised: Option<String>,
    /// Of an expression, the value's repr.
    pub repr: Option<String>,
    /// Of an expression, the value as JSON, where JSON has such values.
    pub json: Option<String>,
}

/// Runs Python code in a live CPython program, in the frame that one of its threads executes, with that frame's variables.
///
/// The interpreter itself runs the code, where it runs pending calls and handlers of signals; the program is stopped for
/// some milliseconds before, and nothing of ours stays in it afterwards.
///
/// ```no_run
/// use libdebug::Pid;
/// use libdebug_cpython::Executor;
/// let executor = Executor::attach(Pid(4711));
/// println!("{:?}", executor.eval("sorted(locals())")?.repr);
/// executor.exec("counter += 1\nprint('counted')")?;
/// # Ok::<(), libdebug_cpython::Error>(())
/// ```
#[derive(Clone)]
pub struct Executor {
    of: Of,
    host: Arc<dyn Host>,
    whom: Whom,
    limit: Duration,
    /// The program's number for the channel of what is being run, else [`NONE`].
    current: Arc<AtomicI32>,
    /// Held while an interruption is on its way.
    interrupting: Arc<Mutex<()>>,
}

#[derive(Debug, Clone)]
enum Of {
    Process(Pid),
    Debugger(Debugger),
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor").field("of", &self.of).field("whom", &self.whom).finish_non_exhaustive()
    }
}

impl Executor {
    /// Of a process that runs by itself. Nothing is done yet.
    pub fn attach(pid: Pid) -> Self {
        Self::new(Of::Process(pid))
    }

    /// Of a process that is stopped under a debugger: it runs while the code does, and is stopped again afterwards.
    pub fn of(debugger: &Debugger) -> Self {
        Self::new(Of::Debugger(debugger.clone()))
    }

    fn new(of: Of) -> Self {
        let current = Arc::new(AtomicI32::new(NONE));
        Self {
            of,
            host: Arc::new(RustHost),
            whom: Whom::Main,
            limit: LIMIT,
            current,
            interrupting: Arc::default(),
        }
    }

    /// Chooses the thread; the main one otherwise.
    #[must_use]
    pub fn thread(mut self, tid: Tid) -> Self {
        self.whom = Whom::Tid(tid);
        self
    }

    /// Chooses how long is waited for the code to begin; 5 s otherwise. Code that has begun may take its time.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Chooses what kind of program this is ([`Debugger::with_host`]): its Ctrl-C ends waits, and the code that is running.
    #[must_use]
    pub fn host(mut self, host: Arc<dyn Host>) -> Self {
        self.host = host;
        self
    }

    /// Executes `code`, statements, in the frame that is being executed, with its globals and locals. Assignments to the frame's
    /// variables stay.
    ///
    /// # Errors
    /// [`Error::NotReached`] when the program does not come to a place where it can run code: then it is not going to. An
    /// exception of the code's own is no error.
    pub fn exec(&self, code: &str) -> Result<Outcome> {
        self.exec_with(code, &mut |_| {})
    }

    /// As [`Executor::exec`], and tells what the code prints as it comes.
    ///
    /// # Errors
    /// As [`Executor::exec`].
    pub fn exec_with(&self, code: &str, show: &mut dyn FnMut(Piece<'_>)) -> Result<Outcome> {
        self.run("exec", code, show)
    }

    /// The value of an expression in the frame that is being executed.
    ///
    /// # Errors
    /// As [`Executor::exec`].
    pub fn eval(&self, expression: &str) -> Result<Outcome> {
        self.eval_with(expression, &mut |_| {})
    }

    /// As [`Executor::eval`], and tells what the expression prints as it comes.
    ///
    /// # Errors
    /// As [`Executor::exec`].
    pub fn eval_with(&self, expression: &str, show: &mut dyn FnMut(Piece<'_>)) -> Result<Outcome> {
        self.run("eval", expression.trim(), show)
    }

    /// Raises a KeyboardInterrupt in what is being run, from another thread of this program; in a session, has the debugger
    /// stop where the program is. Nothing to do when nothing is being run.
    ///
    /// # Errors
    /// As [`Executor::exec`].
    pub fn interrupt(&self) -> Result<()> {
        let _alone = self.interrupting.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.current.load(Ordering::Acquire);
        if number == NONE {
            return Ok(());
        }
        let order = Order { raises: true, ..self.order("interrupt", &number.to_string()) };
        let injection = Injection::begin(self.hold()?, &order, &|| Ok(()))?;
        injection.finish(true)?;
        injection.clear()
    }

    /// Whether something is being run, that [`Executor::interrupt`] would interrupt. Clones of an executor share that.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.current.load(Ordering::Acquire) != NONE
    }

    fn hold(&self) -> Result<Hold> {
        match &self.of {
            Of::Process(pid) => Hold::of_process(*pid, Arc::clone(&self.host)),
            Of::Debugger(debugger) => Ok(Hold::Lent(debugger.clone())),
        }
    }

    fn order(&self, kind: &str, text: &str) -> Order {
        let request = Request { kind: kind.to_owned(), text: text.to_owned() };
        Order { whom: self.target(), request, limit: self.limit, raises: false }
    }

    /// The main thread is chosen by its tid, too.
    fn target(&self) -> Whom {
        let pid = match &self.of {
            Of::Process(pid) => Some(*pid),
            Of::Debugger(debugger) => debugger.pid(),
        };
        match self.whom {
            Whom::Tid(tid) if pid.is_some_and(|pid| pid.leader() == tid) => Whom::Main,
            whom => whom,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        Ok(self.host.check().map_err(libdebug::Error::Interrupted)?)
    }

    /// Begins a request, and does `act` with what came of that.
    pub(crate) fn request<T>(
        &self,
        kind: &str,
        text: &str,
        act: impl FnOnce(&Injection) -> Result<T>,
    ) -> Result<T> {
        let injection = Injection::begin(self.hold()?, &self.order(kind, text), &|| self.check())?;
        self.current.store(injection.pages.descriptor, Ordering::Release);
        let done = act(&injection);
        self.current.store(NONE, Ordering::Release);
        injection.finish(done.is_ok())?;
        // An interruption that is on its way takes its own things back.
        drop(self.interrupting.lock());
        done
    }

    fn run(&self, kind: &str, text: &str, show: &mut dyn FnMut(Piece<'_>)) -> Result<Outcome> {
        self.request(kind, text, |injection| self.collect(injection, show))
    }

    fn collect(&self, injection: &Injection, show: &mut dyn FnMut(Piece<'_>)) -> Result<Outcome> {
        let (mut result, mut ended) = (Outcome::default(), Ok(()));
        loop {
            match injection.channel.receive(None) {
                Ok(Some(Packet::Ended(_))) => return ended.map(|()| result),
                Ok(Some(packet)) => result.take(packet, show),
                Ok(None) => return Err(Error::ChannelClosed),
                // Ctrl-C is for the code; a second one for who waits.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => match self.check() {
                    Err(error) if ended.is_ok() => {
                        ended = Err(error);
                        self.interrupt()?;
                    }
                    checked => checked?,
                },
                Err(error) => return Err(Error::Channel(error)),
            }
        }
    }
}

impl Outcome {
    fn take(&mut self, packet: Packet, show: &mut dyn FnMut(Piece<'_>)) {
        match packet {
            Packet::Output(text) => {
                show(Piece::Output(&text));
                self.output += &text;
            }
            Packet::Error(text) => {
                show(Piece::Error(&text));
                self.output += &text;
            }
            Packet::Raised(text) => self.raised = Some(text),
            Packet::Repr(text) => self.repr = Some(text),
            Packet::Json(text) => self.json = Some(text),
            _ => {}
        }
    }
}
