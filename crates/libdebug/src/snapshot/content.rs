//! The content of a map, without the zeros that nobody ever wrote.

use std::ops::Range;

/// The content of one map. Zeros that were never touched take no space.
///
/// ```
/// use libdebug::Content;
/// let content = Content::from_bytes(vec![1, 2, 3]);
/// assert_eq!(content.bytes(0..2).unwrap(), [1, 2]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Content {
    size: u64,
    /// From here on nothing could be read.
    readable: u64,
    /// Ascending by offset, inside of what could be read; zeros between them.
    runs: Vec<Run>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

impl Run {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        (self.size, self.readable) == (other.size, other.readable) && self.differences(other, 0).is_empty()
    }
}

impl Content {
    /// All of a map's bytes.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let size = bytes.len() as u64;
        Self { size, readable: size, runs: vec![Run { offset: 0, bytes }] }
    }

    /// Of a map of `size` bytes of which `readable` could be read: zeros, but for what is added.
    pub(super) fn zeros(size: u64, readable: u64) -> Self {
        Self { size, readable: readable.min(size), runs: Vec::new() }
    }

    /// Puts bytes behind what is there already.
    pub(super) fn add(&mut self, offset: u64, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.runs.push(Run { offset, bytes });
        }
    }

    pub(super) fn cut(&mut self, readable: u64) {
        self.readable = readable;
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The size of the map, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many bytes from the start on could be read: fewer than all where a file is shorter than its map.
    #[must_use]
    pub fn readable(&self) -> u64 {
        self.readable
    }

    /// Whether all of the map could be read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.readable == self.size
    }

    /// The parts in which something other than zeros can be, as offsets.
    pub fn populated(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.runs.iter().map(|run| run.offset..run.end())
    }

    /// A copy of some of the bytes; `None` where not all of them could be read, or there is no room for them.
    #[must_use]
    pub fn bytes(&self, range: Range<u64>) -> Option<Vec<u8>> {
        if range.end > self.readable {
            return None;
        }
        let mut bytes = room(&range)?;
        self.read(range.start, &mut bytes);
        Some(bytes)
    }

    /// Fills `buffer` from `offset` on; answers how many bytes could be.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let left = self.readable.saturating_sub(offset);
        let size = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let buffer = &mut buffer[..size];
        buffer.fill(0);
        let end = offset + size as u64;
        let first = self.runs.partition_point(|run| run.end() <= offset);
        for run in self.runs[first..].iter().take_while(|run| run.offset < end) {
            let (from, to) = (run.offset.max(offset), run.end().min(end));
            let source = &run.bytes[(from - run.offset) as usize..(to - run.offset) as usize];
            buffer[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
        }
        size
    }

    /// Where `newer`, whose byte `shift` stands where this one's first does, has other bytes: as offsets into `newer`,
    /// as far as both could be read.
    pub(super) fn differences(&self, newer: &Self, shift: u64) -> Vec<Range<u64>> {
        const PIECE: usize = 4096;
        let end = self.readable.min(newer.readable.saturating_sub(shift));
        let mut found = Vec::new();
        let (mut old, mut new) = ([0; PIECE], [0; PIECE]);
        let mut at = 0;
        while let Some(next) = self.next_populated(newer, at, shift).filter(|next| *next < end) {
            at = next / PIECE as u64 * PIECE as u64;
            let size = PIECE.min((end - at) as usize);
            self.read(at, &mut old[..size]);
            newer.read(at + shift, &mut new[..size]);
            if old[..size] != new[..size] {
                append_differences(&mut found, at + shift, &old[..size], &new[..size]);
            }
            at += size as u64;
        }
        found
    }

    /// The first place from `at` on that either of the two has something at.
    fn next_populated(&self, newer: &Self, at: u64, shift: u64) -> Option<u64> {
        let other = newer.next_of(at + shift).map(|place| place - shift);
        [self.next_of(at), other].into_iter().flatten().min()
    }

    fn next_of(&self, at: u64) -> Option<u64> {
        let first = self.runs.partition_point(|run| run.end() <= at);
        self.runs.get(first).map(|run| run.offset.max(at))
    }
}

/// Zeros for all bytes of a range; `None` where there is no room for them.
pub(super) fn room(range: &Range<u64>) -> Option<Vec<u8>> {
    let size = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).ok()?;
    bytes.resize(size, 0);
    Some(bytes)
}

fn append_differences(found: &mut Vec<Range<u64>>, offset: u64, old: &[u8], new: &[u8]) {
    for (place, (one, other)) in (offset..).zip(old.iter().zip(new)) {
        match found.last_mut() {
            _ if one == other => {}
            Some(last) if last.end == place => last.end += 1,
            _ => found.push(place..place + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sparse(parts: &[(u64, &[u8])]) -> Content {
        let mut content = Content::zeros(1 << 40, 1 << 40);
        for (offset, bytes) in parts {
            content.add(*offset, bytes.to_vec());
        }
        content
    }

    #[test]
    fn zeros_between_the_runs_are_read_as_such() {
        let content = sparse(&[(2, b"ab"), (6, b"c")]);
        assert_eq!(content.bytes(0..8).unwrap(), b"\0\0ab\0\0c\0");
        assert_eq!(content.bytes(3..7).unwrap(), b"b\0\0c");
        assert_eq!(content.bytes(0..1 << 41), None);
        let mut cut = Content::from_bytes(b"abcdef".to_vec());
        cut.cut(4);
        let mut buffer = [9; 6];
        assert_eq!((cut.read(2, &mut buffer), &buffer[..2]), (2, &b"cd"[..]));
        assert_eq!((cut.bytes(0..5), cut.is_whole()), (None, false));
    }

    #[test]
    fn differences_are_told_by_the_byte() {
        let old = sparse(&[(10, b"abcd"), (1 << 30, b"x")]);
        let new = sparse(&[(10, b"aXYd"), (1 << 30, b"x"), (1 << 35, b"\0n")]);
        assert_eq!(old.differences(&new, 0), [11..13, (1 << 35) + 1..(1 << 35) + 2]);
        assert!(old.differences(&old.clone(), 0).is_empty());
        assert!(old == sparse(&[(9, b"\0abcd\0"), (1 << 30, b"x")]), "explicit zeros are zeros");
    }

    #[test]
    fn what_grew_downwards_is_compared_where_it_was() {
        let old = Content::from_bytes(b"stack".to_vec());
        let new = Content::from_bytes(b"new-stick".to_vec());
        assert_eq!(old.differences(&new, 4), vec![6..7]);
    }

    #[test]
    fn differences_go_across_pages() {
        let (mut one, mut other) = (vec![7; 9000], vec![7; 9000]);
        one[4090..4100].fill(1);
        other[4090..4100].fill(2);
        let differences = Content::from_bytes(one).differences(&Content::from_bytes(other), 0);
        assert_eq!(differences, vec![4090..4100]);
    }
}
