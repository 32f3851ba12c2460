//! The symbols of a snapshot: those of its files as they are now, or, where they are gone, as they were.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Snapshot, SnapshotLevel};
use crate::error::Result;
use crate::listing::{self, FileSymbols, ListedSymbol, MappedSymbols, SymbolTable};
use crate::symbol_sources::{SymbolLevel, SymbolSources};
use crate::symbols::{FileScope, Resolved, split_offset};

/// One symbol as files of snapshots have it; its mapped file is told elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SymbolRecord {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) name: String,
    pub(super) reference_file: String,
    pub(super) reference_build_id: String,
}

/// The symbols of each mapped file.
pub(super) type SymbolRecords = BTreeMap<String, Vec<SymbolRecord>>;

impl Snapshot {
    /// All symbols of the files that were mapped.
    ///
    /// # Errors
    /// [`Error::SymbolsDisabled`](crate::Error::SymbolsDisabled).
    pub fn symbols(&self) -> Result<SymbolTable> {
        Ok(listing::symbols(&self.space())?.with(self.orphans.iter().cloned()))
    }

    /// The symbols to be written to files; none at base level, or where they are disabled. No server is asked.
    pub(super) fn symbols_to_save(&self) -> Option<SymbolTable> {
        let sources = self.surroundings.sources.get();
        let level = sources.level.min(SymbolLevel::DebugFileInfo);
        let sources = Arc::new(SymbolSources { level, ..(*sources).clone() });
        let wanted = Some(()).filter(|()| self.level() != SnapshotLevel::Base);
        let table = wanted.and_then(|()| listing::symbols_from(&self.space(), sources).ok())?;
        Some(table.with(self.orphans.iter().cloned()))
    }

    pub(super) fn symbol_records(&self) -> SymbolRecords {
        let mut records = SymbolRecords::new();
        for symbol in self.symbols_to_save().iter().flat_map(SymbolTable::iter) {
            let file = records.entry(symbol.backing_file.to_owned()).or_default();
            file.push(SymbolRecord {
                start: symbol.start,
                end: symbol.end,
                name: symbol.name.to_owned(),
                reference_file: symbol.reference_file.to_owned(),
                reference_build_id: symbol.reference_build_id.to_owned(),
            });
        }
        records
    }

    /// Takes over the symbols of the files that are not there.
    pub(super) fn adopt(mut self, records: &SymbolRecords) -> Self {
        let missing = records.iter().filter(|(path, _)| !self.images.contains_key(*path));
        self.orphans = missing.filter_map(|(path, records)| self.orphan(path, records)).collect();
        self
    }

    fn orphan(&self, path: &str, records: &[SymbolRecord]) -> Option<MappedSymbols> {
        let first = self.maps.iter().find(|map| map.path == *path)?;
        let listed = |record| listed(record, path);
        let symbols = FileSymbols::of_listed(path, records.iter().map(listed));
        // Those of a file that has a fixed place are counted from 0.
        let is_fixed = records.iter().any(|record| record.start >= first.start);
        let bias = if is_fixed { 0 } else { first.start.saturating_sub(first.offset) };
        Some(MappedSymbols::without_image(Arc::new(symbols), bias))
    }

    /// The symbol of a file that is gone, at an address, with the distance from its start.
    pub(super) fn orphan_at(&self, address: u64) -> Option<(String, u64)> {
        let path = &self.maps[self.place_of(address)?].path;
        let file = self.orphans.iter().find(|file| file.symbols.backing_file() == path)?;
        let place = address.wrapping_sub(file.load_bias);
        let found = file.symbols.covering(libdebug_image::FileAddress(place));
        let symbol = file.symbols.get(*found.first()?)?;
        Some((symbol.readable_name(), place.wrapping_sub(symbol.start)))
    }

    /// The address of a symbol of a file that is gone.
    pub(super) fn orphan_called(&self, symbol: &str, scope: &FileScope) -> Option<Resolved> {
        let (name, offset) = split_offset(symbol).ok()?;
        let is_meant = |path: &str| match scope {
            FileScope::Hybrid => true,
            FileScope::Absolute => false,
            FileScope::Binary => path == self.program(),
            FileScope::File(part) => path.contains(part.as_str()),
        };
        let files = self.orphans.iter().filter(|file| is_meant(file.symbols.backing_file()));
        let mut found = files.filter_map(|file| {
            let symbol = file.symbols.get(*file.symbols.named(name).first()?)?;
            Some(file.load_bias.wrapping_add(symbol.start))
        });
        let address = found.next()?.wrapping_add(offset);
        Some(Resolved { address, notes: Vec::new(), indirect: false })
    }
}

fn listed<'a>(record: &'a SymbolRecord, path: &'a str) -> ListedSymbol<'a> {
    ListedSymbol {
        name: &record.name,
        start: record.start,
        end: record.end,
        backing_file: path,
        reference_file: &record.reference_file,
        reference_build_id: &record.reference_build_id,
    }
}
