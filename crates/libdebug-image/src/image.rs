use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::by_address::AddressIndex;
use crate::by_name::Names;
use crate::by_readable::ReadableNames;
use crate::dwarf::DebugStore;
use crate::layout::Layout;
use crate::plt::Linkage;
use crate::table::{Class, Tables};
use crate::unwind::FrameTables;
use crate::{FileAddress, FileOffset, ImageError, ImageKind, Machine, Section, Segment, Symbol};

/// The bytes of a file, however they are held: read, mapped, or copied out of a process.
pub type ImageBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// An ELF file.
///
/// ```
/// use std::sync::Arc;
/// use libdebug_image::{Image, ImageKind};
///
/// let bytes = std::fs::read(std::env::current_exe()?)?;
/// let image = Image::parse(Arc::new(bytes))?;
/// assert!(matches!(image.kind(), ImageKind::SharedObject | ImageKind::Executable));
/// assert!(image.symbol("main").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Image {
    bytes: ImageBytes,
    layout: Layout,
    static_names: Names,
    dynamic_names: Names,
    addresses: OnceLock<AddressIndex>,
    frames: FrameTables,
    readable_names: ReadableNames,
    linkage: OnceLock<Linkage>,
    pub(crate) mini: OnceLock<Option<Box<Image>>>,
    pub(crate) debug: OnceLock<DebugStore>,
}

impl Image {
    /// Reads the headers of a file; everything else is read when it is asked for.
    ///
    /// # Errors
    /// [`ImageError`] when the bytes are no ELF file, one of a kind not read here, or damaged in their headers.
    /// Broken section headers are no error: the file then has no sections.
    pub fn parse(bytes: ImageBytes) -> Result<Self, ImageError> {
        let layout = Layout::parse((*bytes).as_ref())?;
        Ok(Self {
            bytes,
            layout,
            static_names: Names::default(),
            dynamic_names: Names::default(),
            addresses: OnceLock::new(),
            frames: FrameTables::default(),
            readable_names: ReadableNames::default(),
            linkage: OnceLock::new(),
            mini: OnceLock::new(),
            debug: OnceLock::new(),
        })
    }

    /// The whole file.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    /// The processor that it is for.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.layout.machine
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> ImageKind {
        self.layout.kind
    }

    /// True when its addresses are 64 bits wide.
    #[must_use]
    pub fn is_64_bit(&self) -> bool {
        self.layout.class == Class::Elf64
    }

    /// True when the loader may place it anywhere: libraries, and programs built as PIE or static PIE.
    #[must_use]
    pub fn is_pie_like(&self) -> bool {
        self.layout.kind == ImageKind::SharedObject
    }

    /// Where the program begins; zero in most libraries.
    #[must_use]
    pub fn entry(&self) -> FileAddress {
        self.layout.entry
    }

    /// The loader that the program asks for (`PT_INTERP`).
    #[must_use]
    pub fn interpreter(&self) -> Option<&str> {
        let bytes = self.data().get(self.layout.interpreter.clone()?)?;
        str::from_utf8(bytes).ok()
    }

    /// The GNU build id, with which files of debug information are found.
    #[must_use]
    pub fn build_id(&self) -> Option<&[u8]> {
        self.data().get(self.layout.build_id.clone()?)
    }

    /// What the loader maps, in the order of the file.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.layout.segments
    }

    /// The sections; none when their headers were stripped or are broken.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        self.layout.sections.iter().map(|row| {
            let name = self.data().get(row.name.clone()).unwrap_or_default();
            row.named(str::from_utf8(name).unwrap_or_default())
        })
    }

    /// The bytes of a section as they are in the file; `None` without such a section, or one of no bytes.
    #[must_use]
    pub fn section_bytes(&self, name: &str) -> Option<&[u8]> {
        let section = self.sections().find(|section| section.name == name)?;
        self.bytes_of(&section)
    }

    /// The bytes of one of this file's sections as they are in the file.
    pub(crate) fn bytes_of(&self, section: &Section<'_>) -> Option<&[u8]> {
        let range = crate::layout::span(self.data(), section.offset.0, section.size)?;
        if section.is_in_file { self.data().get(range) } else { None }
    }

    /// By how much addresses in the process are greater than in the file, modulo 2^64, when the process has
    /// the file from `map_file_offset` on mapped at `map_start`. `None` when no segment belongs to that
    /// mapping.
    ///
    /// Hand in the lowest mapping of the file. Two segments that share a page of the file are mapped from the
    /// same offset (read-only data and RELRO often are), and nothing tells their mappings apart; the first
    /// segment is taken then, and the lowest mapping is always the first segment's.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # let image = libdebug_image::Image::parse(Arc::new(std::fs::read(std::env::current_exe()?)?))?;
    /// let first = image.segments()[0];
    /// let bias = image.load_bias(0x5555_5555_4000, first.offset.0, 4096);
    /// assert_eq!(bias, Some(0x5555_5555_4000 - first.address.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn load_bias(&self, map_start: u64, map_file_offset: u64, page_size: u64) -> Option<u64> {
        let in_file = self.layout.segments.iter().filter(|segment| segment.file_size > 0);
        let page_of = |offset: u64| offset - offset % page_size.max(1);
        let begins = in_file.clone().find(|segment| page_of(segment.offset.0) == map_file_offset);
        let covers = |segment: &&Segment| {
            let end = segment.offset.0.saturating_add(segment.file_size);
            (page_of(segment.offset.0)..end).contains(&map_file_offset)
        };
        let segment = begins.or_else(|| in_file.clone().find(covers))?;
        let delta = segment.address.0.wrapping_sub(segment.offset.0);
        Some(map_start.wrapping_sub(map_file_offset.wrapping_add(delta)))
    }

    /// Whether the loader maps something at that address: bytes of the file, or zeros.
    #[must_use]
    pub fn loads(&self, address: FileAddress) -> bool {
        let inside = |segment: &Segment| address.0.wrapping_sub(segment.address.0) < segment.memory_size;
        self.layout.segments.iter().any(inside)
    }

    /// Where in the file the byte of that address lies; `None` when the file has no byte for it.
    #[must_use]
    pub fn offset_of(&self, address: FileAddress) -> Option<FileOffset> {
        let inside = |segment: &&Segment| address.0.wrapping_sub(segment.address.0) < segment.file_size;
        let segment = self.layout.segments.iter().find(inside)?;
        Some(FileOffset(segment.offset.0.checked_add(address.0.wrapping_sub(segment.address.0))?))
    }

    /// The address of the byte at that place in the file; `None` when it is not loaded.
    #[must_use]
    pub fn address_of(&self, offset: FileOffset) -> Option<FileAddress> {
        let inside = |segment: &&Segment| offset.0.wrapping_sub(segment.offset.0) < segment.file_size;
        let segment = self.layout.segments.iter().find(inside)?;
        Some(FileAddress(segment.address.0.checked_add(offset.0.wrapping_sub(segment.offset.0))?))
    }

    /// Up to `size` bytes of the file from that address on, as far as its segment goes.
    #[must_use]
    pub fn bytes_at(&self, address: FileAddress, size: usize) -> Option<&[u8]> {
        let inside = |segment: &&Segment| address.0.wrapping_sub(segment.address.0) < segment.file_size;
        let segment = self.layout.segments.iter().find(inside)?;
        let left = segment.file_size - address.0.wrapping_sub(segment.address.0);
        let range = crate::layout::span(self.data(), self.offset_of(address)?.0, left.min(size as u64))?;
        self.data().get(range)
    }

    /// The table by which `.eh_frame` is searched (`PT_GNU_EH_FRAME`).
    pub(crate) fn eh_frame_header(&self) -> Option<FileAddress> {
        self.layout.eh_frame_header
    }

    pub(crate) fn frame_tables(&self) -> &FrameTables {
        &self.frames
    }

    /// The symbol that a user means by that name: a default version before an old one, `.symtab` before
    /// `.dynsym`, a global one before a weak and a local one. A version can be given: `memcpy@GLIBC_2.2.5`,
    /// for names that have it in `.symtab`.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<Symbol<'_>> {
        let mut found = self.static_symbols_named(name);
        // What `.dynsym` defines is in `.symtab`, too, wherever there is one.
        if !found.iter().any(|symbol| symbol.is_default_version) {
            found.extend(self.dynamic_symbols_named(name));
        }
        // Reversed, because of several equals `max_by_key` takes the last.
        found.into_iter().rev().max_by_key(Symbol::rank)
    }

    /// All symbols of that name, in the order of the file. A symbol that is in `.symtab` and in `.dynsym` is
    /// listed twice.
    #[must_use]
    pub fn symbols_named(&self, name: &str) -> Vec<Symbol<'_>> {
        let mut found = self.static_symbols_named(name);
        found.extend(self.dynamic_symbols_named(name));
        found
    }

    /// The symbols whose mangled names mean a readable one, with or without parameters: `shape::area(int)` and
    /// `shape::area`. Blanks between signs do not count. In the order of the file; one that is in `.symtab` is not
    /// listed again from `.dynsym`.
    ///
    /// Up to 64 searches look at those names only that can mean it, which is as quick as reading the table is; then all
    /// names are demangled once.
    #[must_use]
    pub fn symbols_meaning(&self, name: &str) -> Vec<Symbol<'_>> {
        let mut found = self.readable_names.find(&self.tables(), name);
        found.sort_by_key(|symbol| symbol.is_dynamic);
        let known: Vec<_> =
            found.iter().filter(|symbol| !symbol.is_dynamic).map(|symbol| symbol.address).collect();
        found.retain(|symbol| !symbol.is_dynamic || !known.contains(&symbol.address));
        found
    }

    /// The stub (`puts@plt`) or the slot (`puts@got`) through which the file reaches a symbol of another one.
    #[must_use]
    pub fn linkage_symbol(&self, name: &str) -> Option<Symbol<'_>> {
        if name.contains('@') { self.linkage().named(name) } else { None }
    }

    /// The stub or slot whose bytes include that address.
    #[must_use]
    pub fn linkage_symbol_at(&self, address: FileAddress) -> Option<Symbol<'_>> {
        self.linkage().at(address.0)
    }

    /// All stubs and slots through which the file reaches symbols of others, by address.
    pub fn linkage_symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.linkage().all()
    }

    fn linkage(&self) -> &Linkage {
        self.linkage.get_or_init(|| Linkage::read(self))
    }

    /// Whether there is a table of all symbols (`.symtab`), not only of those that the loader needs.
    #[must_use]
    pub fn has_symtab(&self) -> bool {
        self.layout.symtab.is_some()
    }

    fn static_symbols_named(&self, name: &str) -> Vec<Symbol<'_>> {
        self.tables().symtab.map(|table| self.static_names.find(&table, name)).unwrap_or_default()
    }

    fn dynamic_symbols_named(&self, name: &str) -> Vec<Symbol<'_>> {
        self.tables().dynsym.map(|table| self.dynamic_names.find(&table, name)).unwrap_or_default()
    }

    /// The symbol whose bytes include that address: the innermost, one with a size before one without. A
    /// symbol without a size lasts until the next one.
    #[must_use]
    pub fn symbol_at(&self, address: FileAddress) -> Option<Symbol<'_>> {
        let tables = self.tables();
        let index = self.addresses.get_or_init(|| AddressIndex::build(&tables, &self.layout.segments));
        index.find(&tables, address.0)
    }

    /// All defined functions, variables and labels with a name, in the order of the file, `.symtab` first.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        let tables = self.tables();
        let ids = 0..u32::try_from(tables.len()).unwrap_or(u32::MAX);
        ids.filter_map(move |id| tables.symbol(id))
    }

    pub(crate) const fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) const fn class(&self) -> Class {
        self.layout.class
    }

    pub(crate) fn tables(&self) -> Tables<'_> {
        let (data, class) = (self.data(), self.layout.class);
        Tables {
            symtab: self.layout.symtab.as_ref().and_then(|span| span.of(data, class, false)),
            dynsym: self.layout.dynsym.as_ref().and_then(|span| span.of(data, class, true)),
        }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Image").field("layout", &self.layout).finish_non_exhaustive()
    }
}
