//! Sending to a program, without being stopped or killed by it.

use std::os::fd::AsFd;

use libdebug_kernel::{Errno, Interest, write_quietly};

use super::{IoError, ProcessIo, Wait};
use crate::mailbox::lock;

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
            match self.send_piece(&data[sent..])? {
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
            match self.send_piece(&data[sent..])? {
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

    fn send_piece(&self, piece: &[u8]) -> Result<Sent, IoError> {
        const EIO: Errno = Errno(5);
        const EAGAIN: Errno = Errno(11);
        const EPIPE: Errno = Errno(32);
        let stdin = lock(&self.stdin);
        let file = stdin.as_ref().ok_or(IoError::NoStdin)?;
        match write_quietly(file.as_fd(), piece) {
            Ok(count) => Ok(Sent::Bytes(count)),
            Err(error) => match error.errno() {
                EAGAIN => Ok(Sent::NoRoom),
                // A terminal's side without another says it so.
                EPIPE | EIO => Err(IoError::BrokenStdin),
                _ => Err(error.into()),
            },
        }
    }
}
