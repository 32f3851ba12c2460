//! Sending to a program, without being stopped or killed by it.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::time::Instant;

use libdebug_kernel::{Interest, Readiness, wait_ready};

use super::{IoError, ProcessIo, Wait, error};
use crate::mailbox::lock;

/// A pipe that poll(2) calls writable takes as much as this without blocking: PIPE_BUF, pipe(7).
const PIECE: usize = 4096;

/// What became of one piece.
enum Sent {
    Bytes(usize),
    NoRoom,
}

impl ProcessIo {
    /// Sends `data` to the program's standard input and answers its size. The kernel keeps some 64 KiB for a
    /// program that does not read; beyond that, this waits for room.
    ///
    /// # Errors
    /// [`IoError::NoStdin`] when the stream is closed on this side, [`IoError::BrokenStdin`] when nobody reads
    /// it any more. [`IoError::Stalled`] when there is no room and the process is stopped,
    /// [`IoError::SendTimeout`], [`IoError::Interrupted`]: some of the data may have been sent then.
    pub fn send(&self, data: &[u8], wait: &Wait<'_>) -> Result<usize, IoError> {
        let (mut sent, size) = (0, data.len());
        while sent < size {
            // Before the attempt: a process that was continued and has read meanwhile is not stalled.
            let stopped = wait.stopped.is_set();
            match self.send_piece(&data[sent..size.min(sent + PIECE)])? {
                Sent::Bytes(count) => sent += count,
                Sent::NoRoom => {
                    if let Some(events) = stopped.then(|| wait.stop_events()).flatten() {
                        return Err(IoError::Stalled { sent, size, events });
                    }
                    if wait.is_over() {
                        return Err(IoError::SendTimeout { sent, size });
                    }
                    self.await_room(wait)?;
                }
            }
        }
        Ok(size)
    }

    /// Sends as much of `data` as there is room for, without waiting, and answers how much that was.
    ///
    /// # Errors
    /// [`IoError::NoStdin`], [`IoError::BrokenStdin`].
    pub fn try_send(&self, data: &[u8]) -> Result<usize, IoError> {
        let mut sent = 0;
        while sent < data.len() {
            match self.send_piece(&data[sent..data.len().min(sent + PIECE)])? {
                Sent::Bytes(count) => sent += count,
                Sent::NoRoom => break,
            }
        }
        Ok(sent)
    }

    fn await_room(&self, wait: &Wait<'_>) -> Result<(), IoError> {
        let stdin = lock(&self.stdin).clone().ok_or(IoError::NoStdin)?;
        wait.sleep(&stdin, Interest::Write, &[&self.closed])
    }

    /// Looks for room and writes under one lock, so that no other thread of ours can take the room in between.
    fn send_piece(&self, piece: &[u8]) -> Result<Sent, IoError> {
        let stdin = lock(&self.stdin);
        let file = stdin.as_ref().ok_or(IoError::NoStdin)?;
        match self.room(file)? {
            Some(Room::Free) => write(file, piece),
            Some(Room::Broken) => Err(IoError::BrokenStdin),
            None => Ok(Sent::NoRoom),
        }
    }

    /// A pipe's writing end is "ready to read" exactly when its last reader is gone (POLLERR). To look before
    /// writing keeps a host that has not ignored SIGPIPE alive.
    fn room(&self, file: &File) -> Result<Option<Room>, IoError> {
        const HUNG_UP: u32 = 1;
        let descriptors = [(file.as_fd(), Interest::Read), (file.as_fd(), Interest::Write)];
        let descriptors = if self.terminal { &descriptors[1..] } else { &descriptors };
        Ok(match wait_ready::<IoError>(descriptors, Some(Instant::now()), None)? {
            Readiness::Ready(bits) if !self.terminal && bits & HUNG_UP != 0 => Some(Room::Broken),
            Readiness::Ready(_) => Some(Room::Free),
            Readiness::TimedOut | Readiness::Interrupted => None,
        })
    }
}

enum Room {
    Free,
    Broken,
}

fn write(mut file: &File, piece: &[u8]) -> Result<Sent, IoError> {
    const EIO: i32 = 5;
    match file.write(piece) {
        Ok(count) => Ok(Sent::Bytes(count)),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(IoError::BrokenStdin),
        Err(error) if error.raw_os_error() == Some(EIO) => Err(IoError::BrokenStdin),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(Sent::NoRoom)
        }
        Err(error) => Err(error::kernel("write", &error).into()),
    }
}
