//! Words of each thread's own, and the table from the program's addresses to blocks: all that blocks write to.

use std::collections::HashMap;

use libdebug_arch::x86_64::translate::{ENTRY_SIZE, KEYS, TABLE_SIZE, area, entry_of, entry_offset};
use libdebug_kernel::ProcessMemory;

use super::regions::EMPTY;

/// The first page: who we are, and how many batches are written.
const HEAD: u64 = 4096;
const KEEPER: u64 = 0;
const NONCE: u64 = 8;
const BATCHES: u64 = 16;
/// Blocks that have a slot of their own at most.
pub(super) const SLOTS: u32 = 1 << 20;

/// The part of a process's memory with words.
#[derive(Debug, Clone)]
pub(super) struct Areas {
    pub(super) start: u64,
    stride: u64,
    capacity: u32,
    next: u32,
    /// Used before, by others.
    free: Vec<u32>,
    /// What is in the table, by where.
    entries: HashMap<u64, u64>,
}

impl Areas {
    /// Where they could be and how many threads they could be for, the most wanted first: a process may be allowed little
    /// memory.
    pub(super) fn possible(by_slot: bool) -> impl Iterator<Item = Self> {
        let (stride, capacities) = match by_slot {
            true => (u64::from(area::SLOTS + SLOTS * 8), [256, 16]),
            false => (256, [4096, 256]),
        };
        let of = move |capacity| EMPTY.into_iter().map(move |start| Self::of(start, stride, capacity));
        capacities.into_iter().flat_map(of)
    }

    fn of(start: u64, stride: u64, capacity: u32) -> Self {
        Self { start, stride, capacity, next: 0, free: Vec::new(), entries: HashMap::new() }
    }

    pub(super) fn size(&self) -> u64 {
        let size = HEAD + TABLE_SIZE + self.stride * u64::from(self.capacity);
        size.next_multiple_of(4096)
    }

    pub(super) fn table(&self) -> u64 {
        self.start + HEAD
    }

    /// An area that no thread uses, and whether it was used before.
    pub(super) fn take(&mut self) -> Option<(u64, bool)> {
        let (number, is_used) = match self.free.pop() {
            Some(number) => (number, true),
            None if self.next < self.capacity => (self.next, false),
            None => return None,
        };
        self.next = self.next.max(number + 1);
        Some((self.start + HEAD + TABLE_SIZE + u64::from(number) * self.stride, is_used))
    }

    pub(super) fn give_back(&mut self, area: u64) {
        let number = (area - self.start - HEAD - TABLE_SIZE) / self.stride;
        self.free.push(number as u32);
    }

    /// In a copy of the process no thread has an area yet.
    pub(super) fn all_free(&mut self) {
        self.free = (0..self.next).collect();
    }

    /// Says in the process whose blocks these are.
    pub(super) fn sign(&self, memory: &ProcessMemory, keeper: u64) -> bool {
        memory.write(self.start + KEEPER, &keeper.to_le_bytes()) == 8
    }

    pub(super) fn signed_by(&self, memory: &ProcessMemory) -> Option<u64> {
        read_word(memory, self.start + KEEPER)
    }

    pub(super) fn set_nonce(&self, memory: &ProcessMemory, nonce: u64) {
        memory.write(self.start + NONCE, &nonce.to_le_bytes());
    }

    pub(super) fn nonce(&self, memory: &ProcessMemory) -> Option<u64> {
        read_word(memory, self.start + NONCE)
    }

    /// From now on a copy of the process has so many batches.
    pub(super) fn set_batches(&self, memory: &ProcessMemory, count: usize) {
        memory.write(self.start + BATCHES, &(count as u64).to_le_bytes());
    }

    pub(super) fn batches(&self, memory: &ProcessMemory) -> usize {
        read_word(memory, self.start + BATCHES).unwrap_or(0) as usize
    }

    /// Has lookups of these addresses lead to these blocks. Values are there before their keys are.
    pub(super) fn enter(&mut self, memory: &ProcessMemory, pairs: impl Iterator<Item = (u64, u64)>) {
        let (mut values, mut keys) = (Vec::new(), Vec::new());
        for (address, block) in pairs {
            let Some((entry, is_known)) = self.entry(address) else { continue };
            let (key, value) = entry_of(address, block);
            if is_known {
                // Others may be reading it: what is there leads on to the block.
                continue;
            }
            self.entries.insert(entry, address);
            values.push((self.table() + entry + 8, value.to_le_bytes()));
            keys.push((self.table() + entry, key.to_le_bytes()));
        }
        memory.write_scattered(&values);
        memory.write_scattered(&keys);
    }

    /// The entry of `address`, and whether it has it already; `None` when the table is full around there.
    fn entry(&self, address: u64) -> Option<(u64, bool)> {
        let mut entry = entry_offset(address);
        let last = (KEYS - 1) * ENTRY_SIZE;
        while entry < last {
            match self.entries.get(&entry) {
                None => return Some((entry, false)),
                Some(there) if *there == address => return Some((entry, true)),
                Some(_) => entry += ENTRY_SIZE,
            }
        }
        None
    }

    /// Forgets the entries that do not pass, in a copy of the process that does not have them.
    pub(super) fn retain(&mut self, passes: impl Fn(u64) -> bool) {
        self.entries.retain(|_, address| passes(*address));
    }
}

/// A word of the process; `None` when its memory is gone.
pub(super) fn read_word(memory: &ProcessMemory, address: u64) -> Option<u64> {
    let mut word = [0; 8];
    (memory.read(address, &mut word) == word.len()).then(|| u64::from_le_bytes(word))
}
