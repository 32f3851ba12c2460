//! All symbols of the mapped files, as plain values.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use libdebug_image::{FileAddress, Image, Spelling, Symbol, demangle};

use crate::debug_file::hex;
use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::lookup::{Step, debug_file, steps};
use crate::mailbox::lock;
use crate::space::AddressSpace;
use crate::symbol_sources::{SymbolLevel, SymbolSources};
use crate::symbols::Mapped;

/// One symbol of a [`FileSymbols`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListedSymbol<'l> {
    /// Its name as it stands in the file: mangled, if it is.
    pub name: &'l str,
    /// Where it begins, as the file counts: relative to where it is loaded, unless that is fixed.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
    /// The mapped file that it is in.
    pub backing_file: &'l str,
    /// The file that says so: the same, or a file of debug information.
    pub reference_file: &'l str,
    /// The build id of that file, in hexadecimal; empty without one.
    pub reference_build_id: &'l str,
}

impl ListedSymbol<'_> {
    /// Its name as people write it: demangled, if it is mangled.
    #[must_use]
    pub fn readable_name(&self) -> String {
        demangle(self.name, Spelling::Full).unwrap_or_else(|| self.name.to_owned())
    }

    /// Whether another file than the mapped one says that it is there.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.backing_file != self.reference_file
    }

    /// Whether a name means it: as it stands in the file, or readable with or without parameters.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name
            || [Spelling::Full, Spelling::Bare]
                .into_iter()
                .any(|spelling| demangle(self.name, spelling).as_deref() == Some(name))
    }
}

#[derive(Debug)]
struct Row {
    start: u64,
    end: u64,
    /// The greatest end of this row and all before it.
    reach: u64,
    name: Box<str>,
    source: u32,
}

#[derive(Debug)]
struct Reference {
    path: String,
    build_id: String,
}

/// The symbols of one mapped file, by address. No symbol is listed twice because two tables have it.
#[derive(Debug)]
pub struct FileSymbols {
    path: String,
    references: Vec<Reference>,
    rows: Vec<Row>,
    /// The rows by their names.
    by_name: OnceLock<Vec<u32>>,
    /// The readable names of mangled ones, sorted, each with its row.
    readable: OnceLock<Vec<(Box<str>, u32)>>,
}

impl FileSymbols {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The path of the mapped file.
    #[must_use]
    pub fn backing_file(&self) -> &str {
        &self.path
    }

    /// One symbol by its place.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<ListedSymbol<'_>> {
        let row = self.rows.get(index)?;
        let reference = self.references.get(row.source as usize)?;
        Some(ListedSymbol {
            name: &row.name,
            start: row.start,
            end: row.end,
            backing_file: &self.path,
            reference_file: &reference.path,
            reference_build_id: &reference.build_id,
        })
    }

    /// The places of the symbols that a name means: as it stands in the file, or readable with or without parameters.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<usize> {
        let exact = self.exactly(name);
        if exact.is_empty() { self.meaning(name) } else { exact }
    }

    /// The places of the symbols that have that name in the file.
    fn exactly(&self, name: &str) -> Vec<usize> {
        let by_name = self.by_name.get_or_init(|| self.sorted_names());
        let name_of = |row: &u32| &*self.rows[*row as usize].name;
        let from = by_name.partition_point(|row| name_of(row) < name);
        by_name[from..].iter().take_while(|row| name_of(row) == name).map(|row| *row as usize).collect()
    }

    fn sorted_names(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX)).collect();
        order.sort_by(|one, other| self.rows[*one as usize].name.cmp(&self.rows[*other as usize].name));
        order
    }

    fn meaning(&self, name: &str) -> Vec<usize> {
        let readable = self.readable();
        let from = readable.partition_point(|row| *row.0 < *name);
        let mut found: Vec<_> =
            readable[from..].iter().take_while(|row| *row.0 == *name).map(|row| row.1 as usize).collect();
        found.dedup();
        found
    }

    fn readable(&self) -> &[(Box<str>, u32)] {
        self.readable.get_or_init(|| {
            let mut all = Vec::new();
            for (row, index) in self.rows.iter().zip(0..) {
                let spelled = [Spelling::Full, Spelling::Bare].map(|spelling| demangle(&row.name, spelling));
                all.extend(spelled.into_iter().flatten().map(|name| (name.into_boxed_str(), index)));
            }
            all.sort();
            all.dedup();
            all
        })
    }

    /// The places of the symbols whose names, readable or not, contain a text; by address.
    #[must_use]
    pub fn containing(&self, text: &str) -> Vec<usize> {
        let raw =
            self.rows.iter().enumerate().filter(|(_, row)| row.name.contains(text)).map(|(index, _)| index);
        let readable =
            self.readable().iter().filter(|(name, _)| name.contains(text)).map(|row| row.1 as usize);
        let mut found: Vec<_> = raw.chain(readable).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The places of the symbols that cover an address, as the file counts.
    #[must_use]
    pub fn covering(&self, address: FileAddress) -> Vec<usize> {
        let behind = self.rows.partition_point(|row| row.start <= address.0);
        let near = self.rows[..behind].iter().enumerate().rev().take_while(|(_, row)| row.reach > address.0);
        let mut found: Vec<_> = near.filter(|(_, row)| row.end > address.0).map(|(index, _)| index).collect();
        found.reverse();
        found
    }

    /// Symbols that somebody has written down.
    pub(crate) fn of_listed<'s>(path: &str, symbols: impl Iterator<Item = ListedSymbol<'s>>) -> Self {
        let mut reading = Reading { references: Vec::new(), rows: Vec::new() };
        for symbol in symbols {
            let source = reading.source(symbol.reference_file, || symbol.reference_build_id.to_owned());
            let (start, end, name) = (symbol.start, symbol.end, symbol.name.into());
            reading.rows.push(Row { start, end, reach: 0, name, source });
        }
        reading.finish(path)
    }

    /// Whether an address lies between the first and the last symbol.
    fn spans(&self, address: FileAddress) -> bool {
        let (first, last) = (self.rows.first(), self.rows.last());
        first.zip(last).is_some_and(|(first, last)| (first.start..last.reach).contains(&address.0))
    }

    fn read(image: &Image, path: &str, sources: &SymbolSources, level: SymbolLevel) -> Self {
        let mut reading = Reading { references: Vec::new(), rows: Vec::new() };
        reading.add(path, image, image.symbols());
        reading.add(path, image, image.linkage_symbols());
        if let Some(packed) = image.mini_debug_info() {
            reading.add(path, image, packed.symbols());
        }
        // Whoever has a table of all symbols has every function of the debug information in it.
        for step in steps(level).filter(|step| step.level() > SymbolLevel::Tables) {
            if image.has_symtab() || reading.add_step(image, path, sources, step) {
                break;
            }
        }
        reading.finish(path)
    }
}

struct Reading {
    references: Vec<Reference>,
    rows: Vec<Row>,
}

impl Reading {
    /// Whether what was added is complete, so that nothing more needs to be asked.
    fn add_step(&mut self, image: &Image, path: &str, sources: &SymbolSources, step: Step) -> bool {
        let info = |reading: &mut Self, path: &str, image: &Image| match image.debug_info() {
            Some(info) => {
                reading.add(path, image, info.functions());
                true
            }
            None => false,
        };
        if step == Step::DebugInfo {
            return info(self, path, image);
        }
        let Some(file) = debug_file(image, path, sources, step) else { return false };
        if step != Step::DebugFileInfo && file.image.has_symtab() {
            self.add(&file.path, &file.image, file.image.symbols());
            return true;
        }
        step != Step::DebugFileTables && info(self, &file.path, &file.image)
    }

    fn add<'s>(&mut self, path: &str, image: &Image, symbols: impl Iterator<Item = Symbol<'s>>) {
        let source = self.source(path, || image.build_id().map(hex).unwrap_or_default());
        self.rows.extend(symbols.map(|symbol| Row {
            start: symbol.address.0,
            end: symbol.address.0.saturating_add(symbol.size),
            reach: 0,
            name: symbol.name.into(),
            source,
        }));
    }

    /// The number of the file that says that a symbol is there.
    fn source(&mut self, path: &str, build_id: impl FnOnce() -> String) -> u32 {
        let known = self.references.iter().position(|reference| reference.path == path);
        let place = known.unwrap_or_else(|| {
            self.references.push(Reference { path: path.to_owned(), build_id: build_id() });
            self.references.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn finish(mut self, path: &str) -> FileSymbols {
        self.rows.sort_unstable_by(|one, other| {
            (one.start, &one.name, one.source).cmp(&(other.start, &other.name, other.source))
        });
        self.rows.dedup_by(|row, before| row.start == before.start && row.name == before.name);
        self.rows.shrink_to_fit();
        let mut reach = 0;
        for row in &mut self.rows {
            reach = row.end.max(reach);
            row.reach = reach;
        }
        FileSymbols {
            path: path.to_owned(),
            references: self.references,
            rows: self.rows,
            by_name: OnceLock::new(),
            readable: OnceLock::new(),
        }
    }
}

type Kept = HashMap<(usize, String, SymbolLevel), (Weak<Image>, Arc<FileSymbols>)>;

/// What was listed, for as long as the image lives.
static LISTED: Mutex<Option<Kept>> = Mutex::new(None);

/// The symbols of one image, listed once. The allocation of an image is not used again while somebody refers to it
/// weakly, so that its address names it.
fn listed(image: &Arc<Image>, path: &str, sources: &SymbolSources) -> Arc<FileSymbols> {
    let key = (Arc::as_ptr(image).addr(), path.to_owned(), sources.level);
    if let Some((_, known)) = lock(&LISTED).get_or_insert_default().get(&key) {
        return Arc::clone(known);
    }
    let new = Arc::new(FileSymbols::read(image, path, sources, sources.level));
    let mut all = lock(&LISTED);
    let all = all.get_or_insert_default();
    all.retain(|_, (image, _)| image.strong_count() > 0);
    all.insert(key, (Arc::downgrade(image), Arc::clone(&new)));
    new
}

/// The symbols of all files that a process has mapped.
#[derive(Debug, Clone)]
pub struct SymbolTable {
    files: Vec<MappedSymbols>,
}

/// The symbols of one file, and where it is mapped.
#[derive(Debug, Clone)]
pub struct MappedSymbols {
    /// Its symbols.
    pub symbols: Arc<FileSymbols>,
    /// By how much addresses in the process are greater than in the file.
    pub load_bias: u64,
    image: Option<Arc<Image>>,
}

impl MappedSymbols {
    /// Symbols of a file that is not there any more.
    pub(crate) fn without_image(symbols: Arc<FileSymbols>, load_bias: u64) -> Self {
        Self { symbols, load_bias, image: None }
    }

    fn holds(&self, address: FileAddress) -> bool {
        match &self.image {
            Some(image) => image.loads(address),
            None => self.symbols.spans(address),
        }
    }
}

impl SymbolTable {
    pub(crate) fn with(mut self, others: impl IntoIterator<Item = MappedSymbols>) -> Self {
        self.files.extend(others);
        self
    }

    /// The files, the program first.
    #[must_use]
    pub fn files(&self) -> &[MappedSymbols] {
        &self.files
    }

    /// How many symbols there are in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.iter().map(|file| file.symbols.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.symbols.is_empty())
    }

    /// All symbols, file by file.
    pub fn iter(&self) -> impl Iterator<Item = ListedSymbol<'_>> {
        self.files.iter().flat_map(|file| (0..file.symbols.len()).filter_map(|index| file.symbols.get(index)))
    }

    /// The symbols that a name means, each as its file and its place there. Readable names are looked at only when no
    /// file has a symbol of exactly that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<(&Arc<FileSymbols>, usize)> {
        let ask = |choose: &dyn Fn(&FileSymbols) -> Vec<usize>| -> Vec<_> {
            let files = self.files.iter().map(|file| &file.symbols);
            files.flat_map(|file| choose(file).into_iter().map(move |place| (file, place))).collect()
        };
        let exact = ask(&|file| file.exactly(name));
        if exact.is_empty() { ask(&|file| file.meaning(name)) } else { exact }
    }

    /// The file that is mapped at a virtual address, and that address as the file counts.
    #[must_use]
    pub fn file_at(&self, address: u64) -> Option<(&MappedSymbols, FileAddress)> {
        let in_file = |file: &MappedSymbols| FileAddress::from_process(address, file.load_bias);
        let file = self.files.iter().find(|file| file.holds(in_file(file)))?;
        Some((file, in_file(file)))
    }
}

impl Debugger {
    /// All symbols of the files that the process has mapped. Files that were listed before, by any debugger, are not
    /// read again.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/true").run()?;
    /// let symbols = debugger.symbols()?;
    /// assert!(symbols.iter().any(|symbol| symbol.name == "malloc" && symbol.backing_file.contains("libc")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::SymbolsDisabled`], and those of [`Debugger::wait`].
    pub fn symbols(&self) -> Result<SymbolTable> {
        symbols(&self.space()?)
    }
}

pub(crate) fn symbols(space: &dyn AddressSpace) -> Result<SymbolTable> {
    symbols_from(space, space.symbol_sources())
}

/// As [`symbols`], from other sources than those of the address space.
pub(crate) fn symbols_from(space: &dyn AddressSpace, sources: Arc<SymbolSources>) -> Result<SymbolTable> {
    if sources.level == SymbolLevel::Disabled {
        return Err(Error::SymbolsDisabled);
    }
    let files = Mapped::all(space)?.into_iter().filter_map(|file| {
        let image = space.image(&file.path)?;
        Some(MappedSymbols {
            load_bias: file.bias(&image)?,
            symbols: listed(&image, &file.path, &sources),
            image: Some(image),
        })
    });
    Ok(SymbolTable { files: files.collect() })
}
