//! Waiting for descriptors, interruptibly and without a race against signals.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{KernelError, Result};
use crate::sys::{block_signals, restore_signals};

/// A flag that threads can wait for: [`Latch::watch`] gives a descriptor that is readable in poll(2) while it is
/// set (an eventfd), opened when it is first watched. While nobody watches, setting and clearing it is no system call.
///
/// ```
/// use std::os::fd::AsFd;
/// use libdebug_kernel::{Interest, KernelError, Latch, Readiness, wait_ready};
/// let latch = Latch::new();
/// latch.set();
/// let watched = latch.watch()?;
/// let ready = wait_ready::<KernelError>(&[(watched.as_fd(), Interest::Read)], None, None)?;
/// assert_eq!(ready, Readiness::Ready(1));
/// # Ok::<(), KernelError>(())
/// ```
#[derive(Debug)]
pub struct Latch {
    set: AtomicBool,
    watchers: AtomicUsize,
    /// Whether the descriptor may be readable.
    readable: AtomicBool,
    /// Nobody is expected to watch it any more: the last one who does closes the descriptor.
    spare: AtomicBool,
    file: Mutex<Option<Arc<File>>>,
}

/// A latch that a thread waits for, or is about to: the descriptor follows the flag as long as this lives.
#[derive(Debug)]
pub struct Watched<'a> {
    latch: &'a Latch,
    file: Arc<File>,
}

impl Default for Latch {
    fn default() -> Self {
        Self::new()
    }
}

impl Latch {
    /// A latch, not set.
    pub const fn new() -> Self {
        Self {
            set: AtomicBool::new(false),
            watchers: AtomicUsize::new(0),
            readable: AtomicBool::new(false),
            spare: AtomicBool::new(false),
            file: Mutex::new(None),
        }
    }

    /// As [`Latch::new`], with its descriptor there already.
    ///
    /// # Errors
    /// As [`Latch::watch`].
    pub fn opened() -> Result<Self> {
        let latch = Self::new();
        latch.open()?;
        Ok(latch)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<File>>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is set; no system call.
    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Sets it and wakes all who wait for it.
    pub fn set(&self) {
        self.change(true);
    }

    /// Clears it.
    pub fn clear(&self) {
        self.change(false);
    }

    /// The descriptor to wait for, in line with the flag from here on. Look at the flag, watch, wait, and watch
    /// anew for the next wait: a descriptor that was readable says only that the flag was set at some time.
    ///
    /// # Errors
    /// What eventfd(2) says: too many open files.
    pub fn watch(&self) -> Result<Watched<'_>> {
        // Before the descriptor is looked for, so that nobody closes it from here on.
        self.watchers.fetch_add(1, Ordering::SeqCst);
        match self.open() {
            Ok(file) => {
                let watched = Watched { latch: self, file };
                self.follow();
                Ok(watched)
            }
            Err(error) => {
                self.leave();
                Err(error)
            }
        }
    }

    /// Says whether it is over with it: the descriptor is closed as soon as nobody watches, and opened again for
    /// whoever does.
    pub fn set_spare(&self, on: bool) {
        self.spare.store(on, Ordering::SeqCst);
        self.close_if_spare();
    }

    fn open(&self) -> Result<Arc<File>> {
        let mut slot = self.slot();
        match &*slot {
            Some(file) => Ok(Arc::clone(file)),
            None => Ok(Arc::clone(slot.insert(Arc::new(eventfd()?)))),
        }
    }

    fn leave(&self) {
        if self.watchers.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.close_if_spare();
        }
    }

    fn close_if_spare(&self) {
        if self.spare.load(Ordering::SeqCst) {
            let mut slot = self.slot();
            if self.watchers.load(Ordering::SeqCst) == 0 {
                *slot = None;
            }
        }
    }

    /// Whoever changes the flag looks for watchers afterwards; whoever watches looks at the flag afterwards. All
    /// four are in one order (SeqCst), so at least one of the two sees what the other did.
    fn change(&self, set: bool) {
        if self.set.swap(set, Ordering::SeqCst) != set && self.watchers.load(Ordering::SeqCst) > 0 {
            self.follow();
        }
    }

    /// Makes the descriptor say what the flag says. Several threads may be here at once, without a lock that a
    /// thread woken by the write would find taken: each looks at the flag again after it has changed the
    /// descriptor, so the last one to change it has seen the flag's last value.
    fn follow(&self) {
        // Without one, whoever is about to watch opens it, and comes here then.
        let Some(file) = self.slot().clone() else { return };
        loop {
            let set = self.set.load(Ordering::SeqCst);
            match set {
                true => self.make_readable(&file),
                false => self.make_unreadable(&file),
            }
            if self.set.load(Ordering::SeqCst) == set {
                return;
            }
        }
    }

    /// Also where it seems to be readable: somebody may be about to read.
    fn make_readable(&self, mut file: &File) {
        // Non-blocking, and it fails only where the descriptor is readable by far.
        let _ = file.write(&1_u64.to_ne_bytes());
        self.readable.store(true, Ordering::SeqCst);
    }

    /// "Readable" in error costs a read in vain, "not readable" in error would wake every wait for ever: hence the
    /// order here and above.
    fn make_unreadable(&self, mut file: &File) {
        if self.readable.swap(false, Ordering::SeqCst) {
            let _ = file.read(&mut [0; 8]);
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.latch.leave();
    }
}

impl AsFd for Watched<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn eventfd() -> Result<File> {
    // SAFETY: eventfd takes no pointers; a non-negative result is a descriptor that nobody else owns.
    unsafe {
        match libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) {
            -1 => Err(KernelError::last("eventfd")),
            fd => Ok(File::from(OwnedFd::from_raw_fd(fd))),
        }
    }
}

/// How a wait for descriptors ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Some are ready or hung up: one bit per descriptor, in order.
    Ready(u32),
    /// The deadline passed.
    TimedOut,
    /// A signal was handled meanwhile, by this thread or one that has told it.
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
/// Its error ends the wait. It may answer a descriptor, which interrupts the wait as soon as there is something to
/// read: for signals that another thread handles, as any may to which the kernel gives a signal of the process.
///
/// # Errors
/// What `check` answers; what ppoll(2) says as `E` made from [`KernelError`].
pub fn wait_ready<'a, E: From<KernelError>>(
    descriptors: &[(BorrowedFd<'_>, Interest)],
    deadline: Option<Instant>,
    check: Option<&dyn Fn() -> std::result::Result<Option<BorrowedFd<'a>>, E>>,
) -> std::result::Result<Readiness, E> {
    let Some(check) = check else { return Ok(poll(descriptors, None, deadline, None)?) };
    let mask = block_signals();
    let readiness = check().and_then(|alarm| Ok(poll(descriptors, alarm, deadline, Some(&mask.0))?));
    restore_signals(&mask);
    readiness
}

fn poll(
    descriptors: &[(BorrowedFd<'_>, Interest)],
    alarm: Option<BorrowedFd<'_>>,
    deadline: Option<Instant>,
    mask: Option<&libc::sigset_t>,
) -> Result<Readiness> {
    let mut entries: Vec<_> = descriptors.iter().map(entry).collect();
    entries.extend(alarm.map(|alarm| entry(&(alarm, Interest::Read))));
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
        _ => match ready_bits(&entries[..descriptors.len()]) {
            0 => Ok(Readiness::Interrupted),
            bits => Ok(Readiness::Ready(bits)),
        },
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
    use std::sync::atomic::AtomicU32;
    use std::thread;

    use super::*;

    fn wait(descriptors: &[(BorrowedFd<'_>, Interest)], seconds: u64) -> Readiness {
        let deadline = Some(Instant::now() + Duration::from_secs(seconds));
        wait_ready::<KernelError>(descriptors, deadline, None).unwrap()
    }

    fn look(latch: &Latch) -> Readiness {
        let watched = latch.watch().unwrap();
        wait(&[(watched.as_fd(), Interest::Read)], 0)
    }

    /// Blocks until the latch is set, as its users do.
    fn await_set(latch: &Latch) {
        while !latch.is_set() {
            let watched = latch.watch().unwrap();
            let waited = wait(&[(watched.as_fd(), Interest::Read)], 60);
            assert_ne!(waited, Readiness::TimedOut, "a wake-up was lost");
        }
    }

    fn is_readable(latch: &Latch) -> bool {
        let file = latch.slot().clone();
        file.is_some_and(|file| wait(&[(file.as_fd(), Interest::Read)], 0) == Readiness::Ready(1))
    }

    #[test]
    fn a_watched_latch_is_readable_exactly_while_set() {
        let latch = Latch::new();
        let watched = latch.watch().unwrap();
        let look = || wait(&[(watched.as_fd(), Interest::Read)], 0);
        assert_eq!(look(), Readiness::TimedOut);
        latch.set();
        latch.set();
        assert_eq!(look(), Readiness::Ready(1));
        latch.clear();
        assert_eq!(look(), Readiness::TimedOut);
    }

    #[test]
    fn nobody_touches_the_descriptor_of_a_latch_that_nobody_watches() {
        let latch = Latch::new();
        latch.set();
        assert!(latch.is_set() && !is_readable(&latch));
        assert_eq!(look(&latch), Readiness::Ready(1));
        latch.clear();
        assert!(!latch.is_set() && is_readable(&latch));
        assert_eq!(look(&latch), Readiness::TimedOut);
        latch.set();
        latch.clear();
        assert!(!is_readable(&latch));
    }

    #[test]
    fn a_spare_latch_keeps_its_descriptor_for_those_who_watch_only() {
        let latch = Latch::new();
        let watched = latch.watch().unwrap();
        latch.set_spare(true);
        latch.set();
        assert_eq!(wait(&[(watched.as_fd(), Interest::Read)], 0), Readiness::Ready(1));
        drop(watched);
        assert!(latch.slot().is_none());
        assert_eq!(look(&latch), Readiness::Ready(1));
        assert!(latch.slot().is_none());
        latch.set_spare(false);
        assert_eq!(look(&latch), Readiness::Ready(1));
        assert!(latch.slot().is_some());
    }

    #[test]
    fn the_checks_error_ends_the_wait() {
        let latch = Latch::new();
        let watched = latch.watch().unwrap();
        let error = KernelError::last("nothing");
        let result = wait_ready(&[(watched.as_fd(), Interest::Read)], None, Some(&|| Err(error)));
        assert_eq!(result, Err(error));
    }

    #[test]
    fn what_the_check_answers_interrupts_the_wait() {
        let (latch, alarm) = (Latch::new(), Latch::new());
        let (watched, told) = (latch.watch().unwrap(), alarm.watch().unwrap());
        let wait = || {
            let check = || Ok::<_, KernelError>(Some(told.as_fd()));
            let deadline = Some(Instant::now() + Duration::from_secs(60));
            wait_ready(&[(watched.as_fd(), Interest::Read)], deadline, Some(&check)).unwrap()
        };
        thread::scope(|scope| {
            scope.spawn(|| alarm.set());
            assert_eq!(wait(), Readiness::Interrupted);
        });
        latch.set();
        assert_eq!(wait(), Readiness::Ready(1), "what was waited for comes first");
    }

    #[test]
    fn a_latch_wakes_a_wait_for_several_descriptors() {
        let (one, other) = (Latch::new(), Latch::new());
        thread::scope(|scope| {
            let (first, second) = (one.watch().unwrap(), other.watch().unwrap());
            scope.spawn(|| other.set());
            let awaited = [(first.as_fd(), Interest::Read), (second.as_fd(), Interest::Read)];
            assert_eq!(wait(&awaited, 60), Readiness::Ready(2));
        });
    }

    /// Two threads pass the turn to each other, so that every set meets the other's way into its wait anew.
    #[test]
    fn no_wake_up_is_lost_between_two_who_take_turns() {
        const ROUNDS: u32 = 50_000;
        let (ping, pong) = (Latch::new(), Latch::new());
        thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    await_set(&ping);
                    ping.clear();
                    linger(round % 97);
                    pong.set();
                }
            });
            for round in 0..ROUNDS {
                linger(round % 89);
                ping.set();
                await_set(&pong);
                pong.clear();
            }
        });
    }

    /// One sets and clears; each change is told to all the others, who sleep, look, and come back at any time.
    #[test]
    fn no_wake_up_is_lost_with_several_waiters() {
        const ROUNDS: u32 = 10_000;
        const WAITERS: u32 = 3;
        let (latch, over) = (Latch::new(), Latch::new());
        let (arrived, left) = (AtomicU32::new(0), AtomicU32::new(0));
        let reached = |count: &AtomicU32, wanted: u32| {
            while count.load(Ordering::Acquire) < wanted {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            for waiter in 0..WAITERS {
                let (latch, over, arrived, left) = (&latch, &over, &arrived, &left);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        linger((round * (waiter + 1)) % 83);
                        await_set(latch);
                        arrived.fetch_add(1, Ordering::AcqRel);
                        await_set(over);
                        left.fetch_add(1, Ordering::AcqRel);
                        reached(left, (round + 1) * WAITERS);
                    }
                });
            }
            for round in 1..=ROUNDS {
                linger(round % 101);
                over.clear();
                latch.set();
                reached(&arrived, round * WAITERS);
                latch.clear();
                over.set();
                reached(&left, round * WAITERS);
            }
        });
    }

    /// Whatever order many changes from many threads end up in, the descriptor agrees with the flag at the end.
    #[test]
    fn the_descriptor_follows_changes_from_many_threads() {
        let latch = Latch::new();
        for round in 0..2_000_u32 {
            let watched = latch.watch().unwrap();
            thread::scope(|scope| {
                for setter in [true, false] {
                    let latch = &latch;
                    scope.spawn(move || {
                        for step in 0..20 + round % 7 {
                            linger(step);
                            if setter { latch.set() } else { latch.clear() }
                        }
                    });
                }
            });
            let readable = wait(&[(watched.as_fd(), Interest::Read)], 0) == Readiness::Ready(1);
            assert_eq!(readable, latch.is_set());
        }
    }

    fn linger(turns: u32) {
        for _ in 0..turns {
            std::hint::spin_loop();
        }
    }
}
