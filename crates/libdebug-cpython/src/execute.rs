//! Python code run in the frame that a program executes.

use std::io;
use std::time::Duration;

use libdebug::{Debugger, Pid, Tid};

use crate::error::{Error, Result};
use crate::inject::{Hold, Injection, Packet, Whom};

/// What runs in the program, and takes a request.
const BOOT: &str = include_str!("inside/boot.py");

/// How long is waited for the program to come to a place where it can run code, unless somebody says otherwise.
const LIMIT: Duration = Duration::from_secs(5);

/// A piece of what running code says, as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Printed to standard output.
    Output(&'a str),
    /// Printed to standard error.
    Error(&'a str),
}

/// What became of code that was executed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Executed {
    /// What it has printed, to standard output and standard error in the order in which it came.
    pub output: String,
    /// The exception that it has raised, as Python shows it, with its traceback.
    pub raised: Option<String>,
}

/// What became of an expression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// What it has printed meanwhile.
    pub output: String,
    /// The exception that it has raised, as Python shows it, with its traceback.
    pub raised: Option<String>,
    /// Its value's repr; `None` when it has raised an exception.
    pub repr: Option<String>,
    /// Its value as JSON, where JSON has such values.
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
pub struct Executor {
    of: Of,
    whom: Whom,
    limit: Duration,
    check: Box<dyn Fn() -> Result<()> + Send + Sync>,
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
        Self { of, whom: Whom::Main, limit: LIMIT, check: Box::new(|| Ok(())) }
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

    /// Chooses what is asked when a signal's handler of this program has run while the code is waited for: an error of its ends
    /// the wait.
    #[must_use]
    pub fn check(mut self, check: impl Fn() -> Result<()> + Send + Sync + 'static) -> Self {
        self.check = Box::new(check);
        self
    }

    /// Executes `code`, statements, in the frame that is being executed, with its globals and locals. Assignments to the frame's
    /// variables stay.
    ///
    /// # Errors
    /// [`Error::NotReached`] when the program does not come to a place where it can run code: then it is not going to. An
    /// exception of the code's own is no error.
    pub fn exec(&self, code: &str) -> Result<Executed> {
        self.exec_with(code, &mut |_| {})
    }

    /// As [`Executor::exec`], and tells what the code prints as it comes.
    ///
    /// # Errors
    /// As [`Executor::exec`].
    pub fn exec_with(&self, code: &str, show: &mut dyn FnMut(Piece<'_>)) -> Result<Executed> {
        let Evaluated { output, raised, .. } = self.run("exec", code, show)?;
        Ok(Executed { output, raised })
    }

    /// The value of an expression in the frame that is being executed.
    ///
    /// # Errors
    /// As [`Executor::exec`].
    pub fn eval(&self, expression: &str) -> Result<Evaluated> {
        self.eval_with(expression, &mut |_| {})
    }

    /// As [`Executor::eval`], and tells what the expression prints as it comes.
    ///
    /// # Errors
    /// As [`Executor::exec`].
    pub fn eval_with(&self, expression: &str, show: &mut dyn FnMut(Piece<'_>)) -> Result<Evaluated> {
        self.run("eval", expression.trim(), show)
    }

    fn hold(&self) -> Result<Hold> {
        match &self.of {
            Of::Process(pid) => Hold::of_process(*pid),
            Of::Debugger(debugger) => Ok(Hold::Lent(debugger.clone())),
        }
    }

    fn run(&self, kind: &str, text: &str, show: &mut dyn FnMut(Piece<'_>)) -> Result<Evaluated> {
        let source = request(kind, text);
        let injection = Injection::begin(self.hold()?, self.whom, &source, self.limit, &self.check)?;
        let collected = self.collect(&injection, show);
        injection.hold.give_back()?;
        collected
    }

    fn collect(&self, injection: &Injection, show: &mut dyn FnMut(Piece<'_>)) -> Result<Evaluated> {
        let mut result = Evaluated::default();
        loop {
            match injection.channel.receive(None) {
                Ok(Some(Packet::Output(text))) => {
                    show(Piece::Output(&text));
                    result.output += &text;
                }
                Ok(Some(Packet::Error(text))) => {
                    show(Piece::Error(&text));
                    result.output += &text;
                }
                Ok(Some(Packet::Raised(text))) => result.raised = Some(text),
                Ok(Some(Packet::Repr(text))) => result.repr = Some(text),
                Ok(Some(Packet::Json(text))) => result.json = Some(text),
                Ok(Some(Packet::Ended(_))) => return Ok(result),
                Ok(Some(_)) => {}
                Ok(None) => return Err(Error::ChannelClosed),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (self.check)()?,
                Err(error) => return Err(Error::Channel(error)),
            }
        }
    }
}

/// What runs in the program, with what it is to do.
fn request(kind: &str, text: &str) -> String {
    format!("REQUEST = ({}, {})\n{BOOT}", literal(kind), literal(text))
}

/// Text as Python writes it.
fn literal(text: &str) -> String {
    let escaped = text.chars().map(|letter| match letter {
        '\'' | '\\' => format!("\\{letter}"),
        ' '..='~' => letter.to_string(),
        letter => format!("\\U{:08x}", u32::from(letter)),
    });
    format!("'{}'", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_as_python_reads_it() {
        assert_eq!(literal("a'b\\\n\u{e9}"), "'a\\'b\\\\\\U0000000a\\U000000e9'");
    }
}
