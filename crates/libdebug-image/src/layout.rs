//! What the headers say, decoded once: small values, and ranges of the bytes for everything large.

use std::ops::Range;

use object::LittleEndian as LE;
use object::elf;
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader, SectionHeader};

use crate::dynamic::{Dynamic, Linking};
use crate::table::{Class, TableSpan};
use crate::{FileAddress, FileOffset, ImageError};

/// The processor that a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Machine {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    I386,
    /// 64-bit Arm.
    Aarch64,
    /// Any other, by its `e_machine`.
    Other(u16),
}

/// What a file is for (`e_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageKind {
    /// A program that runs at fixed addresses.
    Executable,
    /// A library, or a program that runs at any address.
    SharedObject,
    /// The memory of a process that died.
    Core,
    /// An object file, not linked yet; its addresses count from the start of each section.
    Relocatable,
    /// Any other, by its `e_type`.
    Other(u16),
}

/// A part of the file that the loader maps (`PT_LOAD`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment {
    /// Where it begins in the file.
    pub offset: FileOffset,
    /// Where it begins in memory, before the load bias.
    pub address: FileAddress,
    /// Its size in the file, in bytes.
    pub file_size: u64,
    /// Its size in memory, in bytes; what the file does not fill is zero.
    pub memory_size: u64,
    /// `PF_R`.
    pub readable: bool,
    /// `PF_W`.
    pub writable: bool,
    /// `PF_X`.
    pub executable: bool,
}

/// A named part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Section<'image> {
    /// Its name, for example `.text`.
    pub name: &'image str,
    /// Where it begins in memory; 0 when it is not loaded.
    pub address: FileAddress,
    /// Where it begins in the file.
    pub offset: FileOffset,
    /// Its size in bytes.
    pub size: u64,
    /// False when it has no bytes in the file, like `.bss`.
    pub is_in_file: bool,
    /// It is in memory when the file is loaded (`SHF_ALLOC`).
    pub is_loaded: bool,
    /// `SHF_WRITE`.
    pub writable: bool,
    /// `SHF_EXECINSTR`.
    pub executable: bool,
    /// Its bytes in the file are compressed (`SHF_COMPRESSED`); its size is that in the file.
    pub is_compressed: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct SectionRow {
    pub(crate) name: Range<usize>,
    address: u64,
    offset: u64,
    size: u64,
    is_in_file: bool,
    flags: u64,
}

impl SectionRow {
    pub(crate) fn named<'image>(&self, name: &'image str) -> Section<'image> {
        Section {
            name,
            address: FileAddress(self.address),
            offset: FileOffset(self.offset),
            size: self.size,
            is_in_file: self.is_in_file,
            is_loaded: self.has(elf::SHF_ALLOC.0),
            writable: self.has(elf::SHF_WRITE.0),
            executable: self.has(elf::SHF_EXECINSTR.0),
            is_compressed: self.has(elf::SHF_COMPRESSED.0),
        }
    }

    const fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }
}

#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) class: Class,
    pub(crate) machine: Machine,
    pub(crate) kind: ImageKind,
    pub(crate) entry: FileAddress,
    pub(crate) segments: Vec<Segment>,
    pub(crate) sections: Vec<SectionRow>,
    pub(crate) interpreter: Option<Range<usize>>,
    pub(crate) build_id: Option<Range<usize>>,
    pub(crate) eh_frame_header: Option<FileAddress>,
    pub(crate) symtab: Option<TableSpan>,
    pub(crate) dynsym: Option<TableSpan>,
    pub(crate) linking: Linking,
    pub(crate) hardening: Hardening,
}

/// What the headers say of how the program is loaded, beyond its segments.
#[derive(Debug, Default)]
pub(crate) struct Hardening {
    /// `PT_GNU_STACK`: whether the stack is executable; without one it is.
    pub(crate) stack_is_executable: Option<bool>,
    /// `PT_GNU_RELRO`.
    pub(crate) has_relro: bool,
    /// The description of `NT_GNU_PROPERTY_TYPE_0`.
    pub(crate) properties: Option<Range<usize>>,
}

impl Layout {
    pub(crate) fn parse(data: &[u8]) -> Result<Self, ImageError> {
        match supported_class(data)? {
            Class::Elf64 => Reader::<elf::FileHeader64<LE>>::new(data, Class::Elf64)?.layout(),
            Class::Elf32 => Reader::<elf::FileHeader32<LE>>::new(data, Class::Elf32)?.layout(),
        }
    }
}

fn supported_class(data: &[u8]) -> Result<Class, ImageError> {
    if data.get(..4) != Some(&elf::ELFMAG) {
        return Err(ImageError::NotElf);
    }
    let Some(&[class, encoding]) = data.get(4..6) else {
        return Err(ImageError::Damaged("it ends inside the file header"));
    };
    match (class, encoding) {
        (1, 1) => Ok(Class::Elf32),
        (2, 1) => Ok(Class::Elf64),
        _ => Err(ImageError::Unsupported { class, data: encoding, machine: machine_code(data, encoding) }),
    }
}

/// `e_machine` lies at the same place in both classes.
fn machine_code(data: &[u8], encoding: u8) -> u16 {
    match (data.get(18..20), encoding) {
        (Some(&[low, high]), 1) => u16::from_le_bytes([low, high]),
        (Some(&[high, low]), _) => u16::from_le_bytes([low, high]),
        _ => 0,
    }
}

/// The headers of one file, borrowed.
pub(crate) struct Reader<'data, E: FileHeader<Endian = LE>> {
    pub(crate) data: &'data [u8],
    class: Class,
    header: &'data E,
    programs: &'data [E::ProgramHeader],
    sections: &'data [E::SectionHeader],
}

impl<'data, E: FileHeader<Endian = LE>> Reader<'data, E> {
    fn new(data: &'data [u8], class: Class) -> Result<Self, ImageError> {
        let header = E::parse(data).map_err(|_| ImageError::Damaged("the file header is incomplete"))?;
        let programs = header
            .program_headers(LE, data)
            .map_err(|_| ImageError::Damaged("the program headers lie outside the file"))?;
        // A loader does not look at section headers either: files run with broken ones.
        let sections = header.section_headers(LE, data).unwrap_or_default();
        Ok(Self { data, class, header, programs, sections })
    }

    fn layout(&self) -> Result<Layout, ImageError> {
        let segments = self.segments();
        let dynsym = self
            .section_table(elf::SHT_DYNSYM)
            .or_else(|| Dynamic::<E>::find(self.data, self.programs, &segments)?.symbols(self.class));
        Ok(Layout {
            class: self.class,
            machine: machine(self.header.e_machine(LE)),
            kind: kind(self.header.e_type(LE)),
            entry: FileAddress(self.header.e_entry(LE).into()),
            sections: self.section_rows(),
            interpreter: self.interpreter(),
            build_id: self.build_id(),
            eh_frame_header: self.eh_frame_header(),
            symtab: self.section_table(elf::SHT_SYMTAB),
            dynsym,
            linking: Dynamic::<E>::find(self.data, self.programs, &segments)
                .map(|dynamic| dynamic.linking())
                .unwrap_or_default(),
            hardening: self.hardening(),
            segments,
        })
    }

    fn segments(&self) -> Vec<Segment> {
        let loaded = self.programs.iter().filter(|program| program.p_type(LE) == elf::PT_LOAD);
        loaded.map(segment::<E>).collect()
    }

    fn section_rows(&self) -> Vec<SectionRow> {
        let names = self.section_names().unwrap_or(0..0);
        let real = self.sections.iter().filter(|section| section.sh_type(LE) != elf::SHT_NULL);
        real.map(|section| SectionRow {
            name: string_range(self.data, &names, section.sh_name(LE)),
            address: section.sh_addr(LE).into(),
            offset: section.sh_offset(LE).into(),
            size: section.sh_size(LE).into(),
            is_in_file: section.sh_type(LE) != elf::SHT_NOBITS,
            flags: section.sh_flags(LE).0,
        })
        .collect()
    }

    fn section_names(&self) -> Option<Range<usize>> {
        let index = self.header.shstrndx(LE, self.data).ok()?;
        self.section_span(self.sections.get(index as usize)?)
    }

    fn section_span(&self, section: &E::SectionHeader) -> Option<Range<usize>> {
        let (offset, size) = section.file_range(LE)?;
        span(self.data, offset, size)
    }

    fn section_table(&self, kind: elf::SectionType) -> Option<TableSpan> {
        let index = self.sections.iter().position(|section| section.sh_type(LE) == kind)?;
        let table = &self.sections[index];
        let strings = self.sections.get(table.sh_link(LE) as usize)?;
        Some(TableSpan {
            entries: self.section_span(table)?,
            strings: self.section_span(strings)?,
            versions: if kind == elf::SHT_DYNSYM { self.version_span(index) } else { None },
        })
    }

    fn version_span(&self, table: usize) -> Option<Range<usize>> {
        let mut all = self.sections.iter();
        let of_table = |section: &&E::SectionHeader| {
            section.sh_type(LE) == elf::SHT_GNU_VERSYM && section.sh_link(LE) as usize == table
        };
        self.section_span(all.find(of_table)?)
    }

    fn interpreter(&self) -> Option<Range<usize>> {
        let mut programs = self.programs.iter();
        let interpreter = programs.find_map(|program| program.interpreter(LE, self.data).ok()?)?;
        Some(range_of(self.data, interpreter))
    }

    fn eh_frame_header(&self) -> Option<FileAddress> {
        let mut programs = self.programs.iter();
        let header = programs.find(|program| program.p_type(LE) == elf::PT_GNU_EH_FRAME)?;
        Some(FileAddress(header.p_vaddr(LE).into()))
    }

    fn hardening(&self) -> Hardening {
        let find = |kind| self.programs.iter().find(|program| program.p_type(LE) == kind);
        Hardening {
            stack_is_executable: find(elf::PT_GNU_STACK).map(|stack| stack.p_flags(LE).contains(elf::PF_X)),
            has_relro: find(elf::PT_GNU_RELRO).is_some(),
            properties: self.note(elf::NT_GNU_PROPERTY_TYPE_0),
        }
    }

    fn build_id(&self) -> Option<Range<usize>> {
        self.note(elf::NT_GNU_BUILD_ID)
    }

    /// Where the description of the GNU note of that type lies.
    fn note(&self, kind: elf::NoteType) -> Option<Range<usize>> {
        let from_programs = self.programs.iter().filter_map(|program| program.notes(LE, self.data).ok()?);
        let from_sections = self.sections.iter().filter_map(|section| section.notes(LE, self.data).ok()?);
        let found = from_programs.chain(from_sections).find_map(|notes| gnu_note(notes, kind))?;
        Some(range_of(self.data, found))
    }
}

fn gnu_note<'data, E: FileHeader<Endian = LE>>(
    mut notes: NoteIterator<'data, E>,
    kind: elf::NoteType,
) -> Option<&'data [u8]> {
    while let Ok(Some(note)) = notes.next() {
        if note.name() == elf::ELF_NOTE_GNU && note.n_type(LE) == kind {
            return Some(note.desc());
        }
    }
    None
}

fn segment<E: FileHeader<Endian = LE>>(program: &E::ProgramHeader) -> Segment {
    let flags = program.p_flags(LE);
    Segment {
        offset: FileOffset(program.p_offset(LE).into()),
        address: FileAddress(program.p_vaddr(LE).into()),
        file_size: program.p_filesz(LE).into(),
        memory_size: program.p_memsz(LE).into(),
        readable: flags.contains(elf::PF_R),
        writable: flags.contains(elf::PF_W),
        executable: flags.contains(elf::PF_X),
    }
}

fn machine(code: elf::Machine) -> Machine {
    match code {
        elf::EM_X86_64 => Machine::X86_64,
        elf::EM_386 => Machine::I386,
        elf::EM_AARCH64 => Machine::Aarch64,
        other => Machine::Other(other.0),
    }
}

fn kind(code: elf::FileType) -> ImageKind {
    match code {
        elf::ET_EXEC => ImageKind::Executable,
        elf::ET_DYN => ImageKind::SharedObject,
        elf::ET_CORE => ImageKind::Core,
        elf::ET_REL => ImageKind::Relocatable,
        other => ImageKind::Other(other.0),
    }
}

/// The part of that range which the file has; `None` when it has nothing of it.
pub(crate) fn span(data: &[u8], offset: u64, size: u64) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok().filter(|&start| start < data.len())?;
    let end = offset.saturating_add(size).min(data.len() as u64) as usize;
    Some(start..end)
}

/// Where `part`, a subslice of `data`, lies in it.
fn range_of(data: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr().addr()).wrapping_sub(data.as_ptr().addr());
    start..start.wrapping_add(part.len())
}

/// The string at `index` of a string table; empty when it is not inside.
fn string_range(data: &[u8], strings: &Range<usize>, index: u32) -> Range<usize> {
    let start = strings.start.saturating_add(index as usize).min(strings.end);
    let rest = data.get(start..strings.end).unwrap_or_default();
    start..start + memchr::memchr(0, rest).unwrap_or(0)
}
