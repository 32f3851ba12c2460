//! What input and output answer instead of bytes.

use std::fmt;
use std::io;

use libdebug_kernel::{Errno, KernelError, Tid};

use crate::error::BoxError;

/// A stream that can be received from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Output {
    /// Standard output, descriptor 1.
    Stdout,
    /// Standard error, descriptor 2.
    Stderr,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

/// Why a program's input or output did not go through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// The deadline passed first.
    #[error("Timeout reached{}{meanwhile}", kept(.received))]
    Timeout {
        /// What has arrived; it stays there for the next receive.
        received: Vec<u8>,
        /// What the program was doing instead, in words behind a colon; empty where nobody looked.
        meanwhile: String,
    },
    /// The program, and everything else that could write, has closed the stream.
    #[error("Broken {stream} pipe. Is the child process still alive?{}", kept(.received))]
    Broken {
        /// Which.
        stream: Output,
        /// What had arrived before; it stays there for the next receive.
        received: Vec<u8>,
    },
    /// The program is stopped, so nothing more can arrive until it is continued.
    #[error(
        "Receive until error. The debugged process has stopped due to the following event(s). {events}{}",
        kept(.received)
    )]
    Stopped {
        /// Why each thread stands where it stands.
        events: String,
        /// What has arrived; it stays there for the next receive.
        received: Vec<u8>,
    },
    /// There is no such stream, or this side has closed it.
    #[error("No {0} pipe of the child process")]
    NoOutput(Output),
    /// Standard input is closed on this side.
    #[error("No stdin pipe of the child process")]
    NoStdin,
    /// Nobody can read standard input any more.
    #[error("Broken pipe. Is the child process still running?")]
    BrokenStdin,
    /// The deadline passed before everything was sent.
    #[error("Timeout reached: {sent} of {size} bytes were sent, the stdin pipe is full")]
    SendTimeout {
        /// How many bytes went through.
        sent: usize,
        /// How many there were.
        size: usize,
    },
    /// The pipe is full and the program is stopped: it reads on when it is continued.
    #[error("{sent} of {size} bytes were sent: the stdin pipe is full and the process is stopped. {events}")]
    Stalled {
        /// How many bytes went through.
        sent: usize,
        /// How many there were.
        size: usize,
        /// Why each thread stands where it stands.
        events: String,
    },
    /// Zero occurrences, or zero lines.
    #[error("The number of occurrences to receive must be positive")]
    InvalidCount,
    /// The check of the [`Wait`](crate::Wait) ended it.
    #[error("interrupted: {0}")]
    Interrupted(#[source] BoxError),
    /// The kernel refused for another reason.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// Tells of bytes that an error leaves behind, the newest of them in full.
fn kept(received: &[u8]) -> String {
    const SHOWN: usize = 80;
    let tail = &received[received.len().saturating_sub(SHOWN)..];
    match received.len() {
        0 => String::new(),
        size if size > SHOWN => format!(" ({size} bytes wait to be received, ending in {:?})", Bytes(tail)),
        _ => format!(" (received so far, and kept: {:?})", Bytes(tail)),
    }
}

/// Bytes as a literal of Rust and Python alike.
struct Bytes<'a>(&'a [u8]);

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// A failed system call of the standard library's.
pub(super) fn kernel(call: &'static str, error: &io::Error) -> KernelError {
    KernelError::Failed { tid: Tid(0), call, errno: Errno(error.raw_os_error().unwrap_or(0)) }
}
