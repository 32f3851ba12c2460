//! Receiving what a program writes, without losing its last words.
//!
//! A pseudo-terminal hands written bytes to its reader by a kernel worker, some time after write(2) has
//! returned to the program. Two facts make it possible to say "nothing more will come" all the same: a
//! non-blocking read(2) that finds nothing waits for that worker before it answers `EAGAIN` (n_tty_read), and a
//! stopped process writes nothing. So the order is: look whether the process is stopped, then read, and only
//! when that read found nothing is the stop of before the reason that nothing comes. Looking after reading would
//! lose what was written in between.
//!
//! The end is told by `EIO`, when the last descriptor of the program's side is closed. The kernel looks for
//! bytes first and for the close second, so bytes that were written and closed over in between are behind the
//! first `EIO`; they are before the second.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use libdebug_kernel::{Interest, KernelError, Latch};

use super::buffer::{Buffer, Search};
use super::{IoError, Output, ProcessIo, Wait, error};
use crate::mailbox::lock;

/// What a pty hands out per read at most (N_TTY_BUF_SIZE).
const CHUNK: usize = 4096;
/// Reads between two looks at the clock and at [`Wait::check`], while a program writes faster than we read.
const READS: usize = 64;
/// How much is read ahead of any receive, per stream.
const READ_AHEAD: usize = 16 << 20;

/// What to receive until.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until<'a> {
    /// The bytes to wait for; nothing at all is there at once.
    pub delimiter: &'a [u8],
    /// How many times they have to occur, without overlaps; at least 1.
    pub occurrences: usize,
    /// Leave them out of what is handed out, every one of them.
    pub drop: bool,
    /// Answer nothing, instead of [`IoError::Stopped`], when the process is or gets stopped before.
    pub optional: bool,
}

impl<'a> Until<'a> {
    /// The first occurrence of `delimiter`, which is handed out with what comes before it.
    pub fn first(delimiter: &'a [u8]) -> Self {
        Self { delimiter, occurrences: 1, drop: false, optional: false }
    }
}

/// One stream of the program: its descriptor while open, and what was read and not handed out.
#[derive(Debug)]
pub(super) struct Inbox {
    file: Option<Arc<File>>,
    buffer: Buffer,
    /// Receivers that sleep: what another thread reads into the buffer does not wake their poll(2).
    sleepers: Vec<Weak<Latch>>,
    /// The last read found the end.
    ended: bool,
}

/// What a read has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Bytes; there may be more.
    More,
    /// Nothing yet.
    Empty,
    /// The end: the other side is closed.
    Ended,
    /// This side is closed.
    Closed,
}

/// One try to receive.
pub(super) enum Attempt<T> {
    Done(T),
    Lacking(Source),
}

impl Inbox {
    pub(super) fn new(file: Option<OwnedFd>) -> Self {
        let file = file.map(|file| Arc::new(File::from(file)));
        Self { file, buffer: Buffer::default(), sleepers: Vec::new(), ended: false }
    }

    pub(super) fn close(&mut self) {
        self.file = None;
        self.buffer = Buffer::default();
    }

    pub(super) fn has_bytes(&self) -> bool {
        self.buffer.len() > 0
    }

    /// The descriptor, unless it has come to its end.
    pub(super) fn open_file(&self) -> Option<Arc<File>> {
        self.file.clone().filter(|_| !self.ended)
    }

    /// Hands out the first `count` bytes, or all.
    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        self.buffer.take(count)
    }

    fn unread(&mut self, bytes: &[u8]) {
        self.buffer.unread(bytes);
        self.wake_sleepers();
    }

    /// Reads once, without blocking.
    fn read(&mut self) -> Result<Source, IoError> {
        let Some(file) = self.file.clone() else { return Ok(Source::Closed) };
        let mut source = self.read_from(&file)?;
        if source == Source::Ended {
            // The second look: see above.
            source = self.read_from(&file)?;
        }
        self.ended = source == Source::Ended;
        Ok(source)
    }

    fn read_from(&mut self, mut file: &File) -> Result<Source, IoError> {
        const EIO: i32 = 5;
        let mut chunk = [0; CHUNK];
        match file.read(&mut chunk) {
            Ok(0) => Ok(Source::Ended),
            Ok(size) => {
                self.buffer.push(&chunk[..size]);
                self.wake_sleepers();
                Ok(Source::More)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Source::Empty),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Source::More),
            Err(error) if error.raw_os_error() == Some(EIO) => Ok(Source::Ended),
            Err(error) => Err(error::kernel("read", &error).into()),
        }
    }

    fn wake_sleepers(&mut self) {
        self.sleepers.drain(..).filter_map(|sleeper| sleeper.upgrade()).for_each(|latch| latch.set());
    }

    /// A latch that is set when another thread puts something into the buffer.
    pub(super) fn news(&mut self) -> Result<Arc<Latch>, KernelError> {
        let latch = Arc::new(Latch::new());
        self.sleepers.retain(|sleeper| sleeper.strong_count() > 0);
        self.sleepers.push(Arc::downgrade(&latch));
        Ok(latch)
    }

    /// Reads until `enough` bytes are here or no more can be had now.
    pub(super) fn fill(&mut self, enough: usize) -> Result<Source, IoError> {
        self.read_while(|buffer| buffer.len() < enough)
    }

    fn read_while(&mut self, mut lacking: impl FnMut(&Buffer) -> bool) -> Result<Source, IoError> {
        let mut source = Source::More;
        for _ in 0..READS {
            if source != Source::More || !lacking(&self.buffer) {
                break;
            }
            source = self.read()?;
        }
        Ok(source)
    }
}

impl ProcessIo {
    /// Receives what has arrived, at most `at_most` bytes, and waits only while there is nothing.
    ///
    /// # Errors
    /// With nothing to hand out: [`IoError::Timeout`], [`IoError::Stopped`], [`IoError::Broken`] at the end of
    /// the stream, [`IoError::NoOutput`], [`IoError::Interrupted`].
    pub fn recv(&self, stream: Output, at_most: usize, wait: &Wait<'_>) -> Result<Vec<u8>, IoError> {
        if at_most == 0 {
            return Ok(Vec::new());
        }
        self.receive(stream, wait, |inbox| {
            let source = inbox.fill(at_most)?;
            Ok(match inbox.buffer.len() {
                0 => Attempt::Lacking(source),
                _ => Attempt::Done(inbox.take(at_most)),
            })
        })
    }

    /// Receives exactly `count` bytes.
    ///
    /// # Errors
    /// As [`ProcessIo::recv`], with fewer bytes than that; they stay for the next receive.
    pub fn recv_exact(&self, stream: Output, count: usize, wait: &Wait<'_>) -> Result<Vec<u8>, IoError> {
        self.receive(stream, wait, |inbox| {
            let source = inbox.fill(count)?;
            Ok(match inbox.buffer.len() >= count {
                true => Attempt::Done(inbox.take(count)),
                false => Attempt::Lacking(source),
            })
        })
    }

    /// Receives up to and including a delimiter, or without it.
    ///
    /// # Errors
    /// As [`ProcessIo::recv`], when the delimiter has not arrived; what has stays for the next receive.
    /// [`IoError::InvalidCount`] for no occurrences.
    pub fn recv_until(&self, stream: Output, until: Until<'_>, wait: &Wait<'_>) -> Result<Vec<u8>, IoError> {
        match until {
            Until { occurrences: 0, .. } => return Err(IoError::InvalidCount),
            Until { delimiter: [], .. } => return Ok(Vec::new()),
            _ => {}
        }
        let mut search = Search::new(until.delimiter, until.occurrences);
        let received = self.receive(stream, wait, |inbox| {
            let source = inbox.read_while(|buffer| search.end(buffer).is_none())?;
            Ok(match search.end(&inbox.buffer) {
                Some(end) => Attempt::Done(inbox.take(end)),
                None => Attempt::Lacking(source),
            })
        });
        match received {
            Ok(bytes) if until.drop => Ok(search.without_delimiters(&bytes)),
            Err(IoError::Stopped { .. }) if until.optional => Ok(Vec::new()),
            received => received,
        }
    }

    /// Receives `lines` lines, with their newlines or, with `drop`, without any.
    ///
    /// # Errors
    /// As [`ProcessIo::recv_until`].
    pub fn recv_line(
        &self,
        stream: Output,
        lines: usize,
        drop: bool,
        wait: &Wait<'_>,
    ) -> Result<Vec<u8>, IoError> {
        self.recv_until(stream, Until { occurrences: lines, drop, ..Until::first(b"\n") }, wait)
    }

    /// Receives everything until the stream ends, the process stops, or the deadline passes: none of them is an
    /// error here.
    ///
    /// # Errors
    /// [`IoError::NoOutput`], [`IoError::Interrupted`].
    pub fn recv_all(&self, stream: Output, wait: &Wait<'_>) -> Result<Vec<u8>, IoError> {
        let nothing: Result<(), _> =
            self.receive(stream, wait, |inbox| Ok(Attempt::Lacking(inbox.fill(usize::MAX)?)));
        match nothing {
            Ok(()) => Ok(Vec::new()),
            Err(IoError::Timeout { .. } | IoError::Stopped { .. } | IoError::Broken { .. }) => {
                Ok(lock(self.inbox(stream)).take(usize::MAX))
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until there is something to receive; `false` when the deadline passes, the stream ends, or the
    /// process stops first.
    ///
    /// # Errors
    /// [`IoError::NoOutput`], [`IoError::Interrupted`].
    pub fn can_recv(&self, stream: Output, wait: &Wait<'_>) -> Result<bool, IoError> {
        let arrived = self.receive(stream, wait, |inbox| {
            let source = inbox.fill(1)?;
            Ok(if inbox.buffer.len() > 0 { Attempt::Done(true) } else { Attempt::Lacking(source) })
        });
        match arrived {
            Err(IoError::Timeout { .. } | IoError::Stopped { .. } | IoError::Broken { .. }) => Ok(false),
            arrived => arrived,
        }
    }

    /// Puts `bytes` back: the next receive sees them first.
    pub fn unrecv(&self, stream: Output, bytes: &[u8]) {
        lock(self.inbox(stream)).unread(bytes);
    }

    /// Reads what the program has written so far, without waiting, and keeps it to be received: whoever waits
    /// for a stop does so, to keep the program going. A terminal holds some 12 KiB (N_TTY_BUF_SIZE and 8 KiB of
    /// pty's own), and a program that writes more stands still.
    ///
    /// # Errors
    /// What read(2) says.
    pub(crate) fn absorb(&self) -> Result<(), IoError> {
        lock(&self.stdout).fill(usize::MAX)?;
        lock(&self.stderr).fill(usize::MAX).map(drop)
    }

    /// Where output may come from: when one of these is ready to read, [`ProcessIo::absorb`] takes what there
    /// is. A stream that has ended, or of which very much waits to be received, is not among them.
    pub(crate) fn sources(&self) -> Vec<Arc<File>> {
        let source = |inbox: &Mutex<Inbox>| {
            let inbox = lock(inbox);
            inbox.open_file().filter(|_| inbox.buffer.len() < READ_AHEAD)
        };
        [&self.stdout, &self.stderr].into_iter().filter_map(source).collect()
    }

    fn inbox(&self, stream: Output) -> &Mutex<Inbox> {
        match stream {
            Output::Stdout => &self.stdout,
            Output::Stderr => &self.stderr,
        }
    }

    /// Tries until it succeeds or nothing more can come; the lock is held for one attempt only.
    pub(super) fn receive<T>(
        &self,
        stream: Output,
        wait: &Wait<'_>,
        mut attempt: impl FnMut(&mut Inbox) -> Result<Attempt<T>, IoError>,
    ) -> Result<T, IoError> {
        loop {
            // Before the attempt: see the top of this file.
            let stopped = wait.stopped.is_set();
            let mut inbox = lock(self.inbox(stream));
            let source = match attempt(&mut inbox)? {
                Attempt::Done(received) => return Ok(received),
                Attempt::Lacking(source) => source,
            };
            match source {
                Source::More => {
                    drop(inbox);
                    wait.check()?;
                    if wait.is_over() {
                        return Err(IoError::Timeout {
                            received: self.received(stream),
                            meanwhile: String::new(),
                        });
                    }
                }
                Source::Closed => return Err(IoError::NoOutput(stream)),
                Source::Ended => {
                    return Err(IoError::Broken { stream, received: inbox.buffer.pending().to_vec() });
                }
                Source::Empty => {
                    if let Some(events) = stopped.then(|| wait.stop_events()).flatten() {
                        return Err(IoError::Stopped { events, received: inbox.buffer.pending().to_vec() });
                    }
                    if wait.is_over() {
                        return Err(IoError::Timeout {
                            received: inbox.buffer.pending().to_vec(),
                            meanwhile: String::new(),
                        });
                    }
                    self.sleep(inbox, wait)?;
                }
            }
        }
    }
    fn sleep(&self, mut inbox: MutexGuard<'_, Inbox>, wait: &Wait<'_>) -> Result<(), IoError> {
        let Some(file) = inbox.file.clone() else { return Ok(()) };
        let news = inbox.news()?;
        drop(inbox);
        wait.sleep(&file, Interest::Read, &[&self.closed, &news])
    }

    fn received(&self, stream: Output) -> Vec<u8> {
        lock(self.inbox(stream)).buffer.pending().to_vec()
    }
}
