//! The functions of a file, by address and by name.

use std::sync::OnceLock;

use gimli::constants as dw;

use super::DebugInfo;
use super::entry::{Context, Entry};
use super::units::Walk;
use crate::by_name::hash;
use crate::demangle::{Spelling, demangle, normal};
use crate::{FileAddress, Symbol, SymbolBinding, SymbolKind};

/// More functions than any program has: damaged files can describe one many times.
const MOST: usize = 2 << 20;

/// The functions of a file.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    /// By start.
    rows: Vec<Row>,
    /// A hash of each spelling of the name with its row, sorted.
    names: OnceLock<Vec<(u32, u32)>>,
}

/// One piece of one function.
#[derive(Debug)]
pub(crate) struct Row {
    start: u64,
    end: u64,
    /// The greatest end of this row and all before it.
    reach: u64,
    name: Box<str>,
    is_external: bool,
    is_first: bool,
    pub(super) unit: u32,
    /// The entry's offset in its unit.
    pub(super) entry: usize,
}

impl Row {
    pub(super) fn symbol(&self) -> Symbol<'_> {
        Symbol {
            name: &self.name,
            address: FileAddress(self.start),
            size: self.end - self.start,
            kind: SymbolKind::Function,
            binding: if self.is_external { SymbolBinding::Global } else { SymbolBinding::Local },
            is_default_version: true,
            is_dynamic: false,
        }
    }
}

impl Functions {
    pub(super) fn read(info: DebugInfo<'_>) -> Self {
        let mut rows = Vec::new();
        let mut walk = Walk::new(info, info.units());
        while let Some((index, unit)) = walk.next() {
            let context = Context { info, dwarf: &walk.dwarf, unit: &unit };
            add_unit(&context, index, &mut rows);
            if rows.len() > MOST {
                break;
            }
        }
        rows.sort_by_key(|row| (row.start, std::cmp::Reverse(row.end)));
        // Templates and inline functions are described in each unit that uses them.
        rows.dedup_by(|row, before| {
            (row.start, row.end) == (before.start, before.end) && row.name == before.name
        });
        let mut reach = 0;
        for row in &mut rows {
            reach = row.end.max(reach);
            row.reach = reach;
        }
        Self { rows, names: OnceLock::new() }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.rows.iter().filter(|row| row.is_first).map(Row::symbol)
    }

    pub(super) fn at(&self, address: u64) -> Option<&Row> {
        let behind = self.rows.partition_point(|row| row.start <= address);
        let near = self.rows[..behind].iter().rev().take_while(|row| row.reach > address);
        near.take(64).find(|row| row.end > address)
    }

    pub(super) fn named(&self, name: &str) -> Vec<Symbol<'_>> {
        let (name, names) = (normal(name), self.names.get_or_init(|| self.name_index()));
        let hash = hash(name.as_bytes());
        let from = names.partition_point(|row| row.0 < hash);
        let same = names[from..].iter().take_while(|row| row.0 == hash);
        let rows = same.filter_map(|(_, row)| self.rows.get(*row as usize));
        rows.filter(|row| spellings(&row.name).contains(&name)).map(Row::symbol).collect()
    }

    fn name_index(&self) -> Vec<(u32, u32)> {
        let first = self.rows.iter().zip(0..).filter(|(row, _)| row.is_first);
        let mut names: Vec<(u32, u32)> = first
            .flat_map(|(row, index)| {
                spellings(&row.name).into_iter().map(move |name| (hash(name.as_bytes()), index))
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn spellings(name: &str) -> Vec<String> {
    let readable = [Spelling::Full, Spelling::Bare].map(|spelling| demangle(name, spelling));
    let readable = readable.into_iter().flatten().map(|name| normal(&name));
    std::iter::once(name.to_owned()).chain(readable).collect()
}

fn add_unit<'a>(context: &Context<'a, '_>, index: u32, rows: &mut Vec<Row>) {
    let Ok(mut entries) = context.unit.entries_raw(None) else { return };
    while !entries.is_empty() && rows.len() <= MOST {
        let offset = entries.next_offset();
        let abbreviation = match entries.read_abbreviation() {
            Ok(Some(abbreviation)) => abbreviation,
            Ok(None) => continue,
            Err(_) => return,
        };
        if entries.skip_attributes(abbreviation.attributes()).is_err() {
            return;
        }
        if abbreviation.tag() == dw::DW_TAG_subprogram
            && let Ok(entry) = context.unit.entry(offset)
        {
            add_function(context, &entry, index, rows);
        }
    }
}

fn add_function<'a>(context: &Context<'a, '_>, entry: &Entry<'a>, unit: u32, rows: &mut Vec<Row>) {
    let pieces = context.pieces(entry);
    if pieces.is_empty() {
        return;
    }
    let Some(name) = context.full_name(entry) else { return };
    let is_external = context
        .along(entry, &|_, entry| entry.attr_value(dw::DW_AT_external))
        .is_some_and(|value| value == gimli::AttributeValue::Flag(true));
    for (place, (start, end)) in pieces.into_iter().enumerate() {
        rows.push(Row {
            start,
            end,
            reach: 0,
            name: name.into(),
            is_external,
            is_first: place == 0,
            unit,
            entry: entry.offset().0,
        });
    }
}
