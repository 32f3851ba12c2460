//! The images that a process has mapped, and addresses by name.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use libdebug_image::{FileAddress, Image, SymbolKind};
use libdebug_kernel::proc;

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::lookup::{self, Place, Step};
use crate::near::nearest;
use crate::source::{resolve_line, split_line};
use crate::space::AddressSpace;
use crate::symbol_sources::{SymbolLevel, SymbolSources};

/// What an address or a symbol is relative to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum FileScope {
    /// A mapped address is taken as it is, another one as relative to the program; a symbol is looked for in
    /// the program, then in every mapped file.
    #[default]
    Hybrid,
    /// Virtual addresses only.
    Absolute,
    /// The program itself.
    Binary,
    /// The first mapped file whose path contains this.
    File(String),
}

impl FileScope {
    /// As users name it: `hybrid`, `absolute`, `binary`, or a part of a file's path.
    pub fn parse(name: &str) -> Self {
        match name {
            "hybrid" => Self::Hybrid,
            "absolute" => Self::Absolute,
            "binary" => Self::Binary,
            name => Self::File(name.to_owned()),
        }
    }
}

/// An address that was found, with what its user should know of how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The virtual address.
    pub address: u64,
    /// Choices that were made on the user's behalf.
    pub notes: Vec<Note>,
    /// The address is that of a function that answers which function to call (`STT_GNU_IFUNC`), as libc's `strlen` is.
    pub indirect: bool,
}

impl Resolved {
    fn plain(address: u64, notes: Vec<Note>) -> Self {
        Self { address, notes, indirect: false }
    }
}

/// A choice that was made on the user's behalf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Note {
    /// An address was taken as relative to the program.
    #[error("address {address:#x} is not mapped: it is taken as relative to {file}")]
    TakenAsRelative {
        /// The address.
        address: u64,
        /// The program.
        file: String,
    },
    /// A symbol was not in the program, but in another file.
    #[error("symbol {symbol:?} is not in the program: the one in {file} is taken")]
    FoundElsewhere {
        /// The symbol.
        symbol: String,
        /// Where it was found.
        file: String,
    },
    /// A source line has no code, so that the next one that has was taken.
    #[error("line {line} of {file:?} has no code: line {actual} is taken")]
    NextLine {
        /// The file, as it was given.
        file: String,
        /// The line that was asked for.
        line: u32,
        /// The line that was taken.
        actual: u32,
    },
    /// Several functions have a copy of a line's code.
    #[error("line {line} of {file:?} has code in {count} places: the first is taken")]
    SeveralPlaces {
        /// The file, as it was given.
        file: String,
        /// The line.
        line: u32,
        /// How many places there are.
        count: usize,
    },
    /// A part of a path fits several files.
    #[error("several mapped files match {name:?}: {file} is taken")]
    SeveralFiles {
        /// The part of the path.
        name: String,
        /// The file that was taken.
        file: String,
    },
}

/// One mapped file of a process: its maps and its image.
pub(crate) struct Mapped {
    pub(crate) path: String,
    pub(crate) maps: Vec<proc::Map>,
}

impl Debugger {
    /// The virtual address that `address` means in `scope`.
    ///
    /// # Errors
    /// [`Error::NotMapped`], [`Error::NoSuchFile`], and those of [`Debugger::wait`].
    pub fn resolve_address(&self, address: u64, scope: &FileScope) -> Result<Resolved> {
        resolve_address(&self.space()?, address, scope)
    }

    /// The virtual address of `symbol`, which may be followed by `+` and a hexadecimal offset.
    ///
    /// A name is what stands in the file (`_ZN5shape4areaEi`), what people write for it (`shape::area(int)`, or
    /// `shape::area` for the first of that name), a stub (`puts@plt`) or the slot of one (`puts@got`). `main.c:42` is the
    /// first place of that source line ([`Debugger::line_addresses`] has all). Where it is looked for, [`Debugger::set_symbol_sources`] says; the costly sources are asked only when the cheap ones have nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchSymbol`], [`Error::NoSuchFile`], [`Error::BadSymbol`], [`Error::ThreadLocal`],
    /// [`Error::NoSuchLine`], [`Error::SymbolsDisabled`], and those of [`Debugger::wait`].
    pub fn resolve_symbol(&self, symbol: &str, scope: &FileScope) -> Result<Resolved> {
        resolve_symbol(&self.space()?, symbol, scope)
    }

    /// The readable name of the symbol whose code or data covers `address`, and the distance from its start. `None`
    /// without one, and when symbols are disabled.
    ///
    /// # Errors
    /// Those of [`Debugger::wait`].
    pub fn symbol_at(&self, address: u64) -> Result<Option<(String, u64)>> {
        symbol_at(&self.space()?, address)
    }
}

pub(crate) fn resolve_address(space: &dyn AddressSpace, address: u64, scope: &FileScope) -> Result<Resolved> {
    if *scope == FileScope::Absolute {
        return Ok(Resolved::plain(address, Vec::new()));
    }
    if *scope == FileScope::Hybrid {
        if space.maps()?.iter().any(|map| map.contains(address)) {
            return Ok(Resolved::plain(address, Vec::new()));
        }
        let (file, _) = mapped_file(space, &FileScope::Binary)?;
        let note = Note::TakenAsRelative { address, file: file.path.clone() };
        return Ok(Resolved::plain(file.absolute(address)?, vec![note]));
    }
    let (file, notes) = mapped_file(space, scope)?;
    Ok(Resolved::plain(file.absolute(address)?, notes))
}

pub(crate) fn resolve_symbol(space: &dyn AddressSpace, symbol: &str, scope: &FileScope) -> Result<Resolved> {
    let sources = space.symbol_sources();
    if sources.level == SymbolLevel::Disabled {
        return Err(Error::SymbolsDisabled);
    }
    if let Some((file, line)) = split_line(symbol).filter(|_| *scope != FileScope::Absolute) {
        return resolve_line(space, file, line, scope);
    }
    let (name, offset) = split_offset(symbol)?;
    let mut notes = Vec::new();
    let files = match scope {
        FileScope::Hybrid => Mapped::all(space)?,
        FileScope::Absolute => return Err(Error::BadSymbol(symbol.to_owned())),
        scope => {
            let (file, several) = mapped_file(space, scope)?;
            notes = several;
            vec![file]
        }
    };
    let Some((place, found)) = search(space, &files, name, &sources) else {
        let (name, near) = (name.to_owned(), near_symbol(space, &files, name));
        return Err(Error::NoSuchSymbol { name, file: scope_name(scope), near });
    };
    let file = &files[place];
    if found.kind == SymbolKind::ThreadLocal {
        return Err(Error::ThreadLocal(name.to_owned()));
    }
    if place > 0 {
        notes.push(Note::FoundElsewhere { symbol: name.to_owned(), file: file.path.clone() });
    }
    let bias = space.image(&file.path).and_then(|image| file.bias(&image)).unwrap_or_default();
    let indirect = found.kind == SymbolKind::IndirectFunction && offset == 0;
    Ok(Resolved { address: found.address.in_process(bias).wrapping_add(offset), notes, indirect })
}

/// A symbol of nearly that name, of the first file that has one.
fn near_symbol(space: &dyn AddressSpace, files: &[Mapped], name: &str) -> Option<String> {
    files.iter().find_map(|file| {
        let image = space.image(&file.path)?;
        nearest(name, image.symbols().map(|symbol| symbol.name)).map(str::to_owned)
    })
}

/// The first file that has the symbol. What is cheap is asked of all files before anything costly of the first, but for
/// readable names, which the program may have for itself.
fn search(
    space: &dyn AddressSpace,
    files: &[Mapped],
    name: &str,
    sources: &SymbolSources,
) -> Option<(usize, Place)> {
    let ask = |step: Step, from: usize, to: usize| {
        let mut range = (from..to).zip(&files[from..to]);
        range.find_map(|(place, file)| {
            let image = space.image(&file.path)?;
            file.bias(&image)?;
            Some((place, lookup::named(&image, &file.path, name, sources, step)?))
        })
    };
    let all = files.len();
    let first = ask(Step::Names, 0, all.min(1)).or_else(|| ask(Step::Readable, 0, all.min(1)));
    let others = || ask(Step::Names, all.min(1), all).or_else(|| ask(Step::Readable, all.min(1), all));
    let costly = || {
        let steps = lookup::steps(sources.level).filter(|step| step.level() > SymbolLevel::Tables);
        steps.map(|step| ask(step, 0, all)).find_map(|found| found)
    };
    first.or_else(others).or_else(costly)
}

/// The readable name of the symbol that covers an address, and the distance from its start.
pub(crate) fn symbol_at(space: &dyn AddressSpace, address: u64) -> Result<Option<(String, u64)>> {
    let Some((file, image, file_address)) = image_at(space, address)? else { return Ok(None) };
    Ok(lookup::at(&image, &file.path, file_address, &space.symbol_sources()))
}

/// The file that is mapped at an address, its image, and the address as the file counts.
pub(crate) fn image_at(
    space: &dyn AddressSpace,
    address: u64,
) -> Result<Option<(Mapped, Arc<Image>, FileAddress)>> {
    let maps = space.maps()?;
    let behind = maps.partition_point(|map| map.start <= address);
    let Some(map) = maps[..behind].last().filter(|map| map.contains(address)) else { return Ok(None) };
    // An image's zero-initialized data follows its file-backed maps without a name of its own.
    let Some(named) = maps[..behind].iter().rev().find(|map| map.has_file()) else { return Ok(None) };
    let Some(image) = space.image(&named.path) else { return Ok(None) };
    let file = mapped(&maps, &named.path);
    let Some(bias) = file.bias(&image) else { return Ok(None) };
    let address = FileAddress::from_process(address, bias);
    let is_of_file = map.has_file() || image.loads(address);
    Ok(is_of_file.then_some((file, image, address)))
}

const PAGE: u64 = 4096;

pub(crate) fn split_offset(symbol: &str) -> Result<(&str, u64)> {
    // Mangled and demangled C++ names can hold a plus (`operator+`): only a hexadecimal tail is an offset.
    let Some((name, tail)) = symbol.rsplit_once('+') else { return Ok((symbol, 0)) };
    let digits = tail.strip_prefix("0x").unwrap_or(tail);
    match u64::from_str_radix(digits, 16) {
        Ok(offset) if !name.is_empty() => Ok((name, offset)),
        _ if name.ends_with("operator") || name.ends_with('+') => Ok((symbol, 0)),
        _ => Err(Error::BadSymbol(symbol.to_owned())),
    }
}

fn scope_name(scope: &FileScope) -> String {
    match scope {
        FileScope::File(name) => name.clone(),
        FileScope::Binary => "the program".to_owned(),
        FileScope::Hybrid | FileScope::Absolute => String::new(),
    }
}

/// The mapped file that `scope` names, and what its user should know of the choice.
pub(crate) fn mapped_file(space: &dyn AddressSpace, scope: &FileScope) -> Result<(Mapped, Vec<Note>)> {
    let (maps, program) = (space.maps()?, space.program()?);
    let is_program_name = |name: &str| Path::new(&program).file_name().is_some_and(|file| file == name);
    let path = match scope {
        FileScope::File(name) if !is_program_name(name) => {
            let mut paths: Vec<_> =
                maps.iter().map(|map| &map.path).filter(|path| path.contains(name)).collect();
            paths.dedup();
            let first = (*paths.first().ok_or_else(|| Error::NoSuchFile(name.clone()))?).clone();
            let several = paths.iter().any(|path| **path != first);
            let note = Note::SeveralFiles { name: name.clone(), file: first.clone() };
            return Ok((mapped(&maps, &first), if several { vec![note] } else { Vec::new() }));
        }
        _ => program,
    };
    Ok((mapped(&maps, &path), Vec::new()))
}

fn mapped(maps: &[proc::Map], path: &str) -> Mapped {
    let maps = maps.iter().filter(|map| map.path == path).cloned().collect();
    Mapped { path: path.to_owned(), maps }
}

impl Mapped {
    /// Every mapped file once, the program first.
    pub(crate) fn all(space: &dyn AddressSpace) -> Result<Vec<Self>> {
        let (maps, program) = (space.maps()?, space.program().unwrap_or_default());
        let mut files = vec![Self { path: program, maps: Vec::new() }];
        let mut places = HashMap::from([(files[0].path.clone(), 0)]);
        for map in maps.iter().filter(|map| map.has_file()) {
            let place = *places.entry(map.path.clone()).or_insert_with(|| {
                files.push(Self { path: map.path.clone(), maps: Vec::new() });
                files.len() - 1
            });
            files[place].maps.push(map.clone());
        }
        Ok(files)
    }

    /// The load bias, told by the lowest map: others can be of the same offset (RELRO).
    pub(crate) fn bias(&self, image: &Image) -> Option<u64> {
        let lowest = self.maps.first()?;
        image.load_bias(lowest.start, lowest.offset, PAGE)
    }

    /// An address relative to the file's first map; one that is not below it is taken as absolute.
    fn absolute(&self, address: u64) -> Result<u64> {
        let not_mapped = || Error::NotMapped { address, file: self.path.clone() };
        let base = self.maps.first().ok_or_else(|| Error::NoSuchFile(self.path.clone()))?.start;
        let absolute =
            if address < base { address.checked_add(base).ok_or_else(not_mapped)? } else { address };
        // An image's zero-initialized data follows its file-backed maps without a name of its own.
        let mapped = self.maps.iter().any(|map| map.contains(absolute));
        if mapped { Ok(absolute) } else { Err(not_mapped()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_hexadecimal_and_plus_signs_of_names_stay() {
        let table = [
            ("main", Some(("main", 0))),
            ("main+10", Some(("main", 0x10))),
            ("main+0xff", Some(("main", 0xff))),
            ("operator+", Some(("operator+", 0))),
            ("operator++", Some(("operator++", 0))),
            ("operator++4", Some(("operator+", 4))),
            ("main+xyz", None),
            ("+10", None),
        ];
        for (text, expected) in table {
            assert_eq!(split_offset(text).ok(), expected, "{text}");
        }
    }
}
