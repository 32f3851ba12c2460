//! Which pages of an address space hold something, told by /proc/PID/pagemap.

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use crate::count::count;
use crate::ids::Pid;

const PAGE: u64 = 4096;

/// The table of one address space. It belongs to the address space of the moment it was opened.
#[derive(Debug)]
pub(crate) struct Pagemap(File);

impl Pagemap {
    /// `None` where the kernel does not let us look.
    pub(crate) fn open(pid: Pid) -> Option<Self> {
        count();
        File::open(format!("/proc/{pid}/pagemap")).ok().map(Self)
    }

    /// The parts of `range` whose pages are in memory or swapped out, ascending; `None` when that cannot be told.
    pub(crate) fn populated(&self, range: Range<u64>) -> Option<Vec<Range<u64>>> {
        let range = range.start / PAGE * PAGE..range.end.checked_next_multiple_of(PAGE)?;
        self.scan(range.clone()).or_else(|| self.read_entries(range))
    }

    /// By the ioctl PAGEMAP_SCAN of Linux 6.7, which skips what has no page tables.
    fn scan(&self, range: Range<u64>) -> Option<Vec<Range<u64>>> {
        let mut found = Vec::new();
        let mut regions = vec![Region::default(); 256];
        let mut at = range.start;
        while at < range.end {
            let mut request = ScanRequest::of(at..range.end, &mut regions);
            count();
            // SAFETY: PAGEMAP_SCAN reads and writes the request, whose size is part of the request's number, and
            // writes at most `vec_len` elements to `regions`, which outlives the call.
            let told = unsafe { libc::ioctl(self.0.as_raw_fd(), PAGEMAP_SCAN, &raw mut request) };
            let told = usize::try_from(told).ok()?;
            regions.iter().take(told).for_each(|region| append(&mut found, region.start..region.end));
            if request.walk_end <= at {
                return None;
            }
            at = request.walk_end;
        }
        Some(found)
    }

    /// Word by word, a word for each page (proc_pid_pagemap(5)).
    fn read_entries(&self, range: Range<u64>) -> Option<Vec<Range<u64>>> {
        const ENTRY: u64 = 8;
        const IN_MEMORY_OR_SWAPPED: u64 = 0b11 << 62;
        let mut found = Vec::new();
        let mut entries = [0; 1 << 15];
        let mut at = range.start;
        while at < range.end {
            let wanted = entries.len().min(((range.end - at) / PAGE * ENTRY) as usize);
            count();
            let read = self.0.read_at(&mut entries[..wanted], at / PAGE * ENTRY).ok()?;
            if read < ENTRY as usize {
                return None;
            }
            for entry in entries[..read].chunks_exact(ENTRY as usize) {
                let entry = entry.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
                if entry & IN_MEMORY_OR_SWAPPED != 0 {
                    append(&mut found, at..at + PAGE);
                }
                at += PAGE;
            }
        }
        Some(found)
    }
}

/// Puts a part behind those that come before it; adjoining ones become one.
fn append(parts: &mut Vec<Range<u64>>, part: Range<u64>) {
    match parts.last_mut() {
        Some(last) if last.end >= part.start => last.end = last.end.max(part.end),
        _ => parts.push(part),
    }
}

/// `_IOWR('f', 16, struct pm_scan_arg)` of linux/fs.h.
const PAGEMAP_SCAN: libc::c_ulong =
    3 << 30 | (size_of::<ScanRequest>() as libc::c_ulong) << 16 | (b'f' as libc::c_ulong) << 8 | 16;

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`.
#[repr(C)]
struct ScanRequest {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

impl ScanRequest {
    /// For pages that are present or swapped out, but not the kernel's page of zeros.
    fn of(range: Range<u64>, regions: &mut [Region]) -> Self {
        const PAGE_IS_PRESENT: u64 = 1 << 3;
        const PAGE_IS_SWAPPED: u64 = 1 << 4;
        const PAGE_IS_PFNZERO: u64 = 1 << 5;
        Self {
            size: size_of::<Self>() as u64,
            flags: 0,
            start: range.start,
            end: range.end,
            walk_end: 0,
            vec: regions.as_mut_ptr() as u64,
            vec_len: regions.len() as u64,
            max_pages: 0,
            category_inverted: PAGE_IS_PFNZERO,
            category_mask: PAGE_IS_PFNZERO,
            category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
            return_mask: PAGE_IS_PRESENT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of this process, of which some were written to.
    struct Reservation {
        start: u64,
        size: usize,
    }

    impl Reservation {
        fn new(pages: usize, written: &[usize]) -> Self {
            let size = pages * PAGE as usize;
            // SAFETY: a new private mapping at an address of the kernel's choice touches nothing that exists.
            let start = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    size,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                    -1,
                    0,
                )
            };
            assert_ne!(start, libc::MAP_FAILED);
            for page in written {
                // SAFETY: the page lies in the mapping, which is writable and ours alone.
                unsafe { start.cast::<u8>().add(page * PAGE as usize).write_volatile(1) };
            }
            Self { start: start as u64, size }
        }

        fn parts(&self, pages: &[Range<u64>]) -> Vec<Range<u64>> {
            pages.iter().map(|part| self.start + part.start * PAGE..self.start + part.end * PAGE).collect()
        }
    }

    impl Drop for Reservation {
        fn drop(&mut self) {
            // SAFETY: the mapping is this object's, and nothing refers to it.
            unsafe { libc::munmap(self.start as *mut _, self.size) };
        }
    }

    #[test]
    fn written_pages_are_told_both_ways() {
        let own = Pagemap::open(Pid(std::process::id().cast_signed())).unwrap();
        let block = Reservation::new(2000, &[3, 4, 5, 700, 1999]);
        let whole = block.start..block.start + block.size as u64;
        let expected = block.parts(&[3..6, 700..701, 1999..2000]);
        assert_eq!(own.read_entries(whole.clone()).unwrap(), expected);
        assert_eq!(own.populated(whole).unwrap(), expected);
        let middle = block.start + 4 * PAGE + 1..block.start + 5 * PAGE + 1;
        assert_eq!(own.populated(middle).unwrap(), block.parts(std::slice::from_ref(&(4..6))), "whole pages");
    }

    #[test]
    fn more_parts_than_one_request_tells() {
        let own = Pagemap::open(Pid(std::process::id().cast_signed())).unwrap();
        let written: Vec<usize> = (0..1000).map(|index| 2 * index).collect();
        let block = Reservation::new(2000, &written);
        let told = own.populated(block.start..block.start + block.size as u64).unwrap();
        assert_eq!(told.len(), 1000);
    }
}
