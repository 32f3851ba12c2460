//! The blocks of one address space.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use libdebug_arch::x86_64::index;
use libdebug_arch::x86_64::translate::{Mark, Place as BlockPlace, link, lookup, translate};
use libdebug_kernel::proc::Map;
use libdebug_kernel::{Pid, ProcessMemory};

use super::areas::{Areas, SLOTS, read_word};
use super::batch::{Batch, Place, Registers, Trap, Words, mark_at, put_back, word};
use super::inject::{Access, Stopped};
use super::regions::{self, Region, SIZE};
use super::text::{Text, is_lasting};
use libdebug_arch::x86_64::translate::area;

/// So many blocks are made at once, of what the first one leads to.
const AT_ONCE: usize = 64;
/// The longest that a batch can be, with a good deal to spare.
const ROOM: u64 = 256 << 10;
const PAGE: u64 = 4096;

/// What blocks do beside adding up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Each counts how often it is executed.
    pub(crate) by_slot: bool,
    /// They end at a limit.
    pub(crate) is_limited: bool,
    /// They lead to each other only where a thread's counter has said so: it sees where threads go.
    pub(crate) is_followed: bool,
}

/// Names what an instruction counts for, by its bytes and address, where that is wanted.
pub(crate) type NameOf<'a> = dyn FnMut(&[u8], u64) -> Option<u32> + 'a;

/// Where a thread was that is out of the blocks now.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) owed: i64,
    pub(crate) trap: Option<Trap>,
    /// Which instruction it has executed last, where that ended a block.
    pub(crate) last: Option<u64>,
    /// The block that it was in the middle of.
    pub(crate) inside: Option<(Arc<Batch>, Place)>,
}

#[derive(Debug)]
pub(super) struct Realm {
    pub(super) id: u64,
    pub(super) memory: ProcessMemory,
    /// Whose memory that is, and who else has it.
    pub(super) through: Pid,
    pub(super) users: HashSet<Pid>,
    pub(super) areas: Areas,
    kind: Kind,
    regions: Vec<Region>,
    /// The batches of each region, by the number of the region.
    by_region: Vec<Vec<u32>>,
    /// Code for which no region could be had.
    refused: Vec<u64>,
    lookup_marks: Arc<[Mark]>,
    batches: Vec<Arc<Batch>>,
    by_address: HashMap<u64, u64>,
    count: u32,
    text: Text,
    /// The pages that blocks were made of.
    pages: BTreeSet<u64>,
}

impl Realm {
    /// Begins to translate a process; `None` when it takes no pages for that.
    pub(super) fn create(host: &Stopped<'_>, maps: &[Map], id: u64, kind: Kind) -> Option<Self> {
        let memory = ProcessMemory::open(host.process).ok()?;
        let mut possible = Areas::possible(kind.by_slot);
        let areas =
            possible.find(|areas| host.map(maps, &memory, areas.start, areas.size(), Access::ReadWrite))?;
        areas.sign(&memory, id).then(|| Self {
            id,
            memory,
            through: host.process,
            users: HashSet::from([host.process]),
            areas,
            kind,
            regions: Vec::new(),
            by_region: Vec::new(),
            refused: Vec::new(),
            lookup_marks: Arc::default(),
            batches: Vec::new(),
            by_address: HashMap::new(),
            count: 0,
            text: Text::default(),
            pages: BTreeSet::new(),
        })
    }

    /// What a copy of the process has of it; `id` is the copy's. What was made after the copy is not in it.
    pub(super) fn copy(&self, process: Pid, memory: ProcessMemory, id: u64) -> Self {
        let count = self.areas.batches(&memory).min(self.batches.len());
        let mut copy = Self {
            id,
            memory,
            through: process,
            users: HashSet::from([process]),
            areas: self.areas.clone(),
            kind: self.kind,
            regions: self.regions.clone(),
            by_region: self.by_region.clone(),
            refused: self.refused.clone(),
            lookup_marks: Arc::clone(&self.lookup_marks),
            batches: self.batches.clone(),
            by_address: self.by_address.clone(),
            count: self.count,
            text: self.text.clone(),
            pages: self.pages.clone(),
        };
        copy.areas.all_free();
        copy.areas.sign(&copy.memory, id);
        copy.shorten(count);
        copy
    }

    /// Only the first `count` batches are there, and the regions that they are in. The places of the others stay unused.
    fn shorten(&mut self, count: usize) {
        let is_there = |region: &&Region| self.memory.read(region.start, &mut [0]) == 1;
        let there = self.regions.iter().take_while(is_there).count();
        self.regions.truncate(there);
        self.by_region.truncate(there);
        for batch in self.batches.iter().skip(count) {
            for block in &batch.blocks {
                self.by_address.remove(&block.start);
            }
        }
        if count < self.batches.len() {
            for batches in &mut self.by_region {
                batches.retain(|number| (*number as usize) < count);
            }
            let by_address = &self.by_address;
            self.areas.retain(|address| by_address.contains_key(&address));
            self.batches.truncate(count);
        }
    }

    pub(super) fn knows(&self, pc: u64) -> bool {
        self.by_address.contains_key(&pc)
    }

    /// The block for the program's code at `pc`, if it is made.
    pub(super) fn known(&self, pc: u64) -> Option<u64> {
        self.by_address.get(&pc).copied()
    }

    /// Makes the block for the program's code at `pc`; `None` where the program has to be stepped.
    pub(super) fn block(
        &mut self,
        host: &Stopped<'_>,
        maps: &Arc<[Map]>,
        pc: u64,
        name: &mut NameOf<'_>,
    ) -> Option<u64> {
        lasting_map(maps, pc)?;
        let region = self.region(host, maps, pc)?;
        self.make(region, maps, pc, name)?;
        self.by_address.get(&pc).copied()
    }

    fn region(&mut self, host: &Stopped<'_>, maps: &[Map], pc: u64) -> Option<usize> {
        if let Some(number) = self.regions.iter().position(|region| region.suits(pc, ROOM)) {
            return Some(number);
        }
        if self.refused.iter().any(|refused| refused.abs_diff(pc) < SIZE) {
            return None;
        }
        let mut places = regions::candidates(maps, pc).into_iter();
        let found = places.find(|start| host.map(maps, &self.memory, *start, SIZE, Access::ReadExecute));
        let Some(start) = found else {
            self.refused.push(pc);
            return None;
        };
        let (code, marks) = lookup(start, self.areas.table());
        if self.memory.write(start, &code) < code.len() {
            // A kernel may forbid that (proc_mem.force_override): no more pages for nothing.
            host.unmap(maps, &self.memory, start, SIZE);
            self.refused.push(pc);
            return None;
        }
        let lookup = code.len() as u64;
        self.regions.push(Region { start, used: start + lookup.next_multiple_of(64), lookup });
        self.by_region.push(Vec::new());
        self.lookup_marks = marks.into();
        Some(self.regions.len() - 1)
    }

    /// Makes the block for `pc`, and those that it leads to.
    fn make(&mut self, region: usize, maps: &Arc<[Map]>, pc: u64, name: &mut NameOf<'_>) -> Option<()> {
        let (base, lookup) = (self.regions[region].used, self.regions[region].start);
        let mut making = Making { batch: Batch::of(maps, self.count), code: Vec::new(), returns: Vec::new() };
        let mut wanted = VecDeque::from([pc]);
        while let Some(pc) = wanted.pop_front()
            && making.batch.blocks.len() < AT_ONCE
            && (self.count < SLOTS || !self.kind.by_slot)
        {
            if self.by_address.contains_key(&pc) {
                continue;
            }
            let Some(map) = lasting_map(maps, pc) else { continue };
            let (text, offset) = self.text.at(&self.memory, map, pc);
            let to = base + making.code.len() as u64;
            let slot = self.kind.by_slot.then_some(self.count);
            let is_limited = self.kind.is_limited;
            let Some(bytes) = text.get(offset..) else { continue };
            let Some(block) = translate(bytes, pc, &BlockPlace { to, lookup, slot, is_limited }) else {
                continue;
            };
            wanted.extend(block.exits.iter().map(|exit| exit.target));
            wanted.extend(block.returns_to);
            making.returns.extend(block.returns_to);
            making.name(bytes, pc, &block.lengths, name);
            making.batch.push(pc, to, &block);
            making.code.extend_from_slice(&block.code);
            making.code.resize(making.code.len().next_multiple_of(16), 0xcc);
            self.by_address.insert(pc, to);
            self.count += 1;
            let end = pc + block.lengths.iter().map(|length| u64::from(*length)).sum::<u64>();
            self.pages.extend(pc / PAGE..=(end - 1) / PAGE);
        }
        (!making.batch.blocks.is_empty()).then(|| self.place_batch(region, making))
    }

    /// Writes a batch into the process: its code, that it is there, and what returns lead to.
    fn place_batch(&mut self, region: usize, mut making: Making) {
        let base = self.regions[region].used;
        if !self.kind.is_followed {
            making.link(base, &self.by_address);
        }
        self.memory.write(base, &making.code);
        self.regions[region].used = base + making.code.len() as u64;
        self.by_region[region].push(self.batches.len() as u32);
        self.batches.push(Arc::new(making.batch));
        self.areas.set_batches(&self.memory, self.batches.len());
        if self.kind.is_followed {
            return;
        }
        let by_address = &self.by_address;
        let returns = making.returns.iter().filter_map(|to| Some((*to, *by_address.get(to)?)));
        self.areas.enter(&self.memory, returns);
    }

    /// Has a thread that comes to where `trap` was go on to the block for `pc` by itself.
    pub(super) fn join(&mut self, trap: Trap, pc: u64, block: u64) {
        match trap {
            Trap::Lookup(target) if target == pc => {
                self.areas.enter(&self.memory, std::iter::once((pc, block)));
            }
            Trap::Lookup(_) | Trap::Limit => {}
            Trap::At(trap) => {
                if let Some([first, rest @ ..]) = link(trap, block) {
                    self.memory.write(trap + 1, &rest);
                    self.memory.write(trap, &[first]);
                }
            }
        }
    }

    pub(super) fn contains(&self, pc: u64) -> bool {
        self.regions.iter().any(|region| region.contains(pc))
    }

    /// Puts the registers of a thread that is in a block, or was in one up to a trap, as the program has them.
    pub(super) fn leave(&self, registers: &mut Registers, words: &Words) -> Option<Left> {
        let pc = registers[index::RIP];
        let number = self.regions.iter().position(|region| region.contains(pc))?;
        let region = &self.regions[number];
        if pc <= region.start + region.lookup {
            return self.leave_lookup(pc - region.start, region.lookup, registers, words);
        }
        let batches = &self.by_region[number];
        let start = |batch: &u32| self.batches[*batch as usize].start();
        let found = batches.partition_point(|batch| start(batch) <= pc).checked_sub(1)?;
        let batch = &self.batches[batches[found] as usize];
        let place = batch.place(registers, words)?;
        let trap = batch.trap_at(pc - 1);
        let inside = (place.counts_rest || place.owed_slot > 0).then(|| (Arc::clone(batch), place.clone()));
        let ends_block = place.done > 0 && place.done == batch.count(place.number);
        let last = trap.filter(|_| ends_block).and_then(|_| batch.addresses(place.number).last());
        Some(Left { owed: place.owed, trap, last, inside })
    }

    fn leave_lookup(&self, offset: u64, end: u64, registers: &mut Registers, words: &Words) -> Option<Left> {
        put_back(mark_at(&self.lookup_marks, offset)?.spilled, registers, words);
        let target = word(words, area::TARGET);
        registers[index::RIP] = target;
        let trap = (offset == end).then_some(Trap::Lookup(target));
        Some(Left { owed: 0, trap, last: None, inside: None })
    }

    /// Whether the program has changed what is ours.
    pub(super) fn is_hit_by(&self, range: &Range<u64>) -> bool {
        let is_hit = |start: u64, size: u64| range.start < start + size && start < range.end;
        let all = 0..u64::MAX;
        *range != all
            && (is_hit(self.areas.start, self.areas.size())
                || self.regions.iter().any(|region| is_hit(region.start, SIZE)))
    }

    /// The program's code in this range may be another from now on.
    pub(super) fn forget(&mut self, range: Range<u64>) {
        let pages = range.start / PAGE..range.end.div_ceil(PAGE);
        if pages.is_empty() || self.pages.range(pages.clone()).next().is_none() {
            return;
        }
        for batch in &self.batches {
            for (number, block) in batch.blocks.iter().enumerate() {
                let is_current = self.by_address.get(&block.start) == Some(&block.at);
                if is_current && block.start < range.end && batch.end(number) > range.start {
                    self.memory.write(block.at, &[0xcc]);
                    self.by_address.remove(&block.start);
                }
            }
        }
        self.text.forget(range.start, range.end);
        self.pages.retain(|page| !pages.contains(page));
    }

    /// The words of a thread that has this area.
    pub(super) fn words(&self, area: u64) -> Option<Words> {
        let mut bytes = [0; area::WORDS * 8];
        if self.memory.read(area, &mut bytes) < bytes.len() {
            return None;
        }
        let mut words = [0; area::WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = bytes.try_into().map_or(0, u64::from_le_bytes);
        }
        Some(words)
    }

    /// Sets how far from its limit the thread with this area is; answers what its counter says then.
    pub(super) fn limit(&self, area: u64, left: u64) -> Option<u64> {
        // Its highest byte tells whether it is negative.
        let total = left.min(1 << 55).wrapping_neg();
        let written = self.memory.write(area + u64::from(area::TOTAL), &total.to_le_bytes());
        (written == 8).then_some(total)
    }

    pub(super) fn total(&self, area: u64) -> Option<u64> {
        read_word(&self.memory, area + u64::from(area::TOTAL))
    }

    /// How often each block was executed by the thread with this area since the last time.
    pub(super) fn harvest(&self, area: u64) -> Vec<(Arc<Batch>, usize, u64)> {
        if !self.kind.by_slot {
            return Vec::new();
        }
        let slots = area + u64::from(area::SLOTS);
        let mut bytes = vec![0; self.count as usize * 8];
        let length = self.memory.read(slots, &mut bytes);
        let counts =
            bytes[..length].chunks_exact(8).map(|word| word.try_into().map_or(0, u64::from_le_bytes));
        let blocks = self
            .batches
            .iter()
            .flat_map(|batch| (0..batch.blocks.len()).map(move |number| (Arc::clone(batch), number)));
        let counts: Vec<_> = counts.collect();
        let counts = blocks.filter_map(|(batch, number)| {
            let count = *counts.get(batch.first as usize + number)?;
            (count > 0).then_some((batch, number, count))
        });
        let counts = counts.collect();
        self.clean(area);
        counts
    }

    /// Nothing is counted in this area's slots.
    pub(super) fn clean(&self, area: u64) {
        if self.kind.by_slot {
            self.memory.write(area + u64::from(area::SLOTS), &vec![0; self.count as usize * 8]);
        }
    }

    /// Nothing of ours is left in the process of `host`.
    pub(super) fn remove(&self, host: &Stopped<'_>, maps: &[Map]) {
        for region in &self.regions {
            host.unmap(maps, &self.memory, region.start, SIZE);
        }
        host.unmap(maps, &self.memory, self.areas.start, self.areas.size());
    }
}

pub(super) fn lasting_map(maps: &[Map], pc: u64) -> Option<&Map> {
    let found = maps.partition_point(|map| map.start <= pc).checked_sub(1)?;
    maps.get(found).filter(|map| map.contains(pc) && is_lasting(map))
}

/// A batch that is being made.
struct Making {
    batch: Batch,
    code: Vec<u8>,
    returns: Vec<u64>,
}

impl Making {
    fn name(&mut self, bytes: &[u8], pc: u64, lengths: &[u8], name: &mut NameOf<'_>) {
        let mut offset = 0;
        for length in lengths {
            let rest = bytes.get(offset..).unwrap_or_default();
            self.batch.names.extend(name(rest, pc + offset as u64));
            offset += usize::from(*length);
        }
    }

    /// Exits whose blocks are there lead to them.
    fn link(&mut self, base: u64, by_address: &HashMap<u64, u64>) {
        for (number, block) in self.batch.blocks.iter().enumerate() {
            for exit in self.batch.exits_of(number) {
                let at = block.at + u64::from(exit.offset);
                let Some(jump) = by_address.get(&exit.target).and_then(|to| link(at, *to)) else { continue };
                let offset = (at - base) as usize;
                if let Some(place) = self.code.get_mut(offset..offset + jump.len()) {
                    place.copy_from_slice(&jump);
                }
            }
        }
    }
}
