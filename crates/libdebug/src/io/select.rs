//! Waiting for several things at once, for whoever passes a conversation on.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use libdebug_kernel::{Interest, Latch, Readiness, wait_ready};

use super::receive::Inbox;
use super::{IoError, Output, ProcessIo, Wait};
use crate::mailbox::lock;

/// What to look out for besides output.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch<'a> {
    /// Something to read from a descriptor of the host's, such as its own standard input.
    pub input: Option<BorrowedFd<'a>>,
    /// The stop or the death of the process.
    pub stop: bool,
    /// Room for [`ProcessIo::try_send`].
    pub room: bool,
}

/// What there is; nothing at all when the deadline has passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// The host's descriptor can be read, or has come to its end.
    pub input: bool,
    /// Standard output has something to receive, or has come to its end. An end that a receive has told of is
    /// not seen again.
    pub stdout: bool,
    /// The same of standard error.
    pub stderr: bool,
    /// The process is stopped or dead.
    pub stopped: bool,
    /// There is room to send, or nobody to send to any more.
    pub room: bool,
}

impl Seen {
    fn is_something(self) -> bool {
        self != Self::default()
    }
}

/// One stream to wait for, and the latch for what other threads read from it.
struct Source {
    file: Arc<File>,
    news: Arc<Latch>,
    role: fn(&mut Seen) -> &mut bool,
}

impl ProcessIo {
    /// Blocks until there is output, or something else of what `watch` names, or the deadline.
    ///
    /// # Errors
    /// [`IoError::NoStdin`] when there should be room in a closed stream, [`IoError::NoOutput`] once the streams
    /// are closed, [`IoError::Interrupted`].
    pub fn select(&self, watch: &Watch<'_>, wait: &Wait<'_>) -> Result<Seen, IoError> {
        loop {
            let mut seen = Seen { stopped: watch.stop && wait.stopped.is_set(), ..Seen::default() };
            let mut sources = Vec::new();
            sources.extend(source(&self.stdout, |seen| &mut seen.stdout, &mut seen)?);
            sources.extend(source(&self.stderr, |seen| &mut seen.stderr, &mut seen)?);
            // What is there already does not keep the rest from being looked at, or a program that never
            // pauses would.
            let wait = Wait {
                deadline: if seen.is_something() { Some(Instant::now()) } else { wait.deadline },
                ..*wait
            };
            self.poll(watch, &wait, &sources, &mut seen)?;
            if seen.is_something() || wait.is_over() {
                return Ok(seen);
            }
        }
    }

    fn poll(
        &self,
        watch: &Watch<'_>,
        wait: &Wait<'_>,
        sources: &[Source],
        seen: &mut Seen,
    ) -> Result<(), IoError> {
        type Role = fn(&mut Seen) -> &mut bool;
        let stdin = if watch.room { Some(lock(&self.stdin).clone().ok_or(IoError::NoStdin)?) } else { None };
        let closed = self.closed.watch()?;
        let news: Vec<_> = sources.iter().map(|source| source.news.watch()).collect::<Result<_, _>>()?;
        let stopped = if watch.stop && !seen.stopped { Some(wait.stopped.watch()?) } else { None };
        let mut awaited = vec![(closed.as_fd(), Interest::Read)];
        let mut roles: Vec<Option<Role>> = vec![None];
        let mut add = |descriptor, interest, role| {
            awaited.push((descriptor, interest));
            roles.push(role);
        };
        for (source, news) in sources.iter().zip(&news) {
            add(source.file.as_fd(), Interest::Read, Some(source.role));
            add(news.as_fd(), Interest::Read, None);
        }
        if let Some(input) = watch.input {
            add(input, Interest::Read, Some(|seen| &mut seen.input));
        }
        if let Some(stdin) = &stdin {
            add(stdin.as_fd(), Interest::Write, Some(|seen| &mut seen.room));
        }
        if let Some(stopped) = &stopped {
            add(stopped.as_fd(), Interest::Read, Some(|seen| &mut seen.stopped));
        }
        let check = || wait.check();
        let check: Option<&dyn Fn() -> Result<_, IoError>> = wait.check.map(|_| &check as _);
        if let Readiness::Ready(bits) = wait_ready(&awaited, wait.deadline, check)? {
            let ready = roles.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
            ready.filter_map(|(_, role)| *role).for_each(|role| *role(seen) = true);
        }
        seen.stopped = seen.stopped && wait.stopped.is_set();
        if self.closed.is_set() { Err(IoError::NoOutput(Output::Stdout)) } else { Ok(()) }
    }
}

/// What to wait for of one stream; nothing after its end. What waits to be received already is noted in `seen`.
fn source(
    inbox: &Mutex<Inbox>,
    role: fn(&mut Seen) -> &mut bool,
    seen: &mut Seen,
) -> Result<Option<Source>, IoError> {
    let mut inbox = lock(inbox);
    *role(seen) = inbox.has_bytes();
    let Some(file) = inbox.open_file() else { return Ok(None) };
    Ok(Some(Source { file, news: inbox.news()?, role }))
}
