//! The sections of debug information, unpacked where they are compressed.

use std::ops::Range;
use std::sync::OnceLock;

use gimli::{DebugAbbrev, EndianSlice, LittleEndian, SectionId};
use object::read::{CompressedData, CompressionFormat};

use super::functions::Functions;
use super::lines::UnitLines;
use super::units::Units;
use super::variables::Globals;
use crate::table::Class;
use crate::{Image, Section};

/// What all sections of a file may take when they are unpacked.
const LARGEST: u64 = 512 << 20;

pub(super) type Bytes<'a> = EndianSlice<'a, LittleEndian>;
pub(super) type Dwarf<'a> = gimli::Dwarf<Bytes<'a>>;
pub(super) type Unit<'a> = gimli::Unit<Bytes<'a>>;

/// A file's debug information, and what has been found in it so far.
#[derive(Debug, Default)]
pub(crate) struct DebugStore {
    parts: Vec<(SectionId, Part)>,
    pub(super) units: OnceLock<Units>,
    pub(super) functions: OnceLock<Functions>,
    pub(super) lines: OnceLock<Vec<OnceLock<UnitLines>>>,
    pub(super) files: OnceLock<Vec<(u32, u32)>>,
    pub(super) globals: OnceLock<Globals>,
}

#[derive(Debug)]
enum Part {
    InFile(Range<usize>),
    Unpacked(Vec<u8>),
}

const SECTIONS: [SectionId; 14] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugLoc,
    SectionId::DebugLocLists,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
    SectionId::DebugMacro,
];

impl DebugStore {
    pub(crate) fn open(image: &Image) -> Self {
        let mut left = LARGEST;
        let mut parts = Vec::new();
        for id in SECTIONS {
            let found = image.sections().find(|section| section.name == id.name());
            if let Some(part) = found.and_then(|section| open(image, &section, &mut left)) {
                parts.push((id, part));
            }
        }
        Self { parts, ..Self::default() }
    }

    pub(super) fn is_there(&self) -> bool {
        self.parts.iter().any(|(id, _)| *id == SectionId::DebugInfo)
    }

    pub(super) fn bytes<'a>(&'a self, data: &'a [u8], id: SectionId) -> &'a [u8] {
        match self.parts.iter().find(|(part, _)| *part == id) {
            Some((_, Part::InFile(range))) => data.get(range.clone()).unwrap_or_default(),
            Some((_, Part::Unpacked(bytes))) => bytes,
            None => &[],
        }
    }

    pub(super) fn dwarf<'a>(&'a self, data: &'a [u8]) -> Dwarf<'a> {
        let slice = |id| Ok::<_, gimli::Error>(EndianSlice::new(self.bytes(data, id), LittleEndian));
        Dwarf::load(slice).unwrap_or_default()
    }

    /// The abbreviations up to an offset, so that tables which overlap in a damaged file are not read over and over.
    pub(super) fn abbreviations<'a>(&'a self, data: &'a [u8], end: usize) -> DebugAbbrev<Bytes<'a>> {
        let all = self.bytes(data, SectionId::DebugAbbrev);
        DebugAbbrev::new(&all[..end.min(all.len())], LittleEndian)
    }
}

fn open(image: &Image, section: &Section<'_>, left: &mut u64) -> Option<Part> {
    let range = crate::layout::span(image.data(), section.offset.0, section.size)?;
    if !section.is_in_file {
        return None;
    }
    if !section.is_compressed {
        return Some(Part::InFile(range));
    }
    let packed = compressed(image.data().get(range)?, image.class())?;
    *left = left.checked_sub(packed.uncompressed_size)?;
    packed.decompress().ok().map(|bytes| Part::Unpacked(bytes.into_owned()))
}

/// `Elf32_Chdr` or `Elf64_Chdr`, and what follows it.
fn compressed(bytes: &[u8], class: Class) -> Option<CompressedData<'_>> {
    let (size_at, length) = if class == Class::Elf64 { (8, 24) } else { (4, 12) };
    let kind = u32::from_le_bytes(*bytes.first_chunk()?);
    let size = bytes.get(size_at..size_at + length / 3)?;
    let uncompressed_size = size.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    let format = match kind {
        1 => CompressionFormat::Zlib,
        2 => CompressionFormat::Zstandard,
        _ => return None,
    };
    Some(CompressedData { format, data: bytes.get(length..)?, uncompressed_size })
}
