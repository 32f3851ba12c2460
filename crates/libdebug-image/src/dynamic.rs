//! The symbols that the loader itself uses, found through `PT_DYNAMIC` when there are no section headers.

use std::ops::Range;

use object::LittleEndian as LE;
use object::elf;
use object::read::elf::{Dyn, FileHeader, GnuHashTable, HashTable, ProgramHeader};

use crate::layout::{Segment, span};
use crate::table::{Class, TableSpan};

/// What the dynamic section says of how the file is bound to others.
#[derive(Debug, Default)]
pub(crate) struct Linking {
    /// Tables of relocations, and whether their entries have an addend.
    pub(crate) relocations: Vec<(Range<usize>, bool)>,
    /// `DT_PLTGOT`.
    pub(crate) got: Option<u64>,
    /// Everything is bound before the program begins.
    pub(crate) binds_now: bool,
}

/// A slot that the loader fills with the address of a symbol of another file.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) name: String,
    pub(crate) slot: u64,
}

pub(crate) struct Dynamic<'data, E: FileHeader<Endian = LE>> {
    data: &'data [u8],
    segments: &'data [Segment],
    entries: &'data [E::Dyn],
}

impl<'data, E: FileHeader<Endian = LE>> Dynamic<'data, E> {
    pub(crate) fn find(
        data: &'data [u8],
        programs: &'data [E::ProgramHeader],
        segments: &'data [Segment],
    ) -> Option<Self> {
        let entries = programs.iter().find_map(|program| program.dynamic(LE, data).ok()?)?;
        Some(Self { data, segments, entries })
    }

    pub(crate) fn symbols(&self, class: Class) -> Option<TableSpan> {
        let count = self.symbol_count()?;
        let table = self.file_rest(self.value(elf::DT_SYMTAB)?)?;
        let strings = self.file_rest(self.value(elf::DT_STRTAB)?)?;
        Some(TableSpan {
            entries: shorten(table, count.checked_mul(class.entry_size() as u64)?),
            strings: shorten(strings, self.value(elf::DT_STRSZ)?),
            versions: self.versions(count),
        })
    }

    pub(crate) fn linking(&self) -> Linking {
        let flags = self.value(elf::DT_FLAGS).unwrap_or_default();
        let more_flags = self.value(elf::DT_FLAGS_1).unwrap_or_default();
        Linking {
            relocations: self.relocations(),
            got: self.value(elf::DT_PLTGOT),
            binds_now: self.value(elf::DT_BIND_NOW).is_some()
                || flags & elf::DF_BIND_NOW.0 != 0
                || more_flags & elf::DF_1_NOW.0 != 0,
        }
    }

    fn relocations(&self) -> Vec<(Range<usize>, bool)> {
        let of_stubs = self.value(elf::DT_PLTREL).map(|kind| kind == elf::DT_RELA.0 as u64);
        let tables = [
            (elf::DT_JMPREL, elf::DT_PLTRELSZ, of_stubs.unwrap_or(true)),
            (elf::DT_RELA, elf::DT_RELASZ, true),
            (elf::DT_REL, elf::DT_RELSZ, false),
        ];
        let found = tables.into_iter().filter_map(|(start, size, has_addend)| {
            let rest = self.file_rest(self.value(start)?)?;
            Some((shorten(rest, self.value(size)?), has_addend))
        });
        found.collect()
    }

    fn versions(&self, count: u64) -> Option<Range<usize>> {
        Some(shorten(self.file_rest(self.value(elf::DT_VERSYM)?)?, count * 2))
    }

    /// Nothing states the number of symbols; the hash tables imply it.
    fn symbol_count(&self) -> Option<u64> {
        self.count_by_hash().or_else(|| self.count_by_gnu_hash())
    }

    fn count_by_hash(&self) -> Option<u64> {
        let table = self.data.get(self.file_rest(self.value(elf::DT_HASH)?)?)?;
        let table = HashTable::<E>::parse(LE, table).ok()?;
        Some(table.symbol_table_length().into())
    }

    /// An empty table has no chain to follow: then only the symbols before its base exist.
    fn count_by_gnu_hash(&self) -> Option<u64> {
        let table = self.data.get(self.file_rest(self.value(elf::DT_GNU_HASH)?)?)?;
        let table = GnuHashTable::<E>::parse(LE, table).ok()?;
        Some(table.symbol_table_length(LE).unwrap_or(table.symbol_base()).into())
    }

    fn value(&self, tag: elf::DynamicTag) -> Option<u64> {
        let live = self.entries.iter().take_while(|entry| entry.tag(LE) != elf::DT_NULL);
        live.filter(|entry| entry.tag(LE) == tag).map(|entry| entry.val(LE)).next()
    }

    /// The bytes of the file from that address on, to the end of its segment.
    fn file_rest(&self, address: u64) -> Option<Range<usize>> {
        let inside = |segment: &&Segment| address.wrapping_sub(segment.address.0) < segment.file_size;
        let segment = self.segments.iter().find(inside)?;
        let skipped = address.wrapping_sub(segment.address.0);
        span(self.data, segment.offset.0.checked_add(skipped)?, segment.file_size - skipped)
    }
}

fn shorten(range: Range<usize>, length: u64) -> Range<usize> {
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(range.len());
    range.start..range.start + length
}
