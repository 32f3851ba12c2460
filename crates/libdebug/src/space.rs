//! What can be looked at of a process: its maps, its memory and its images.
//!
//! Everything that only looks (symbols, search, stacks) is written over [`AddressSpace`], not over a live process.

use std::ops::Range;
use std::sync::Arc;

use libdebug_image::Image;
use libdebug_kernel::proc;

use crate::debugger::Debugger;
use crate::error::Result;
use crate::session::Session;
use crate::symbol_sources::SymbolSources;
use crate::unwind::Modules;

#[cfg(test)]
pub(crate) mod kept;

/// The address space of a process: of the one under debug, or of a copy that was kept.
pub(crate) trait AddressSpace {
    /// The maps, ascending by address.
    fn maps(&self) -> Result<Arc<[proc::Map]>>;

    /// Fills `buffer` from `address` on and answers how many bytes came before the first that cannot be read. They are
    /// the program's own: no trap is among them.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<usize>;

    /// The parts of one of the maps in which something other than zeros can be, ascending; all of it where that cannot
    /// be told.
    fn populated(&self, map: &proc::Map) -> Vec<Range<u64>> {
        let whole = map.start..map.end;
        vec![whole]
    }

    /// The image of a mapped file; `None` for a file that is no ELF image or cannot be opened.
    fn image(&self, path: &str) -> Option<Arc<Image>>;

    /// The path of the program, as its maps name it.
    fn program(&self) -> Result<String>;

    /// Which image each address belongs to. A space that is looked at often keeps the answer.
    fn modules(&self) -> Result<Arc<Modules>> {
        Ok(Arc::new(Modules::new(self.maps()?)))
    }

    /// Where symbols are looked for.
    fn symbol_sources(&self) -> Arc<SymbolSources> {
        Arc::default()
    }
}

/// The address space of a process that is stopped.
pub(crate) struct LiveSpace<'a> {
    pub(crate) debugger: &'a Debugger,
    pub(crate) session: Arc<Session>,
}

impl AddressSpace for LiveSpace<'_> {
    fn maps(&self) -> Result<Arc<[proc::Map]>> {
        self.debugger.current_maps(&self.session)
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<usize> {
        self.debugger.read_some(&self.session, address, buffer)
    }

    /// Pages of a file have content before they are in memory, and so have those that processes share, and the kernel's
    /// own (`[vdso]`, `[vvar]`).
    fn populated(&self, map: &proc::Map) -> Vec<Range<u64>> {
        let whole = map.start..map.end;
        let is_anonymous =
            ["", "[heap]", "[stack]"].contains(&map.path.as_str()) || map.path.starts_with("[anon:");
        if !is_anonymous || !map.is_private() {
            return vec![whole];
        }
        self.session.memory().populated(whole.clone()).unwrap_or_else(|| vec![whole])
    }

    fn image(&self, path: &str) -> Option<Arc<Image>> {
        self.debugger.shared().image(&self.session, path)
    }

    fn program(&self) -> Result<String> {
        Ok(proc::executable(self.session.inhabited())?.to_string_lossy().into_owned())
    }

    fn modules(&self) -> Result<Arc<Modules>> {
        self.session.modules.of(self.maps()?)
    }

    fn symbol_sources(&self) -> Arc<SymbolSources> {
        self.debugger.symbol_sources()
    }
}

impl Debugger {
    /// The address space at this stop; waits for one.
    pub(crate) fn space(&self) -> Result<LiveSpace<'_>> {
        Ok(LiveSpace { debugger: self, session: self.stopped_session()? })
    }
}
