//! The compilation units of a file: where each lies, and which code it describes.

use std::collections::HashMap;
use std::sync::Arc;

use gimli::{Abbreviations, DebugInfoOffset, UnitHeader};

use super::DebugInfo;
use super::entry::Context;
use super::sections::{Bytes, Dwarf, Unit};

/// Damaged files have units that all lead to one long table: what reading such tables may cost in all, in bytes.
const MOST_HEADERS: u64 = 1 << 30;
/// As above, for address ranges.
const MOST_RANGES: usize = 4 << 20;

/// Where the units lie, and which addresses belong to them.
#[derive(Debug, Default)]
pub(crate) struct Units {
    rows: Vec<Row>,
    /// Start, end and unit, by start.
    ranges: Vec<(u64, u64, u32)>,
}

#[derive(Debug)]
struct Row {
    offset: usize,
    abbreviations: usize,
    abbreviations_end: usize,
}

impl Units {
    fn read(info: DebugInfo<'_>) -> Self {
        let dwarf = info.dwarf();
        let mut units = Self { rows: rows(&dwarf), ranges: Vec::new() };
        let mut walk = Walk::new(info, &units);
        let mut ranges = Vec::new();
        while let Some((index, unit)) = walk.next() {
            let context = Context { info, dwarf: &walk.dwarf, unit: &unit };
            let Ok(root) = unit.entry(unit.header.root_offset()) else { continue };
            ranges.extend(context.pieces(&root).into_iter().map(|(start, end)| (start, end, index)));
            if ranges.len() > MOST_RANGES {
                break;
            }
        }
        ranges.sort_unstable();
        units.ranges = ranges;
        units
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The units whose ranges include that address, the narrowest range first.
    pub(super) fn at(&self, address: u64) -> Option<u32> {
        let behind = self.ranges.partition_point(|range| range.0 <= address);
        let mut around = self.ranges[..behind].iter().rev().take(8);
        around.find(|range| range.1 > address).map(|range| range.2)
    }

    /// The unit that the entry at that offset of `.debug_info` belongs to.
    pub(super) fn around(&self, offset: usize) -> Option<u32> {
        let behind = self.rows.partition_point(|row| row.offset <= offset);
        u32::try_from(behind.checked_sub(1)?).ok()
    }
}

fn rows(dwarf: &Dwarf<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut headers = dwarf.units();
    while let Ok(Some(header)) = headers.next() {
        if let Some(offset) = header.debug_info_offset() {
            let abbreviations = header.debug_abbrev_offset().0;
            rows.push(Row { offset: offset.0, abbreviations, abbreviations_end: usize::MAX });
        }
    }
    let mut starts: Vec<usize> = rows.iter().map(|row| row.abbreviations).collect();
    starts.sort_unstable();
    starts.dedup();
    for row in &mut rows {
        let behind = starts.partition_point(|start| *start <= row.abbreviations);
        row.abbreviations_end = starts.get(behind).copied().unwrap_or(usize::MAX);
    }
    rows
}

/// Linkers leave 0, 1 or the highest addresses where they have dropped a function.
pub(super) fn is_code(start: u64, end: u64) -> bool {
    start > 1 && start < end && end < u64::MAX - 1
}

/// All units, one after the other; tables of abbreviations that several share are read once.
pub(super) struct Walk<'a, 'u> {
    info: DebugInfo<'a>,
    pub(super) dwarf: Dwarf<'a>,
    rows: std::iter::Enumerate<std::slice::Iter<'u, Row>>,
    tables: HashMap<usize, Option<Arc<Abbreviations>>>,
    budget: u64,
}

impl<'a, 'u> Walk<'a, 'u> {
    pub(super) fn new(info: DebugInfo<'a>, units: &'u Units) -> Self {
        let (dwarf, rows) = (info.dwarf(), units.rows.iter().enumerate());
        Self { info, dwarf, rows, tables: HashMap::new(), budget: MOST_HEADERS }
    }

    /// The next unit that can be read.
    pub(super) fn next(&mut self) -> Option<(u32, Unit<'a>)> {
        loop {
            let (index, row) = self.rows.next()?;
            let Some(unit) = self.open(row) else { continue };
            self.budget = self.budget.checked_sub(header_length(&unit))?;
            return Some((u32::try_from(index).ok()?, unit));
        }
    }

    fn open(&mut self, row: &Row) -> Option<Unit<'a>> {
        let header = header(&self.dwarf, row)?;
        let (info, dwarf) = (self.info, &self.dwarf);
        let table = self.tables.entry(row.abbreviations).or_insert_with(|| table(info, dwarf, row, &header));
        Unit::new_with_abbreviations(dwarf, header, Arc::clone(table.as_ref()?)).ok()
    }
}

fn header_length(unit: &Unit<'_>) -> u64 {
    unit.line_program.as_ref().map_or(0, |program| program.header().header_length() as u64)
}

fn header<'a>(dwarf: &Dwarf<'a>, row: &Row) -> Option<UnitHeader<Bytes<'a>>> {
    dwarf.unit_header(DebugInfoOffset(row.offset)).ok()
}

fn table<'a>(
    info: DebugInfo<'a>,
    _dwarf: &Dwarf<'a>,
    row: &Row,
    header: &UnitHeader<Bytes<'a>>,
) -> Option<Arc<Abbreviations>> {
    let section = info.store.abbreviations(info.data, row.abbreviations_end);
    header.abbreviations(&section).ok().map(Arc::new)
}

impl<'a> DebugInfo<'a> {
    pub(super) fn dwarf(self) -> Dwarf<'a> {
        self.store.dwarf(self.data)
    }

    pub(super) fn units(self) -> &'a Units {
        self.store.units.get_or_init(|| Units::read(self))
    }

    /// One unit, opened.
    pub(super) fn unit(self, dwarf: &Dwarf<'a>, index: u32) -> Option<Unit<'a>> {
        let row = self.units().rows.get(index as usize)?;
        let header = header(dwarf, row)?;
        let table = table(self, dwarf, row, &header)?;
        Unit::new_with_abbreviations(dwarf, header, table).ok()
    }
}
