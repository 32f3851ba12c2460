//! From a readable name to the symbols whose mangled names mean it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use memchr::memmem::Finder;

use crate::Symbol;
use crate::by_name::hash;
use crate::demangle::{Spelling, demangle, is_mangled, normal, sure_part};
use crate::table::Tables;

/// So many names are searched for before demangling every name of the file pays: it takes 3 µs a name.
const SCANS_BEFORE_INDEX: u32 = 64;

/// The readable names of one file, and what has been prepared for finding them.
#[derive(Debug, Default)]
pub(crate) struct ReadableNames {
    scans: AtomicU32,
    /// A hash of each readable spelling with the symbol's id, sorted.
    index: OnceLock<Vec<(u32, u32)>>,
}

impl ReadableNames {
    /// The symbols that have that readable name, with or without parameters. It must always be asked about the same
    /// tables.
    pub(crate) fn find<'a>(&self, tables: &Tables<'a>, name: &str) -> Vec<Symbol<'a>> {
        let name = normal(name);
        if self.index.get().is_none()
            && let Some(part) = sure_part(&name)
            && self.scans.fetch_add(1, Ordering::Relaxed) < SCANS_BEFORE_INDEX
        {
            return scan(tables, &name, &part);
        }
        self.index_of(tables).find(tables, &name)
    }

    fn index_of(&self, tables: &Tables<'_>) -> Index<'_> {
        Index(self.index.get_or_init(|| build(tables)))
    }
}

fn scan<'a>(tables: &Tables<'a>, name: &str, part: &str) -> Vec<Symbol<'a>> {
    let part = Finder::new(part);
    if !tables.each().any(|(_, table)| part.find(table.strings).is_some()) {
        return Vec::new();
    }
    let all = tables.entries().filter_map(|(id, table, entry)| {
        let (raw, _) = table.name_and_version(&entry)?;
        part.find(raw).and_then(|_| tables.symbol(id))
    });
    all.filter(|symbol| means(symbol.name, name)).collect()
}

fn build(tables: &Tables<'_>) -> Vec<(u32, u32)> {
    let mut rows = Vec::new();
    for (id, table, entry) in tables.entries() {
        let Some((raw, _)) = table.name_and_version(&entry) else { continue };
        let spellings = str::from_utf8(raw).map(spellings).unwrap_or_default();
        rows.extend(spellings.iter().map(|spelling| (hash(spelling.as_bytes()), id)));
    }
    rows.sort_unstable();
    rows.dedup();
    rows
}

struct Index<'i>(&'i [(u32, u32)]);

impl Index<'_> {
    fn find<'a>(&self, tables: &Tables<'a>, name: &str) -> Vec<Symbol<'a>> {
        let hash = hash(name.as_bytes());
        let from = self.0.partition_point(|row| row.0 < hash);
        let same = self.0[from..].iter().take_while(|row| row.0 == hash);
        same.filter_map(|row| tables.symbol(row.1)).filter(|symbol| means(symbol.name, name)).collect()
    }
}

/// Both readable spellings of a mangled name; none when it is not mangled.
fn spellings(raw: &str) -> Vec<String> {
    if !is_mangled(raw) {
        return Vec::new();
    }
    let spelled = [Spelling::Full, Spelling::Bare].map(|spelling| demangle(raw, spelling));
    spelled.into_iter().flatten().map(|text| normal(&text)).collect()
}

/// Whether a mangled name stands for a readable one, which is in its normal form.
pub(crate) fn means(raw: &str, name: &str) -> bool {
    spellings(raw).iter().any(|spelling| spelling == name)
}
