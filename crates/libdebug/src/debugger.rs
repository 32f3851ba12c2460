//! The handle that a user's threads hold.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_kernel::{Pid, Tid, proc, without_thread_exit};

use crate::acceleration::SyscallFilterMode;
use crate::breakpoint::{Breakpoint, BreakpointCell, BreakpointSpec};
use crate::builder::{Builder, Launch};
use crate::end::{Whom, order_end};
use crate::error::{Error, Result};
use crate::handler::Action;
use crate::host::{Host, RustHost};
use crate::instruction_trace::{Steps, TracedInstructions};
use crate::io::ProcessIo;
use crate::launch::check_width;
use crate::mailbox::{Responder, lock, reply};
use crate::session::{Phase, Session, Shared, read};
use crate::step_out::WayOut;
use crate::symbols::FileScope;
use crate::thread::Thread;
use crate::tracer::Command;
use crate::tree;
use crate::wait::tracer_is_current;

/// A debugger: one process at a time, and the thread that traces it. A handle, cheap to clone and usable from
/// any thread; the process ends when the last handle is dropped, unless it was started otherwise.
#[derive(Clone)]
pub struct Debugger {
    shared: Arc<Shared>,
    /// Absent in handles made for callbacks, which must not keep the debugger alive.
    _owner: Option<Arc<Owner>>,
}

/// Ends the tracer thread with the last handle.
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some((_, ended)) = order_end(&self.0, Whom::One) {
            ended.wait();
        }
    }
}

impl fmt::Debug for Debugger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debugger").field("pid", &self.pid().map(|pid| pid.0)).finish()
    }
}

impl Debugger {
    /// A debugger without a process, in a plain Rust program.
    ///
    /// # Errors
    /// [`Error::Kernel`] or [`Error::File`] when no thread or descriptor is to be had.
    pub fn new() -> Result<Self> {
        Self::with_host(Arc::new(RustHost))
    }

    /// A debugger without a process, in a program of another kind.
    ///
    /// # Errors
    /// As [`Debugger::new`].
    pub fn with_host(host: Arc<dyn Host>) -> Result<Self> {
        let shared = Arc::new(Shared::new(Arc::clone(&host)));
        // Its descriptor is there from now on.
        drop(shared.stopped.watch()?);
        let of_thread = Arc::clone(&shared);
        // Callbacks may be told to exit their thread by a host that ends, as by CPython before version 3.14.
        host.spawn(Box::new(move || without_thread_exit(|| tree::run(of_thread))))
            .map_err(|error| Error::File { path: "a thread".into(), error })?;
        Ok(Self { _owner: Some(Arc::new(Owner(Arc::clone(&shared)))), shared })
    }

    /// Describes a program to run, or the way to attach.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/true").aslr(false).run()?;
    /// debugger.cont()?;
    /// debugger.wait()?;
    /// assert_eq!(debugger.exit_code()?, Some(0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(program: impl Into<std::path::PathBuf>) -> Builder {
        Builder::new(program)
    }

    pub(crate) fn from_shared(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), _owner: None }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Starts a program, which then stands at its entry point (or its very first instruction). A process that
    /// is being debugged is killed first, and everything that was set in it is forgotten.
    ///
    /// # Errors
    /// [`Error::Spawn`] when the program cannot be executed; nothing is left behind then.
    pub fn run(&self, launch: &Launch) -> Result<()> {
        self.forbid_in_callback("run")?;
        self.kill_if_any()?;
        let (spec, io) = launch.prepare()?;
        self.shared.link.rally.user_is_here();
        *lock(&self.shared.io) = io.map(Arc::new);
        self.begin(|answer| Command::Launch(Box::new(spec), answer))
    }

    /// Posts a command that makes a session, and waits for it as for a stop: a library's initializer can run for
    /// ever before the entry point.
    fn begin(&self, command: impl FnOnce(Responder<Result<Arc<Session>>>) -> Command) -> Result<()> {
        self.shared.forget_failures();
        self.shared.forget_children();
        self.shared.expect_stops(true);
        self.shared.interrupt.store(false, Ordering::Release);
        self.shared.stopped.clear();
        let (responder, answer) = reply();
        let ended = self.shared.ended.load(Ordering::Acquire);
        if ended || self.shared.link.mailbox.post((Arc::clone(&self.shared), command(responder))).is_err() {
            self.shared.stopped.set();
            return Err(Error::Terminated);
        }
        let waited = self.await_stop(None);
        if waited.is_err() {
            self.shared.interrupt.store(true, Ordering::Release);
            self.shared.link.mailbox.ring();
        }
        let begun = answer.wait().ok_or(Error::Terminated)?;
        if let (Err(_), Ok(_)) = (&waited, &begun) {
            self.ask(Command::Kill)??;
        }
        waited.and(begun.map(drop))
    }

    /// Attaches to a live process: all its threads are stopped then. A process that is being debugged is
    /// killed first.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`] and [`Error::Narrow`], at once; [`Error::AttachDenied`] with the reason.
    pub fn attach(&self, pid: Pid, kill_on_exit: bool) -> Result<()> {
        self.forbid_in_callback("attach")?;
        // A number that is nobody's must not cost the process that is being debugged.
        proc::status(pid.leader()).map_err(|_| Error::NoSuchProcess(pid))?;
        check_width(pid, &proc::executable(pid).unwrap_or_default())?;
        self.kill_if_any()?;
        *lock(&self.shared.io) = None;
        self.begin(|answer| Command::Attach { pid, kill_on_exit, answer })
    }

    /// Lets the process go: it runs on, as it was, without breakpoints.
    ///
    /// # Errors
    /// [`Error::NoProcess`], and those of [`Debugger::wait`].
    pub fn detach(&self) -> Result<()> {
        self.forbid_in_callback("detach")?;
        self.stopped_session()?;
        self.ask(Command::Detach)?
    }

    /// Kills the process and waits for its end. Its registers can still be read.
    ///
    /// # Errors
    /// [`Error::NoProcess`] without one, and those of [`Debugger::wait`].
    pub fn kill(&self) -> Result<()> {
        self.forbid_in_callback("kill")?;
        self.stopped_session()?;
        let killed = self.ask(Command::Kill)?;
        self.shared.close_io();
        lock(&self.shared.foreground).take();
        killed
    }

    fn kill_if_any(&self) -> Result<()> {
        self.check_owner()?;
        let live = self.shared.session().filter(|session| !session.closed.load(Ordering::Acquire));
        if live.is_some() {
            self.interrupt()?;
            self.await_stop(None)?;
            self.ask(Command::Kill)??;
            self.shared.close_io();
        }
        Ok(())
    }

    /// Lets all threads go on, and returns at once.
    ///
    /// # Errors
    /// [`Error::Died`] when there is nothing left to go on; [`Error::Callback`] when one failed since the last
    /// call that said so; those of [`Debugger::wait`].
    pub fn cont(&self) -> Result<()> {
        self.forbid_in_callback("cont")?;
        self.resume(Command::Cont)
    }

    fn resume(&self, command: Command) -> Result<()> {
        self.resume_after(command, |_| {})
    }

    /// Lets the process go on by `command`, after `prepare` once nothing speaks against it.
    pub(crate) fn resume_after(&self, command: Command, prepare: impl FnOnce(&Session)) -> Result<()> {
        let session = self.stopped_session()?;
        self.raise_failure()?;
        check_alive(&session)?;
        prepare(&session);
        if let Some(tracer) = tree::current(&self.shared) {
            tracer.execute(command);
            return Ok(());
        }
        self.shared.link.rally.user_is_here();
        self.shared.interrupt.store(false, Ordering::Release);
        self.shared.stopped.clear();
        session.set_phase(Phase::Running);
        self.shared
            .link
            .mailbox
            .post((Arc::clone(&self.shared), command))
            .map(drop)
            .map_err(|_| Error::Terminated)
    }

    pub(crate) fn step_thread(&self, tid: Tid) -> Result<()> {
        self.resume_and_wait(Command::Step(tid))
    }

    pub(crate) fn step_thread_until(&self, tid: Tid, address: u64, limit: Option<u64>) -> Result<()> {
        self.resume_and_wait(Command::StepUntil { tid, address, limit })
    }

    pub(crate) fn step_thread_counted(&self, tid: Tid, steps: Box<Steps>) -> Result<TracedInstructions> {
        self.ask_to_run(|answer| Command::TakeSteps { tid, steps, answer })
    }

    pub(crate) fn next_thread(&self, tid: Tid) -> Result<()> {
        self.resume_and_wait(Command::Next(tid))
    }

    pub(crate) fn leave_frame(&self, tid: Tid, way: WayOut) -> Result<()> {
        self.resume_and_wait(Command::Leave(tid, way))
    }

    /// A command that lets the process run, and answers when it is stopped again.
    pub(crate) fn ask_to_run<T>(&self, command: impl FnOnce(Responder<T>) -> Command) -> Result<T> {
        let (responder, answer) = reply();
        self.resume_and_wait(command(responder))?;
        answer.wait().ok_or(Error::Terminated)
    }

    fn resume_and_wait(&self, command: Command) -> Result<()> {
        self.resume(command)?;
        if tree::current(&self.shared).is_none() {
            self.await_stop(None)?;
            self.raise_failure()?;
        }
        Ok(())
    }

    /// Sets a breakpoint that stops the process at `symbol`, which may be followed by `+` and a hexadecimal
    /// offset.
    ///
    /// # Errors
    /// As [`Debugger::set_breakpoint`] and [`Debugger::resolve_symbol`].
    pub fn breakpoint(&self, symbol: &str) -> Result<Breakpoint> {
        self.breakpoint_with(symbol, Action::Stop)
    }

    /// As [`Debugger::breakpoint`], with what a hit does.
    ///
    /// # Errors
    /// As [`Debugger::breakpoint`].
    pub fn breakpoint_with(&self, symbol: &str, action: Action) -> Result<Breakpoint> {
        let address = self.resolve_symbol(symbol, &FileScope::Hybrid)?.address;
        let symbol = symbol.to_owned();
        self.set_breakpoint(BreakpointSpec { symbol, action, ..BreakpointSpec::at(address) })
    }

    /// Sets a breakpoint or watchpoint. Several may be at one address.
    ///
    /// # Errors
    /// [`Error::Breakpoint`] for what cannot be: an unmapped address, a fifth debug register. And those of
    /// [`Debugger::wait`].
    pub fn set_breakpoint(&self, spec: BreakpointSpec) -> Result<Breakpoint> {
        check_alive(&*self.stopped_session()?)?;
        let cell = self.ask(|answer| Command::SetBreakpoint(Box::new(spec), answer))??;
        Ok(Breakpoint { cell, debugger: self.clone() })
    }

    pub(crate) fn set_breakpoint_enabled(&self, cell: &Arc<BreakpointCell>, on: bool) -> Result<()> {
        self.stopped_session()?;
        self.ask(|answer| Command::EnableBreakpoint(Arc::clone(cell), on, answer))?
    }

    pub(crate) fn remove_breakpoint(&self, cell: &Arc<BreakpointCell>) -> Result<()> {
        self.stopped_session()?;
        self.ask(|answer| Command::RemoveBreakpoint(Arc::clone(cell), answer))?
    }

    pub(crate) fn load_registers(&self, tid: Tid, extended: bool) -> Result<()> {
        self.ask(|answer| Command::LoadRegisters { tid, extended, answer })?
    }

    /// A handle that keeps the debugger alive, of one that a tracer thread has made.
    pub(crate) fn owning(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), _owner: Some(Arc::new(Owner(Arc::clone(shared)))) }
    }

    /// The threads, in the order in which they were created; those that have ended stay. Does not wait.
    pub fn threads(&self) -> Vec<Thread> {
        let Some(session) = self.shared.session() else { return Vec::new() };
        let cells = read(&session.threads).clone();
        cells.into_iter().map(|cell| Thread::new(self.clone(), cell, Some(Arc::clone(&session)))).collect()
    }

    /// The first thread. Does not wait.
    ///
    /// # Errors
    /// [`Error::NoProcess`] before run and attach.
    pub fn main_thread(&self) -> Result<Thread> {
        let session = self.shared.session().ok_or(Error::NoProcess)?;
        let cell = session.leader().ok_or(Error::NoProcess)?;
        Ok(Thread::new(self.clone(), cell, Some(session)))
    }

    /// The process's pid, also after its end. Does not wait.
    pub fn pid(&self) -> Option<Pid> {
        self.shared.session().map(|session| session.pid)
    }

    /// Whether the process is running right now. Does not wait.
    pub fn is_running(&self) -> bool {
        self.shared.session().is_some_and(|session| session.phase() == Phase::Running)
    }

    /// Whether all threads of the process have ended. Does not wait.
    pub fn is_dead(&self) -> bool {
        self.shared.session().is_some_and(|session| session.phase() == Phase::Dead)
    }

    /// Whether a process is under debug: run or attached to, and neither killed nor detached since. Does not
    /// wait.
    pub fn is_debugging(&self) -> bool {
        let open = |session: Arc<Session>| !session.closed.load(Ordering::Acquire);
        self.check_owner().is_ok() && self.shared.session().is_some_and(open)
    }

    /// The code that the process exited with; `None` when it has not, or was killed by a signal.
    ///
    /// # Errors
    /// Those of [`Debugger::wait`].
    pub fn exit_code(&self) -> Result<Option<i32>> {
        use libdebug_kernel::Death;
        Ok(match self.death()? {
            Some(Death::Exited(code)) => Some(code),
            _ => None,
        })
    }

    /// How the process ended, once it has.
    ///
    /// # Errors
    /// Those of [`Debugger::wait`].
    pub fn death(&self) -> Result<Option<libdebug_kernel::Death>> {
        let thread = self.main_thread()?;
        if !tracer_is_current(&self.shared) {
            self.await_stop(None)?;
        }
        Ok(thread.death())
    }

    /// The memory maps, as they were when the process stopped.
    ///
    /// # Errors
    /// Those of [`Debugger::wait`]; [`Error::Died`] when there is no memory any more.
    pub fn maps(&self) -> Result<Arc<[proc::Map]>> {
        let session = self.stopped_session()?;
        self.current_maps(&session)
    }

    /// The input and output of the process, unless it has the host's own.
    pub fn io(&self) -> Option<Arc<ProcessIo>> {
        lock(&self.shared.io).clone()
    }

    /// Whether memory is accessed through /proc/PID/mem (the default) or word by word through ptrace.
    pub fn fast_memory(&self) -> bool {
        self.shared.fast_memory.load(Ordering::Acquire)
    }

    /// Chooses how memory is accessed.
    pub fn set_fast_memory(&self, on: bool) {
        self.shared.fast_memory.store(on, Ordering::Release);
    }

    /// Whether tracer and program share one CPU while the program stops often (the default).
    pub fn shares_cpu(&self) -> bool {
        self.shared.share_cpu.load(Ordering::Acquire)
    }

    /// Chooses whether tracer and program share one CPU while the program stops often.
    pub fn set_shares_cpu(&self, on: bool) {
        self.shared.share_cpu.store(on, Ordering::Release);
    }

    /// Whether a request made while the process runs interrupts it, instead of waiting for its next stop.
    pub fn set_auto_interrupt(&self, on: bool) {
        self.shared.auto_interrupt.store(on, Ordering::Release);
    }

    /// Whether a program that looks for a debugger finds none: PTRACE_TRACEME succeeds, once, and `/proc/PID/status`
    /// names no tracer. Every system call stops the program briefly for that.
    pub fn set_escape_antidebug(&self, on: bool) {
        self.shared.escape_antidebug.store(on, Ordering::Release);
    }

    /// Chooses how system calls that somebody handles are told from the others, for handlers that are set from now on.
    /// With [`SyscallFilterMode::Seccomp`] all others run at native speed, and the process can be detached from no
    /// more once there was a handler.
    pub fn set_syscall_filter(&self, mode: SyscallFilterMode) {
        self.shared.filters_syscalls.store(mode == SyscallFilterMode::Seccomp, Ordering::Release);
    }

    /// Whether the process is to end when the debugger does. Does not wait.
    pub fn kill_on_exit(&self) -> bool {
        self.shared.kill_on_exit.load(Ordering::Acquire)
    }

    /// Chooses whether the process is to end when the debugger does.
    ///
    /// # Errors
    /// [`Error::Terminated`].
    pub fn set_kill_on_exit(&self, on: bool) -> Result<()> {
        self.ask(|answer| Command::SetKillOnExit(on, answer))
    }
}

fn check_alive(session: &Session) -> Result<()> {
    if session.phase() != Phase::Dead {
        return Ok(());
    }
    let how = session.leader().and_then(|leader| leader.death()).flatten();
    Err(Error::Died { tid: session.pid.leader(), how })
}
