//! Reads of a stack, many words in one request.

use crate::space::AddressSpace;

const FIRST: usize = 4096;
const LARGEST: usize = 1 << 16;

/// A part of a stack, read ahead.
pub(super) struct StackWindow<'a> {
    space: &'a dyn AddressSpace,
    base: u64,
    bytes: Vec<u8>,
    next_size: usize,
}

impl<'a> StackWindow<'a> {
    pub(super) fn new(space: &'a dyn AddressSpace) -> Self {
        Self { space, base: 0, bytes: Vec::new(), next_size: FIRST }
    }

    /// Fills `buffer` from `address` on; answers whether all of it could be read.
    pub(super) fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool {
        if self.copy(address, buffer) {
            return true;
        }
        self.refill(address);
        self.copy(address, buffer)
    }

    pub(super) fn word(&mut self, address: u64) -> Option<u64> {
        let mut word = [0; 8];
        self.read(address, &mut word).then(|| u64::from_le_bytes(word))
    }

    fn copy(&self, address: u64, buffer: &mut [u8]) -> bool {
        let part = address.checked_sub(self.base).and_then(|skip| {
            let skip = usize::try_from(skip).ok()?;
            self.bytes.get(skip..skip.checked_add(buffer.len())?)
        });
        part.inspect(|part| buffer.copy_from_slice(part)).is_some()
    }

    /// Stacks are walked upwards, and a deep one is read in larger parts.
    fn refill(&mut self, address: u64) {
        self.bytes.resize(self.next_size, 0);
        let read = self.space.read(address, &mut self.bytes).unwrap_or(0);
        self.bytes.truncate(read);
        self.base = address;
        self.next_size = (self.next_size * 2).min(LARGEST);
    }
}
