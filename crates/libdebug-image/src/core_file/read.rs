//! Reading core files: nothing that they say is believed before it was checked.

use super::{
    CoreFile, CoreSegment, HEADER, LOAD, MACHINE_X86_64, MANY_HEADERS, NOTE, PROGRAM_HEADER, TYPE_CORE, notes,
};
use crate::ImageError;

impl CoreFile {
    /// Reads the headers and notes of a core file; the content of memory stays where its segments say.
    ///
    /// # Errors
    /// [`ImageError::NotElf`]; [`ImageError::Unsupported`] for what is not for x86-64; [`ImageError::Damaged`] for
    /// what is no core file, or a broken one. Segments are ascending, and lie in the file.
    pub fn parse(data: &[u8]) -> Result<Self, ImageError> {
        check_kind(data)?;
        let mut core = Self::default();
        let table = read_u64(data, 32).ok_or(CUT_SHORT)?;
        for index in 0..header_count(data)? {
            let at = table.checked_add(index * PROGRAM_HEADER as u64).ok_or(CUT_SHORT)?;
            let header = part(data, at, PROGRAM_HEADER as u64).ok_or(CUT_SHORT)?;
            match word(header, 0) {
                LOAD => core.segments.push(segment(header, data.len() as u64)?),
                NOTE => {
                    let (offset, size) = (double(header, 8), double(header, 32));
                    notes::parse(part(data, offset, size).ok_or(CUT_SHORT)?, &mut core);
                }
                _ => {}
            }
        }
        core.segments.sort_by_key(|segment| segment.address);
        let overlap = |pair: &[CoreSegment]| pair[0].address + pair[0].size > pair[1].address;
        if core.segments.windows(2).any(overlap) {
            return Err(ImageError::Damaged("segments overlap"));
        }
        Ok(core)
    }

    /// Whether bytes begin as a core file does.
    ///
    /// ```
    /// assert!(!libdebug_image::CoreFile::is_core(b"\x7fELF"));
    /// ```
    #[must_use]
    pub fn is_core(data: &[u8]) -> bool {
        data.starts_with(b"\x7fELF") && read_u16(data, 16) == Some(TYPE_CORE)
    }
}

const CUT_SHORT: ImageError = ImageError::Damaged("the file ends before its headers do");

fn check_kind(data: &[u8]) -> Result<(), ImageError> {
    if !data.starts_with(b"\x7fELF") {
        return Err(ImageError::NotElf);
    }
    if data.len() < HEADER {
        return Err(CUT_SHORT);
    }
    let machine = half(data, 18);
    if (data[4], data[5], machine) != (2, 1, MACHINE_X86_64) {
        return Err(ImageError::Unsupported { class: data[4], data: data[5], machine });
    }
    if half(data, 16) != TYPE_CORE {
        return Err(ImageError::Damaged("it is no core file"));
    }
    let entry = usize::from(half(data, 54));
    if entry == PROGRAM_HEADER { Ok(()) } else { Err(ImageError::Damaged("program headers of another size")) }
}

fn header_count(data: &[u8]) -> Result<u64, ImageError> {
    let count = half(data, 56);
    if count != MANY_HEADERS {
        return Ok(u64::from(count));
    }
    let section = read_u64(data, 40).ok_or(CUT_SHORT)?;
    let info = section.checked_add(44).and_then(|at| part(data, at, 4)).ok_or(CUT_SHORT)?;
    Ok(u64::from(word(info, 0)))
}

/// A segment whose content the file was cut off from has less of it: so is a core that found the disk full.
fn segment(header: &[u8], length: u64) -> Result<CoreSegment, ImageError> {
    let (address, size) = (double(header, 16), double(header, 40));
    let (file_offset, file_size) = (double(header, 8), double(header, 32));
    if address.checked_add(size).is_none() || file_size > size {
        return Err(ImageError::Damaged("a segment reaches beyond the address space"));
    }
    let flags = word(header, 4);
    Ok(CoreSegment {
        address,
        size,
        file_size: file_size.min(length.saturating_sub(file_offset)),
        file_offset,
        readable: flags & 4 != 0,
        writable: flags & 2 != 0,
        executable: flags & 1 != 0,
    })
}

/// `size` bytes of `data`.
pub(super) fn part(data: &[u8], offset: u64, size: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    data.get(start..start.checked_add(usize::try_from(size).ok()?)?)
}

pub(super) fn read_u16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

pub(super) fn read_u32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

pub(super) fn read_u64(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

fn half(data: &[u8], at: usize) -> u16 {
    read_u16(data, at).unwrap_or_default()
}

fn word(data: &[u8], at: usize) -> u32 {
    read_u32(data, at).unwrap_or_default()
}

fn double(data: &[u8], at: usize) -> u64 {
    read_u64(data, at).unwrap_or_default()
}
