//! Reading much memory in pieces of bounded size, and knowing what need not be read.

use std::cell::Cell;
use std::ops::Range;
use std::time::{Duration, Instant};

use libdebug_kernel::proc::Map;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::space::AddressSpace;

/// As much as stays in a core's own cache from being copied to being looked through.
const CHUNK: usize = 256 << 10;
const PAGE: u64 = 4096;
/// Holes up to this size are read rather than skipped: two system calls cost more.
pub(crate) const SMALL_HOLE: u64 = 16 << 10;

/// Lets the host end what takes long, as Ctrl-C does.
pub(crate) struct Patience<'a> {
    host: &'a dyn Host,
    asked: Cell<Instant>,
}

impl<'a> Patience<'a> {
    /// The host is asked seldom: that may have to wait for a lock of its own.
    const INTERVAL: Duration = Duration::from_millis(20);

    pub(crate) fn of(host: &'a dyn Host) -> Self {
        Self { host, asked: Cell::new(Instant::now()) }
    }

    /// To be called at least once in about a millisecond.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the host wants an end.
    pub(crate) fn check(&self) -> Result<()> {
        if self.asked.get().elapsed() < Self::INTERVAL {
            return Ok(());
        }
        let wanted = self.host.check().map_err(Error::Interrupted);
        self.asked.set(Instant::now());
        wanted
    }
}

/// Reads ranges of memory through one buffer.
pub(crate) struct Scanner<'a> {
    space: &'a dyn AddressSpace,
    patience: &'a Patience<'a>,
    /// How many bytes of a piece are seen again at the start of the next one.
    overlap: usize,
    buffer: Vec<u8>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(space: &'a dyn AddressSpace, patience: &'a Patience<'a>, overlap: usize) -> Self {
        Self { space, patience, overlap, buffer: vec![0; CHUNK.max(overlap) + overlap] }
    }

    /// Shows all of `range` to `look`, each piece with its address. What cannot be read is left out, page by page.
    pub(crate) fn scan(
        &mut self,
        range: Range<u64>,
        mut look: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let (mut at, mut kept) = (range.start, 0);
        while at < range.end {
            self.patience.check()?;
            let wanted = (self.buffer.len() - self.overlap).min((range.end - at) as usize);
            let read = self.space.read(at, &mut self.buffer[kept..kept + wanted])?;
            let known = kept + read;
            look(at - kept as u64, &self.buffer[..known])?;
            if read < wanted {
                (at, kept) = (next_page(at + read as u64), 0);
                continue;
            }
            at += read as u64;
            kept = known.min(self.overlap);
            self.buffer.copy_within(known - kept..known, 0);
        }
        Ok(())
    }
}

fn next_page(address: u64) -> u64 {
    (address / PAGE * PAGE).saturating_add(PAGE)
}

/// What maps cover, with adjoining ones as one.
pub(crate) fn merged(maps: &[Map]) -> Vec<Range<u64>> {
    merge(maps.iter().map(|map| map.start..map.end), 0)
}

pub(crate) fn merge(parts: impl Iterator<Item = Range<u64>>, largest_hole: u64) -> Vec<Range<u64>> {
    let mut merged: Vec<Range<u64>> = Vec::new();
    for part in parts {
        match merged.last_mut() {
            Some(last) if part.start <= last.end.saturating_add(largest_hole) => {
                last.end = last.end.max(part.end);
            }
            _ => merged.push(part),
        }
    }
    merged
}

/// The parts of `run`, which the maps cover without a gap, in which something other than zeros can be, each with
/// `margin` bytes of what is around it.
pub(crate) fn worth_reading(
    space: &dyn AddressSpace,
    maps: &[Map],
    run: &Range<u64>,
    margin: u64,
) -> Vec<Range<u64>> {
    let inside = maps.iter().filter(|map| map.start < run.end && map.end > run.start);
    let populated = inside.flat_map(|map| space.populated(map));
    let parts = populated.filter(|part| part.start < run.end && part.end > run.start).map(|part| {
        part.start.saturating_sub(margin).max(run.start)..part.end.saturating_add(margin).min(run.end)
    });
    merge(parts, SMALL_HOLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_one_across_small_holes_only() {
        let parts = [0..10, 10..20, 25..30, 40..50];
        assert_eq!(merge(parts.iter().cloned(), 0), [0..20, 25..30, 40..50]);
        assert_eq!(merge(parts.iter().cloned(), 5), [0..30, 40..50]);
        assert_eq!(merge([0..40, 10..20].into_iter(), 0), vec![0..40]);
    }

    #[test]
    fn the_next_page_is_behind_an_address() {
        assert_eq!((next_page(0), next_page(4095), next_page(4096)), (4096, 4096, 8192));
        assert_eq!(next_page(u64::MAX), u64::MAX, "no address lies behind the last page");
    }
}
