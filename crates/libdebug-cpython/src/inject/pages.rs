//! What is put into the program: two or more pages, and a pair of sockets.

use libdebug::{Debugger, Thread};

use crate::error::{Error, Result};
use crate::inject::block::{BLOCK, BLOCK_SIZE, Block, Claim, word};
use crate::inject::channel::Channel;
use crate::inject::machine_code::CODE;
use crate::inject::whereabouts::is_libc;

const PAGE: u64 = 0x1000;
/// `mov rax, 15; syscall`: every libc has it, for the end of signals' handlers (sigreturn(2)).
const SIGRETURN: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];

/// Our pages in the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pages {
    pub(crate) base: u64,
    length: u64,
    /// The program's end of the channel, a number there.
    pub(crate) descriptor: i32,
}

/// System calls that a thread makes for us.
struct Caller<'a>(&'a Thread);

impl Caller<'_> {
    /// What the call answers; an error of the kernel's is one.
    fn call(&self, name: &'static str, arguments: &[u64]) -> Result<u64> {
        let value = self.0.invoke_syscall(Debugger::syscall_number(name)?, arguments)?;
        u64::try_from(value).map_err(|_| Error::Refused { call: name, errno: value.unsigned_abs() as i32 })
    }
}

impl Pages {
    /// Has `thread` map the pages and open the channel, and fills the pages. Nothing stays behind when that fails.
    pub(crate) fn place(thread: &Thread, mut block: Block, source: &str) -> Result<(Self, Channel)> {
        let debugger = thread.debugger();
        let exit = Exit::find(debugger)?;
        let caller = Caller(thread);
        // The number of the descriptor is a part of the text, of ten digits at most.
        let size = BLOCK_SIZE as u64 + source.len() as u64 + 32;
        let length = PAGE + size.next_multiple_of(PAGE);
        const READ_WRITE: u64 = 1 | 2;
        const PRIVATE_ANONYMOUS: u64 = 0x02 | 0x20;
        let base = caller.call("mmap", &[0, length, READ_WRITE, PRIVATE_ANONYMOUS, u64::MAX, 0])?;
        let filled = Self { base, length, descriptor: -1 }.open(&caller).and_then(|(pages, channel)| {
            block.set(word::BASE, base);
            block.set(word::LENGTH, length);
            block.set(word::MUNMAP, exit.munmap);
            block.set(word::RESTORER, exit.restorer);
            block.set(word::CLOSE, exit.close);
            block.set(word::DESCRIPTOR, pages.descriptor as u64);
            block.set(word::SOURCE, base + BLOCK + BLOCK_SIZE as u64);
            pages.fill(&caller, debugger, &block, source)?;
            Ok((pages, channel))
        });
        if filled.is_err() {
            let _ = caller.call("munmap", &[base, length]);
        }
        filled
    }

    /// A pair of sockets that keep the bounds of packets; one end comes here, and is closed there.
    fn open(self, caller: &Caller<'_>) -> Result<(Self, Channel)> {
        const UNIX: u64 = 1;
        const SEQUENTIAL_PACKETS_CLOSED_BY_EXEC: u64 = 5 | 0x8_0000;
        let ends = self.base + BLOCK;
        caller.call("socketpair", &[UNIX, SEQUENTIAL_PACKETS_CLOSED_BY_EXEC, 0, ends])?;
        let debugger = caller.0.debugger();
        let bytes = debugger.read_memory(ends, 8)?;
        let end = |at: usize| bytes[at..at + 4].try_into().map_or(-1, i32::from_le_bytes);
        let (there, here) = (end(0), end(4));
        let taken = debugger.descriptor(here);
        let closed = caller.call("close", &[here as u64]);
        match (taken, closed) {
            (Ok(taken), Ok(_)) => Ok((Self { descriptor: there, ..self }, Channel::new(taken))),
            (taken, closed) => {
                let _ = caller.call("close", &[there as u64]);
                taken?;
                Err(closed.err().unwrap_or(Error::ChannelClosed))
            }
        }
    }

    fn fill(&self, caller: &Caller<'_>, debugger: &Debugger, block: &Block, source: &str) -> Result<()> {
        let text = format!("FD = {}\n{source}\0", self.descriptor);
        let filled = debugger
            .write_memory(self.base, &CODE)
            .and_then(|_| debugger.write_memory(self.base + BLOCK, &block.bytes()))
            .and_then(|_| debugger.write_memory(self.base + BLOCK + BLOCK_SIZE as u64, text.as_bytes()));
        const READ_EXECUTE: u64 = 1 | 4;
        let filled = filled
            .map_err(Error::from)
            .and_then(|_| caller.call("mprotect", &[self.base, PAGE, READ_EXECUTE]).map(drop));
        if filled.is_err() {
            let _ = caller.call("close", &[self.descriptor as u64]);
        }
        filled
    }

    /// Has `thread` take everything back: no code of the pages will run.
    pub(crate) fn remove(&self, thread: &Thread) -> Result<()> {
        self.close(thread)?;
        self.unmap(thread)
    }

    /// Has `thread` unmap the pages.
    pub(crate) fn unmap(&self, thread: &Thread) -> Result<()> {
        Caller(thread).call("munmap", &[self.base, self.length]).map(drop)
    }

    /// Has `thread` close the program's end of the channel; the pages go when the last entry into them has passed.
    pub(crate) fn close(&self, thread: &Thread) -> Result<()> {
        Caller(thread).call("close", &[self.descriptor as u64]).map(drop)
    }

    pub(crate) fn word(&self, debugger: &Debugger, place: usize) -> Result<u64> {
        let bytes = debugger.read_memory(self.base + BLOCK + 8 * place as u64, 8)?;
        Ok(bytes.try_into().map_or(0, u64::from_le_bytes))
    }

    pub(crate) fn set_word(&self, debugger: &Debugger, place: usize, value: u64) -> Result<()> {
        Ok(debugger.write_memory(self.base + BLOCK + 8 * place as u64, &value.to_le_bytes()).map(drop)?)
    }

    /// Whether the code is still to run. Pages that are gone were left by code that has run.
    pub(crate) fn is_open(&self, debugger: &Debugger) -> bool {
        self.word(debugger, word::CLAIM).is_ok_and(|claim| claim == Claim::Open as u64)
    }

    pub(crate) fn contains(&self, address: u64) -> bool {
        (self.base..self.base + self.length).contains(&address)
    }
}

/// How the last one out of the pages unmaps them: code of the program's library.
struct Exit {
    munmap: u64,
    close: u64,
    restorer: u64,
}

impl Exit {
    fn find(debugger: &Debugger) -> Result<Self> {
        let maps = debugger.maps()?;
        let library = maps.iter().find(|map| is_libc(&map.path) && map.is_executable());
        let library = library.ok_or(Error::MissingFunction("munmap"))?;
        let image = debugger.image_at(library.start)?.ok_or(Error::MissingFunction("munmap"))?;
        let function = |name: &'static str| {
            let symbol = image.image.symbol(name).ok_or(Error::MissingFunction(name))?;
            Ok::<_, Error>(symbol.address.in_process(image.load_bias))
        };
        let (munmap, close) = (function("munmap")?, function("close")?);
        let code = debugger.read_memory(library.start, (library.end - library.start) as usize)?;
        let found = code.windows(SIGRETURN.len()).position(|window| window == SIGRETURN);
        let restorer = found.map(|offset| library.start + offset as u64);
        Ok(Self { munmap, close, restorer: restorer.ok_or(Error::MissingFunction("sigreturn"))? })
    }
}
