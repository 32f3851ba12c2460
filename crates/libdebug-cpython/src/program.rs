//! A CPython program that goes on, and stands still for moments only.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libdebug::{Debugger, Host, Pid, ProcessView, RustHost};

use crate::error::{Error, Result};
use crate::interpreter::{Interpreter, Phase};
use crate::mixed::StackFrame;
use crate::threads::PythonThread;

/// A live Python program: found once, looked at as often as one likes. Between two looks nothing of ours is in it, and
/// nobody traces it.
///
/// ```no_run
/// # fn main() -> libdebug_cpython::Result<()> {
/// use libdebug::Pid;
/// use libdebug_cpython::PythonProgram;
/// let program = PythonProgram::open(Pid(1234))?;
/// println!("CPython {}", program.interpreter().version());
/// for thread in program.threads()? {
///     println!("{:?}: {:?}", thread.name, thread.frames.first());
/// }
/// # Ok(())
/// # }
/// ```
pub struct PythonProgram {
    host: Arc<dyn Host>,
    /// Kept, because it is of this program only, also when its pid becomes another one's.
    view: ProcessView,
    interpreter: Interpreter,
    stopped_for: Mutex<Option<Duration>>,
}

/// A thread with its stack of both kinds of frames.
#[derive(Debug, Clone)]
pub struct ThreadStack {
    /// The thread.
    pub thread: PythonThread,
    /// Its native frames with the Python ones in their places, innermost first.
    pub frames: Vec<StackFrame>,
}

impl ThreadStack {
    /// The stack of Python frames only.
    #[must_use]
    pub fn without_native(thread: PythonThread) -> Self {
        let frames = thread.frames.iter().cloned().map(StackFrame::Python).collect();
        Self { thread, frames }
    }
}

impl PythonProgram {
    /// Finds the interpreter of a process, without stopping it.
    ///
    /// # Errors
    /// As [`Interpreter::look`] and [`ProcessView::open`].
    pub fn open(pid: Pid) -> Result<Self> {
        Self::with_host(pid, Arc::new(RustHost))
    }

    /// As [`PythonProgram::open`], in a program of another kind ([`Debugger::with_host`]).
    ///
    /// # Errors
    /// As [`PythonProgram::open`].
    pub fn with_host(pid: Pid, host: Arc<dyn Host>) -> Result<Self> {
        let view = ProcessView::open(pid)?;
        let interpreter = Interpreter::look(&view)?;
        Ok(Self { host, view, interpreter, stopped_for: Mutex::default() })
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.view.pid()
    }

    /// What was found in it.
    #[must_use]
    pub fn interpreter(&self) -> &Interpreter {
        &self.interpreter
    }

    /// The file that the process executes.
    ///
    /// # Errors
    /// [`libdebug::Error::Kernel`] when it has ended.
    pub fn executable(&self) -> Result<std::path::PathBuf> {
        Ok(self.view.executable()?)
    }

    /// How far the interpreter's life is, right now.
    ///
    /// # Errors
    /// [`Error::Gone`] when the program has ended.
    pub fn phase(&self) -> Result<Phase> {
        self.check_there()?;
        self.interpreter.phase_of(&self.view)
    }

    /// Its threads and what they execute at one moment, for which the process stands still. One that cannot be stopped,
    /// because a thread of it waits for what no signal interrupts, is looked at as it is.
    ///
    /// # Errors
    /// As [`PythonProgram::stopped`] and [`Interpreter::threads`].
    pub fn threads(&self) -> Result<Vec<PythonThread>> {
        if let Some(threads) = self.threads_of_stuck()? {
            return Ok(threads);
        }
        let is_whole = |threads: &Vec<PythonThread>| threads.iter().all(|thread| thread.is_complete);
        self.look(is_whole, |debugger| self.interpreter.threads(debugger))
    }

    /// As [`PythonProgram::threads`], with native frames around the Python ones, unless the process cannot be stopped. Of
    /// the threads that execute no Python code those are not told that the interpreter does not know.
    ///
    /// # Errors
    /// As [`PythonProgram::threads`].
    pub fn stacks(&self) -> Result<Vec<ThreadStack>> {
        if let Some(threads) = self.threads_of_stuck()? {
            return Ok(threads.into_iter().map(ThreadStack::without_native).collect());
        }
        let is_whole = |stacks: &Vec<ThreadStack>| stacks.iter().all(|stack| stack.thread.is_complete);
        self.look(is_whole, |debugger| self.interpreter.stacks(debugger))
    }

    /// The threads of a process that has one in an uninterruptible wait; `None` without one, and where two reads differ,
    /// so that something goes on.
    fn threads_of_stuck(&self) -> Result<Option<Vec<PythonThread>>> {
        self.check_there()?;
        if self.view.uninterruptible()?.is_empty() {
            return Ok(None);
        }
        let read = || self.interpreter.look_at_threads(&self.view);
        let (first, second) = (read()?, read()?);
        Ok((first == second).then_some(second))
    }

    /// Looks until all could be read: between two of the interpreter's instructions a frame can be half made.
    fn look<T>(&self, is_whole: impl Fn(&T) -> bool, act: impl Fn(&Debugger) -> Result<T>) -> Result<T> {
        const MORE: usize = 4;
        let mut seen = self.stopped(&act)?;
        for _ in 0..MORE {
            if is_whole(&seen) {
                break;
            }
            seen = self.stopped(&act)?;
        }
        Ok(seen)
    }

    /// Stops the process for as long as `act` takes, all threads of it, and lets it go on as it was.
    ///
    /// # Errors
    /// [`Error::Gone`] when the program has ended, those of [`Debugger::attach`] and [`Debugger::detach`], and `act`'s own.
    pub fn stopped<T>(&self, act: impl FnOnce(&Debugger) -> Result<T>) -> Result<T> {
        self.check_there()?;
        let debugger = Debugger::with_host(Arc::clone(&self.host))?;
        let begin = Instant::now();
        debugger.attach(self.pid(), false)?;
        let done = self.check_there().and_then(|()| act(&debugger));
        let detached = debugger.detach();
        *self.stopped_for.lock().unwrap_or_else(PoisonError::into_inner) = Some(begin.elapsed());
        let done = done?;
        detached?;
        Ok(done)
    }

    /// How long the process stood still for the last look, at most; `None` before the first.
    #[must_use]
    pub fn stopped_for(&self) -> Option<Duration> {
        *self.stopped_for.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the address space is still the one that the interpreter was found in.
    fn check_there(&self) -> Result<()> {
        let mut byte = [0];
        let is_there = self.view.read(self.interpreter.runtime(), &mut byte) == 1;
        if is_there { Ok(()) } else { Err(Error::Gone(self.pid())) }
    }
}

impl std::fmt::Debug for PythonProgram {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PythonProgram").field("pid", &self.pid().0).finish_non_exhaustive()
    }
}
