//! How many instructions a program executes: exact, thread by thread, by single steps, and by copies of its code that
//! count themselves.
//!
//! What counts as one is defined in the guide, `docs/counting.md`. A step is told from everything else that stops a
//! thread by where the thread is and what it was about to execute; only where that leaves a doubt the kernel is asked
//! (PTRACE_GETSIGINFO), so that most steps cost three system calls.

mod counter;
mod flow;
mod names;
mod range;
mod report;
mod space;
mod stacks;
mod translate;
mod translated;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use libdebug_kernel::Pid;

use crate::builder::Launch;
use crate::error::Result;
use crate::follow::{Control, Running, Target, begin};
use crate::io::ChildEnds;
use counter::Counter;

pub use names::CountBy;
pub use report::{Count, CountEnd, ThreadCount};

/// What is counted, and how far.
#[derive(Debug, Clone)]
pub struct CountOptions {
    /// What the instructions are told apart by.
    pub by: Option<CountBy>,
    /// The function that is counted, with what it calls; everything without one. It is looked for once the program is at its
    /// entry point, in the program and its libraries.
    pub range: Option<String>,
    /// The number after which the count ends, and a program that was started with it.
    pub limit: Option<u64>,
    /// Whether tracer and program share one CPU, as long as the program has one thread.
    pub share_cpu: bool,
    /// Whether every instruction is a single step, and none is executed as a copy that counts itself: slower by three orders of
    /// magnitude, and the same number. With a range it is so in any case, and with a limit where there are several threads.
    pub single_step: bool,
}

impl Default for CountOptions {
    fn default() -> Self {
        Self { by: None, range: None, limit: None, share_cpu: true, single_step: false }
    }
}

/// A count that goes on. Dropping it ends it, and kills what was started for it.
///
/// ```
/// use libdebug::{CountOptions, Counting, Launch};
///
/// # fn main() -> libdebug::Result<()> {
/// let count = Counting::start(&Launch::new("/bin/true"), &CountOptions::default())?.wait()?;
/// assert!(count.instructions > 1000);
/// assert_eq!(count.exit_code(), Some(0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Counting {
    running: Running<Counter>,
    start: Instant,
}

impl Counting {
    /// Runs a program with the host's own streams and counts it and everything that it creates, from its first instruction
    /// on. `stdio`, `start_at` and `kill_on_exit` of `launch` are not looked at.
    ///
    /// # Errors
    /// [`Error::Spawn`](crate::Error::Spawn) when the program cannot be executed.
    pub fn start(launch: &Launch, options: &CountOptions) -> Result<Self> {
        let spec = Box::new(launch.prepare_with(ChildEnds::inherited())?);
        Self::begin(Target::Program { spec, filter: None }, options)
    }

    /// Counts a process that runs, all its threads and what they create from now on. It is let go at the end.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`](crate::Error::NoSuchProcess) and
    /// [`Error::AttachDenied`](crate::Error::AttachDenied).
    pub fn attach(pid: Pid, options: &CountOptions) -> Result<Self> {
        Self::begin(Target::Process(pid), options)
    }

    fn begin(target: Target, options: &CountOptions) -> Result<Self> {
        let control = Arc::new(Control::default());
        let starts = matches!(target, Target::Program { .. });
        let counter = Counter::new(options.clone(), Arc::clone(&control), starts);
        let start = Instant::now();
        Ok(Self { running: begin(target, counter, control, options.share_cpu)?, start })
    }

    /// The process that is counted.
    pub fn pid(&self) -> Pid {
        self.running.pid
    }

    /// A handle for other threads.
    pub fn watcher(&self) -> CountWatcher {
        CountWatcher { control: Arc::clone(&self.running.control) }
    }

    /// Waits for the end of all that is counted.
    ///
    /// # Errors
    /// [`Error::NoSuchSymbol`](crate::Error::NoSuchSymbol) when the function to be counted was not found; what the kernel
    /// says to a wait.
    pub fn wait(self) -> Result<Count> {
        let told = Arc::clone(&self.running.control);
        let (counter, status) = self.running.wait()?;
        counter.report(status, told.is_told_to_end(), self.start.elapsed())
    }
}

/// How far a count is, and the way to end it, from any thread.
#[derive(Debug, Clone)]
pub struct CountWatcher {
    control: Arc<Control>,
}

impl CountWatcher {
    /// The instructions so far, as they were when this was last asked, or later. Does not wait.
    pub fn instructions(&self) -> u64 {
        self.control.ring();
        self.control.total.load(Ordering::Relaxed)
    }

    /// Ends the count: what was started is killed, what was attached to goes on. [`Counting::wait`] then answers.
    pub fn stop(&self) {
        self.control.end();
    }
}
