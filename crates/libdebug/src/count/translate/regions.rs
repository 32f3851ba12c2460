//! Where in a process the blocks go: near the code that they stand for, and far from where the program maps anything.

use libdebug_kernel::proc::Map;

/// The bytes of a region of blocks.
pub(super) const SIZE: u64 = 32 << 20;
/// Relative operands reach 2 GiB; a good deal less, since operands are beside the code that has them.
const REACH: u64 = (1 << 31) - (1 << 28);
/// Code below this names its operands by their addresses wherever it is.
const LOW: u64 = REACH;
/// Where nothing else is: far from what grows up from a program, and down from its stack.
pub(super) const EMPTY: [u64; 3] = [0x2000_0000_0000, 0x1800_0000_0000, 0x2800_0000_0000];
/// Between what belongs together there is less.
const APART: u64 = 1 << 30;
/// From what may grow.
const MARGIN: u64 = 16 << 20;
/// Libraries are so near to the stack at most, unless it has no limit: then they begin far below (mmap(2), legacy layout).
const NEAR_STACK: u64 = 64 << 30;
/// For a stack to grow into.
const STACK: u64 = 64 << 20;

/// One of the parts of a process's memory that blocks are in.
#[derive(Debug, Clone)]
pub(super) struct Region {
    pub(super) start: u64,
    pub(super) used: u64,
    /// The bytes of the lookup, with which it begins.
    pub(super) lookup: u64,
}

impl Region {
    pub(super) fn contains(&self, address: u64) -> bool {
        (self.start..self.start + SIZE).contains(&address)
    }

    /// Whether blocks for code at `pc` can be in it, with room for a batch.
    pub(super) fn suits(&self, pc: u64, room: u64) -> bool {
        self.used + room <= self.start + SIZE && (pc < LOW || self.start.abs_diff(pc) < REACH)
    }
}

/// Where a region for code at `pc` could begin, the best first.
pub(super) fn candidates(maps: &[Map], pc: u64) -> Vec<u64> {
    if pc < LOW {
        return EMPTY.iter().map(|start| start + (4 << 30)).collect();
    }
    let user: Vec<_> = maps.iter().filter(|map| map.start < 1 << 47).collect();
    let Some(own) = user.iter().position(|map| map.contains(pc)) else { return Vec::new() };
    let is_near = |pair: &[&Map]| pair[1].start - pair[0].end < APART && pair[1].path != "[stack]";
    let above = user[own..].windows(2).take_while(|pair| is_near(pair)).count();
    let below = user[..=own].windows(2).rev().take_while(|pair| is_near(pair)).count();
    let (first, last) = (own - below, own + above);
    let next = user.get(last + 1);
    let ceiling = next.map_or(1 << 47, |map| map.start - if map.path == "[stack]" { STACK } else { 0 });
    let floor = first.checked_sub(1).map_or(1 << 31, |before| user[before].end);
    let over = (user[last].end + MARGIN, user[last].end + MARGIN + SIZE <= ceiling);
    let under = user[first].start.saturating_sub(4 * MARGIN + SIZE);
    let under = (under, under >= floor);
    // Right below a stack libraries grow down, from the top of their room; everything else grows up.
    let is_top = next.is_some_and(|map| map.path == "[stack]" && map.start - user[last].end < NEAR_STACK);
    let both = if is_top { [over, under] } else { [under, over] };
    both.into_iter()
        .filter(|(start, fits)| *fits && start.abs_diff(pc) < REACH)
        .map(|(start, _)| start)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(start: u64, end: u64, path: &str) -> Map {
        Map { start, end, permissions: *b"r-xp", offset: 0, inode: 0, path: path.to_owned() }
    }

    #[test]
    fn regions_are_where_nothing_grows() {
        let maps = [
            map(0x40_0000, 0x40_1000, "/static"),
            map(0x5555_5555_4000, 0x5555_5556_0000, "/program"),
            map(0x5555_5556_0000, 0x5555_5558_0000, "[heap]"),
            map(0x7fff_f7d0_0000, 0x7fff_f7f0_0000, "/library"),
            map(0x7fff_f7fc_0000, 0x7fff_f7ff_f000, "/loader"),
            map(0x7fff_fffd_e000, 0x7fff_ffff_f000, "[stack]"),
        ];
        assert_eq!(candidates(&maps, 0x40_0800)[0], 0x2001_0000_0000);
        assert_eq!(candidates(&maps, 0x5555_5555_5000)[0], 0x5555_5555_4000 - (96 << 20));
        assert_eq!(candidates(&maps, 0x7fff_f7d0_1000)[0], 0x7fff_f7ff_f000 + (16 << 20));
    }
}
