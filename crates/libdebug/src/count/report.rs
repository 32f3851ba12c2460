use std::time::Duration;

use libdebug_kernel::{Death, Pid, Tid};

/// Why a count ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountEnd {
    /// Everything that was counted has ended.
    Finished,
    /// The limit was reached.
    Limit,
    /// It was told to end.
    Stopped,
}

/// The instructions of one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadCount {
    /// Its process.
    pub process: Pid,
    /// Its tid.
    pub thread: Tid,
    /// How many instructions it executed.
    pub instructions: u64,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// All instructions in user mode.
    pub instructions: u64,
    /// Those of each thread, in the order in which they ended.
    pub threads: Vec<ThreadCount>,
    /// Those of each name that was asked for, most first. Their sum is the number of all.
    pub groups: Vec<(String, u64)>,
    /// Those of each stack, with [`CountBy::Stack`](crate::CountBy::Stack): the program and its functions, outermost first. Their sum is the number of all.
    pub stacks: Vec<(Vec<String>, u64)>,
    /// How the first process ended; `None` when it goes on.
    pub death: Option<Death>,
    /// Why the count ended.
    pub end: CountEnd,
    /// How long it took.
    pub elapsed: Duration,
}

impl Count {
    /// The code that the first process exited with; `None` when it was killed or goes on.
    pub fn exit_code(&self) -> Option<i32> {
        match self.death {
            Some(Death::Exited(code)) => Some(code),
            _ => None,
        }
    }
}
