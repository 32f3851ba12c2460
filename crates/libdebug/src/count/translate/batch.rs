//! Blocks that were made together, and what a thread among them is doing.

use std::sync::Arc;

use libdebug_arch::x86_64::index;
use libdebug_arch::x86_64::translate::{At, Block, Counted, Exit, Iterations, Mark, Spilled, area};
use libdebug_kernel::proc::Map;

/// The general registers of a thread.
pub(crate) type Registers = [u64; index::COUNT];
/// The words of a thread's own before its slots.
pub(super) type Words = [u64; area::WORDS];

/// One block, as far as it has to be known later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The program's address.
    pub(super) start: u64,
    /// Where the block is.
    pub(super) at: u64,
    /// Where what is its own begins in the batch's lists.
    lengths: u32,
    marks: u32,
    exits: u32,
    /// Where its trap of a limit is.
    limit: Option<u16>,
}

/// Where a thread has come to from one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trap {
    /// The trap at this address: it can be made a jump.
    At(u64),
    /// The lookup has not found this address.
    Lookup(u64),
    /// The block would exceed the limit.
    Limit,
}

/// Blocks that were made together; they never change.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(super) blocks: Vec<Known>,
    /// The slot of the first block; the others have the next ones.
    pub(super) first: u32,
    /// What was mapped where.
    pub(crate) maps: Arc<[Map]>,
    lengths: Vec<u8>,
    marks: Vec<Mark>,
    exits: Vec<Exit>,
    /// What each instruction counts for, where that was to be noted.
    pub(super) names: Vec<u32>,
}

/// What the program believes of a thread that is in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The block's number in its batch.
    pub(crate) number: usize,
    /// Instructions of the block that are executed.
    pub(crate) done: usize,
    /// What has to be added to the counter of all instructions.
    pub(super) owed: i64,
    /// Iterations that the block's slot does not have yet.
    pub(crate) owed_slot: u64,
    /// Whether the slot has all of the block, also what is not done.
    pub(crate) counts_rest: bool,
}

impl Batch {
    pub(super) fn of(maps: &Arc<[Map]>, first: u32) -> Self {
        Self { maps: Arc::clone(maps), first, ..Self::default() }
    }

    pub(super) fn push(&mut self, start: u64, at: u64, block: &Block) {
        self.blocks.push(Known {
            start,
            at,
            lengths: self.lengths.len() as u32,
            marks: self.marks.len() as u32,
            exits: self.exits.len() as u32,
            limit: block.limit,
        });
        self.lengths.extend_from_slice(&block.lengths);
        self.marks.extend_from_slice(&block.marks);
        self.exits.extend_from_slice(&block.exits);
    }

    pub(super) fn start(&self) -> u64 {
        self.blocks.first().map_or(u64::MAX, |block| block.at)
    }

    /// The number of the block that `pc` is in.
    pub(super) fn find(&self, pc: u64) -> Option<usize> {
        self.blocks.partition_point(|block| block.at <= pc).checked_sub(1)
    }

    fn lengths_of(&self, number: usize) -> &[u8] {
        let end = self.blocks.get(number + 1).map_or(self.lengths.len(), |next| next.lengths as usize);
        self.blocks.get(number).map_or(&[], |block| &self.lengths[block.lengths as usize..end])
    }

    fn marks_of(&self, number: usize) -> &[Mark] {
        let end = self.blocks.get(number + 1).map_or(self.marks.len(), |next| next.marks as usize);
        self.blocks.get(number).map_or(&[], |block| &self.marks[block.marks as usize..end])
    }

    pub(super) fn exits_of(&self, number: usize) -> &[Exit] {
        let end = self.blocks.get(number + 1).map_or(self.exits.len(), |next| next.exits as usize);
        self.blocks.get(number).map_or(&[], |block| &self.exits[block.exits as usize..end])
    }

    /// How many of the program's instructions the block has.
    pub(super) fn count(&self, number: usize) -> usize {
        self.lengths_of(number).len()
    }

    /// The program's addresses of the block's instructions.
    pub(crate) fn addresses(&self, number: usize) -> impl Iterator<Item = u64> {
        let start = self.blocks.get(number).map_or(0, |block| block.start);
        self.lengths_of(number).iter().scan(start, |next, length| {
            let address = *next;
            *next += u64::from(*length);
            Some(address)
        })
    }

    /// What the block's instructions count for.
    pub(crate) fn names_of(&self, number: usize) -> &[u32] {
        let start = self.blocks.get(number).map_or(0, |block| block.lengths as usize);
        self.names.get(start..start + self.count(number)).unwrap_or_default()
    }

    /// The address behind the block's last instruction.
    pub(super) fn end(&self, number: usize) -> u64 {
        let length: u64 = self.lengths_of(number).iter().map(|length| u64::from(*length)).sum();
        self.blocks.get(number).map_or(0, |block| block.start + length)
    }

    /// Puts the registers of a thread at `registers[RIP]` as the program has them.
    pub(super) fn place(&self, registers: &mut Registers, words: &Words) -> Option<Place> {
        let pc = registers[index::RIP];
        let number = self.find(pc)?;
        let block = self.blocks.get(number)?;
        let mark = mark_at(self.marks_of(number), pc - block.at)?;
        let iterations = iterations(mark.iterations, registers, words);
        put_back(mark.spilled, registers, words);
        let done = usize::from(mark.done);
        registers[index::RIP] = match mark.at {
            At::Instruction => self.addresses(number).nth(done).unwrap_or_else(|| self.end(number)),
            At::Exit(exit) => self.exits_of(number).get(usize::from(exit))?.target,
            At::Target => word(words, area::TARGET),
        };
        let rest = (self.count(number) - done.min(self.count(number))) as i64;
        let owed = if mark.counted == Counted::Nothing { iterations.cast_signed() } else { -rest };
        let counts_rest = mark.counted == Counted::All && rest > 0;
        let owed_slot = if mark.counted == Counted::All { 0 } else { iterations };
        Some(Place { number, done, owed, owed_slot, counts_rest })
    }

    /// What of ours a thread has executed that has executed a trap at `at`: an exit, the beginning of a block that is not to be
    /// executed any more, or a limit; `None` where there is none.
    pub(super) fn trap_at(&self, at: u64) -> Option<Trap> {
        let number = self.find(at)?;
        let block = self.blocks.get(number)?;
        let offset = at - block.at;
        if block.limit.is_some_and(|limit| u64::from(limit) == offset) {
            return Some(Trap::Limit);
        }
        let is_exit = self.exits_of(number).iter().any(|exit| u64::from(exit.offset) == offset);
        (offset == 0 || is_exit).then_some(Trap::At(at))
    }
}

pub(super) fn mark_at(marks: &[Mark], offset: u64) -> Option<&Mark> {
    marks.get(marks.partition_point(|mark| u64::from(mark.offset) <= offset).checked_sub(1)?)
}

pub(super) fn word(words: &Words, offset: u32) -> u64 {
    words.get(offset as usize / 8).copied().unwrap_or(0)
}

fn iterations(kind: Iterations, registers: &Registers, words: &Words) -> u64 {
    let before = word(words, area::ITERATIONS);
    match kind {
        Iterations::None => 0,
        Iterations::Register => before.wrapping_sub(registers[index::RCX]),
        Iterations::Saved => before.wrapping_sub(word(words, area::RCX)),
    }
}

/// The program's own values of registers that a block uses.
pub(super) fn put_back(spilled: Spilled, registers: &mut Registers, words: &Words) {
    let (rax, rcx, rdx) = match spilled {
        Spilled::Nothing => (false, false, false),
        Spilled::Rax => (true, false, false),
        Spilled::RaxRcx => (true, true, false),
        Spilled::All => (true, true, true),
    };
    let all = [(rax, index::RAX, area::RAX), (rcx, index::RCX, area::RCX), (rdx, index::RDX, area::RDX)];
    for (_, register, offset) in all.into_iter().filter(|(is_spilled, ..)| *is_spilled) {
        registers[register] = word(words, offset);
    }
}
