//! Variables by name: of a frame, and of the file.

use gimli::{AttributeValue, UnitOffset, constants as dw};

use super::entry::{Context, Entry};
use super::evaluate::{Around, Location};
use super::frame::Frame;
use super::scopes::scopes;
use super::types::{Type, TypeReader};
use super::units::Walk;
use super::values::Value;
use super::{DebugInfo, sections};
use crate::by_name::hash;

/// A value larger than this is not read.
const LARGEST: u64 = 16 << 20;

/// What a variable is to its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariableKind {
    /// The function was called with it.
    Argument,
    /// It is declared in the function, or in a block of it.
    Local,
    /// It is declared outside of functions, or lives as long as the process.
    Global,
}

/// A variable of a stopped thread, or of its program.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it is to its function.
    pub kind: VariableKind,
    /// Its type.
    pub of: Type,
    /// Its virtual address; `None` when it is in registers, or nowhere.
    pub address: Option<u64>,
    /// Its value.
    pub value: Value,
}

/// The variables of a file, by a hash of their names: unit and entry.
#[derive(Debug, Default)]
pub(crate) struct Globals {
    names: Vec<(u32, u32, usize)>,
}

impl<'image> DebugInfo<'image> {
    /// Arguments and local variables of the function that the frame is in, outer blocks' before inner ones'. Inside a
    /// function that was inlined: those of that one. Of several with one name, only the innermost can be meant in the
    /// program, and it is the last.
    #[must_use]
    pub fn variables(self, frame: &Frame<'_>) -> Vec<Variable> {
        let Some(row) = self.function_index().at(frame.pc.0) else { return Vec::new() };
        self.with_function(row, |context, function| of_frame(context, function, frame))
    }

    /// The variable of that name that is declared outside of functions, or is static in one.
    #[must_use]
    pub fn global(self, name: &str, frame: &Frame<'_>) -> Option<Variable> {
        let globals = self.store.globals.get_or_init(|| Globals::read(self));
        let hash = hash(name.as_bytes());
        let from = globals.names.partition_point(|row| row.0 < hash);
        let same = globals.names[from..].iter().take_while(|row| row.0 == hash);
        let dwarf = self.dwarf();
        same.filter_map(|(_, unit, entry)| self.global_at(&dwarf, *unit, *entry, name, frame)).next()
    }

    fn global_at(
        self,
        dwarf: &sections::Dwarf<'image>,
        unit: u32,
        entry: usize,
        name: &str,
        frame: &Frame<'_>,
    ) -> Option<Variable> {
        let unit = self.unit(dwarf, unit)?;
        let context = Context { info: self, dwarf, unit: &unit };
        let entry = unit.entry(UnitOffset(entry)).ok()?;
        let named =
            context.along(&entry, &|context, entry| context.name(entry).map(|found| found == name))?;
        let around = Around { context: &context, frame, frame_base: None };
        named.then(|| variable(&around, &entry, VariableKind::Global)).flatten()
    }
}

fn of_frame(context: &Context<'_, '_>, function: UnitOffset, frame: &Frame<'_>) -> Vec<Variable> {
    let mut around = Around { context, frame, frame_base: None };
    around.frame_base = context.unit.entry(function).ok().and_then(|entry| frame_base(&around, &entry));
    let found = scopes(context, function, frame.pc.0).variables;
    let entries = found.into_iter().filter_map(|offset| context.unit.entry(offset).ok());
    entries
        .filter_map(|entry| {
            let kind = match entry.tag() {
                dw::DW_TAG_formal_parameter => VariableKind::Argument,
                _ => VariableKind::Local,
            };
            variable(&around, &entry, kind)
        })
        .collect()
}

fn frame_base<'a>(around: &Around<'_, 'a, '_>, function: &Entry<'a>) -> Option<u64> {
    match around.locate(function.attr_value(dw::DW_AT_frame_base)?)? {
        Location::Memory(address) => Some(address),
        // `DW_OP_reg6` as a frame base means the register's value.
        Location::Bytes(bytes) => Some(u64::from_le_bytes(*bytes.first_chunk()?)),
    }
}

fn variable<'a>(around: &Around<'_, 'a, '_>, entry: &Entry<'a>, kind: VariableKind) -> Option<Variable> {
    let context = around.context;
    let name = context.along(entry, &|context, entry| context.name(entry).map(str::to_owned))?;
    let of = TypeReader::new(context).of(entry);
    let location = match context.along(entry, &|_, entry| entry.attr_value(dw::DW_AT_location)) {
        Some(location) => around.locate(location),
        None => context.along(entry, &|_, entry| constant(entry)).map(Location::Bytes),
    };
    let (address, value) = match location {
        Some(Location::Memory(address)) => (Some(address), read(around.frame, address, &of)),
        Some(Location::Bytes(bytes)) => (None, Value::decode(&of, &bytes)),
        None => (None, Value::Unavailable),
    };
    Some(Variable { name, kind, of, address, value })
}

fn constant(entry: &Entry<'_>) -> Option<Vec<u8>> {
    match entry.attr_value(dw::DW_AT_const_value)? {
        AttributeValue::Block(bytes) => Some(bytes.slice().to_vec()),
        value => {
            let number = value.sdata_value().map(i64::cast_unsigned).or_else(|| value.udata_value())?;
            Some(number.to_le_bytes().to_vec())
        }
    }
}

fn read(frame: &Frame<'_>, address: u64, of: &Type) -> Value {
    let Some(size) = usize::try_from(of.size).ok().filter(|_| of.size <= LARGEST) else {
        return Value::Unavailable;
    };
    let mut bytes = vec![0; size];
    if frame.registers.read(address, &mut bytes) { Value::decode(of, &bytes) } else { Value::Unavailable }
}

impl Globals {
    fn read(info: DebugInfo<'_>) -> Self {
        let mut names = Vec::new();
        let mut walk = Walk::new(info, info.units());
        while let Some((index, unit)) = walk.next() {
            let context = Context { info, dwarf: &walk.dwarf, unit: &unit };
            add_unit(&context, index, &mut names);
        }
        names.sort_unstable();
        Self { names }
    }
}

fn add_unit<'a>(context: &Context<'a, '_>, index: u32, names: &mut Vec<(u32, u32, usize)>) {
    let Ok(mut entries) = context.unit.entries_raw(None) else { return };
    while !entries.is_empty() {
        let offset = entries.next_offset();
        let abbreviation = match entries.read_abbreviation() {
            Ok(Some(abbreviation)) => abbreviation,
            Ok(None) => continue,
            Err(_) => return,
        };
        if entries.skip_attributes(abbreviation.attributes()).is_err() {
            return;
        }
        let has_place = || abbreviation.attributes().iter().any(|it| it.name() == dw::DW_AT_location);
        if abbreviation.tag() == dw::DW_TAG_variable && has_place() {
            names.extend(global_name(context, offset).map(|name| (hash(name.as_bytes()), index, offset.0)));
        }
    }
}

/// The name of a variable with a place of its own, and not one in a frame.
fn global_name<'a>(context: &Context<'a, '_>, offset: UnitOffset) -> Option<String> {
    let entry = context.unit.entry(offset).ok()?;
    let mut operations =
        entry.attr_value(dw::DW_AT_location)?.exprloc_value()?.operations(context.unit.encoding());
    let is_placed = matches!(
        operations.next(),
        Ok(Some(gimli::Operation::Address { .. } | gimli::Operation::AddressIndex { .. }))
    );
    let name = context.along(&entry, &|context, entry| context.name(entry).map(str::to_owned));
    name.filter(|_| is_placed)
}
