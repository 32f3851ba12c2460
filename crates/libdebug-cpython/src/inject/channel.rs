//! Messages between the debugger and the code in the program: a kind, a length in four bytes, and text.
//!
//! The channel is one end of a pair of sockets that was made in the program, and came here through the kernel. It has no name
//! and no port: nobody else can open it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// The largest packet: messages begin and end anywhere in them.
const CHUNK: usize = 1 << 15;

/// What the code in the program says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet {
    /// It has begun.
    Started,
    /// Written to standard output.
    Output(String),
    /// Written to standard error.
    Error(String),
    /// An exception, as Python shows it.
    Raised(String),
    /// A value's repr.
    Repr(String),
    /// A value as JSON.
    Json(String),
    /// It wants a line, with this prompt.
    Prompt(String),
    /// How a word can go on, one choice per line.
    Choices(String),
    /// It is over: whether as it should be.
    Ended(bool),
    /// Of a kind that is not known.
    Unknown,
}

impl Packet {
    fn of(kind: u8, text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text).into_owned();
        match kind {
            b'S' => Self::Started,
            b'o' => Self::Output(text),
            b'e' => Self::Error(text),
            b'x' => Self::Raised(text),
            b'r' => Self::Repr(text),
            b'j' => Self::Json(text),
            b'p' => Self::Prompt(text),
            b't' => Self::Choices(text),
            b'q' => Self::Ended(text == "0"),
            _ => Self::Unknown,
        }
    }
}

/// Our end.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: UnixDatagram,
    /// What has come and was not taken yet.
    received: RefCell<VecDeque<u8>>,
}

impl Channel {
    pub(crate) fn new(end: OwnedFd) -> Self {
        Self { socket: UnixDatagram::from(end), received: RefCell::default() }
    }

    pub(crate) fn send(&self, kind: u8, text: &str) -> io::Result<()> {
        let length = u32::try_from(text.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut message = vec![kind];
        message.extend_from_slice(&length.to_le_bytes());
        message.extend_from_slice(text.as_bytes());
        message.chunks(CHUNK).try_for_each(|part| self.socket.send(part).map(drop))
    }

    /// The next message; `None` when the other end is closed.
    ///
    /// # Errors
    /// `WouldBlock` after `limit` without one, `Interrupted` when a signal's handler has run.
    pub(crate) fn receive(&self, limit: Option<Duration>) -> io::Result<Option<Packet>> {
        // A limit of zero would be none.
        self.socket.set_read_timeout(limit.map(|limit| limit.max(Duration::from_millis(1))))?;
        let mut buffer = vec![0; CHUNK];
        loop {
            if let Some(packet) = self.take() {
                return Ok(Some(packet));
            }
            match self.socket.recv(&mut buffer) {
                Ok(0) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Ok(size) => self.received.borrow_mut().extend(&buffer[..size]),
                Err(error) => return Err(error),
            }
        }
    }

    /// A message that has come as a whole.
    pub(crate) fn take(&self) -> Option<Packet> {
        const HEAD: usize = 5;
        let mut received = self.received.borrow_mut();
        let head: Vec<u8> = received.iter().take(HEAD).copied().collect();
        let length = u32::from_le_bytes(head.get(1..HEAD)?.try_into().ok()?) as usize;
        if received.len() < HEAD + length {
            return None;
        }
        let text: Vec<u8> = received.drain(..HEAD + length).skip(HEAD).collect();
        Some(Packet::of(head[0], &text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_comes_in_one_piece() {
        let (one, other) = UnixDatagram::pair().unwrap();
        let (one, other) = (Channel::new(one.into()), Channel::new(other.into()));
        let text = &"ab\u{e9}".repeat(CHUNK);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                one.send(b'o', text).unwrap();
                one.send(b'q', "0").unwrap();
            });
            assert_eq!(other.receive(None).unwrap(), Some(Packet::Output(text.clone())));
            assert_eq!(other.receive(None).unwrap(), Some(Packet::Ended(true)));
        });
    }

    #[test]
    fn what_does_not_come_is_not_waited_for() {
        let (one, _other) = UnixDatagram::pair().unwrap();
        let error = Channel::new(one.into()).receive(Some(Duration::ZERO)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
