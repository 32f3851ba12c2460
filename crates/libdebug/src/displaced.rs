//! Passing a breakpoint without lifting its trap: the thread executes a relocated copy of the instruction, out
//! of line, and jumps back. No second stop, and no moment in which another thread could run past.
//!
//! Tried or weighed, and worse:
//! - put the byte back, step, put the trap back: three times the stops' cost, and wrong unless all other
//!   threads are stopped meanwhile;
//! - emulating the instruction: right only for the few that one emulates, and a call's push of the return
//!   address is one more write;
//! - single-stepping the copy instead of letting it jump back: a second stop per hit;
//! - a jump over the site's first five bytes to the trap, out of line: one request less per hit, but it
//!   overwrites instructions that other code may jump to, and that other threads may be in the middle of.

use std::collections::BTreeMap;

use libdebug_arch::Stub;
use libdebug_kernel::{Tid, proc};

use crate::error::Result;
use crate::process::Process;

/// Room for the longest stub: a call with its return address, and an absolute jump.
const SLOT: u64 = 64;
const AREA: u64 = 64 << 10;
/// Relative operands reach 2 GiB; a little less, so that everything near the site is reached too.
const REACH: u64 = (1 << 31) - (1 << 27);

/// The stubs of one process, and the pages that they are in.
#[derive(Debug, Default, Clone)]
pub(crate) struct Displaced {
    areas: Vec<Area>,
    /// By where they are. A stub outlives its breakpoint and its text, as a thread may be in it.
    stubs: BTreeMap<u64, Placed>,
    /// Where the stub of each instruction is, by the instruction's address.
    current: BTreeMap<u64, u64>,
    /// The address of a `syscall` instruction.
    pub(crate) gadget: Option<u64>,
    /// Regions in which the process would not map a page: not to be tried at every hit.
    refused: Vec<u64>,
}

#[derive(Debug, Clone)]
struct Area {
    start: u64,
    used: u64,
}

#[derive(Debug, Clone)]
struct Placed {
    site: u64,
    stub: Stub,
}

impl Placed {
    /// Whether it was made of any of the program's bytes in that range.
    fn stands_for(&self, start: u64, end: u64) -> bool {
        self.site < end && start < self.site + self.stub.covers as u64
    }
}

/// Where a thread inside a stub is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The pc that the program would show.
    pub(crate) pc: u64,
    /// In the middle of the instruction: neither before nor behind it.
    pub(crate) midway: bool,
    /// Behind everything that the stub stands for, on the way back.
    pub(crate) behind: bool,
}

impl Area {
    fn contains(&self, address: u64) -> bool {
        (self.start..self.start + AREA).contains(&address)
    }
}

impl Displaced {
    /// Where `raw` is if it is inside a stub.
    pub(crate) fn place(&self, raw: u64) -> Option<Place> {
        let area = self.areas.iter().find(|area| area.contains(raw))?;
        let slot = raw - (raw - area.start) % SLOT;
        let placed = self.stubs.get(&slot)?;
        let pc = placed.stub.original_pc((raw - slot) as usize)?;
        let behind = !(placed.site..placed.site + placed.stub.covers as u64).contains(&pc);
        Some(Place { pc, midway: pc == placed.site && raw != slot, behind })
    }

    /// Whether threads that pass `site` come back behind more than one byte: none of them stands right behind
    /// the trap then without having executed it.
    pub(crate) fn covers_more(&self, site: u64) -> bool {
        let stub = self.current.get(&site).and_then(|at| self.stubs.get(at));
        stub.is_some_and(|placed| placed.stub.covers > 1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    /// The program unmapped our pages: it may do so again, so no new ones.
    pub(crate) fn give_up(&mut self) {
        let gone: Vec<_> = self.areas.drain(..).map(|area| area.start).collect();
        self.stubs.clear();
        self.current.clear();
        self.refused.extend(gone);
    }

    /// After execve: nothing of it exists any more.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Process {
    /// The address of a stub for the instruction at `site`, made on first use; `None` when the instruction
    /// works only at its own place, or the process takes no page for it.
    pub(crate) fn stub_for(&mut self, tid: Tid, site: u64) -> Result<Option<u64>> {
        let mut code = [0; 16];
        if let Some(&at) = self.displaced.current.get(&site) {
            return Ok(Some(at));
        }
        let length = self.session.memory().read(site, &mut code);
        let code = self.up_to_next_site(site, self.original_bytes(site, &code[..length]));
        let Some(at) = self.free_slot(tid, site)? else { return Ok(None) };
        let Ok(stub) = self.isa.relocate(&code, site, at, SLOT as usize) else { return Ok(None) };
        if self.session.memory().write(at, &stub.code) != stub.code.len() {
            return Ok(None);
        }
        if let Some(area) = self.displaced.areas.iter_mut().find(|area| area.contains(at)) {
            area.used += SLOT;
        }
        self.displaced.stubs.insert(at, Placed { site, stub });
        self.displaced.current.insert(site, at);
        Ok(Some(at))
    }

    /// The part of `code` that a stub for `site` may stand for: another site's instruction is not its business.
    fn up_to_next_site(&self, site: u64, mut code: Vec<u8>) -> Vec<u8> {
        let own = self.isa.decode(&code, site).map_or(code.len(), |instruction| instruction.length);
        let nearest =
            [self.sites.next_after(site), self.hardware.next_after(site)].into_iter().flatten().min();
        if let Some(next) = nearest {
            code.truncate(own.max((next - site).min(16) as usize));
        }
        code
    }

    /// The program's text at `address` was changed, or is a site of its own now: stubs that stand for it are
    /// not used again. They stay where they are, for threads that are in them.
    pub(crate) fn text_changed(&mut self, address: u64, length: u64) {
        let end = address.saturating_add(length);
        let Displaced { stubs, current, .. } = &mut self.displaced;
        current.retain(|_, at| stubs.get(at).is_some_and(|placed| !placed.stands_for(address, end)));
    }

    /// A new site ends the stubs that reach into it from before.
    pub(crate) fn site_added(&mut self, address: u64) {
        let reaches = |site: u64| self.displaced.current.contains_key(&site);
        if (1..16).any(|back| address.checked_sub(back).is_some_and(reaches)) {
            let own = self.displaced.current.remove(&address);
            self.text_changed(address, 1);
            self.displaced.current.extend(own.map(|at| (address, at)));
        }
    }

    fn free_slot(&mut self, tid: Tid, near: u64) -> Result<Option<u64>> {
        let has_room = |area: &&Area| area.used + SLOT <= AREA && area.start.abs_diff(near) < REACH;
        if let Some(area) = self.displaced.areas.iter().find(has_room) {
            return Ok(Some(area.start + area.used));
        }
        if self.displaced.refused.iter().any(|refused| refused.abs_diff(near) < REACH) {
            return Ok(None);
        }
        let start = self.map_area(tid, near)?;
        match start {
            Some(start) => self.displaced.areas.push(Area { start, used: 0 }),
            None => self.displaced.refused.push(near),
        }
        Ok(start)
    }

    fn map_area(&mut self, tid: Tid, near: u64) -> Result<Option<u64>> {
        if is_sandboxed(tid, self.filters.installed) {
            return Ok(None);
        }
        let maps = proc::maps(self.session.inhabited())?;
        for start in gaps(&maps, near) {
            match self.inject_mmap(tid, start, AREA) {
                Ok(true) => return Ok(Some(start)),
                Ok(false) => {}
                Err(error) if error.is_death() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(None)
    }
}

/// Whether the program has restricted itself further than the host is, as everything in a container is: a call that
/// its filters do not expect may be its end. Of its filters `own` are the debugger's, which expect everything.
pub(crate) fn is_sandboxed(tid: Tid, own: u32) -> bool {
    let filters = |tid| proc::status(tid).map_or(0, |status| status.filters);
    filters(tid).saturating_sub(own) > filters(Tid(std::process::id().cast_signed()))
}

/// Up to four places for an area, the nearest first: at the upper end of a gap between maps, but not right
/// below a stack, which grows down.
fn gaps(maps: &[proc::Map], near: u64) -> Vec<u64> {
    const LOWEST: u64 = 1 << 16;
    let mut end = LOWEST;
    let mut starts = Vec::new();
    for map in maps.iter().filter(|map| map.start < 1 << 47) {
        if map.start.saturating_sub(end) >= AREA && map.path != "[stack]" {
            starts.push(map.start - AREA);
        }
        end = map.end;
    }
    starts.retain(|start| start.abs_diff(near) < REACH);
    starts.sort_by_key(|start| start.abs_diff(near));
    starts.truncate(4);
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(start: u64, end: u64, path: &str) -> proc::Map {
        let permissions = *b"r-xp";
        proc::Map { start, end, permissions, offset: 0, inode: 0, path: path.to_owned() }
    }

    #[test]
    fn areas_go_to_the_nearest_gap_but_not_below_a_stack() {
        let maps = [
            map(0x40_0000, 0x40_1000, "/program"),
            map(0x5555_0000_0000, 0x5555_0001_0000, "/library"),
            map(0x5555_0010_0000, 0x5555_0020_0000, "[stack]"),
        ];
        assert_eq!(gaps(&maps, 0x40_0800), [0x3f_0000]);
        assert_eq!(gaps(&maps, 0x5555_0000_0800), [0x5554_ffff_0000]);
        assert!(gaps(&maps, 0x2aaa_0000_0000).is_empty(), "out of a relative operand's reach");
    }

    #[test]
    fn a_pc_inside_a_stub_is_shown_as_the_instruction_it_stands_for() {
        let push = libdebug_arch::Isa::X86_64.relocate(&[0x55], 0x1000, 0x9040, SLOT as usize).unwrap();
        let mut displaced =
            Displaced { areas: vec![Area { start: 0x9000, used: 128 }], ..Displaced::default() };
        displaced.stubs.insert(0x9040, Placed { site: 0x1000, stub: push });
        assert_eq!(displaced.place(0x9040), Some(Place { pc: 0x1000, midway: false, behind: false }));
        assert_eq!(displaced.place(0x9041), Some(Place { pc: 0x1001, midway: false, behind: true }));
        assert_eq!(displaced.place(0x9000), None);
        assert_eq!(displaced.place(0x1000), None);
    }
}
