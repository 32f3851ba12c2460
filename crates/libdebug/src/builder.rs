//! What to run, and how.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use libdebug_kernel::{Errno, Pid, SignalMask, environment, find_program, signal_mask};

use crate::acceleration::SyscallFilterMode;
use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::io::{self, ChildEnds, ProcessIo, Stdio};
use crate::launch::LaunchSpec;

/// Where a program stands when [`Debugger::run`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartAt {
    /// The entry point of the program: its libraries are loaded and initialized.
    #[default]
    EntryPoint,
    /// The first instruction after execve, as a rule the dynamic linker's.
    FirstInstruction,
}

/// A program to be run, any number of times.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The file to execute: a path, or a name that is looked for in PATH.
    pub program: PathBuf,
    /// The argument vector, with the program's own name first; empty for none at all.
    pub argv: Vec<OsString>,
    /// The environment; `None` is the host's.
    pub env: Option<Vec<(OsString, OsString)>>,
    /// The working directory; `None` is the host's.
    pub directory: Option<PathBuf>,
    /// Whether addresses are randomized.
    pub aslr: bool,
    /// Its standard streams.
    pub stdio: Stdio,
    /// Where it stands first.
    pub start_at: StartAt,
    /// Whether it ends with the debugger, however that ends.
    pub kill_on_exit: bool,
    /// The signals that it begins with blocked; `None` is as the thread has them that runs it.
    pub signal_mask: Option<SignalMask>,
}

impl Launch {
    /// `program` without arguments, with everything as it is by default.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        Self {
            argv: vec![program.clone().into_os_string()],
            program,
            env: None,
            directory: None,
            aslr: true,
            stdio: Stdio::Piped,
            start_at: StartAt::EntryPoint,
            kill_on_exit: true,
            signal_mask: None,
        }
    }

    /// What the tracer thread needs, and the user's side of the program's streams.
    pub(crate) fn prepare(&self) -> Result<(LaunchSpec, Option<ProcessIo>)> {
        let (ends, io) = io::open(self.stdio)?;
        Ok((self.prepare_with(ends)?, io))
    }

    /// With the program's side of its streams made already.
    pub(crate) fn prepare_with(&self, ends: ChildEnds) -> Result<LaunchSpec> {
        let path = find_program(&self.program);
        let invalid = || Error::Spawn { path: path.clone(), call: "execve", errno: Errno::INVALID };
        let string = |text: &OsStr| CString::new(text.as_bytes()).map_err(|_| invalid());
        let env: Result<Vec<_>> = match &self.env {
            Some(variables) => {
                variables.iter().map(|(name, value)| string(&assignment(name, value))).collect()
            }
            None => environment().map(|(name, value)| string(&assignment(&name, &value))).collect(),
        };
        let directory = self.directory.as_deref().map(Path::as_os_str).map(string).transpose()?;
        let (path_c, argv) = (string(path.as_os_str())?, self.argv.iter().map(|word| string(word)));
        let (argv, env) = (argv.collect::<Result<_>>()?, env?);
        Ok(LaunchSpec {
            path,
            path_c,
            argv,
            env,
            directory,
            aslr: self.aslr,
            to_entry_point: self.start_at == StartAt::EntryPoint,
            kill_on_exit: self.kill_on_exit,
            ends,
            mask: self.signal_mask.unwrap_or_else(signal_mask),
        })
    }
}

fn assignment(name: &OsStr, value: &OsStr) -> OsString {
    let mut text = name.to_owned();
    text.push("=");
    text.push(value);
    text
}

/// Describes a program step by step, then runs it or attaches to a process.
///
/// ```
/// # fn main() -> libdebug::Result<()> {
/// use libdebug::Debugger;
/// let debugger = Debugger::builder("/bin/echo").arg("hello").run()?;
/// debugger.cont()?;
/// debugger.wait()?;
/// assert_eq!(debugger.exit_code()?, Some(0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Builder {
    launch: Launch,
    settings: Settings,
}

/// What holds for all processes of a debugger.
#[derive(Debug, Clone, Copy, Default)]
struct Settings {
    follow_children: bool,
    escape_antidebug: bool,
    syscall_filter: SyscallFilterMode,
}

impl Builder {
    pub(crate) fn new(program: impl Into<PathBuf>) -> Self {
        Self { launch: Launch::new(program), settings: Settings::default() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, word: impl Into<OsString>) -> Self {
        self.launch.argv.push(word.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<W: Into<OsString>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.launch.argv.extend(words.into_iter().map(Into::into));
        self
    }

    /// Replaces the whole argument vector, the program's own name included.
    #[must_use]
    pub fn argv<W: Into<OsString>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.launch.argv = words.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a variable to the environment, which is empty but for such variables from the first one on.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.launch.env.get_or_insert_default().push((name.into(), value.into()));
        self
    }

    /// Starts from an empty environment.
    #[must_use]
    pub fn clear_env(mut self) -> Self {
        self.launch.env = Some(Vec::new());
        self
    }

    /// The working directory.
    #[must_use]
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.launch.directory = Some(path.into());
        self
    }

    /// Whether addresses are randomized (the default).
    #[must_use]
    pub fn aslr(mut self, on: bool) -> Self {
        self.launch.aslr = on;
        self
    }

    /// The standard streams.
    #[must_use]
    pub fn stdio(mut self, stdio: Stdio) -> Self {
        self.launch.stdio = stdio;
        self
    }

    /// Where the program stands first.
    #[must_use]
    pub fn start_at(mut self, place: StartAt) -> Self {
        self.launch.start_at = place;
        self
    }

    /// Whether the process ends with the debugger (the default).
    #[must_use]
    pub fn kill_on_exit(mut self, on: bool) -> Self {
        self.launch.kill_on_exit = on;
        self
    }

    /// Whether processes that the process creates get debuggers of their own, which [`Debugger::children`] lists
    /// (not by default: they run free).
    #[must_use]
    pub fn follow_children(mut self, on: bool) -> Self {
        self.settings.follow_children = on;
        self
    }

    /// Whether a program that looks for a debugger finds none ([`Debugger::set_escape_antidebug`]).
    #[must_use]
    pub fn escape_antidebug(mut self, on: bool) -> Self {
        self.settings.escape_antidebug = on;
        self
    }

    /// How handled system calls are told from the others ([`Debugger::set_syscall_filter`]).
    #[must_use]
    pub fn syscall_filter(mut self, mode: SyscallFilterMode) -> Self {
        self.settings.syscall_filter = mode;
        self
    }

    /// The description, to be run any number of times with [`Debugger::run`].
    pub fn launch(self) -> Launch {
        self.launch
    }

    fn debugger(&self) -> Result<Debugger> {
        let debugger = Debugger::new()?;
        debugger.set_follows_children(self.settings.follow_children);
        debugger.set_escape_antidebug(self.settings.escape_antidebug);
        debugger.set_syscall_filter(self.settings.syscall_filter);
        Ok(debugger)
    }

    /// Runs the program under a new debugger.
    ///
    /// # Errors
    /// As [`Debugger::new`] and [`Debugger::run`].
    pub fn run(self) -> Result<Debugger> {
        let debugger = self.debugger()?;
        debugger.run(&self.launch)?;
        Ok(debugger)
    }

    /// Attaches a new debugger to a live process instead.
    ///
    /// # Errors
    /// As [`Debugger::new`] and [`Debugger::attach`].
    pub fn attach(self, pid: Pid) -> Result<Debugger> {
        let debugger = self.debugger()?;
        debugger.attach(pid, self.launch.kill_on_exit)?;
        Ok(debugger)
    }
}
