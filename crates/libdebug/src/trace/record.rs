use std::time::{Duration, SystemTime};

use libdebug_kernel::{Death, Pid, Signal, SignalInfo, SyscallCall, Tid};

use crate::unwind::Frame;

/// Something that a thread did, or that was done to it.
#[derive(Debug, Clone)]
pub struct TraceEvent {
    /// The process.
    pub process: Pid,
    /// The thread.
    pub thread: Tid,
    /// When it was seen.
    pub at: SystemTime,
    /// What it was.
    pub what: TraceWhat,
}

/// What an event was.
#[derive(Debug, Clone)]
pub enum TraceWhat {
    /// A call is about to be made.
    Enter(CallEnter),
    /// A call has been made.
    Exit(CallExit),
    /// A signal is about to be delivered.
    Signal(Signal, Option<SignalInfo>),
    /// The thread has stopped with its process, under job control.
    Stopped(Signal),
    /// The thread has ended.
    Ended(Death),
}

/// A call that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEnter {
    /// The call, with its arguments as numbers.
    pub call: SyscallCall,
    /// Its name; `syscall_0x123` where the table has none.
    pub name: String,
    /// Its arguments in words; `None` for a buffer that the kernel is going to fill.
    pub arguments: Vec<Option<String>>,
    /// Where it is made, innermost frame first: with [`TraceOptions::shows_stacks`](crate::TraceOptions::shows_stacks), else
    /// empty. So is that of the execve(2) with which the program began.
    pub stack: Vec<Frame>,
}

/// A call that has been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallExit {
    /// What it was at its entry.
    pub enter: CallEnter,
    /// All arguments in words, those that the kernel has filled too.
    pub arguments: Vec<String>,
    /// What it returned, a negative number of errno(3) for a failure.
    pub value: i64,
    /// The error's number, name and meaning, `ENOENT (No such file or directory)`.
    pub error: Option<(i32, String)>,
    /// The value in words: an address in hexadecimal digits, a descriptor with its file where that was asked for.
    pub text: String,
    /// How long it took, stops included.
    pub elapsed: Duration,
}
