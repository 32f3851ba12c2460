//! What has changed between two snapshots.

use std::collections::HashMap;
use std::ops::Range;

use libdebug_arch::x86_64::{Register, RegisterValue, registers};
use libdebug_kernel::Tid;
use libdebug_kernel::proc::Map;

use super::{KeptRegisters, Snapshot, SnapshotError, SnapshotLevel};
use crate::error::Result;

/// What has changed from one snapshot to another.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotDiff {
    /// The lower of both levels: what both have.
    pub level: SnapshotLevel,
    /// Every map of either, by address; maps that were there before are paired with what has become of them.
    pub maps: Vec<MapDiff>,
    /// The threads that only the newer one has.
    pub born: Vec<Tid>,
    /// The threads that only the older one has.
    pub dead: Vec<Tid>,
    /// The threads that both have.
    pub both: Vec<Tid>,
}

/// One map in two snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapDiff {
    /// Its place among the older maps; `None` if it is new.
    pub old: Option<usize>,
    /// Its place among the newer maps; `None` if it is gone.
    pub new: Option<usize>,
    /// Whether it is new or gone, or its bounds, permissions or content have changed.
    pub has_changed: bool,
    /// The parts with other content, as offsets into the newer map, or into the older one if that is gone.
    pub content: Vec<Range<u64>>,
}

/// A register with two values.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterChange {
    /// The register.
    pub register: &'static Register,
    /// Its value before; `None` if that processor did not have it.
    pub old: Option<RegisterValue>,
    /// Its value after.
    pub new: Option<RegisterValue>,
}

impl Snapshot {
    /// What has changed from this snapshot to a newer one.
    ///
    /// ```
    /// use libdebug::{Debugger, SnapshotLevel};
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = Debugger::builder("/bin/true").run()?;
    /// let before = debugger.snapshot(SnapshotLevel::Writable, None)?;
    /// let stack = debugger.main_thread()?.register("rsp")?.as_u64().unwrap();
    /// debugger.write_memory(stack, b"other")?;
    /// let diff = before.diff(&debugger.snapshot(SnapshotLevel::Writable, None)?)?;
    /// let changed: Vec<_> = diff.maps.iter().filter(|map| map.has_changed).collect();
    /// assert_eq!(changed.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SnapshotError::Different`] for snapshots of different kinds.
    pub fn diff(&self, newer: &Self) -> Result<SnapshotDiff> {
        if self.kind() != newer.kind() {
            return Err(SnapshotError::Different("kinds").into());
        }
        let tids = |of: &Self| of.threads.iter().map(|thread| thread.tid).collect::<Vec<_>>();
        let (before, after) = (tids(self), tids(newer));
        let only = |these: &[Tid], others: &[Tid]| {
            these.iter().filter(|tid| !others.contains(tid)).copied().collect::<Vec<_>>()
        };
        Ok(SnapshotDiff {
            level: self.level().min(newer.level()),
            maps: self.diff_maps(newer),
            born: only(&after, &before),
            dead: only(&before, &after),
            both: before.iter().filter(|tid| after.contains(tid)).copied().collect(),
        })
    }

    /// The maps of both, paired.
    #[must_use]
    pub fn diff_maps(&self, newer: &Self) -> Vec<MapDiff> {
        let pairs = pair(&self.maps, &newer.maps);
        let mut diffs: Vec<_> = pairs.into_iter().map(|(old, new)| self.diff_map(old, newer, new)).collect();
        let start = |diff: &MapDiff| {
            let new = diff.new.map(|place| newer.maps[place].start);
            new.or(diff.old.map(|place| self.maps[place].start))
        };
        diffs.sort_by_key(start);
        diffs
    }

    fn diff_map(&self, old: Option<usize>, newer: &Self, new: Option<usize>) -> MapDiff {
        let (Some(from), Some(to)) = (old, new) else {
            let map = old.map(|place| &self.maps[place]).or(new.map(|place| &newer.maps[place]));
            let has_content = old.is_some_and(|place| self.content(place).is_some())
                || new.is_some_and(|place| newer.content(place).is_some());
            let all = map.map(|map| 0..map.end - map.start).filter(|_| has_content);
            return MapDiff { old, new, has_changed: true, content: all.into_iter().collect() };
        };
        let content = self.diff_content(from, newer, to);
        let place = |map: &Map| (map.start, map.end, map.permissions, map.offset);
        let is_same = place(&self.maps[from]) == place(&newer.maps[to]);
        MapDiff { old, new, has_changed: !is_same || !content.is_empty(), content }
    }

    fn diff_content(&self, from: usize, newer: &Self, to: usize) -> Vec<Range<u64>> {
        let (Some(old), Some(new)) = (self.content(from), newer.content(to)) else { return Vec::new() };
        let (before, after) = (&self.maps[from], &newer.maps[to]);
        // A stack grows downwards, and a map can lose its beginning.
        let grown = before.start.saturating_sub(after.start);
        let mut parts: Vec<Range<u64>> = Vec::new();
        if grown > 0 {
            parts.push(0..grown);
        }
        if after.start <= before.start {
            parts.extend(old.differences(new, grown));
        }
        let common = before.end.saturating_sub(after.start);
        if new.size() > common {
            parts.push(common..new.size());
        }
        parts
    }
}

/// What makes a map the same one at two moments: its file, and where it begins, or where it ends.
fn pair(old: &[Map], new: &[Map]) -> Vec<(Option<usize>, Option<usize>)> {
    let mut partner = vec![None; new.len()];
    let mut is_paired = vec![false; old.len()];
    let keys: [fn(&Map) -> u64; 2] = [|map| map.start, |map| map.end];
    for key in keys {
        let of = |map: &Map| (map.path.clone(), key(map));
        let free = old.iter().enumerate().filter(|(place, _)| !is_paired[*place]);
        let places: HashMap<_, _> = free.map(|(place, map)| (of(map), place)).collect();
        for (map, partner) in new.iter().zip(&mut partner).filter(|(_, partner)| partner.is_none()) {
            *partner = places.get(&of(map)).copied();
            if let Some(place) = *partner {
                is_paired[place] = true;
            }
        }
    }
    let gone = (0..old.len()).filter(|place| !is_paired[*place]).map(|place| (Some(place), None));
    let there = partner.into_iter().enumerate().map(|(place, old)| (old, Some(place)));
    gone.chain(there).collect()
}

impl KeptRegisters {
    /// The registers, of whatever width, that have other values in `newer`.
    #[must_use]
    pub fn changes(&self, newer: &Self) -> Vec<RegisterChange> {
        let both = registers().iter().map(|register| {
            let (old, new) = (self.read(register).ok(), newer.read(register).ok());
            RegisterChange { register, old, new }
        });
        both.filter(|change| change.old != change.new).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::kept::map;

    fn pairs(old: &[(u64, u64, &str)], new: &[(u64, u64, &str)]) -> Vec<(Option<usize>, Option<usize>)> {
        let maps = |rows: &[(u64, u64, &str)]| -> Vec<Map> {
            rows.iter().map(|(start, end, path)| map(*start, *end, path)).collect()
        };
        pair(&maps(old), &maps(new))
    }

    #[test]
    fn maps_are_paired_with_what_has_become_of_them() {
        let old = [(0x1000, 0x3000, "/bin/x"), (0x5000, 0x6000, "[heap]"), (0x8000, 0x9000, "[stack]")];
        let new = [(0x1000, 0x3000, "/bin/x"), (0x5000, 0x7000, "[heap]"), (0x7000, 0x9000, "[stack]")];
        assert_eq!(pairs(&old, &new), [(Some(0), Some(0)), (Some(1), Some(1)), (Some(2), Some(2))]);
        assert_eq!(pairs(&old[1..], &old[..2]), [(Some(1), None), (None, Some(0)), (Some(0), Some(1))]);
    }

    #[test]
    fn a_map_that_is_split_is_itself_and_a_new_one() {
        let split = pairs(&[(0x1000, 0x3000, "")], &[(0x1000, 0x2000, ""), (0x2000, 0x3000, "")]);
        assert_eq!(split, [(Some(0), Some(0)), (None, Some(1))]);
        let other_file = pairs(&[(0x1000, 0x3000, "/a")], &[(0x1000, 0x3000, "/b")]);
        assert_eq!(other_file, [(Some(0), None), (None, Some(0))]);
    }
}
