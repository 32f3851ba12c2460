//! Writing core files.

use super::{
    CoreFile, CoreSegment, HEADER, LOAD, MACHINE_X86_64, MANY_HEADERS, NOTE, PAGE, PROGRAM_HEADER,
    SECTION_HEADER, TYPE_CORE, notes,
};

impl CoreFile {
    /// Everything of the file that comes before the content of memory, and where in the file the content of each
    /// segment is to be put: `None` for one of which the file has nothing.
    #[must_use]
    pub fn head(&self) -> (Vec<u8>, Vec<Option<u64>>) {
        let notes = notes::write(self);
        let count = self.segments.len() + 1;
        let has_section = count >= usize::from(MANY_HEADERS);
        let notes_at = HEADER + count * PROGRAM_HEADER + if has_section { SECTION_HEADER } else { 0 };
        let mut next = ((notes_at + notes.len()) as u64).next_multiple_of(PAGE);
        let mut places = Vec::with_capacity(self.segments.len());
        let mut head = file_header(count, has_section);
        head.extend(program_header(NOTE, 0, notes_at as u64, 0, notes.len() as u64, 0, 4));
        for segment in &self.segments {
            // Readers look for an ELF header at the place of every segment, also at one that has no content.
            head.extend(load_header(segment, next));
            places.push((segment.file_size > 0).then_some(next));
            next = next.saturating_add(segment.file_size).next_multiple_of(PAGE);
        }
        if has_section {
            head.extend(counting_section(count));
        }
        head.extend(notes);
        (head, places)
    }
}

fn file_header(count: usize, has_section: bool) -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(16, 0);
    header.extend(TYPE_CORE.to_le_bytes());
    header.extend(MACHINE_X86_64.to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    header.extend(0_u64.to_le_bytes());
    header.extend((HEADER as u64).to_le_bytes());
    let section = if has_section { (HEADER + count * PROGRAM_HEADER) as u64 } else { 0 };
    header.extend(section.to_le_bytes());
    header.extend(0_u32.to_le_bytes());
    let entries = u16::try_from(count).unwrap_or(MANY_HEADERS);
    let section_size = if has_section { SECTION_HEADER as u16 } else { 0 };
    let sizes = [HEADER as u16, PROGRAM_HEADER as u16, entries, section_size, u16::from(has_section), 0];
    header.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
    header
}

/// The section header that has the number of program headers, where 16 bits are too few for it.
fn counting_section(count: usize) -> Vec<u8> {
    let mut header = vec![0; SECTION_HEADER];
    header[44..48].copy_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    header
}

fn load_header(segment: &CoreSegment, offset: u64) -> Vec<u8> {
    let flag = |is_set: bool, bit: u32| if is_set { bit } else { 0 };
    let flags = flag(segment.readable, 4) | flag(segment.writable, 2) | flag(segment.executable, 1);
    program_header(LOAD, flags, offset, segment.address, segment.file_size, segment.size, PAGE)
}

fn program_header(
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    file_size: u64,
    size: u64,
    alignment: u64,
) -> Vec<u8> {
    let mut header = Vec::with_capacity(PROGRAM_HEADER);
    header.extend(kind.to_le_bytes());
    header.extend(flags.to_le_bytes());
    for number in [offset, address, 0, file_size, size, alignment] {
        header.extend(number.to_le_bytes());
    }
    header
}
