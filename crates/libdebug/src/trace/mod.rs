//! The system calls of a tree of processes, as they happen.
//!
//! Each thread is resumed to its next system call; with a filter in the program (seccomp(2)) only to one that is of
//! interest, all others pass at native speed. Arguments are told at the entry and buffers that the kernel fills at the
//! exit, while the thread is there.

mod choice;
mod record;
mod watch;

use std::sync::Arc;

use libdebug_kernel::{AUDIT_ARCH_X86_64, Death, Pid, trace_filter};

use crate::builder::Launch;
use crate::error::Result;
use crate::follow::{Control, Running, Target, begin};
use crate::io::ChildEnds;
use watch::{Tracer, first_call};

pub use choice::CallChoice;
pub use record::{CallEnter, CallExit, TraceEvent, TraceWhat};

/// What is traced, and how.
#[derive(Debug, Clone)]
pub struct TraceOptions {
    /// Which calls are told of.
    pub calls: CallChoice,
    /// Whether descriptors are shown with their files.
    pub shows_files: bool,
    /// Whether each call is told with the stack that it is made from.
    pub shows_stacks: bool,
    /// Whether a program that is started gets a filter, so that calls that are not told of cost nothing: where
    /// [`TraceOptions::calls`] leaves any out. Without CAP_SYS_ADMIN it can gain no privileges then (`no_new_privs`), which
    /// under a tracer without privileges it cannot anyway.
    pub accelerate: bool,
    /// Whether tracer and program share one CPU, as long as the program has one thread.
    pub share_cpu: bool,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            calls: CallChoice::all(),
            shows_files: false,
            shows_stacks: false,
            accelerate: true,
            share_cpu: true,
        }
    }
}

/// Tracing that goes on. Dropping it ends it, and kills what was started for it.
///
/// ```
/// use std::sync::mpsc;
/// use libdebug::{Launch, TraceOptions, TraceWhat, Tracing};
///
/// # fn main() -> libdebug::Result<()> {
/// let (sender, events) = mpsc::channel();
/// let tell = move |event| drop(sender.send(event));
/// let death = Tracing::start(&Launch::new("/bin/true"), &TraceOptions::default(), tell)?.wait()?;
/// assert_eq!(death, Some(libdebug::Death::Exited(0)));
/// let is_exit = |event: libdebug::TraceEvent| matches!(&event.what, TraceWhat::Enter(call) if call.name == "exit_group");
/// assert!(events.iter().any(is_exit));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Tracing {
    running: Running<Tracer>,
}

impl Tracing {
    /// Runs a program with the host's own streams, and tells of its calls and of those of everything that it creates.
    /// `tell` is called on the tracer's thread, and what it does the program waits for. `stdio`, `start_at` and
    /// `kill_on_exit` of `launch` are not looked at.
    ///
    /// # Errors
    /// [`Error::Spawn`](crate::Error::Spawn) when the program cannot be executed.
    pub fn start(
        launch: &Launch,
        options: &TraceOptions,
        tell: impl FnMut(TraceEvent) + Send + 'static,
    ) -> Result<Self> {
        let spec = Box::new(launch.prepare_with(ChildEnds::inherited())?);
        let numbers = options.calls.numbers().filter(|_| options.accelerate);
        let filter = numbers.map(|numbers| trace_filter(AUDIT_ARCH_X86_64, &numbers));
        let first = Some(first_call(&spec));
        Self::begin(Target::Program { spec, filter }, options, first, Box::new(tell))
    }

    /// Tells of the calls of a process that runs, from now on. It is let go at the end.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`](crate::Error::NoSuchProcess) and
    /// [`Error::AttachDenied`](crate::Error::AttachDenied).
    pub fn attach(
        pid: Pid,
        options: &TraceOptions,
        tell: impl FnMut(TraceEvent) + Send + 'static,
    ) -> Result<Self> {
        Self::begin(Target::Process(pid), options, None, Box::new(tell))
    }

    fn begin(
        target: Target,
        options: &TraceOptions,
        first: Option<CallEnter>,
        tell: watch::Tell,
    ) -> Result<Self> {
        let is_filtered = matches!(&target, Target::Program { filter: Some(_), .. });
        let tracer = Tracer::new(options.clone(), tell, is_filtered, first);
        Ok(Self { running: begin(target, tracer, Arc::new(Control::default()), options.share_cpu)? })
    }

    /// The process that is traced.
    pub fn pid(&self) -> Pid {
        self.running.pid
    }

    /// A way to end it, for other threads.
    pub fn stopper(&self) -> TraceStopper {
        TraceStopper { control: Arc::clone(&self.running.control) }
    }

    /// Waits for the end of all that is traced. Answers how the first process ended; `None` when it goes on.
    ///
    /// # Errors
    /// What the kernel says to a wait.
    pub fn wait(self) -> Result<Option<Death>> {
        self.running.wait().map(|(_, death)| death)
    }
}

/// Ends a [`Tracing`] from any thread.
#[derive(Debug, Clone)]
pub struct TraceStopper {
    control: Arc<Control>,
}

impl TraceStopper {
    /// What was started is killed, what was attached to goes on. [`Tracing::wait`] then answers.
    pub fn stop(&self) {
        self.control.end();
    }
}
