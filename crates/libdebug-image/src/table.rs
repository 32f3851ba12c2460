//! Symbol tables as bytes. A symbol's id is its place in `.symtab`, or in `.dynsym` behind all of those.

use std::ops::Range;

use object::elf::{self, SymbolBind, SymbolSection, SymbolType};
use object::read::elf::{FileHeader, Sym};
use object::{LittleEndian as LE, pod};

use crate::{FileAddress, Symbol, SymbolBinding, SymbolKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Elf32,
    Elf64,
}

impl Class {
    pub(crate) const fn entry_size(self) -> usize {
        match self {
            Self::Elf32 => 16,
            Self::Elf64 => 24,
        }
    }
}

/// Where a symbol table lies in the file.
#[derive(Clone, Debug)]
pub(crate) struct TableSpan {
    pub(crate) entries: Range<usize>,
    pub(crate) strings: Range<usize>,
    pub(crate) versions: Option<Range<usize>>,
}

impl TableSpan {
    pub(crate) fn of<'a>(&self, data: &'a [u8], class: Class, is_dynamic: bool) -> Option<Table<'a>> {
        Some(Table {
            class,
            is_dynamic,
            entries: data.get(self.entries.clone())?,
            strings: data.get(self.strings.clone())?,
            versions: self.versions.clone().and_then(|range| data.get(range)).unwrap_or_default(),
        })
    }
}

/// One symbol table, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    class: Class,
    is_dynamic: bool,
    entries: &'a [u8],
    pub(crate) strings: &'a [u8],
    versions: &'a [u8],
}

/// A symbol that names a place of the file, its name not looked at yet.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    name: u32,
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) kind: SymbolKind,
    binding: SymbolBinding,
}

impl<'a> Table<'a> {
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.entries.len() / self.class.entry_size()).unwrap_or(u32::MAX)
    }

    pub(crate) fn is_dynamic(&self) -> bool {
        self.is_dynamic
    }

    /// Every entry's position in the string table, in order: all that a search for a name has to read.
    pub(crate) fn name_positions(&self) -> impl Iterator<Item = u32> + use<'a> {
        let entries = self.entries.chunks_exact(self.class.entry_size());
        entries.map(|entry| u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]))
    }

    /// The name of any entry, also of one that is defined elsewhere.
    pub(crate) fn name(&self, index: u32) -> Option<&'a str> {
        let start = (index as usize).checked_mul(self.class.entry_size())?;
        let at = u32::from_le_bytes(*self.entries.get(start..)?.first_chunk()?);
        let rest = self.strings.get(at as usize..)?;
        str::from_utf8(&rest[..memchr::memchr2(0, b'@', rest)?]).ok()
    }

    pub(crate) fn entry(&self, index: u32) -> Option<Entry> {
        let start = (index as usize).checked_mul(self.class.entry_size())?;
        let bytes = self.entries.get(start..)?;
        match self.class {
            Class::Elf32 => decode::<elf::FileHeader32<LE>>(bytes),
            Class::Elf64 => decode::<elf::FileHeader64<LE>>(bytes),
        }
    }

    /// The name without version, and the version with its `@` or nothing.
    pub(crate) fn name_and_version(&self, entry: &Entry) -> Option<(&'a [u8], &'a [u8])> {
        let rest = self.strings.get(entry.name as usize..)?;
        let end = memchr::memchr2(0, b'@', rest).filter(|&end| end > 0)?;
        let (name, tail) = rest.split_at(end);
        let version = if tail[0] == 0 { &[] } else { &tail[..memchr::memchr(0, tail)?] };
        Some((name, version))
    }

    /// The symbol when it has that name, with any version or, when the name gives one, with that one.
    pub(crate) fn symbol_if_named(&self, index: u32, name: &[u8]) -> Option<Symbol<'a>> {
        let rest = self.strings.get(self.entry(index)?.name as usize..)?;
        let is_named = match rest.strip_prefix(name)?.first() {
            Some(0) => true,
            Some(b'@') => !name.contains(&b'@'),
            _ => false,
        };
        if is_named { self.symbol(index) } else { None }
    }

    pub(crate) fn symbol(&self, index: u32) -> Option<Symbol<'a>> {
        let entry = self.entry(index)?;
        let (name, version) = self.name_and_version(&entry)?;
        Some(Symbol {
            name: str::from_utf8(name).ok()?,
            address: FileAddress(entry.address),
            size: entry.size,
            kind: entry.kind,
            binding: entry.binding,
            is_default_version: self.is_default_version(index, version),
            is_dynamic: self.is_dynamic,
        })
    }

    /// `.symtab` writes versions into the name, `@@` before the default one; `.dynsym` has a parallel array
    /// whose top bit hides the others.
    fn is_default_version(&self, index: u32, version: &[u8]) -> bool {
        let at = index as usize * 2;
        let is_hidden = self.versions.get(at + 1).is_some_and(|high| high & 0x80 != 0);
        (version.is_empty() || version.starts_with(b"@@")) && !is_hidden
    }
}

fn decode<E: FileHeader<Endian = LE>>(bytes: &[u8]) -> Option<Entry> {
    let (symbol, _) = pod::from_bytes::<E::Sym>(bytes).ok()?;
    if !names_a_place(symbol.st_shndx(LE)) {
        return None;
    }
    Some(Entry {
        name: symbol.st_name(LE),
        address: symbol.st_value(LE).into(),
        size: symbol.st_size(LE).into(),
        kind: kind(symbol.st_type())?,
        binding: binding(symbol.st_bind()),
    })
}

/// Absolute symbols are numbers that do not move with the file, and common ones have no place yet.
fn names_a_place(section: SymbolSection) -> bool {
    !matches!(section, elf::SHN_UNDEF | elf::SHN_ABS | elf::SHN_COMMON)
}

fn kind(code: SymbolType) -> Option<SymbolKind> {
    match code {
        elf::STT_TLS => Some(SymbolKind::ThreadLocal),
        elf::STT_FUNC => Some(SymbolKind::Function),
        elf::STT_GNU_IFUNC => Some(SymbolKind::IndirectFunction),
        elf::STT_OBJECT => Some(SymbolKind::Object),
        elf::STT_NOTYPE => Some(SymbolKind::NoType),
        _ => None,
    }
}

fn binding(code: SymbolBind) -> SymbolBinding {
    match code {
        elf::STB_LOCAL => SymbolBinding::Local,
        elf::STB_WEAK => SymbolBinding::Weak,
        _ => SymbolBinding::Global,
    }
}

/// Both symbol tables of a file.
#[derive(Clone, Copy)]
pub(crate) struct Tables<'a> {
    pub(crate) symtab: Option<Table<'a>>,
    pub(crate) dynsym: Option<Table<'a>>,
}

impl<'a> Tables<'a> {
    /// Each table, with the id of its first symbol.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u32, Table<'a>)> + use<'a> {
        let behind = self.symtab.map_or(0, |table| table.len());
        let first = self.symtab.map(|table| (0, table));
        first.into_iter().chain(self.dynsym.map(|table| (behind, table)))
    }

    /// Every entry that names a place, with its id.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, Table<'a>, Entry)> + use<'a> {
        self.each().flat_map(|(base, table)| {
            let all = 0..table.len().min(u32::MAX - base);
            all.filter_map(move |index| Some((base + index, table, table.entry(index)?)))
        })
    }

    pub(crate) fn symbol(&self, id: u32) -> Option<Symbol<'a>> {
        let behind = self.symtab.map_or(0, |table| table.len());
        match id.checked_sub(behind) {
            None => self.symtab?.symbol(id),
            Some(index) => self.dynsym?.symbol(index),
        }
    }

    /// How many entries there are, those that name no place included.
    pub(crate) fn len(&self) -> usize {
        self.each().map(|(_, table)| table.len() as usize).sum()
    }
}
