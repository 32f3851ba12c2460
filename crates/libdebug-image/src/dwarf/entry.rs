//! What single entries (DIEs) say, followed through the entries that they complete.

use gimli::{AttributeValue, DebuggingInformationEntry, UnitOffset, constants as dw};

use super::DebugInfo;
use super::sections::{Bytes, Dwarf, Unit};
use super::units::is_code;

pub(super) type Entry<'a> = DebuggingInformationEntry<Bytes<'a>>;

/// An entry that completes another one, which completes another one: longer chains are circles.
const LONGEST_CHAIN: usize = 8;
/// A function or a unit of more pieces than this is damaged.
const MOST_PIECES: usize = 1 << 18;

/// A unit with the sections that it refers to.
pub(super) struct Context<'a, 'u> {
    pub(super) info: DebugInfo<'a>,
    pub(super) dwarf: &'u Dwarf<'a>,
    pub(super) unit: &'u Unit<'a>,
}

impl<'a> Context<'a, '_> {
    pub(super) fn text(&self, value: AttributeValue<Bytes<'a>>) -> Option<&'a str> {
        str::from_utf8(self.dwarf.attr_string(self.unit, value).ok()?.slice())
            .ok()
            .filter(|text| !text.is_empty())
    }

    pub(super) fn name(&self, entry: &Entry<'a>) -> Option<&'a str> {
        self.text(entry.attr_value(dw::DW_AT_name)?)
    }

    pub(super) fn linkage_name(&self, entry: &Entry<'a>) -> Option<&'a str> {
        let name = entry.attr_value(dw::DW_AT_linkage_name);
        self.text(name.or_else(|| entry.attr_value(dw::DW_AT_MIPS_linkage_name))?)
    }

    /// The linkage name, else the plain one, of an entry or of those that it completes. In that unit only, but for
    /// entries of programs that were optimized as a whole.
    pub(super) fn full_name(&self, entry: &Entry<'a>) -> Option<&'a str> {
        self.along(entry, &|context, entry| context.linkage_name(entry))
            .or_else(|| self.along(entry, &|context, entry| context.name(entry)))
    }

    /// The first answer of the entry or of those that it completes.
    pub(super) fn along<T>(
        &self,
        entry: &Entry<'a>,
        ask: &dyn Fn(&Context<'a, '_>, &Entry<'a>) -> Option<T>,
    ) -> Option<T> {
        self.along_chain(entry, ask, LONGEST_CHAIN)
    }

    fn along_chain<T>(
        &self,
        entry: &Entry<'a>,
        ask: &dyn Fn(&Context<'a, '_>, &Entry<'a>) -> Option<T>,
        left: usize,
    ) -> Option<T> {
        if let Some(answer) = ask(self, entry) {
            return Some(answer);
        }
        let completed = entry.attr_value(dw::DW_AT_abstract_origin);
        let completed = completed.or_else(|| entry.attr_value(dw::DW_AT_specification))?;
        let left = left.checked_sub(1)?;
        match completed {
            AttributeValue::UnitRef(offset) => self.along_chain(&self.unit.entry(offset).ok()?, ask, left),
            AttributeValue::DebugInfoRef(offset) => {
                let index = self.info.units().around(offset.0)?;
                let unit = self.info.unit(self.dwarf, index)?;
                let entry = unit.entry(offset.to_unit_offset(&unit.header)?).ok()?;
                let context = Context { info: self.info, dwarf: self.dwarf, unit: &unit };
                context.along_chain(&entry, ask, left)
            }
            _ => None,
        }
    }

    /// The pieces of code that an entry covers.
    pub(super) fn pieces(&self, entry: &Entry<'a>) -> Vec<(u64, u64)> {
        let ranges = entry.attr_value(dw::DW_AT_ranges);
        let Some(ranges) = ranges else { return self.only_piece(entry).into_iter().collect() };
        let mut pieces = Vec::new();
        let Ok(Some(mut ranges)) = self.dwarf.attr_ranges(self.unit, ranges) else { return pieces };
        while let Ok(Some(range)) = ranges.next() {
            if is_code(range.begin, range.end) && pieces.len() < MOST_PIECES {
                pieces.push((range.begin, range.end));
            }
        }
        pieces
    }

    /// From `DW_AT_low_pc` to `DW_AT_high_pc`, which is an address or a distance.
    fn only_piece(&self, entry: &Entry<'a>) -> Option<(u64, u64)> {
        let address = |value| self.dwarf.attr_address(self.unit, value).ok().flatten();
        let start = address(entry.attr_value(dw::DW_AT_low_pc)?)?;
        let end = entry.attr_value(dw::DW_AT_high_pc)?;
        let end = address(end).or_else(|| Some(start.wrapping_add(end.udata_value()?)))?;
        is_code(start, end).then_some((start, end))
    }

    pub(super) fn number(&self, entry: &Entry<'a>, name: dw::DwAt) -> Option<u64> {
        let value = entry.attr_value(name)?;
        value.udata_value().or_else(|| value.sdata_value().map(i64::cast_unsigned))
    }

    /// The entry that an attribute refers to, where it is in the same unit.
    pub(super) fn referred(&self, entry: &Entry<'a>, name: dw::DwAt) -> Option<UnitOffset> {
        match entry.attr_value(name)? {
            AttributeValue::UnitRef(offset) => Some(offset),
            AttributeValue::DebugInfoRef(offset) => offset.to_unit_offset(&self.unit.header),
            _ => None,
        }
    }
}
