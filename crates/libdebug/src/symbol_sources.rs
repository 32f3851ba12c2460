//! Where symbols are looked for: how far to go, and whom to ask.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use crate::debugger::Debugger;
use crate::debuginfod::Debuginfod;
use crate::session::{read, write};

/// How far to go for symbols. Each level has all that is below it, and nothing of a level is looked at before the levels
/// below it have failed to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SymbolLevel {
    /// No symbols at all.
    Disabled,
    /// The symbol tables of the file (`.symtab`, `.dynsym`, `.gnu_debugdata`) and its stubs.
    Tables,
    /// Its debug information.
    DebugInfo,
    /// The symbol table of the file of debug information that belongs to it, as distributions install them.
    DebugFileTables,
    /// The debug information in that file.
    #[default]
    DebugFileInfo,
    /// A file of debug information from the network, if servers are named ([`SymbolSources::debuginfod`]).
    Network,
}

impl SymbolLevel {
    /// All levels, by their numbers.
    pub const ALL: [Self; 6] = [
        Self::Disabled,
        Self::Tables,
        Self::DebugInfo,
        Self::DebugFileTables,
        Self::DebugFileInfo,
        Self::Network,
    ];
}

/// Where symbols are looked for.
///
/// ```
/// use libdebug::{SymbolLevel, SymbolSources};
///
/// let sources = SymbolSources::default();
/// assert_eq!(sources.level, SymbolLevel::DebugFileInfo);
/// assert!(sources.debuginfod.is_none());
/// ```
#[derive(Debug, Clone)]
pub struct SymbolSources {
    /// How far to go.
    pub level: SymbolLevel,
    /// Where files of debug information are installed.
    pub directories: Vec<PathBuf>,
    /// Whom to ask for files that are not installed; nobody by default.
    pub debuginfod: Option<Arc<Debuginfod>>,
}

impl Default for SymbolSources {
    fn default() -> Self {
        Self { level: SymbolLevel::default(), directories: vec!["/usr/lib/debug".into()], debuginfod: None }
    }
}

/// The sources of one or several debuggers, to be changed at any time.
#[derive(Debug, Default)]
pub struct SharedSymbolSources(RwLock<Arc<SymbolSources>>);

impl SharedSymbolSources {
    /// The sources that hold now.
    pub fn get(&self) -> Arc<SymbolSources> {
        Arc::clone(&read(&self.0))
    }

    /// Replaces the sources.
    pub fn set(&self, sources: SymbolSources) {
        *write(&self.0) = Arc::new(sources);
    }
}

impl Debugger {
    /// Where symbols are looked for.
    pub fn symbol_sources(&self) -> Arc<SymbolSources> {
        read(&self.shared().symbol_sources).get()
    }

    /// Chooses where symbols are looked for.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use libdebug::{Debugger, SymbolLevel, SymbolSources};
    /// let debugger = Debugger::builder("/bin/true").run()?;
    /// debugger.set_symbol_sources(SymbolSources { level: SymbolLevel::Disabled, ..SymbolSources::default() });
    /// assert!(debugger.breakpoint("malloc").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_symbol_sources(&self, sources: SymbolSources) {
        let shared = SharedSymbolSources::default();
        shared.set(sources);
        self.share_symbol_sources(Arc::new(shared));
    }

    /// Has this debugger look where others look, also when that is changed later. Debuggers of children do that from
    /// their birth.
    pub fn share_symbol_sources(&self, sources: Arc<SharedSymbolSources>) {
        *write(&self.shared().symbol_sources) = sources;
    }
}
