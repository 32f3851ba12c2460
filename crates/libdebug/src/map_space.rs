//! Memory maps without a process: its files can be looked at, its memory cannot.

use std::path::Path;
use std::sync::Arc;

use libdebug_image::Image;
use libdebug_kernel::proc::Map;

use crate::error::{Error, Result};
use crate::images;
use crate::space::AddressSpace;
use crate::symbol_sources::SymbolSources;
use crate::symbols;

struct MapSpace {
    maps: Arc<[Map]>,
    sources: Arc<SymbolSources>,
    program: Option<String>,
}

impl AddressSpace for MapSpace {
    fn maps(&self) -> Result<Arc<[Map]>> {
        Ok(Arc::clone(&self.maps))
    }

    fn read(&self, _address: u64, _buffer: &mut [u8]) -> Result<usize> {
        Ok(0)
    }

    fn image(&self, path: &str) -> Option<Arc<Image>> {
        images::open(Path::new(path))
    }

    fn program(&self) -> Result<String> {
        self.program.clone().ok_or(Error::NoProcess)
    }

    fn symbol_sources(&self) -> Arc<SymbolSources> {
        Arc::clone(&self.sources)
    }
}

/// The readable name of the symbol that covers an address of a process with these maps, and the distance from its start.
/// The files are looked at as they are now.
///
/// ```
/// use std::sync::Arc;
/// use libdebug::{SymbolSources, symbol_in_maps};
///
/// # fn main() -> libdebug::Result<()> {
/// let debugger = libdebug::Debugger::builder("/bin/true").run()?;
/// let (maps, malloc) = (debugger.maps()?, debugger.resolve_symbol("malloc", &libdebug::FileScope::Hybrid)?);
/// debugger.kill()?;
/// let found = symbol_in_maps(maps, malloc.address + 4, Arc::new(SymbolSources::default()));
/// assert!(found.unwrap().0.contains("malloc"));
/// # Ok(())
/// # }
/// ```
pub fn symbol_in_maps(maps: Arc<[Map]>, address: u64, sources: Arc<SymbolSources>) -> Option<(String, u64)> {
    symbols::symbol_at(&MapSpace { maps, sources, program: None }, address).ok().flatten()
}

/// The address of a symbol in a process with these maps, which runs `program`.
pub(crate) fn resolve_in_maps(maps: Arc<[Map]>, program: String, symbol: &str) -> Result<u64> {
    let space = MapSpace { maps, sources: Arc::default(), program: Some(program) };
    Ok(symbols::resolve_symbol(&space, symbol, &symbols::FileScope::Hybrid)?.address)
}
