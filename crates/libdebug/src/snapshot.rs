//! What a process was at one moment, kept: it can be looked at when the process has gone on, or is gone.

mod capture;
mod compact;
mod content;
mod core_dump;
mod core_load;
mod decimal;
mod diff;
mod file;
mod json;
mod json_load;
mod kept_registers;
mod kept_space;
mod look;
mod pages;
mod record;
mod symbols;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use libdebug_arch::Isa;
use libdebug_image::Image;
use libdebug_kernel::proc::Map;
use libdebug_kernel::{Pid, Tid};

use crate::host::{Host, RustHost};
use crate::listing::MappedSymbols;
use crate::symbol_sources::SharedSymbolSources;
pub use content::Content;
pub use diff::{MapDiff, RegisterChange, SnapshotDiff};
pub use file::SnapshotFormat;
pub use kept_registers::KeptRegisters;

/// How many snapshots were taken of something: their numbers begin at 0.
#[derive(Debug, Default)]
pub(crate) struct SnapshotCount(AtomicU32);

impl SnapshotCount {
    /// The number of the next one, which is taken now.
    pub(crate) fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::AcqRel)
    }
}

/// How much of memory a snapshot has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum SnapshotLevel {
    /// Registers and maps.
    Base,
    /// The content of what the program can write to as well.
    Writable,
    /// The content of everything that can be read.
    Full,
}

impl SnapshotLevel {
    /// As users name it.
    ///
    /// ```
    /// use libdebug::SnapshotLevel;
    /// assert_eq!(SnapshotLevel::parse("full"), Some(SnapshotLevel::Full));
    /// assert_eq!(SnapshotLevel::parse("all"), None);
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Base, Self::Writable, Self::Full].into_iter().find(|level| level.name() == name)
    }

    /// Its name: `base`, `writable` or `full`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Writable => "writable",
            Self::Full => "full",
        }
    }
}

/// What a snapshot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum SnapshotKind {
    /// One thread, and the memory of its process.
    Thread,
    /// A process with all its threads.
    Process,
}

/// One thread of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptThread {
    /// Its tid.
    pub tid: Tid,
    /// How many snapshots of this thread were taken before.
    pub id: u32,
    /// The signal that it had stopped with, 0 for none.
    pub signal: i32,
    /// Its registers.
    pub registers: KeptRegisters,
}

/// What a process, or one thread of it, was at one moment: registers, maps and memory. It never changes.
///
/// ```
/// use libdebug::{Debugger, FileScope, SnapshotLevel};
/// # fn main() -> libdebug::Result<()> {
/// let debugger = Debugger::builder("/bin/true").run()?;
/// let snapshot = debugger.snapshot(SnapshotLevel::Full, Some("start".to_owned()))?;
/// debugger.kill()?;
/// let pc = snapshot.threads()[0].registers.pc();
/// assert_eq!(snapshot.read_memory(pc, 4)?.len(), 4);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Snapshot {
    facts: Facts,
    threads: Vec<KeptThread>,
    maps: Arc<[Map]>,
    contents: Vec<Option<Content>>,
    /// The files that are mapped, as they were when the snapshot was taken, as far as they are there.
    images: BTreeMap<String, Arc<Image>>,
    /// The symbols of files that are not there any more.
    orphans: Vec<MappedSymbols>,
    surroundings: SnapshotHost,
}

/// What a snapshot asks of the program that it is in.
#[derive(Clone)]
pub struct SnapshotHost {
    /// Can end searches.
    pub host: Arc<dyn Host>,
    /// Where symbols are looked for.
    pub sources: Arc<SharedSymbolSources>,
}

impl Default for SnapshotHost {
    /// A plain Rust program.
    fn default() -> Self {
        Self { host: Arc::new(RustHost), sources: Arc::default() }
    }
}

/// What a snapshot says of its process beside threads and memory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Facts {
    pub(crate) kind: SnapshotKind,
    pub(crate) level: SnapshotLevel,
    pub(crate) id: u32,
    pub(crate) name: Option<String>,
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) aslr: bool,
    pub(crate) program: String,
    pub(crate) arguments: String,
    pub(crate) auxiliary: Vec<u8>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Facts { kind, level, id, name, pid, .. } = &self.facts;
        write!(formatter, "Snapshot {{ {kind:?} {pid}, {level:?}, {id}, {name:?} }}")
    }
}

impl PartialEq for Snapshot {
    /// Whether both say the same; the files behind their maps are not compared.
    fn eq(&self, other: &Self) -> bool {
        self.facts == other.facts
            && self.threads == other.threads
            && self.maps == other.maps
            && self.contents == other.contents
    }
}

impl Snapshot {
    /// In another program, or with other sources of symbols.
    #[must_use]
    pub fn in_host(self, surroundings: SnapshotHost) -> Self {
        Self { surroundings, ..self }
    }

    /// Whether it is of a thread or of a process.
    #[must_use]
    pub fn kind(&self) -> SnapshotKind {
        self.facts.kind
    }

    /// How much of memory it has.
    #[must_use]
    pub fn level(&self) -> SnapshotLevel {
        self.facts.level
    }

    /// How many snapshots were taken before of the same process, or of the same thread.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.facts.id
    }

    /// The name that its user has given it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.facts.name.as_deref()
    }

    /// The instruction set.
    #[must_use]
    pub fn isa(&self) -> Isa {
        Isa::X86_64
    }

    /// The process's pid; 0 where a file does not tell it.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid(self.facts.pid)
    }

    /// Whether the kernel had chosen addresses at random.
    #[must_use]
    pub fn aslr(&self) -> bool {
        self.facts.aslr
    }

    /// The path of the program.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.facts.program
    }

    /// The threads, the main thread first; of a thread's snapshot the only one.
    #[must_use]
    pub fn threads(&self) -> &[KeptThread] {
        &self.threads
    }

    /// The maps, ascending by address.
    #[must_use]
    pub fn maps(&self) -> &Arc<[Map]> {
        &self.maps
    }

    /// The content of a map by its place; `None` if the level leaves it out, or nobody could read it.
    #[must_use]
    pub fn content(&self, place: usize) -> Option<&Content> {
        self.contents.get(place)?.as_ref()
    }
}

/// Why a snapshot cannot answer, or be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The level leaves all memory out.
    #[error("Memory snapshot is not available at base level.")]
    NoMemory,
    /// Without memory there is no stack.
    #[error("Backtrace is not available at base level. Stack is not available.")]
    NoStack,
    /// The memory that was asked for is mapped, and not in the snapshot.
    #[error("the snapshot has no content of {map} at {address:#x}: its level is {}", .level.name())]
    NoContent {
        /// The address.
        address: u64,
        /// The map that holds it.
        map: String,
        /// The snapshot's level.
        level: SnapshotLevel,
    },
    /// Two snapshots that have nothing in common.
    #[error("snapshots of different {0} cannot be compared")]
    Different(&'static str),
    /// There is not enough memory to keep a map's content.
    #[error("there is not enough memory to keep the {size} bytes of {map}")]
    TooLarge {
        /// The map.
        map: String,
        /// Its size.
        size: u64,
    },
    /// The process ran while it was looked at.
    #[error("the process went on while its snapshot was taken: take it while it is stopped")]
    WentOn,
    /// A file that is no snapshot, or a damaged one.
    #[error("{}: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
