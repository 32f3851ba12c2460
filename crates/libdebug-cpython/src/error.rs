//! What is answered instead of a value.

use libdebug::Pid;

use crate::version::Version;

/// Why something about a Python program could not be told or done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The debugger could not do its part: the process has died, may not be looked at, memory cannot be read.
    #[error(transparent)]
    Debugger(#[from] libdebug::Error),
    /// The interpreter has not come to a place where it can run code.
    #[error("the code has not begun to run within {:.1} s, and will not any more: {activity}", waited.as_secs_f64())]
    NotReached {
        /// How long was waited.
        waited: std::time::Duration,
        /// Which thread it was to run in, and what that does instead.
        activity: String,
    },
    /// The program has ended, or closed the channel to the code in it.
    #[error("the program has ended, or has closed the channel to the code that was run in it")]
    ChannelClosed,
    /// The channel to the code in the program has failed.
    #[error("the channel to the code in the program: {0}")]
    Channel(std::io::Error),
    /// A function that the code needs is not there.
    #[error("the program has no {0}: no code can be run in it")]
    MissingFunction(&'static str),
    /// The program's kernel has refused a system call that prepares the code.
    #[error("the program was refused {call}: {}", std::io::Error::from_raw_os_error(*errno))]
    Refused {
        /// The system call.
        call: &'static str,
        /// The error number (errno(3)).
        errno: i32,
    },
    /// What was asked for cannot be, as the code in the program says.
    #[error("{}", .0.trim_end())]
    Raised(String),
    /// No thread is called so.
    #[error("the program has no thread {0}")]
    NoSuchThread(String),
    /// Code cannot be run in the program as it is now.
    #[error("no code can be run in the program: {0}")]
    NotNow(String),
    /// No image of the process is an interpreter's.
    #[error(
        "process {pid} is no Python program that can be looked into: it executes {program}, and neither that nor a library of it has an interpreter's symbols"
    )]
    NotPython {
        /// The process.
        pid: Pid,
        /// The file that it executes.
        program: String,
    },
    /// A Python, but not CPython.
    #[error("process {pid} runs {name} ({image}): only CPython can be looked into")]
    OtherImplementation {
        /// The process.
        pid: Pid,
        /// The implementation.
        name: &'static str,
        /// The file that has the interpreter.
        image: String,
    },
    /// A CPython of another version.
    #[error("process {pid} runs CPython {found} ({image}): only versions 3.8 to 3.15 can be looked into")]
    OtherVersion {
        /// The process.
        pid: Pid,
        /// The version as the interpreter tells it.
        found: String,
        /// The file that has the interpreter.
        image: String,
    },
    /// A program for another processor.
    #[error(
        "process {pid} executes {program}, which is not for x86-64: only 64-bit programs can be looked into"
    )]
    OtherMachine {
        /// The process.
        pid: Pid,
        /// The file that it executes.
        program: String,
    },
    /// The interpreter is there, but has not begun.
    #[error(
        "the Python interpreter of process {0} is not initialized yet, or not any more: try again when it runs"
    )]
    NotInitialized(Pid),
    /// The program is not there any more.
    #[error("the Python program of process {0} has ended, or the process executes another program")]
    Gone(Pid),
    /// What is in memory is not what this version has there.
    #[error("the memory of CPython {version} in process {pid} is not as expected: {what}")]
    Unexpected {
        /// The process.
        pid: Pid,
        /// The version.
        version: Version,
        /// What could not be understood.
        what: &'static str,
    },
}

/// A value, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;
