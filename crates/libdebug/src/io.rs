//! The standard streams of the program under debug.
//!
//! Input is a pipe. Output is one pseudo-terminal per stream, in raw mode: bytes pass unchanged, and the
//! program's libc flushes at every line as it does for a terminal. [`Stdio::Terminal`] is one cooked terminal
//! for all three, and [`Stdio::Inherit`] leaves the program the host's own.
//!
//! Three rules hold for every receive:
//! - What has arrived is handed out before any error is.
//! - What is not handed out stays for the next receive: no error loses a byte.
//! - A stop or the death of the program ends the wait at once, but only after everything that the program wrote
//!   until then has been read (`receive` tells how).

mod buffer;
mod error;
mod foreground;
mod receive;
mod select;
mod send;
#[cfg(test)]
mod tests;
mod wait;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};

use libdebug_kernel::{KernelError, Latch, Pid, StdioPlan, Terminal, pipe};

pub use error::{IoError, Output};
pub(crate) use foreground::Foreground;
pub use receive::Until;
pub use select::{Seen, Watch};
pub use wait::{Check as WaitCheck, ProcessState, Wait};

use crate::mailbox::lock;
use receive::Inbox;

/// Where a program's standard streams lead.
///
/// ```
/// # fn main() -> libdebug::Result<()> {
/// use libdebug::{Debugger, Output, Stdio};
/// let debugger = Debugger::builder("/usr/bin/tty").stdio(Stdio::Terminal).run()?;
/// debugger.cont()?;
/// let line = debugger.with_io(None, |io, wait| io.recv_line(Output::Stdout, 1, true, wait))?;
/// assert!(line.starts_with(b"/dev/pts/"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Stdio {
    /// To the debugger: standard input is a pipe, standard output and error are a raw pseudo-terminal each
    /// (pty(7)), so that the program flushes every line.
    #[default]
    Piped,
    /// The host's own. The program's process group becomes the foreground group of the terminal on descriptor
    /// 0, if there is one, until the program dies.
    Inherit,
    /// To the debugger, over one terminal for all three: `isatty` says yes, input is echoed and edited, `\n` is
    /// sent as `\r\n`, and the terminal is the program's controlling one.
    Terminal,
}

/// The program's side of its streams, held until it has been started.
#[derive(Debug)]
pub(crate) struct ChildEnds(Ends);

#[derive(Debug)]
enum Ends {
    Inherited(Option<Foreground>),
    Streams([OwnedFd; 3]),
    Terminal(OwnedFd),
}

impl ChildEnds {
    /// The host's own streams, as they are.
    pub(crate) fn inherited() -> Self {
        Self(Ends::Inherited(None))
    }

    /// What to start the program with.
    pub(crate) fn plan(&self) -> StdioPlan<'_> {
        match &self.0 {
            Ends::Inherited(foreground) => StdioPlan::Inherit { foreground: foreground.is_some() },
            Ends::Streams([stdin, stdout, stderr]) => StdioPlan::Descriptors {
                stdin: stdin.as_fd(),
                stdout: stdout.as_fd(),
                stderr: stderr.as_fd(),
            },
            Ends::Terminal(terminal) => StdioPlan::ControllingTerminal(terminal.as_fd()),
        }
    }

    /// Closes them once `child` runs. What is left is the promise to take the terminal back from it; without a
    /// child, dropping the ends keeps that promise.
    pub(crate) fn started(self, child: Pid) -> Option<Foreground> {
        match self.0 {
            Ends::Inherited(foreground) => foreground.map(|foreground| foreground.given_to(child)),
            Ends::Streams(_) | Ends::Terminal(_) => None,
        }
    }
}

/// Opens a new program's streams: its ends and, unless they are the host's own, the debugger's.
///
/// # Errors
/// Too many open files or terminals.
pub(crate) fn open(stdio: Stdio) -> Result<(ChildEnds, Option<ProcessIo>), KernelError> {
    let (ends, io) = match stdio {
        Stdio::Inherit => (Ends::Inherited(Foreground::of_stdin()), None),
        Stdio::Piped => {
            let (input, output, errors) = (pipe()?, Terminal::open(true)?, Terminal::open(true)?);
            let io = ProcessIo::new(input.write, output.master, Some(errors.master))?;
            (Ends::Streams([input.read, output.slave, errors.slave]), Some(io))
        }
        Stdio::Terminal => {
            let terminal = Terminal::open(false)?;
            let input = terminal.master.try_clone().map_err(|error| error::kernel("dup", &error))?;
            (Ends::Terminal(terminal.slave), Some(ProcessIo::new(input, terminal.master, None)?))
        }
    };
    Ok((ChildEnds(ends), io))
}

/// The debugger's side of a program's streams.
///
/// Any thread may use it, several at once: a wait holds no lock. Two threads that receive from one stream share
/// its bytes out between them; two that send more than 4096 bytes at once may see them interleaved (pipe(7)).
///
/// Every method takes a [`Wait`], which [`Debugger::with_io`](crate::Debugger::with_io) makes:
///
/// ```
/// # fn main() -> libdebug::Result<()> {
/// use libdebug::{Debugger, Output, Until};
/// let debugger = Debugger::builder("/bin/cat").run()?;
/// debugger.cont()?;
/// let (first, rest) = debugger.with_io(None, |io, wait| {
///     io.send(b"name: value\n", wait)?;
///     let colon = Until { drop: true, ..Until::first(b": ") };
///     Ok((io.recv_until(Output::Stdout, colon, wait)?, io.recv_line(Output::Stdout, 1, true, wait)?))
/// })?;
/// assert_eq!((&first[..], &rest[..]), (&b"name"[..], &b"value"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ProcessIo {
    stdin: Mutex<Option<Arc<File>>>,
    stdout: Mutex<Inbox>,
    stderr: Mutex<Inbox>,
    /// One terminal serves all streams: standard error is on standard output.
    terminal: bool,
    closed: Latch,
}

impl ProcessIo {
    fn new(stdin: OwnedFd, stdout: OwnedFd, stderr: Option<OwnedFd>) -> Result<Self, KernelError> {
        Ok(Self {
            terminal: stderr.is_none(),
            stdin: Mutex::new(Some(Arc::new(File::from(stdin)))),
            stdout: Mutex::new(Inbox::new(Some(stdout))),
            stderr: Mutex::new(Inbox::new(stderr)),
            closed: Latch::opened()?,
        })
    }

    /// Whether the program has one terminal for all its streams ([`Stdio::Terminal`]): there is nothing to
    /// receive from standard error then, it arrives with standard output.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Closes all streams, drops what was not received, and ends the waits of other threads. The program sees
    /// the end of its input, and its output goes nowhere. Closing twice is no error.
    pub fn close(&self) {
        // Input last: its end may end the program, and who receives is to hear of this, not of that.
        lock(&self.stdout).close();
        lock(&self.stderr).close();
        lock(&self.stdin).take();
        self.closed.set();
    }

    /// Ends the program's input, so that it reads an end of file once it has read what was sent. A terminal gets
    /// its end-of-file character (`^D`), which counts at the beginning of a line.
    ///
    /// # Errors
    /// [`IoError::NoStdin`] when it is closed already; as [`ProcessIo::send`] for a terminal.
    pub fn close_stdin(&self, wait: &Wait<'_>) -> Result<(), IoError> {
        const END_OF_FILE: u8 = 4;
        if self.terminal {
            return self.send(&[END_OF_FILE], wait).map(drop);
        }
        lock(&self.stdin).take().map(drop).ok_or(IoError::NoStdin)
    }
}
