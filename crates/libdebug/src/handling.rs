//! How users set handlers of system calls and signals.

use std::collections::BTreeSet;
use std::sync::Arc;

use libdebug_arch::{SyscallAbi, syscall_by_name};
use libdebug_kernel::Signal;

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::handler::{ExecCallback, HandlerId};
use crate::mailbox::lock;
use crate::signal::{CatcherSpec, SignalCatcher};
use crate::syscall::{SyscallHandler, SyscallObserver, SyscallSpec};
use crate::tracer::Command;

/// What a hijacker puts into the argument registers; `None` leaves one as it is.
pub type NewArguments = [Option<u64>; 6];

impl Debugger {
    /// The number of the system call called `name` in the table of the program's architecture.
    ///
    /// ```
    /// assert_eq!(libdebug::Debugger::syscall_number("openat").unwrap(), 257);
    /// assert!(libdebug::Debugger::syscall_number("open_sesame").is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchSyscall`].
    pub fn syscall_number(name: &str) -> Result<u64> {
        let found = syscall_by_name(SyscallAbi::X86_64, name);
        found.map(|call| call.number.into()).ok_or_else(|| Error::no_such_syscall(name))
    }

    /// Handles a system call, or all. Several handlers may be of one call; the newest enabled one is asked.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use libdebug::{Debugger, SyscallSpec};
    /// let debugger = Debugger::builder("/bin/true").run()?;
    /// let exit = Debugger::syscall_number("exit_group")?;
    /// let handler = debugger.handle_syscall(SyscallSpec::stop(Some(exit)))?;
    /// debugger.cont()?;
    /// let thread = debugger.main_thread()?;
    /// assert_eq!(handler.side_hit_on(&thread)?, Some(libdebug::SyscallSide::Enter));
    /// thread.set_syscall_argument(0, 42)?;
    /// debugger.cont()?;
    /// assert_eq!(debugger.exit_code()?, Some(42));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoProcess`], and those of [`Debugger::wait`]: the process is waited for.
    pub fn handle_syscall(&self, spec: SyscallSpec) -> Result<SyscallHandler> {
        self.stopped_session()?;
        let cell = self.ask(|answer| Command::HandleSyscall(Box::new(spec), answer))??;
        Ok(SyscallHandler { cell, debugger: self.clone() })
    }

    /// Has the kernel not make the call, and gives the program `value` in its place: a negative error number
    /// (errno(3)) for a failure. Only the thread that calls is stopped for that, and only briefly.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use libdebug::Debugger;
    /// let debugger = Debugger::builder("/bin/sh").args(["-c", "exit $PPID"]).run()?;
    /// let getppid = Debugger::syscall_number("getppid")?;
    /// let handler = debugger.answer_syscall(Some(getppid), 42)?;
    /// debugger.cont()?;
    /// assert_eq!(debugger.exit_code()?, Some(42));
    /// assert_eq!(handler.hit_count(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Debugger::handle_syscall`].
    pub fn answer_syscall(&self, number: Option<u64>, value: i64) -> Result<SyscallHandler> {
        self.handle_syscall(SyscallSpec::answer(number, value))
    }

    /// Puts the call `new`, with `arguments`, in the place of every call of `original`.
    ///
    /// # Errors
    /// [`Error::SelfHijack`] when both are the same, and those of [`Debugger::handle_syscall`].
    pub fn hijack_syscall(
        &self,
        original: Option<u64>,
        new: u64,
        arguments: NewArguments,
        recursive: bool,
    ) -> Result<SyscallHandler> {
        self.handle_syscall(SyscallSpec::hijack(original, new, arguments, recursive)?)
    }

    pub(crate) fn remove_handler(&self, id: HandlerId) -> Result<()> {
        self.stopped_session()?;
        self.ask(|answer| Command::RemoveHandler(id, answer))?
    }

    /// Catches a signal, or all, before the program gets it.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use libdebug::{CatcherSpec, Debugger, Signal};
    /// let debugger = Debugger::builder("/bin/sh").arg("-c").arg("kill -USR1 $$; exit 3").run()?;
    /// let catcher = debugger.catch_signal(CatcherSpec::stop(Some(Signal(10))))?;
    /// debugger.cont()?;
    /// let thread = debugger.main_thread()?;
    /// assert!(catcher.hit_on(&thread)?);
    /// thread.set_signal(None)?;
    /// debugger.cont()?;
    /// assert_eq!(debugger.exit_code()?, Some(3));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchSignal`] and [`Error::Uncatchable`]; [`Error::NoProcess`], and those of
    /// [`Debugger::wait`]: the process is waited for.
    pub fn catch_signal(&self, spec: CatcherSpec) -> Result<SignalCatcher> {
        spec.check()?;
        self.stopped_session()?;
        let cell = self.ask(|answer| Command::CatchSignal(Box::new(spec), answer))??;
        Ok(SignalCatcher { cell, debugger: self.clone() })
    }

    /// Puts the signal `new` in the place of every `original`.
    ///
    /// # Errors
    /// [`Error::SelfHijack`] when both are the same, and those of [`Debugger::catch_signal`].
    pub fn hijack_signal(
        &self,
        original: Option<Signal>,
        new: Signal,
        recursive: bool,
    ) -> Result<SignalCatcher> {
        self.catch_signal(CatcherSpec::hijack(original, new, recursive)?)
    }

    /// The signals that are never delivered. Does not wait for a stop.
    ///
    /// # Errors
    /// [`Error::NoProcess`], [`Error::Terminated`].
    pub fn blocked_signals(&self) -> Result<BTreeSet<Signal>> {
        Ok(self.handlers()?.blocked)
    }

    /// Chooses the signals that are never delivered; their catchers run all the same.
    ///
    /// # Errors
    /// [`Error::NoSuchSignal`] for a number that is no signal, and those of [`Debugger::catch_signal`].
    pub fn set_blocked_signals(&self, signals: BTreeSet<Signal>) -> Result<()> {
        if let Some(&bad) = signals.iter().find(|signal| !(1..=64).contains(&signal.0)) {
            return Err(Error::NoSuchSignal(bad.0));
        }
        self.stopped_session()?;
        self.ask(|answer| Command::BlockSignals(signals, answer))?
    }

    /// Has `callback` run whenever the process has executed another program, at that one's very first instruction;
    /// `None` for nobody. Breakpoints do not outlive the program that they were set in: the callback can set them
    /// anew. Handlers of system calls and signals stay.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use std::sync::Arc;
    /// use libdebug::Debugger;
    /// let debugger = Debugger::builder("/bin/sh").args(["-c", "exec /bin/true"]).run()?;
    /// debugger.on_exec(Some(Arc::new(|thread| {
    ///     assert!(thread.debugger().executable().is_some_and(|path| !path.ends_with("sh")));
    ///     Ok(())
    /// })));
    /// debugger.cont()?;
    /// assert_eq!(debugger.exit_code()?, Some(0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_exec(&self, callback: Option<Arc<ExecCallback>>) {
        *lock(&self.shared().on_exec) = callback;
    }

    /// Has `observer` told of system calls, in place of the one before; `None` for nobody.
    ///
    /// # Errors
    /// As [`Debugger::handle_syscall`].
    pub fn observe_syscalls(&self, observer: Option<SyscallObserver>) -> Result<()> {
        self.stopped_session()?;
        self.ask(|answer| Command::ObserveSyscalls(observer, answer))?
    }
}
