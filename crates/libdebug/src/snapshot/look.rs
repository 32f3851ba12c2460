//! Looking at a snapshot, with the same words as at a process.

use libdebug_arch::x86_64::CodeSize;

use super::kept_space::KeptSpace;
use super::{KeptThread, Snapshot, SnapshotError, SnapshotLevel};
use crate::disassembly::{CodeLine, disassemble};
use crate::error::{Error, Result};
use crate::scan::Patience;
use crate::search::{self, MapChoice, SearchIn, Telescope};
use crate::space::AddressSpace;
use crate::symbols::{self, FileScope, Resolved};
use crate::unwind::{Frame, Walk};

impl Snapshot {
    pub(super) fn space(&self) -> KeptSpace<'_> {
        KeptSpace { snapshot: self, has_code: false }
    }

    /// As [`Snapshot::space`], with the code that the level leaves out: the same as when the snapshot was taken, as long
    /// as the program has not changed its own.
    fn space_with_code(&self) -> KeptSpace<'_> {
        KeptSpace { snapshot: self, has_code: true }
    }

    fn patience(&self) -> Patience<'_> {
        Patience::of(&*self.surroundings.host)
    }

    /// As [`Snapshot::space`], for what needs the content of memory.
    fn memory(&self) -> Result<KeptSpace<'_>> {
        self.check_memory()?;
        Ok(self.space())
    }

    /// Whether there is memory to look at.
    ///
    /// # Errors
    /// [`SnapshotError::NoMemory`].
    pub fn check_memory(&self) -> Result<()> {
        if self.level() == SnapshotLevel::Base { Err(SnapshotError::NoMemory.into()) } else { Ok(()) }
    }

    /// `size` bytes from `address` on.
    ///
    /// # Errors
    /// [`SnapshotError::NoMemory`], [`SnapshotError::NoContent`], or [`Error::BadAddress`] for what was not mapped.
    pub fn read_memory(&self, address: u64, size: usize) -> Result<Vec<u8>> {
        self.check_readable(address, size)?;
        let mut data = vec![0; size];
        self.read_memory_into(address, &mut data)?;
        Ok(data)
    }

    /// As [`Snapshot::read_memory`], without allocating.
    ///
    /// # Errors
    /// As [`Snapshot::read_memory`].
    pub fn read_memory_into(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        let done = self.memory()?.read(address, buffer)?;
        if done == buffer.len() { Ok(()) } else { Err(self.missing(address, buffer.len(), done)) }
    }

    /// Refuses what [`Snapshot::read_memory`] would, before a buffer is made for it.
    ///
    /// # Errors
    /// As [`Snapshot::read_memory`].
    pub fn check_readable(&self, address: u64, size: usize) -> Result<()> {
        self.check_memory()?;
        let end = address.saturating_add(size as u64);
        let mut reached = address;
        while reached < end {
            let content = self.place_of(reached).and_then(|place| {
                let content = self.content(place)?;
                Some(self.maps[place].start + content.readable())
            });
            match content.filter(|readable| *readable > reached) {
                Some(readable) => reached = readable.min(end),
                None => return Err(self.missing(address, size, (reached - address) as usize)),
            }
        }
        Ok(())
    }

    fn missing(&self, address: u64, size: usize, done: usize) -> Error {
        let first = address.saturating_add(done as u64);
        match self.place_of(first) {
            Some(place) => {
                let map = self.maps[place].name().into_owned();
                SnapshotError::NoContent { address: first, map, level: self.level() }.into()
            }
            None => Error::BadAddress { operation: "read", pid: self.pid(), address, size, done },
        }
    }

    /// As [`Debugger::find`](crate::Debugger::find).
    ///
    /// # Errors
    /// [`SnapshotError::NoMemory`], and those of [`Debugger::find`](crate::Debugger::find).
    pub fn find(&self, pattern: &[u8], within: &SearchIn) -> Result<Vec<u64>> {
        search::find(&self.memory()?, pattern, within, &self.patience())
    }

    /// As [`Debugger::find_pointers`](crate::Debugger::find_pointers).
    ///
    /// # Errors
    /// As [`Snapshot::find`].
    pub fn find_pointers(&self, from: &MapChoice, to: &MapChoice, step: usize) -> Result<Vec<(u64, u64)>> {
        search::find_pointers(&self.memory()?, from, to, step, &self.patience())
    }

    /// As [`Debugger::telescope`](crate::Debugger::telescope).
    ///
    /// # Errors
    /// As [`Snapshot::find`].
    pub fn telescope(&self, address: u64, depth: usize, tail: usize) -> Result<Telescope> {
        search::telescope(&self.memory()?, address, depth, tail, &self.patience())
    }

    /// `count` instructions from `address` on, read as one of its threads would execute them; from the file where the
    /// level leaves code out.
    ///
    /// # Errors
    /// As [`Snapshot::read_memory`].
    pub fn disassemble(&self, thread: &KeptThread, address: u64, count: usize) -> Result<Vec<CodeLine>> {
        let selector = thread.registers.get("cs")?.as_u64().unwrap_or_default();
        let size = CodeSize::of_selector(selector);
        self.check_memory()?;
        let lines = disassemble(&self.space_with_code(), size, address, count, &self.patience())?;
        if lines.is_empty() && count > 0 { Err(self.missing(address, 1, 0)) } else { Ok(lines) }
    }

    /// The addresses of a thread's backtrace, as [`Thread::backtrace`](crate::Thread::backtrace).
    ///
    /// # Errors
    /// [`SnapshotError::NoStack`].
    pub fn backtrace(&self, thread: &KeptThread) -> Result<Vec<u64>> {
        self.check_stack()?;
        Ok(Walk::new(&self.space_with_code(), &thread.registers.general)?.map(|frame| frame.pc).collect())
    }

    /// As [`Snapshot::backtrace`], with all that is known of each frame.
    ///
    /// # Errors
    /// As [`Snapshot::backtrace`].
    pub fn frames(&self, thread: &KeptThread) -> Result<Vec<Frame>> {
        self.check_stack()?;
        let mut frames = Walk::new(&self.space_with_code(), &thread.registers.general)?.described();
        for frame in frames.iter_mut().filter(|frame| frame.symbol.is_none()) {
            frame.symbol = self.orphan_at(frame.pc);
        }
        Ok(frames)
    }

    /// The address that the current function of a thread returns to.
    ///
    /// # Errors
    /// As [`Snapshot::backtrace`], and [`Error::NoReturnAddress`].
    pub fn saved_ip(&self, thread: &KeptThread) -> Result<u64> {
        let caller = self.backtrace(thread)?.get(1).copied();
        caller.ok_or(Error::NoReturnAddress(thread.tid))
    }

    fn check_stack(&self) -> Result<()> {
        if self.level() == SnapshotLevel::Base { Err(SnapshotError::NoStack.into()) } else { Ok(()) }
    }

    /// As [`Debugger::resolve_address`](crate::Debugger::resolve_address).
    ///
    /// # Errors
    /// [`Error::NotMapped`] and [`Error::NoSuchFile`].
    pub fn resolve_address(&self, address: u64, scope: &FileScope) -> Result<Resolved> {
        symbols::resolve_address(&self.space(), address, scope)
    }

    /// As [`Debugger::resolve_symbol`](crate::Debugger::resolve_symbol), in the files as they were then.
    ///
    /// # Errors
    /// As [`Debugger::resolve_symbol`](crate::Debugger::resolve_symbol).
    pub fn resolve_symbol(&self, symbol: &str, scope: &FileScope) -> Result<Resolved> {
        let found = symbols::resolve_symbol(&self.space(), symbol, scope);
        match found {
            Err(Error::NoSuchSymbol { .. }) => self.orphan_called(symbol, scope).map_or(found, Ok),
            found => found,
        }
    }
}
