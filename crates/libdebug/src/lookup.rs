//! One name or address in one image: through the sources of symbols, the cheap ones first.

use libdebug_image::{FileAddress, Image, Spelling, Symbol, SymbolKind, demangle};

use crate::debug_file::{self, DebugFile};
use crate::symbol_sources::{SymbolLevel, SymbolSources};

/// A step of a search: what is asked before anything of the next step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Names as they stand in the tables, and names of stubs.
    Names,
    /// Names that mean it when they are demangled; packed symbols.
    Readable,
    /// Debug information of the file.
    DebugInfo,
    /// The symbol table of the file's debug file.
    DebugFileTables,
    /// The debug information there.
    DebugFileInfo,
    /// Both, from the network.
    Network,
}

impl Step {
    /// In the order of their costs.
    pub(crate) const ALL: [Self; 6] = [
        Self::Names,
        Self::Readable,
        Self::DebugInfo,
        Self::DebugFileTables,
        Self::DebugFileInfo,
        Self::Network,
    ];

    pub(crate) const fn level(self) -> SymbolLevel {
        match self {
            Self::Names | Self::Readable => SymbolLevel::Tables,
            Self::DebugInfo => SymbolLevel::DebugInfo,
            Self::DebugFileTables => SymbolLevel::DebugFileTables,
            Self::DebugFileInfo => SymbolLevel::DebugFileInfo,
            Self::Network => SymbolLevel::Network,
        }
    }
}

/// The steps that the level allows.
pub(crate) fn steps(level: SymbolLevel) -> impl Iterator<Item = Step> {
    Step::ALL.into_iter().filter(move |step| step.level() <= level)
}

/// A symbol by its place: enough to go there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) address: FileAddress,
    pub(crate) kind: SymbolKind,
}

impl Place {
    const fn of(symbol: &Symbol<'_>) -> Self {
        Self { address: symbol.address, kind: symbol.kind }
    }
}

/// Where the symbol is that a name means, asked of the sources of one step.
pub(crate) fn named(
    image: &Image,
    path: &str,
    name: &str,
    sources: &SymbolSources,
    step: Step,
) -> Option<Place> {
    match step {
        Step::Names => image.symbol(name).or_else(|| image.linkage_symbol(name)).as_ref().map(Place::of),
        Step::Readable => {
            let packed = || image.mini_debug_info().and_then(|packed| in_tables(packed, name));
            readable(image, name).or_else(packed)
        }
        Step::DebugInfo => in_debug_info(image, name),
        Step::DebugFileTables => in_tables(&debug_file(image, path, sources, step)?.image, name),
        Step::DebugFileInfo => in_debug_info(&debug_file(image, path, sources, step)?.image, name),
        Step::Network => {
            let file = debug_file(image, path, sources, step)?;
            in_tables(&file.image, name).or_else(|| in_debug_info(&file.image, name))
        }
    }
}

pub(crate) fn debug_file(
    image: &Image,
    path: &str,
    sources: &SymbolSources,
    step: Step,
) -> Option<DebugFile> {
    debug_file::find(image, path, sources, step.level())
}

fn in_tables(image: &Image, name: &str) -> Option<Place> {
    image.symbol(name).as_ref().map(Place::of).or_else(|| readable(image, name))
}

fn readable(image: &Image, name: &str) -> Option<Place> {
    image.symbols_meaning(name).first().map(Place::of)
}

fn in_debug_info(image: &Image, name: &str) -> Option<Place> {
    image.debug_info()?.functions_named(name).first().map(Place::of)
}

/// The readable name of the symbol that covers an address, and the distance from its start.
pub(crate) fn at(
    image: &Image,
    path: &str,
    address: FileAddress,
    sources: &SymbolSources,
) -> Option<(String, u64)> {
    let mut without_size = None;
    for step in steps(sources.level).filter(|step| *step != Step::Readable) {
        let found = at_step(image, path, address, sources, step);
        match found {
            Some(found) if found.has_size => return Some(found.told(address)),
            found => without_size = without_size.or(found),
        }
    }
    without_size.map(|found| found.told(address))
}

struct Covering {
    name: String,
    start: FileAddress,
    has_size: bool,
}

impl Covering {
    fn of(symbol: &Symbol<'_>) -> Self {
        Self { name: symbol.name.to_owned(), start: symbol.address, has_size: symbol.size > 0 }
    }

    fn told(self, address: FileAddress) -> (String, u64) {
        let name = demangle(&self.name, Spelling::Full).unwrap_or(self.name);
        (name, address.0.wrapping_sub(self.start.0))
    }
}

fn at_step(
    image: &Image,
    path: &str,
    address: FileAddress,
    sources: &SymbolSources,
    step: Step,
) -> Option<Covering> {
    let by_info = |image: &Image| image.debug_info()?.function_at(address).as_ref().map(Covering::of);
    match step {
        Step::Names | Step::Readable => by_tables(image, address),
        Step::DebugInfo => by_info(image),
        Step::DebugFileTables => by_tables(&debug_file(image, path, sources, step)?.image, address),
        Step::DebugFileInfo => by_info(&debug_file(image, path, sources, step)?.image),
        Step::Network => {
            let file = debug_file::kept(image, sources)?;
            by_tables(&file.image, address).or_else(|| by_info(&file.image))
        }
    }
}

fn by_tables(image: &Image, address: FileAddress) -> Option<Covering> {
    let listed = image.symbol_at(address);
    if let Some(symbol) = listed.filter(|symbol| symbol.size > 0) {
        return Some(Covering::of(&symbol));
    }
    let packed = || image.mini_debug_info()?.symbol_at(address).filter(|symbol| symbol.size > 0);
    let better = image.linkage_symbol_at(address).or_else(packed);
    better.or(listed).as_ref().map(Covering::of)
}
