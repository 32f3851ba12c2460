//! Pages of memory, each of them once.

use std::borrow::Cow;
use std::collections::HashMap;

pub(super) const PAGE: usize = 4096;

/// How many pages are compressed together: many, as what is alike is often near; few enough to be bounded.
const BLOCK: usize = 512;
const COMPRESSION: i32 = 3;
const ZEROS: [u8; PAGE] = [0; PAGE];

/// Pages by number; number 0 is the page of zeros, which takes no space.
#[derive(Default)]
pub(super) struct PageSet<'a> {
    numbers: HashMap<Cow<'a, [u8]>, u32>,
    order: Vec<Cow<'a, [u8]>>,
    /// The number of each page that was added.
    pub(super) references: Vec<u32>,
}

impl<'a> PageSet<'a> {
    /// Adds all pages of some bytes, the last one with zeros behind it.
    pub(super) fn add(&mut self, bytes: &'a [u8]) {
        let (whole, rest) = bytes.as_chunks::<PAGE>();
        for page in whole {
            self.add_page(Cow::Borrowed(page));
        }
        if !rest.is_empty() {
            let mut page = rest.to_vec();
            page.resize(PAGE, 0);
            self.add_page(Cow::Owned(page));
        }
    }

    fn add_page(&mut self, page: Cow<'a, [u8]>) {
        let number = if *page == ZEROS {
            0
        } else if let Some(known) = self.numbers.get(&page) {
            *known
        } else {
            self.order.push(page.clone());
            let number = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
            self.numbers.insert(page, number);
            number
        };
        self.references.push(number);
    }

    /// How many different pages there are, but for that of zeros.
    pub(super) fn count(&self) -> usize {
        self.order.len()
    }

    /// All of them, compressed: blocks, each behind its size.
    pub(super) fn compressed(&self) -> std::io::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut compressor = zstd::bulk::Compressor::new(COMPRESSION)?;
        for pages in self.order.chunks(BLOCK) {
            let block = compressor.compress(&pages.concat())?;
            all.extend(u32::try_from(block.len()).unwrap_or(u32::MAX).to_le_bytes());
            all.extend(block);
        }
        Ok(all)
    }
}

/// Pages that were read from a file.
pub(super) struct PageStore {
    blocks: Vec<Vec<u8>>,
    references: Vec<u32>,
    used: usize,
}

impl PageStore {
    /// `None` if the blocks are not those of `count` pages, or somebody refers to none of them: what a file of some size
    /// can ask for is bounded by the number of its references.
    pub(super) fn read(mut blocks: &[u8], count: usize, references: Vec<u32>) -> Option<Self> {
        let is_known = |number: &u32| usize::try_from(*number).is_ok_and(|number| number <= count);
        if count > references.len() || !references.iter().all(is_known) {
            return None;
        }
        let mut read = Vec::new();
        let mut decompressor = zstd::bulk::Decompressor::new().ok()?;
        let mut left = count;
        while left > 0 {
            let size = usize::try_from(u32::from_le_bytes(*blocks.first_chunk()?)).ok()?;
            let block = blocks.get(4..4_usize.checked_add(size)?)?;
            let pages = left.min(BLOCK);
            let block_read = decompressor.decompress(block, pages * PAGE).ok()?;
            if block_read.len() != pages * PAGE {
                return None;
            }
            read.push(block_read);
            blocks = &blocks[4 + size..];
            left -= pages;
        }
        blocks.is_empty().then_some(Self { blocks: read, references, used: 0 })
    }

    /// The next `size` bytes, in the order in which they were added.
    pub(super) fn take(&mut self, size: u64) -> Option<Vec<u8>> {
        let size = usize::try_from(size).ok()?;
        let count = size.div_ceil(PAGE);
        let numbers = self.references.get(self.used..self.used.checked_add(count)?)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(count.checked_mul(PAGE)?).ok()?;
        for number in numbers {
            bytes.extend_from_slice(self.page(*number)?);
        }
        bytes.truncate(size);
        self.used += count;
        Some(bytes)
    }

    fn page(&self, number: u32) -> Option<&[u8]> {
        let Some(place) = usize::try_from(number).ok()?.checked_sub(1) else { return Some(&ZEROS) };
        let start = place % BLOCK * PAGE;
        self.blocks.get(place / BLOCK)?.get(start..start + PAGE)
    }

    /// Whether all was taken.
    pub(super) fn is_used_up(&self) -> bool {
        self.used == self.references.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_is_kept_once() {
        let mut pages = PageSet::default();
        let many: Vec<u8> = (0..700_u32).flat_map(|number| [number.to_le_bytes(); 1024].concat()).collect();
        pages.add(&many);
        pages.add(&many[PAGE..3 * PAGE + 100]);
        pages.add(&[0; 2 * PAGE]);
        assert_eq!(pages.count(), 700, "the first one is all zeros, and the last one is new");
        let (blocks, references) = (pages.compressed().unwrap(), pages.references.clone());
        let mut store = PageStore::read(&blocks, pages.count(), references).unwrap();
        assert_eq!(store.take(many.len() as u64).unwrap(), many);
        assert_eq!(store.take(2 * PAGE as u64 + 100).unwrap(), many[PAGE..3 * PAGE + 100]);
        assert!(!store.is_used_up());
        assert_eq!(store.take(2 * PAGE as u64).unwrap(), [0; 2 * PAGE]);
        assert!(store.is_used_up() && store.take(1).is_none());
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let mut pages = PageSet::default();
        pages.add(&[7; 3 * PAGE]);
        let (blocks, references) = (pages.compressed().unwrap(), pages.references.clone());
        assert!(PageStore::read(&blocks, 1, references.clone()).is_some());
        assert!(PageStore::read(&blocks, 1, vec![2]).is_none(), "no such page");
        assert!(PageStore::read(&blocks, 2, references.clone()).is_none(), "too few pages");
        assert!(PageStore::read(&blocks, 1, Vec::new()).is_none(), "nobody asks for it");
        assert!(PageStore::read(&blocks[..blocks.len() - 1], 1, references.clone()).is_none());
        assert!(PageStore::read(&[&blocks[..], &[0]].concat(), 1, references).is_none());
    }
}
