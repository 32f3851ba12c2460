//! What is around an address inside a function: blocks, and functions that were inlined into it.

use gimli::{UnitOffset, constants as dw};

use super::DebugInfo;
use super::entry::{Context, Entry};
use super::functions::Row;
use crate::FileAddress;
use crate::demangle::{Spelling, demangle};

/// A function whose code was put in place of a call of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InlinedCall {
    /// The function, readable.
    pub name: String,
    /// The file of the call that it replaces.
    pub call_file: Option<String>,
    /// The line of that call.
    pub call_line: Option<u32>,
}

/// What is around one address.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    /// Inlined functions, the outermost first.
    pub(super) inlined: Vec<InlinedCall>,
    /// Variables of the innermost function, outer blocks' before inner ones', with what it was called with first.
    pub(super) variables: Vec<UnitOffset>,
}

impl DebugInfo<'_> {
    /// The functions that were inlined where that instruction is, the innermost first.
    #[must_use]
    pub fn inlined_at(self, address: FileAddress) -> Vec<InlinedCall> {
        let Some(row) = self.function_index().at(address.0) else { return Vec::new() };
        let mut inlined =
            self.with_function(row, |context, offset| scopes(context, offset, address.0).inlined);
        inlined.reverse();
        inlined
    }

    pub(super) fn with_function<T: Default>(
        self,
        row: &Row,
        act: impl FnOnce(&Context<'_, '_>, UnitOffset) -> T,
    ) -> T {
        let dwarf = self.dwarf();
        let Some(unit) = self.unit(&dwarf, row.unit) else { return T::default() };
        act(&Context { info: self, dwarf: &dwarf, unit: &unit }, UnitOffset(row.entry))
    }
}

pub(super) fn scopes(context: &Context<'_, '_>, function: UnitOffset, address: u64) -> Scopes {
    let mut scopes = Scopes::default();
    let Ok(mut entries) = context.unit.entries_raw(Some(function)) else { return scopes };
    let mut entry = Entry::null();
    let mut outside: Option<isize> = None;
    if !matches!(entries.read_entry(&mut entry), Ok(true)) || !entry.has_children() {
        return scopes;
    }
    while !entries.is_empty() && entries.next_depth() > 0 {
        match entries.read_entry(&mut entry) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => break,
        }
        if outside.is_some_and(|depth| entry.depth() > depth) {
            continue;
        }
        outside = (!enter(context, &entry, address, &mut scopes)).then_some(entry.depth());
    }
    scopes
}

/// Whether the entry's children are around the address as well.
fn enter<'a>(context: &Context<'a, '_>, entry: &Entry<'a>, address: u64, scopes: &mut Scopes) -> bool {
    match entry.tag() {
        dw::DW_TAG_formal_parameter | dw::DW_TAG_variable => {
            scopes.variables.push(entry.offset());
            false
        }
        dw::DW_TAG_lexical_block => covers(context, entry, address),
        dw::DW_TAG_inlined_subroutine if covers(context, entry, address) => {
            scopes.variables.clear();
            scopes.inlined.push(inlined(context, entry));
            true
        }
        _ => false,
    }
}

fn covers<'a>(context: &Context<'a, '_>, entry: &Entry<'a>, address: u64) -> bool {
    context.pieces(entry).iter().any(|(start, end)| (*start..*end).contains(&address))
}

fn inlined<'a>(context: &Context<'a, '_>, entry: &Entry<'a>) -> InlinedCall {
    let name = context.full_name(entry).unwrap_or_default();
    let small = |name| context.number(entry, name).and_then(|number| u32::try_from(number).ok());
    let file = small(dw::DW_AT_call_file).and_then(|file| {
        let unit = context.info.units().around(context.unit.header.debug_info_offset()?.0)?;
        context.info.lines_of(unit)?.file(file).map(str::to_owned)
    });
    InlinedCall {
        name: demangle(name, Spelling::Full).unwrap_or_else(|| name.to_owned()),
        call_file: file,
        call_line: small(dw::DW_AT_call_line),
    }
}
