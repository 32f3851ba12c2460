//! Waiting for descriptors, interruptibly and without a race against signals.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{KernelError, Result};
use crate::sys::{block_signals, restore_signals};

/// A flag that threads can wait for: readable in poll(2) while set (an eventfd).
#[derive(Debug)]
pub struct Latch {
    set: AtomicBool,
    file: File,
}

impl Latch {
    /// A latch, not set.
    ///
    /// # Errors
    /// What eventfd(2) says: too many open files.
    pub fn new() -> Result<Self> {
        // SAFETY: eventfd takes no pointers; a non-negative result is a descriptor that nobody else owns.
        let file = unsafe {
            match libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) {
                -1 => return Err(KernelError::last("eventfd")),
                fd => File::from(OwnedFd::from_raw_fd(fd)),
            }
        };
        Ok(Self { set: AtomicBool::new(false), file })
    }

    /// Whether it is set; no system call.
    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Sets it and wakes all who wait for it.
    pub fn set(&self) {
        if !self.set.swap(true, Ordering::AcqRel) {
            // The counter was 0, so adding 1 can neither block nor fail.
            let _ = (&self.file).write(&1_u64.to_ne_bytes());
        }
    }

    /// Clears it.
    pub fn clear(&self) {
        if self.set.swap(false, Ordering::AcqRel) {
            let _ = (&self.file).read(&mut [0; 8]);
        }
    }

    /// For a wait that found it readable but not set: whoever saw the flag of [`Latch::set`] cleared it before
    /// the descriptor was written to. Without this, every further wait would end at once.
    pub fn absorb_late_set(&self) {
        let _ = (&self.file).read(&mut [0; 8]);
        if self.is_set() {
            // Set once more meanwhile, and it was that which was read.
            let _ = (&self.file).write(&1_u64.to_ne_bytes());
        }
    }
}

impl AsFd for Latch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// How a wait for descriptors ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Some are ready or hung up: one bit per descriptor, in order.
    Ready(u32),
    /// The deadline passed.
    TimedOut,
    /// A signal was handled by this thread meanwhile.
    Interrupted,
}

/// What a wait waits for on a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or the end.
    Read,
    /// Room to write.
    Write,
}

/// Blocks until one of `descriptors` is ready (or hung up), the deadline passes, or a signal handler ran in
/// this thread.
///
/// `check` runs with all signals blocked, right before the wait lets them in again (ppoll(2)): a signal that
/// comes after it ends the wait, so what it looks at, such as Python's pending-signals flag, cannot be missed.
/// Its error ends the wait.
///
/// # Errors
/// What `check` answers; what ppoll(2) says as `E` made from [`KernelError`].
pub fn wait_ready<E: From<KernelError>>(
    descriptors: &[(BorrowedFd<'_>, Interest)],
    deadline: Option<Instant>,
    check: Option<&dyn Fn() -> std::result::Result<(), E>>,
) -> std::result::Result<Readiness, E> {
    let Some(check) = check else { return Ok(poll(descriptors, deadline, None)?) };
    let mask = block_signals();
    let readiness = check().and_then(|()| Ok(poll(descriptors, deadline, Some(&mask.0))?));
    restore_signals(&mask);
    readiness
}

fn poll(
    descriptors: &[(BorrowedFd<'_>, Interest)],
    deadline: Option<Instant>,
    mask: Option<&libc::sigset_t>,
) -> Result<Readiness> {
    let mut entries: Vec<_> = descriptors.iter().map(entry).collect();
    let timeout = deadline.map(|deadline| time_spec(deadline.saturating_duration_since(Instant::now())));
    // SAFETY: `entries`, `timeout` and `mask` are live for the call; null where absent.
    let ready = unsafe {
        let timeout = timeout.as_ref().map_or(std::ptr::null(), |timeout| timeout);
        let mask = mask.map_or(std::ptr::null(), |mask| mask);
        libc::ppoll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, timeout, mask)
    };
    match ready {
        -1 if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {
            Ok(Readiness::Interrupted)
        }
        -1 => Err(KernelError::last("ppoll")),
        0 => Ok(Readiness::TimedOut),
        _ => Ok(Readiness::Ready(ready_bits(&entries))),
    }
}

fn entry(&(descriptor, interest): &(BorrowedFd<'_>, Interest)) -> libc::pollfd {
    let events = match interest {
        Interest::Read => libc::POLLIN,
        Interest::Write => libc::POLLOUT,
    };
    libc::pollfd { fd: descriptor.as_raw_fd(), events, revents: 0 }
}

fn ready_bits(entries: &[libc::pollfd]) -> u32 {
    entries.iter().enumerate().filter(|(_, entry)| entry.revents != 0).map(|(bit, _)| 1 << bit).sum()
}

fn time_spec(duration: Duration) -> libc::timespec {
    let seconds = libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX);
    libc::timespec { tv_sec: seconds, tv_nsec: i64::from(duration.subsec_nanos()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latch_is_readable_exactly_while_set() {
        let latch = Latch::new().unwrap();
        let past = Some(Instant::now());
        let look = || wait_ready::<KernelError>(&[(latch.as_fd(), Interest::Read)], past, None).unwrap();
        assert_eq!(look(), Readiness::TimedOut);
        latch.set();
        latch.set();
        assert_eq!(look(), Readiness::Ready(1));
        latch.clear();
        assert_eq!(look(), Readiness::TimedOut);
    }

    #[test]
    fn a_set_that_was_cleared_before_it_was_complete_wakes_nobody_for_ever() {
        let latch = Latch::new().unwrap();
        let past = Some(Instant::now());
        let look = || wait_ready::<KernelError>(&[(latch.as_fd(), Interest::Read)], past, None).unwrap();
        // What is left when `clear` runs between the two halves of `set`.
        (&latch.file).write_all(&1_u64.to_ne_bytes()).unwrap();
        assert_eq!((latch.is_set(), look()), (false, Readiness::Ready(1)));
        latch.absorb_late_set();
        assert_eq!(look(), Readiness::TimedOut);
        latch.set();
        latch.absorb_late_set();
        assert_eq!((latch.is_set(), look()), (true, Readiness::Ready(1)));
    }

    #[test]
    fn the_checks_error_ends_the_wait() {
        let latch = Latch::new().unwrap();
        let error = KernelError::last("nothing");
        let result = wait_ready(&[(latch.as_fd(), Interest::Read)], None, Some(&|| Err(error)));
        assert_eq!(result, Err(error));
    }
}
