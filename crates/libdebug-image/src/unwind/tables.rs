//! Where a file's unwind tables are, and how the entry of an address is found.

use std::borrow::Cow;
use std::sync::OnceLock;

use gimli::{
    BaseAddresses, CieOrFde, DebugFrame, EhFrame, EhFrameHdr, EhHdrTable, EndianSlice, FrameDescriptionEntry,
    LittleEndian, ParsedEhFrameHdr, Pointer, UnwindOffset, UnwindSection,
};
use object::read::{CompressedData, CompressionFormat};

use crate::{FileAddress, Image, Section};

pub(super) type Bytes<'a> = EndianSlice<'a, LittleEndian>;
pub(super) type Entry<'a> = FrameDescriptionEntry<Bytes<'a>>;

/// The entries of one table, sorted by address.
type Index = Vec<Place>;

/// An entry of a table, by the addresses that it covers.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    end: u64,
    offset: usize,
}

/// What was made of a file's unwind tables, each part when it is first needed.
#[derive(Default)]
pub(crate) struct FrameTables {
    eh_place: OnceLock<Option<EhPlace>>,
    eh_index: OnceLock<Index>,
    debug_frame: OnceLock<Option<(Vec<u8>, Index)>>,
}

/// An entry with what is needed to make sense of it.
pub(super) enum Found<'a> {
    Eh(EhFrame<Bytes<'a>>, Entry<'a>),
    Debug(DebugFrame<Bytes<'a>>, Entry<'a>),
}

impl FrameTables {
    /// The entry that covers an address: by the sorted table that linkers make (`PT_GNU_EH_FRAME`), else by an index
    /// of `.eh_frame` of our own, else in `.debug_frame`.
    pub(super) fn find<'a>(&'a self, image: &'a Image, word: u8, address: FileAddress) -> Option<Found<'a>> {
        self.in_eh_frame(image, word, address).or_else(|| self.in_debug_frame(image, word, address))
    }

    fn in_eh_frame<'a>(&'a self, image: &'a Image, word: u8, address: FileAddress) -> Option<Found<'a>> {
        let place = self.eh_place.get_or_init(|| EhPlace::of(image, word)).as_ref()?;
        let eh = place.tables(image, word)?;
        let entry = match eh.by_header(address) {
            Some(found) => found,
            None => {
                let index = self.eh_index.get_or_init(|| index(&eh.section, &place.bases));
                entry_in(&eh.section, &place.bases, index, address)
            }
        };
        Some(Found::Eh(eh.section, entry?))
    }

    fn in_debug_frame<'a>(&'a self, image: &Image, word: u8, address: FileAddress) -> Option<Found<'a>> {
        let (data, index) = self.debug_frame.get_or_init(|| debug_frame(image, word)).as_ref()?;
        let section = debug_section(data, word);
        let entry = entry_in(&section, &BaseAddresses::default(), index, address)?;
        Some(Found::Debug(section, entry))
    }
}

/// Where `.eh_frame` is, and the header that leads to it.
struct EhPlace {
    header: Option<FileAddress>,
    section: FileAddress,
    bases: BaseAddresses,
}

impl EhPlace {
    fn of(image: &Image, word: u8) -> Option<Self> {
        let named = |name| image.sections().find(|section| section.name == name).map(|found| found.address);
        let mut bases = BaseAddresses::default();
        if let Some(text) = named(".text") {
            bases = bases.set_text(text.0);
        }
        let header = image.eh_frame_header();
        let pointed = header.and_then(|place| {
            bases = bases.clone().set_eh_frame_hdr(place.0);
            parse_header(image, place, &bases, word)?.eh_frame_ptr().direct().ok()
        });
        // The pointer counts, not the section's name.
        let section = pointed.map(FileAddress).or_else(|| named(".eh_frame"))?;
        let header = header.filter(|_| pointed.is_some());
        Some(Self { header, section, bases: bases.set_eh_frame(section.0) })
    }

    fn tables<'a>(&'a self, image: &'a Image, word: u8) -> Option<EhTables<'a>> {
        // To the end of its segment: the table ends where it says so.
        let mut section = EhFrame::new(image.bytes_at(self.section, usize::MAX)?, LittleEndian);
        section.set_address_size(word);
        let header = self.header.and_then(|place| parse_header(image, place, &self.bases, word));
        let is_usual = self.header.is_some_and(|place| has_usual_form(image, place));
        Some(EhTables { header, is_usual, section, bases: &self.bases })
    }
}

/// A count of 32 bits, and rows of two such numbers relative to the header's start: DW_EH_PE_udata4, and
/// DW_EH_PE_datarel | DW_EH_PE_sdata4. No more rows than that can be in a file; a count of 64 bits could be anything.
fn has_usual_form(image: &Image, header: FileAddress) -> bool {
    image.bytes_at(header, 4).is_some_and(|encodings| matches!(encodings, [1, _, 0x03, 0x3b]))
}

fn parse_header<'a>(
    image: &'a Image,
    place: FileAddress,
    bases: &BaseAddresses,
    word: u8,
) -> Option<ParsedEhFrameHdr<Bytes<'a>>> {
    EhFrameHdr::new(image.bytes_at(place, usize::MAX)?, LittleEndian).parse(bases, word).ok()
}

/// `.eh_frame` of a file, with its header.
struct EhTables<'a> {
    header: Option<ParsedEhFrameHdr<Bytes<'a>>>,
    /// The header's table is of the form that linkers write.
    is_usual: bool,
    section: EhFrame<Bytes<'a>>,
    bases: &'a BaseAddresses,
}

impl<'a> EhTables<'a> {
    /// `None` when there is no sorted table to look in.
    fn by_header(&self, address: FileAddress) -> Option<Option<Entry<'a>>> {
        let header = self.header.as_ref().filter(|_| self.is_usual)?;
        Some(self.look_up(&header.table()?, header.eh_frame_ptr(), address))
    }

    fn look_up(
        &self,
        table: &EhHdrTable<'_, Bytes<'a>>,
        section_start: Pointer,
        address: FileAddress,
    ) -> Option<Entry<'a>> {
        let found = table.lookup(address.0, self.bases).ok()?.direct().ok()?;
        // The table may be damaged, and lead to before the section.
        let offset = usize::try_from(found.checked_sub(section_start.direct().ok()?)?).ok()?;
        let entry = self.section.fde_from_offset(self.bases, offset.into(), EhFrame::cie_from_offset);
        entry.ok().filter(|entry| entry.contains(address.0))
    }
}

fn entry_in<'a, S>(
    section: &S,
    bases: &BaseAddresses,
    index: &Index,
    address: FileAddress,
) -> Option<Entry<'a>>
where
    S: UnwindSection<Bytes<'a>>,
    S::Offset: UnwindOffset,
{
    let behind = index.partition_point(|place| place.start <= address.0);
    let place = index[..behind].last().filter(|place| address.0 < place.end)?;
    section.fde_from_offset(bases, S::Offset::from(place.offset), S::cie_from_offset).ok()
}

/// All entries of a table, as far as it can be read.
fn index<'a, S>(section: &S, bases: &BaseAddresses) -> Index
where
    S: UnwindSection<Bytes<'a>>,
    S::Offset: UnwindOffset,
{
    let (mut entries, mut index) = (section.entries(bases), Index::new());
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(entry) = entry else { continue };
        let offset = entry.offset();
        let Ok(entry) = entry.parse(S::cie_from_offset) else { continue };
        // What the linker has thrown away stays behind with address 0.
        if entry.len() > 0 && entry.initial_address() != 0 {
            index.push(Place { start: entry.initial_address(), end: entry.end_address(), offset });
        }
    }
    index.sort_unstable_by_key(|place| place.start);
    index
}

fn debug_section(data: &[u8], word: u8) -> DebugFrame<Bytes<'_>> {
    let mut section = DebugFrame::new(data, LittleEndian);
    section.set_address_size(word);
    section
}

fn debug_frame(image: &Image, word: u8) -> Option<(Vec<u8>, Index)> {
    let section = image.sections().find(|section| section.name == ".debug_frame")?;
    let data = content(image, &section)?.into_owned();
    let index = index(&debug_section(&data, word), &BaseAddresses::default());
    Some((data, index))
}

/// The bytes of a section, decompressed where the file has them compressed.
fn content<'a>(image: &'a Image, section: &Section<'_>) -> Option<Cow<'a, [u8]>> {
    let range = crate::layout::span(image.data(), section.offset.0, section.size)?;
    let data = image.data().get(range)?;
    if section.is_compressed { decompress(data, image.is_64_bit()) } else { Some(Cow::Borrowed(data)) }
}

/// What follows a compression header (ELF gABI, "Compressed sections").
fn decompress(data: &[u8], is_64_bit: bool) -> Option<Cow<'_, [u8]>> {
    /// No more than zlib can make of a byte, and no more than any program needs.
    const GREATEST_FACTOR: u64 = 1032;
    const GREATEST_SIZE: u64 = 1 << 28;
    let number = |at: usize, size: usize| {
        let bytes = data.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte)))
    };
    let (size, behind) = if is_64_bit { (number(8, 8)?, 24) } else { (number(4, 4)?, 12) };
    let format = match number(0, 4)? {
        1 => CompressionFormat::Zlib,
        2 => CompressionFormat::Zstandard,
        _ => return None,
    };
    let data = data.get(behind..)?;
    if size > GREATEST_SIZE || size / GREATEST_FACTOR > data.len() as u64 {
        return None;
    }
    CompressedData { format, data, uncompressed_size: size }.decompress().ok()
}
