//! From an address to the symbol that covers it.

use crate::table::Tables;
use crate::{Segment, Symbol, SymbolKind};

/// The symbols of a file, sorted by address.
#[derive(Debug)]
pub(crate) struct AddressIndex {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    address: u64,
    end: u64,
    /// The greatest end of this row and all before it: tells how far back a covering symbol can be.
    reach: u64,
    id: u32,
    has_size: bool,
}

impl AddressIndex {
    pub(crate) fn build(tables: &Tables<'_>, segments: &[Segment]) -> Self {
        let mut rows: Vec<Row> = tables
            .entries()
            .filter(|(_, _, entry)| entry.kind != SymbolKind::ThreadLocal)
            .map(|(id, _, entry)| Row {
                address: entry.address,
                end: entry.address.saturating_add(entry.size),
                reach: 0,
                id,
                has_size: entry.size > 0,
            })
            .collect();
        rows.sort_unstable_by_key(|row| (row.address, row.id));
        close_open_ends(&mut rows, segments);
        measure_reach(&mut rows);
        Self { rows }
    }

    /// The best symbol that covers the address: one with a size before one without, the innermost before
    /// outer ones, and of several at one place the one that users mean most likely.
    pub(crate) fn find<'a>(&self, tables: &Tables<'a>, address: u64) -> Option<Symbol<'a>> {
        let behind = self.rows.partition_point(|row| row.address <= address);
        let candidates = self.rows[..behind].iter().rev().take_while(|row| row.reach > address);
        let mut best: Option<(&Row, Symbol<'a>)> = None;
        for row in candidates.filter(|row| row.end > address) {
            if best.is_some_and(|(found, _)| found.has_size && found.address > row.address) {
                break;
            }
            let Some(symbol) = tables.symbol(row.id) else { continue };
            if best.is_none_or(|(found, other)| merit(row, &symbol) > merit(found, &other)) {
                best = Some((row, symbol));
            }
        }
        best.map(|(_, symbol)| symbol)
    }
}

fn merit(row: &Row, symbol: &Symbol<'_>) -> impl Ord + use<> {
    (row.has_size, row.address, symbol.rank())
}

/// A symbol without a size lasts until the next one, or to the end of its segment.
fn close_open_ends(rows: &mut [Row], segments: &[Segment]) {
    let mut next = u64::MAX;
    for at in (0..rows.len()).rev() {
        let address = rows[at].address;
        if rows.get(at + 1).is_some_and(|row| row.address > address) {
            next = rows[at + 1].address;
        }
        if !rows[at].has_size {
            // Marks like `_end` stand behind the last byte of a segment: they are found at their own address.
            rows[at].end = next.min(segment_end(segments, address)).max(address.saturating_add(1));
        }
    }
}

fn segment_end(segments: &[Segment], address: u64) -> u64 {
    let inside = |segment: &&Segment| address.wrapping_sub(segment.address.0) < segment.memory_size;
    segments.iter().find(inside).map_or(address, |found| found.address.0.saturating_add(found.memory_size))
}

fn measure_reach(rows: &mut [Row]) {
    let mut reach = 0;
    for row in rows {
        reach = row.end.max(reach);
        row.reach = reach;
    }
}
