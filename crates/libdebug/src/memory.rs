//! The memory of the process, as its program knows it: without our traps.

use libdebug_kernel::Tid;

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::process::Process;
use crate::session::{Session, read, write};
use crate::tracer::Command;

const WORD: u64 = 8;

impl Debugger {
    /// `size` bytes from `address` on, whatever the pages' permissions.
    ///
    /// ```no_run
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/true").run()?;
    /// let pc = debugger.main_thread()?.pc()?;
    /// assert_eq!(debugger.read_memory(pc, 4)?.len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::BadAddress`] unless all of it is mapped, and those of [`Debugger::wait`].
    pub fn read_memory(&self, address: u64, size: usize) -> Result<Vec<u8>> {
        let session = self.stopped_session()?;
        check_mapped(&session, "read", address, size)?;
        let mut data = vec![0; size];
        self.read_into(&session, address, &mut data)?;
        Ok(data)
    }

    /// Fills `buffer` from `address` on; as [`Debugger::read_memory`], without allocating.
    ///
    /// # Errors
    /// As [`Debugger::read_memory`]; what was read before the first bad address is in `buffer` then.
    pub fn read_memory_into(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        self.read_into(&*self.stopped_session()?, address, buffer)
    }

    /// Reads many places, given by address and size, one behind the other into `buffer`, which is as long as all of
    /// them: with a system call for a thousand places instead of one for each.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/true").run()?;
    /// let pc = debugger.main_thread()?.pc()?;
    /// let mut bytes = [0; 6];
    /// debugger.read_memory_places(&[(pc, 4), (pc + 1, 2)], &mut bytes)?;
    /// assert_eq!(bytes[1..3], bytes[4..6]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Debugger::read_memory_into`].
    pub fn read_memory_places(&self, places: &[(u64, usize)], buffer: &mut [u8]) -> Result<()> {
        let session = self.stopped_session()?;
        let at_once = if self.fast_memory() { session.memory().read_scattered(places, buffer) } else { 0 };
        let mut rest = buffer;
        let mut done = 0;
        for &(address, size) in places {
            let Some((bytes, behind)) = rest.split_at_mut_checked(size) else { break };
            done += size;
            if done <= at_once {
                hide_traps(&session, address, bytes);
            } else {
                // There may be pages that the program itself cannot read, but a tracer.
                self.read_into(&session, address, bytes)?;
            }
            rest = behind;
        }
        Ok(())
    }

    /// Refuses a read that is larger than what is mapped, before a buffer is made for it; small ones are not
    /// looked at.
    ///
    /// # Errors
    /// As [`Debugger::read_memory`].
    pub fn check_readable(&self, address: u64, size: usize) -> Result<()> {
        check_mapped(&*self.stopped_session()?, "read", address, size)
    }

    fn read_into(&self, session: &Session, address: u64, buffer: &mut [u8]) -> Result<()> {
        let done = self.read_some(session, address, buffer)?;
        all_or_error("read", session, address, buffer.len(), done)
    }

    /// Fills `buffer` as far as the memory can be read, and answers how far that is, in bytes.
    pub(crate) fn read_some(&self, session: &Session, address: u64, buffer: &mut [u8]) -> Result<usize> {
        if self.fast_memory() {
            let done = session.memory().read(address, buffer);
            hide_traps(session, address, &mut buffer[..done]);
            return Ok(done);
        }
        let data = self.peek(address, buffer.len())?;
        buffer[..data.len()].copy_from_slice(&data);
        Ok(data.len())
    }

    fn peek(&self, address: u64, size: usize) -> Result<Vec<u8>> {
        self.ask(|answer| Command::PeekMemory { address, size, answer })
    }

    /// Writes `data` from `address` on, whatever the pages' permissions. Breakpoints stay.
    ///
    /// # Errors
    /// [`Error::BadAddress`] unless all of it is mapped: then nothing was written. And those of
    /// [`Debugger::wait`].
    pub fn write_memory(&self, address: u64, data: &[u8]) -> Result<()> {
        let session = self.stopped_session()?;
        check_mapped(&session, "write", address, data.len())?;
        let words = !self.fast_memory();
        let copy = data.to_vec();
        let done = self.ask(|answer| Command::WriteMemory { address, data: copy, words, answer })?;
        all_or_error("write", &session, address, data.len(), done)
    }
}

/// A request that is larger than what is mapped there is refused before anything is allocated or changed.
fn check_mapped(session: &Session, operation: &'static str, address: u64, size: usize) -> Result<()> {
    const SMALL: usize = 1 << 16;
    if size <= SMALL && operation == "read" {
        return Ok(());
    }
    let mut done = mapped_from(session, address, size)?;
    if done < size {
        // The list of maps may be from before a system call that this stop's callback has made.
        session.forget_maps();
        done = mapped_from(session, address, size)?;
    }
    all_or_error(operation, session, address, size, done)
}

fn mapped_from(session: &Session, address: u64, size: usize) -> Result<usize> {
    let end = address.saturating_add(size as u64);
    let mut reached = address;
    for map in session.maps()?.iter() {
        if map.contains(reached) {
            reached = map.end.min(end);
        }
    }
    Ok((reached - address) as usize)
}

fn all_or_error(
    operation: &'static str,
    session: &Session,
    address: u64,
    size: usize,
    done: usize,
) -> Result<()> {
    if done == size {
        return Ok(());
    }
    Err(Error::BadAddress { operation, pid: session.pid, address, size, done })
}

/// Puts the program's bytes over the traps in `data`, which was read from `address` on.
fn hide_traps(session: &Session, address: u64, data: &mut [u8]) {
    let traps = read(&session.traps);
    if traps.is_empty() {
        return;
    }
    let end = address.saturating_add(data.len() as u64);
    for (&trap, &original) in traps.range(address..end) {
        data[(trap - address) as usize] = original;
    }
}

impl Process {
    /// Writes over the program's memory; where a trap is, the byte goes to where it is kept. Answers how many
    /// bytes were written.
    pub(crate) fn write_memory(&mut self, address: u64, data: &[u8], words: bool) -> usize {
        let mut patched = data.to_vec();
        let end = address.saturating_add(data.len() as u64);
        let traps: Vec<u64> =
            self.sites.addresses().into_iter().filter(|at| (address..end).contains(at)).collect();
        for &trap in &traps {
            patched[(trap - address) as usize] = self.isa.trap_bytes()[0];
        }
        let done =
            if words { self.poke(address, &patched) } else { self.session.memory().write(address, &patched) };
        for trap in traps.into_iter().filter(|trap| trap - address < done as u64) {
            let byte = data[(trap - address) as usize];
            self.sites.set_original(trap, byte);
            write(&self.session.traps).insert(trap, byte);
        }
        self.text_changed(address, done as u64);
        done
    }

    /// Reads by PTRACE_PEEKDATA, a word at a time.
    pub(crate) fn peek_memory(&mut self, address: u64, size: usize) -> Vec<u8> {
        let Some(tid) = self.stopped_tids().first().copied() else { return Vec::new() };
        let skip = (address % WORD) as usize;
        let mut data = Vec::new();
        let mut at = address - skip as u64;
        while data.len() < skip + size {
            let Ok(word) = self.ptrace.peek_data(tid, at) else { break };
            data.extend_from_slice(&word.to_le_bytes());
            at = at.wrapping_add(WORD);
        }
        let mut data: Vec<_> = data.into_iter().skip(skip).take(size).collect();
        hide_traps(&self.session, address, &mut data);
        data
    }

    fn poke(&self, address: u64, data: &[u8]) -> usize {
        let Some(tid) = self.stopped_tids().first().copied() else { return 0 };
        let mut done = 0;
        while done < data.len() {
            let at = address.wrapping_add(done as u64);
            let skip = (at % WORD) as usize;
            let length = (WORD as usize - skip).min(data.len() - done);
            if self.poke_part(tid, at - skip as u64, skip, &data[done..done + length]).is_err() {
                break;
            }
            done += length;
        }
        done
    }

    pub(crate) fn poke_byte(&self, tid: Tid, address: u64, byte: u8) -> Result<()> {
        let skip = (address % WORD) as usize;
        self.poke_part(tid, address - skip as u64, skip, &[byte])
    }

    fn poke_part(&self, tid: Tid, word_at: u64, skip: usize, part: &[u8]) -> Result<()> {
        let mut word = self.ptrace.peek_data(tid, word_at)?.to_le_bytes();
        word[skip..skip + part.len()].copy_from_slice(part);
        Ok(self.ptrace.poke_data(tid, word_at, u64::from_le_bytes(word))?)
    }
}
