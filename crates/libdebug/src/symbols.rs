//! The images that a process has mapped, and addresses by name.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libdebug_image::{FileAddress, Image, SymbolKind};
use libdebug_kernel::{MappedFile, proc};

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::mailbox::lock;
use crate::session::{FileIdentity, Session, Shared};
use crate::space::AddressSpace;

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
struct Mapped {
    path: String,
    maps: Vec<proc::Map>,
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
    /// # Errors
    /// [`Error::NoSuchSymbol`], [`Error::NoSuchFile`], [`Error::BadSymbol`], and those of [`Debugger::wait`].
    pub fn resolve_symbol(&self, symbol: &str, scope: &FileScope) -> Result<Resolved> {
        resolve_symbol(&self.space()?, symbol, scope)
    }

    /// The symbol whose code or data covers `address`, and the distance from its start.
    ///
    /// # Errors
    /// Those of [`Debugger::wait`].
    pub fn symbol_at(&self, address: u64) -> Result<Option<(String, u64)>> {
        symbol_at(&self.space()?, address)
    }
}

fn resolve_address(space: &dyn AddressSpace, address: u64, scope: &FileScope) -> Result<Resolved> {
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

fn resolve_symbol(space: &dyn AddressSpace, symbol: &str, scope: &FileScope) -> Result<Resolved> {
    let (name, offset) = split_offset(symbol)?;
    let mut notes = Vec::new();
    let files = match scope {
        FileScope::Hybrid => program_first(space)?,
        FileScope::Absolute => return Err(Error::BadSymbol(symbol.to_owned())),
        scope => {
            let (file, several) = mapped_file(space, scope)?;
            notes = several;
            vec![file]
        }
    };
    for (place, file) in files.iter().enumerate() {
        let Some((address, kind)) = symbol_in(space, file, name) else { continue };
        if place > 0 {
            notes.push(Note::FoundElsewhere { symbol: name.to_owned(), file: file.path.clone() });
        }
        let indirect = kind == SymbolKind::IndirectFunction && offset == 0;
        return Ok(Resolved { address: address.wrapping_add(offset), notes, indirect });
    }
    Err(Error::NoSuchSymbol { name: name.to_owned(), file: scope_name(scope) })
}

pub(crate) fn symbol_at(space: &dyn AddressSpace, address: u64) -> Result<Option<(String, u64)>> {
    let maps = space.maps()?;
    let Some(map) = maps.iter().find(|map| map.contains(address) && map.has_file()) else {
        return Ok(None);
    };
    let Some(image) = space.image(&map.path) else { return Ok(None) };
    let Some(bias) = mapped(&maps, &map.path).bias(&image) else { return Ok(None) };
    let file_address = address.wrapping_sub(bias);
    let found = image.symbol_at(FileAddress(file_address));
    Ok(found.map(|symbol| (symbol.name.to_owned(), file_address.wrapping_sub(symbol.address.0))))
}

fn symbol_in(space: &dyn AddressSpace, file: &Mapped, name: &str) -> Option<(u64, SymbolKind)> {
    let image = space.image(&file.path)?;
    let symbol = image.symbol(name)?;
    Some((symbol.address.0.wrapping_add(file.bias(&image)?), symbol.kind))
}

const PAGE: u64 = 4096;

fn split_offset(symbol: &str) -> Result<(&str, u64)> {
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
fn mapped_file(space: &dyn AddressSpace, scope: &FileScope) -> Result<(Mapped, Vec<Note>)> {
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

/// Every mapped file once, the program first.
fn program_first(space: &dyn AddressSpace) -> Result<Vec<Mapped>> {
    let (maps, program) = (space.maps()?, space.program().unwrap_or_default());
    let mut paths: Vec<&str> = vec![&program];
    for map in maps.iter().filter(|map| map.has_file()) {
        if !paths.contains(&map.path.as_str()) {
            paths.push(&map.path);
        }
    }
    Ok(paths.into_iter().map(|path| mapped(&maps, path)).collect())
}

impl Mapped {
    /// The load bias, told by the lowest map: others can be of the same offset (RELRO).
    fn bias(&self, image: &Image) -> Option<u64> {
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

impl Shared {
    /// The image of a mapped file, parsed once for all runs; `None` for a file that is no ELF image or cannot
    /// be opened.
    pub(crate) fn image(&self, session: &Session, path: &str) -> Option<Arc<Image>> {
        let file = self.file_behind(session, path)?;
        let metadata = std::fs::metadata(&file).ok()?;
        let identity = FileIdentity {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        };
        if let Some(image) = lock(&self.images).get(&identity) {
            return Some(Arc::clone(image));
        }
        let image = Arc::new(Image::parse(Arc::new(MappedFile::open(&file).ok()?)).ok()?);
        lock(&self.images).insert(identity, Arc::clone(&image));
        Some(image)
    }

    /// The file as the process sees it, in its own mount namespace; the program itself also after it was
    /// deleted or replaced.
    fn file_behind(&self, session: &Session, path: &str) -> Option<PathBuf> {
        if !path.starts_with('/') {
            return None;
        }
        if proc::executable(session.inhabited()).is_ok_and(|program| program == Path::new(path)) {
            return Some(PathBuf::from(format!("/proc/{}/exe", session.inhabited())));
        }
        Some(PathBuf::from(format!("/proc/{}/root{path}", session.inhabited())))
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
