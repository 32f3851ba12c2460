//! What a debugger answers instead of a value, each with what the caller can do about it.

use std::path::PathBuf;
use std::time::Duration;

use libdebug_arch::x86_64::RegisterError;
use libdebug_arch::{SyscallAbi, syscalls};
use libdebug_image::ImageError;
use libdebug_kernel::{Death, Errno, KernelError, Pid, Signal, Tid};

use crate::near::{hint, nearest};
use crate::refusal::{AttachRefusal, spawn_reason};

/// The result of a debugger's operation.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the host program: a callback's, or what a wait was ended with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation was refused or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is being debugged: not run yet, killed, or detached.
    #[error("no process is being debugged: run a program or attach to one first")]
    NoProcess,
    /// A callback has lent the process to another debugger and ended without taking it back.
    #[error("a callback has ended while another debugger has the process: it has to take it back before")]
    LeftHandedOver,
    /// Another debugger has the process.
    #[error("another debugger has the process: take it back first")]
    HandedOver,
    /// The process or thread has ended; what it left (registers, exit code) can still be read.
    #[error("thread {tid} is dead ({})", .how.map_or("killed".to_owned(), describe_death))]
    Died {
        /// The thread.
        tid: Tid,
        /// How it ended, where that is known yet.
        how: Option<Death>,
    },
    /// Not to be called from inside a callback, which runs in the middle of a stop.
    #[error("{0} cannot be called in a callback")]
    InCallback(&'static str),
    /// A 32-bit program.
    #[error("{} is a 32-bit program: only 64-bit programs (amd64) can be debugged", .0.display())]
    Narrow(PathBuf),
    /// The program could not be started.
    #[error("cannot run {}: {}", .path.display(), spawn_reason(.path, call, *.errno))]
    Spawn {
        /// The file that was to be executed.
        path: PathBuf,
        /// The system call that failed in the new process.
        call: &'static str,
        /// Why.
        errno: Errno,
    },
    /// Attaching was refused.
    #[error("cannot attach to process {pid}: {refusal}")]
    AttachDenied {
        /// The process.
        pid: Pid,
        /// Why, as far as that can be told.
        refusal: AttachRefusal,
    },
    /// There is no such process, or it is dead already.
    #[error("there is no live process {0} to attach to")]
    NoSuchProcess(Pid),
    /// Memory that is not there.
    #[error("cannot {operation} {size} bytes at {address:#x} of process {pid}: {}", in_reach(*.done))]
    BadAddress {
        /// `read` or `write`.
        operation: &'static str,
        /// The process.
        pid: Pid,
        /// Where it should start.
        address: u64,
        /// How many bytes were asked for.
        size: usize,
        /// How many there were from `address` on.
        done: usize,
    },
    /// An address that belongs to no map of the file that it should be relative to.
    #[error("Address {address:#x} does not belong to any memory map{}.", in_file(.file))]
    NotMapped {
        /// The address, as it was given.
        address: u64,
        /// The file that was named; empty for the whole process.
        file: String,
    },
    /// No map has such a backing file.
    #[error("no memory map is backed by a file called {0:?}")]
    NoSuchFile(String),
    /// No map is what was chosen, for what the text says.
    #[error("No memory map found for the specified {0}.")]
    NoSuchMap(&'static str),
    /// Memory cannot be searched like this.
    #[error("{0}")]
    BadSearch(&'static str),
    /// No image has such a symbol.
    #[error("symbol {name:?} was not found{}: pass an address, or a symbol of a mapped file{}", in_file(.file), hint(.near.as_deref()))]
    NoSuchSymbol {
        /// The symbol.
        name: String,
        /// The file that was named; empty for the whole process.
        file: String,
        /// A symbol of nearly that name.
        near: Option<String>,
    },
    /// The symbol names a variable of which every thread has its own.
    #[error("{0:?} is a thread-local variable: every thread has its own, and the symbol no address")]
    ThreadLocal(String),
    /// The debugger is told to look for no symbols.
    #[error("Symbol resolution is disabled. Choose a higher level of symbols (`sym_lvl`)")]
    SymbolsDisabled,
    /// No code of a source line.
    #[error("no code of line {line} of {file:?} is known: {reason}")]
    NoSuchLine {
        /// The file, as it was given.
        file: String,
        /// The line.
        line: u32,
        /// Why there is none.
        reason: &'static str,
    },
    /// No debug information describes such a variable.
    #[error("no variable {0:?} is known: is the program compiled with -g?")]
    NoSuchVariable(String),
    /// `symbol+offset` with an offset that is not hexadecimal.
    #[error("{0:?} is not a symbol or symbol+hexadecimal offset")]
    BadSymbol(String),
    /// The frame that a thread is in has no caller, or nothing tells which.
    #[error("thread {0} is in its outermost frame, or nothing tells where it returns to")]
    NoReturnAddress(Tid),
    /// A breakpoint that cannot be.
    #[error("{0}")]
    Breakpoint(#[from] BreakpointError),
    /// SIGKILL and SIGSTOP take effect before anybody is asked.
    #[error("{0} cannot be caught: the kernel asks nobody before it takes effect")]
    Uncatchable(Signal),
    /// The table has no system call of that name.
    #[error("Syscall {name:?} not found{}", hint(*.near))]
    NoSuchSyscall {
        /// The name.
        name: String,
        /// A system call of nearly that name.
        near: Option<&'static str>,
    },
    /// System calls have six arguments, 0 to 5.
    #[error("system calls have arguments 0 to 5, and no argument {0}")]
    NoSuchArgument(usize),
    /// It would be put in its own place.
    #[error("a {0} cannot be hijacked by itself: choose another one to take its place")]
    SelfHijack(&'static str),
    /// The program could not be filtered for a system call.
    #[error("the program takes no system call filter (seccomp answers {0}): use the mode `ptrace`")]
    Filter(i64),
    /// A filter in the program would outlive its debugger.
    #[error("the process has a system call filter, with which it cannot live without its debugger: {0}")]
    Filtered(&'static str),
    /// A function that the debugger has had the program call came to a fault. The thread is where it was before.
    #[error(
        "the called function came to {signal} at {address:#x}; the thread is where it was before the call"
    )]
    CallFault {
        /// The signal, which the program has not got.
        signal: Signal,
        /// The address that could not be accessed, or the instruction.
        address: u64,
    },
    /// A breakpoint, a signal or an interrupt has stopped a called function. The thread is where it was before.
    #[error(
        "the call of {function:#x} was stopped before it returned; the thread is where it was before the call"
    )]
    CallStopped {
        /// The function.
        function: u64,
    },
    /// Handlers put each other's calls or signals in place of their own, for ever.
    #[error("{0} hijacking loop detected. Check your code to avoid infinite loops.")]
    HijackLoop(&'static str),
    /// A register that cannot be read or written so.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// A number that is no signal's.
    #[error("there is no signal {0}: signals have the numbers 1 to 64")]
    NoSuchSignal(i32),
    /// This CPU has no register of that name.
    #[error("there is no register called {0:?} on this CPU")]
    NoSuchRegister(String),
    /// A list of system calls that says nothing.
    #[error("no list of system calls: {0}")]
    BadChoice(String),
    /// A trace of instructions keeps general registers and flags.
    #[error("{0} is wider than 64 bits: a trace of instructions keeps general and special registers only")]
    UnsuitableRegister(&'static str),
    /// A file that is not an ELF image that we can read.
    #[error("{}: {error}", .path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: ImageError,
    },
    /// A file that cannot be opened.
    #[error("{}: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A wait took longer than it was allowed to.
    #[error("the process did not stop within {} s: {}", .waited.as_secs_f64(), activities(.threads, .children))]
    Timeout {
        /// How long it was waited.
        waited: Duration,
        /// What each thread is doing.
        threads: Vec<(Tid, String)>,
        /// Children that stand still until somebody lets them go on: the process may be waiting for one.
        children: Vec<Pid>,
    },
    /// A callback failed; the process is stopped where it was called.
    #[error("unhandled error in a callback: {0}")]
    Callback(#[source] BoxError),
    /// The host ended a wait, as Ctrl-C does.
    #[error("interrupted: {0}")]
    Interrupted(#[source] BoxError),
    /// The answer is not to be had without waiting, in [`Debugger::at_once`](crate::Debugger::at_once).
    #[error("the process has to be waited for")]
    WouldWait,
    /// An instruction that cannot be stepped over or called as asked.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The debugger's thread is gone: it was terminated, or this process was forked from the one that made it.
    #[error("this debugger was terminated, or made before a fork: make a new one")]
    Terminated,
    /// A snapshot that cannot answer, or be made.
    #[error(transparent)]
    Snapshot(#[from] crate::snapshot::SnapshotError),
    /// The input or output of the process.
    #[error(transparent)]
    Io(#[from] crate::io::IoError),
    /// The kernel refused for another reason.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// Why there can be no such breakpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BreakpointError {
    /// The address is not mapped, so no trap can be written there.
    #[error("cannot set a breakpoint at {0:#x}: the address is not mapped")]
    Unmapped(u64),
    /// It was removed, or belongs to a program that is not being debugged any more.
    #[error("the breakpoint at {0:#x} was removed: set a new one")]
    Removed(u64),
    /// All debug registers are taken.
    #[error("No more hardware breakpoints of this type available: the CPU has 4 debug registers")]
    NoFreeRegister,
    /// The CPU or the kernel cannot watch this.
    #[error("cannot set a hardware breakpoint at {address:#x}: {reason}")]
    Hardware {
        /// Where.
        address: u64,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// There is no system call `name`, but perhaps one of nearly that name.
    pub(crate) fn no_such_syscall(name: &str) -> Self {
        let near = nearest(name, syscalls(SyscallAbi::X86_64).map(|call| call.name));
        Self::NoSuchSyscall { name: name.to_owned(), near }
    }

    /// The text without the path of the file that it is about, where there is one.
    pub fn without_path(&self) -> String {
        match self {
            Self::Spawn { path, call, errno } => {
                format!("cannot be run: {}", spawn_reason(path, call, *errno))
            }
            Self::File { error, .. } => error.to_string(),
            error => error.to_string(),
        }
    }

    /// Whether the error says that a tracee died, which is an ordinary thing.
    pub fn is_death(&self) -> bool {
        matches!(self, Self::Died { .. } | Self::Kernel(KernelError::Gone { .. }))
    }
}

fn describe_death(death: Death) -> String {
    // SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV
    const FAULTS: [i32; 5] = [4, 6, 7, 8, 11];
    match death {
        Death::Exited(code) => format!("exited with code {code}"),
        Death::Killed(signal) if FAULTS.contains(&signal.0) => {
            format!("killed by {signal}: a catcher of {signal} stops it before its death")
        }
        Death::Killed(signal) => format!("killed by {signal}"),
    }
}

fn in_reach(done: usize) -> String {
    if done == 0 { "nothing is mapped there".to_owned() } else { format!("only {done} are mapped") }
}

fn in_file(file: &str) -> String {
    if file.is_empty() { String::new() } else { format!(" of {file:?}") }
}

pub(crate) fn activities(threads: &[(Tid, String)], children: &[Pid]) -> String {
    let threads = threads.iter().map(|(tid, doing)| format!("thread {tid} is {doing}"));
    let still = |pid| format!("its child {pid} stands still until it is told to go on (see `children`)");
    threads.chain(children.iter().map(still)).collect::<Vec<_>>().join(", ")
}
