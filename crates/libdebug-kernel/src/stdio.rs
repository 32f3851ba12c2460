//! Pipes and pseudo-terminals for a program's standard streams.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::error::{KernelError, Result};
use crate::ids::{Errno, Pid, Signal};
use crate::sys::{block, block_signals, restore_signals, signal_set, take_pending};

/// Both ends of a pipe, closed on exec and above the standard descriptors.
#[derive(Debug)]
pub struct Pipe {
    /// The end to read from.
    pub read: OwnedFd,
    /// The end to write to, non-blocking.
    pub write: OwnedFd,
}

/// Opens a pipe, as pipe2(2) with `O_CLOEXEC`.
///
/// # Errors
/// Too many open files.
pub fn pipe() -> Result<Pipe> {
    let mut ends = [0; 2];
    // SAFETY: `ends` takes the two descriptors.
    let pipe = match unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } {
        0 => Pipe { read: own(ends[0])?, write: own(ends[1])? },
        _ => return Err(KernelError::last("pipe2")),
    };
    // SAFETY: F_SETFL takes an int; the flag is one of this end's open file description alone.
    match unsafe { libc::fcntl(pipe.write.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } {
        0 => Ok(pipe),
        _ => Err(KernelError::last("fcntl")),
    }
}

/// Writes as write(2) does, but a pipe that nobody reads is an error and nothing else: no SIGPIPE, whatever the
/// host has made of that signal.
///
/// # Errors
/// What write(2) says: `EAGAIN` when there is no room in what is non-blocking, `EPIPE`.
pub fn write_quietly(descriptor: BorrowedFd<'_>, data: &[u8]) -> Result<usize> {
    let broken = signal_set(Signal::PIPE);
    let mask = block(&broken);
    // SAFETY: `data` is valid for its length.
    let written = unsafe { libc::write(descriptor.as_raw_fd(), data.as_ptr().cast(), data.len()) };
    let result = usize::try_from(written).map_err(|_| KernelError::last("write"));
    if result.is_err_and(|error| error.errno() == Errno(libc::EPIPE)) {
        // The signal is this thread's own (signal(7)), pending now unless it is ignored.
        take_pending(&broken);
    }
    restore_signals(&mask);
    result
}

/// Both sides of a pseudo-terminal (pty(7)), closed on exec and above the standard descriptors.
#[derive(Debug)]
pub struct Terminal {
    /// The debugger's side, non-blocking.
    pub master: OwnedFd,
    /// The program's side.
    pub slave: OwnedFd,
}

impl Terminal {
    /// Opens a pseudo-terminal; `raw` as cfmakeraw(3) leaves it: bytes pass through unchanged and unechoed.
    ///
    /// # Errors
    /// Too many open files or terminals.
    pub fn open(raw: bool) -> Result<Self> {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: posix_openpt takes no pointers.
        let master = own(unsafe { libc::posix_openpt(flags | libc::O_NONBLOCK) })?;
        let slave = open_slave(&master, flags)?;
        if raw {
            make_raw(&slave)?;
        }
        Ok(Self { master, slave })
    }
}

/// Unlocks the slave and opens it without its name (ioctl_tty(2), TIOCGPTPEER), so that a container's missing
/// /dev/pts entry does not matter.
fn open_slave(master: &OwnedFd, flags: i32) -> Result<OwnedFd> {
    let unlock: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int; TIOCGPTPEER takes flags by value.
    unsafe {
        if libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlock) != 0 {
            return Err(KernelError::last("ioctl(TIOCSPTLCK)"));
        }
        own(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags))
    }
}

fn make_raw(terminal: &OwnedFd) -> Result<()> {
    // SAFETY: termios is plain data that tcgetattr fills and tcsetattr reads.
    let done = unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        libc::tcgetattr(terminal.as_raw_fd(), &mut settings) == 0 && {
            libc::cfmakeraw(&mut settings);
            libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &settings) == 0
        }
    };
    if done { Ok(()) } else { Err(KernelError::last("tcsetattr")) }
}

/// Takes a fresh descriptor, moved above 2: a host may have closed its standard streams, and a child's `dup2`
/// to 0, 1 and 2 must not overwrite what it still has to copy.
fn own(fd: i32) -> Result<OwnedFd> {
    match fd {
        -1 => Err(KernelError::last("open")),
        // SAFETY: the system call that answered `fd` has just made it, so nobody else owns it.
        fd if fd > 2 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        fd => {
            // SAFETY: as above.
            let low = unsafe { OwnedFd::from_raw_fd(fd) };
            // SAFETY: F_DUPFD_CLOEXEC takes no pointers; the low one is closed by its drop.
            own(unsafe { libc::fcntl(low.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) })
        }
    }
}

/// The foreground process group of a terminal; `None` when `terminal` is none of ours.
pub fn terminal_foreground(terminal: BorrowedFd<'_>) -> Option<Pid> {
    // SAFETY: tcgetpgrp takes no pointers.
    match unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) } {
        -1 => None,
        group => Some(Pid(group)),
    }
}

/// Makes `group` the terminal's foreground process group, also from a background group (tcsetpgrp(3): SIGTTOU
/// must be blocked for that).
///
/// # Errors
/// Not our controlling terminal, or no such group in this session.
pub fn set_foreground(terminal: BorrowedFd<'_>, group: Pid) -> Result<()> {
    let mask = block_signals();
    // SAFETY: tcsetpgrp takes no pointers.
    let result = match unsafe { libc::tcsetpgrp(terminal.as_raw_fd(), group.0) } {
        0 => Ok(()),
        _ => Err(KernelError::last("tcsetpgrp")),
    };
    restore_signals(&mask);
    result
}
