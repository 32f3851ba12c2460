//! The process that is looked at: under a debugger, or going on.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use libdebug::{Debugger, Map, MappedImage, Pid, ProcessView};

use crate::error::Result;

/// What is asked of a process.
pub(crate) trait Target {
    /// Its pid.
    fn pid(&self) -> Pid;

    /// The path of the program that it executes, as its maps name it; empty where that is not to be had.
    fn program(&self) -> String;

    /// Its maps, ascending by address.
    fn maps(&self) -> Result<Arc<[Map]>>;

    /// The image that an address lies in.
    fn image_at(&self, address: u64) -> Result<Option<MappedImage>>;

    /// Fills `buffer` from `address` on; all of it or an error.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()>;
}

impl Target for Debugger {
    fn pid(&self) -> Pid {
        Debugger::pid(self).unwrap_or(Pid(0))
    }

    fn program(&self) -> String {
        self.program_path().unwrap_or_default()
    }

    fn maps(&self) -> Result<Arc<[Map]>> {
        Ok(Debugger::maps(self)?)
    }

    fn image_at(&self, address: u64) -> Result<Option<MappedImage>> {
        Ok(Debugger::image_at(self, address)?)
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        Ok(self.read_memory_into(address, buffer)?)
    }
}

impl Target for ProcessView {
    fn pid(&self) -> Pid {
        ProcessView::pid(self)
    }

    fn program(&self) -> String {
        self.executable().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn maps(&self) -> Result<Arc<[Map]>> {
        Ok(Arc::clone(ProcessView::maps(self)))
    }

    fn image_at(&self, address: u64) -> Result<Option<MappedImage>> {
        Ok(ProcessView::image_at(self, address)?)
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        let (pid, size) = (ProcessView::pid(self), buffer.len());
        let done = ProcessView::read(self, address, buffer);
        let error = || libdebug::Error::BadAddress { operation: "read", pid, address, size, done };
        if done == size { Ok(()) } else { Err(error().into()) }
    }
}

const PAGE: usize = 4096;

/// Memory of one moment, page by page as it is asked for: one system call for everything that lies together.
pub(crate) struct Reader<'a> {
    target: &'a dyn Target,
    pages: RefCell<HashMap<u64, Box<[u8; PAGE]>>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(target: &'a dyn Target) -> Self {
        Self { target, pages: RefCell::default() }
    }

    /// Fills `buffer` from `address` on.
    pub(crate) fn fill(&self, mut address: u64, mut buffer: &mut [u8]) -> Result<()> {
        while !buffer.is_empty() {
            let within = (address % PAGE as u64) as usize;
            let (part, rest) = buffer.split_at_mut(buffer.len().min(PAGE - within));
            self.fill_within_page(address - within as u64, within, part)?;
            address = address.wrapping_add(part.len() as u64);
            buffer = rest;
        }
        Ok(())
    }

    fn fill_within_page(&self, page: u64, within: usize, part: &mut [u8]) -> Result<()> {
        let mut pages = self.pages.borrow_mut();
        let bytes = match pages.entry(page) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let mut bytes = Box::new([0; PAGE]);
                self.target.read(page, &mut bytes[..])?;
                place.insert(bytes)
            }
        };
        part.copy_from_slice(&bytes[within..within + part.len()]);
        Ok(())
    }

    pub(crate) fn bytes(&self, address: u64, size: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; size];
        self.fill(address, &mut bytes)?;
        Ok(bytes)
    }

    fn array<const N: usize>(&self, address: u64) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(address, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn u8(&self, address: u64) -> Result<u8> {
        Ok(self.array::<1>(address)?[0])
    }

    pub(crate) fn u32(&self, address: u64) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(address)?))
    }

    pub(crate) fn i32(&self, address: u64) -> Result<i32> {
        Ok(i32::from_le_bytes(self.array(address)?))
    }

    pub(crate) fn u64(&self, address: u64) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(address)?))
    }
}
