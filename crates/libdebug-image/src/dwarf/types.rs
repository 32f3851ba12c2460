//! Types of variables, in the words of C.

use gimli::{AttributeValue, UnitOffset, constants as dw};

use super::entry::{Context, Entry};

/// Types nest no deeper in real programs; damaged ones lead to themselves.
const DEEPEST: u32 = 24;
/// How many types one type may consist of.
const MOST: u32 = 4096;

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// Its name as C has it: `int`, `char *`, `struct point [3]`.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// How its bytes are to be read.
    pub shape: Shape,
}

/// How the bytes of a number are to be read (`DW_AT_encoding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Two's complement.
    Signed,
    /// No sign.
    Unsigned,
    /// IEEE 754.
    Float,
    /// 0 is false.
    Boolean,
    /// A byte of text, with a sign.
    SignedCharacter,
    /// A byte of text, without a sign.
    UnsignedCharacter,
}

impl Encoding {
    /// A byte of text.
    #[must_use]
    pub const fn is_character(self) -> bool {
        matches!(self, Self::SignedCharacter | Self::UnsignedCharacter)
    }
}

/// How the bytes of a value are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A number.
    Number(Encoding),
    /// An address; of text or of anything else.
    Pointer {
        /// It points to characters.
        to_text: bool,
    },
    /// Values of one type, one behind the other.
    Array {
        /// The type of each.
        element: Box<Type>,
        /// How many there are.
        count: u64,
    },
    /// Values with names: a structure, a class, or a union, whose fields overlap.
    Structure(Vec<Field>),
    /// Numbers with names.
    Enumeration {
        /// The numbers have signs.
        signed: bool,
        /// Names and numbers, as declared.
        names: Vec<(String, i128)>,
    },
    /// Bytes that are not understood.
    Opaque,
}

/// A value inside a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name; that of the base class for what is inherited; empty when it has none.
    pub name: String,
    /// Its distance from the structure's start in bytes.
    pub offset: u64,
    /// Of a bit-field: its distance from the structure's start in bits, and its size in bits.
    pub bits: Option<(u64, u64)>,
    /// Its type.
    pub of: Type,
}

impl Type {
    fn opaque(name: &str, size: u64) -> Self {
        Self { name: name.to_owned(), size, shape: Shape::Opaque }
    }
}

/// Reads types of one unit.
pub(super) struct TypeReader<'r, 'a, 'u> {
    context: &'r Context<'a, 'u>,
    left: u32,
}

impl<'r, 'a, 'u> TypeReader<'r, 'a, 'u> {
    pub(super) fn new(context: &'r Context<'a, 'u>) -> Self {
        Self { context, left: MOST }
    }

    /// The type that an entry has, or one of those that it completes.
    pub(super) fn of(&mut self, entry: &Entry<'a>) -> Type {
        let found = self.context.along(entry, &|context, entry| context.referred(entry, dw::DW_AT_type));
        self.at(found, DEEPEST)
    }

    fn at(&mut self, offset: Option<UnitOffset>, depth: u32) -> Type {
        let Some(offset) = offset else { return Type::opaque("void", 0) };
        let entry = self.context.unit.entry(offset);
        match (entry, self.left.checked_sub(1), depth.checked_sub(1)) {
            (Ok(entry), Some(left), Some(depth)) => {
                self.left = left;
                self.read(&entry, depth)
            }
            _ => Type::opaque("?", 0),
        }
    }

    fn target(&mut self, entry: &Entry<'a>, depth: u32) -> Type {
        self.at(self.context.referred(entry, dw::DW_AT_type), depth)
    }

    fn read(&mut self, entry: &Entry<'a>, depth: u32) -> Type {
        let size = self.context.number(entry, dw::DW_AT_byte_size);
        match entry.tag() {
            dw::DW_TAG_base_type => self.base(entry, size.unwrap_or(0)),
            dw::DW_TAG_pointer_type => self.pointer(entry, size, "*"),
            dw::DW_TAG_reference_type | dw::DW_TAG_rvalue_reference_type => self.pointer(entry, size, "&"),
            dw::DW_TAG_typedef => Type { name: self.name(entry, ""), ..self.target(entry, depth) },
            dw::DW_TAG_const_type => self.qualified(entry, depth, "const "),
            dw::DW_TAG_volatile_type => self.qualified(entry, depth, "volatile "),
            dw::DW_TAG_restrict_type | dw::DW_TAG_atomic_type => self.target(entry, depth),
            dw::DW_TAG_array_type => self.array(entry, depth),
            dw::DW_TAG_structure_type => self.structure(entry, size, "struct ", depth),
            dw::DW_TAG_class_type => self.structure(entry, size, "class ", depth),
            dw::DW_TAG_union_type => self.structure(entry, size, "union ", depth),
            dw::DW_TAG_enumeration_type => self.enumeration(entry, size, depth),
            _ => Type::opaque(&self.name(entry, ""), size.unwrap_or(0)),
        }
    }

    fn name(&self, entry: &Entry<'a>, before: &str) -> String {
        format!("{before}{}", self.context.name(entry).unwrap_or("(anonymous)"))
    }

    fn base(&self, entry: &Entry<'a>, size: u64) -> Type {
        let encoding = match entry.attr_value(dw::DW_AT_encoding) {
            Some(AttributeValue::Encoding(code)) => encoding(code),
            _ => None,
        };
        let shape = encoding.map_or(Shape::Opaque, Shape::Number);
        Type { name: self.name(entry, ""), size, shape }
    }

    /// What it points to is named and not described: lists lead to themselves.
    fn pointer(&mut self, entry: &Entry<'a>, size: Option<u64>, sign: &str) -> Type {
        let to = self.context.referred(entry, dw::DW_AT_type);
        let (name, to_text) = self.pointed_name(to, 8);
        let space = if name.ends_with('*') { "" } else { " " };
        let size = size.unwrap_or_else(|| self.context.unit.encoding().address_size.into());
        Type {
            name: format!("{name}{space}{sign}"),
            size,
            shape: Shape::Pointer { to_text: to_text && sign == "*" },
        }
    }

    fn pointed_name(&self, offset: Option<UnitOffset>, depth: u32) -> (String, bool) {
        let entry = offset.and_then(|offset| self.context.unit.entry(offset).ok());
        let (Some(entry), Some(depth)) = (entry, depth.checked_sub(1)) else {
            return ("void".to_owned(), false);
        };
        let next = || self.pointed_name(self.context.referred(&entry, dw::DW_AT_type), depth);
        let before = match entry.tag() {
            dw::DW_TAG_const_type => {
                let (name, to_text) = next();
                return (format!("const {name}"), to_text);
            }
            dw::DW_TAG_pointer_type => {
                let (name, _) = next();
                return (format!("{name}{}*", if name.ends_with('*') { "" } else { " " }), false);
            }
            dw::DW_TAG_volatile_type | dw::DW_TAG_restrict_type => return next(),
            dw::DW_TAG_subroutine_type => return ("function".to_owned(), false),
            dw::DW_TAG_typedef => return (self.name(&entry, ""), next().1),
            dw::DW_TAG_structure_type => "struct ",
            dw::DW_TAG_class_type => "class ",
            dw::DW_TAG_union_type => "union ",
            dw::DW_TAG_enumeration_type => "enum ",
            _ => "",
        };
        let is_text = matches!(self.base(&entry, 1).shape, Shape::Number(encoding) if encoding.is_character())
            && self.context.number(&entry, dw::DW_AT_byte_size) == Some(1);
        (self.name(&entry, before), is_text)
    }

    fn qualified(&mut self, entry: &Entry<'a>, depth: u32, word: &str) -> Type {
        let of = self.target(entry, depth);
        Type { name: format!("{word}{}", of.name), ..of }
    }

    fn array(&mut self, entry: &Entry<'a>, depth: u32) -> Type {
        let element = self.target(entry, depth);
        let counts = self.children(entry.offset(), &|context, child| {
            matches!(child.tag(), dw::DW_TAG_subrange_type).then(|| count(context, child))
        });
        let name = counts.iter().fold(element.name.clone(), |name, count| format!("{name}[{count}]"));
        let array = counts.iter().rev().fold(element, |element, count| Type {
            name: format!("{}[{count}]", element.name),
            size: element.size.saturating_mul(*count),
            shape: Shape::Array { element: Box::new(element), count: *count },
        });
        Type { name, ..array }
    }

    fn structure(&mut self, entry: &Entry<'a>, size: Option<u64>, word: &str, depth: u32) -> Type {
        let members = self.children(entry.offset(), &|_, child| {
            let is_member = matches!(child.tag(), dw::DW_TAG_member | dw::DW_TAG_inheritance);
            (is_member && !child.has_attr(dw::DW_AT_external)).then(|| child.clone())
        });
        let fields = members.iter().map(|member| self.field(member, depth)).collect();
        Type { name: self.name(entry, word), size: size.unwrap_or(0), shape: Shape::Structure(fields) }
    }

    fn field(&mut self, member: &Entry<'a>, depth: u32) -> Field {
        let of = self.target(member, depth);
        let number = |name| self.context.number(member, name);
        let offset = number(dw::DW_AT_data_member_location).unwrap_or(0);
        let bits = number(dw::DW_AT_bit_size).map(|size| {
            let start = number(dw::DW_AT_data_bit_offset).unwrap_or_else(|| {
                // Before version 4, bits are counted from the highest of a unit of storage.
                let storage = 8 * number(dw::DW_AT_byte_size).unwrap_or(of.size);
                let above = number(dw::DW_AT_bit_offset).unwrap_or(0).saturating_add(size);
                offset.saturating_mul(8).saturating_add(storage.saturating_sub(above))
            });
            (start, size)
        });
        let name = match member.tag() {
            dw::DW_TAG_inheritance => of.name.clone(),
            _ => self.context.name(member).unwrap_or_default().to_owned(),
        };
        Field { name, offset, bits, of }
    }

    fn enumeration(&mut self, entry: &Entry<'a>, size: Option<u64>, depth: u32) -> Type {
        let of = self.target(entry, depth);
        let names = self.children(entry.offset(), &|context, child| {
            let value = child.attr_value(dw::DW_AT_const_value)?;
            let value =
                value.sdata_value().map(i128::from).or_else(|| value.udata_value().map(i128::from))?;
            Some((context.name(child)?.to_owned(), value))
        });
        let signed = match of.shape {
            Shape::Number(encoding) => encoding == Encoding::Signed,
            _ => names.iter().any(|(_, value)| *value < 0),
        };
        Type {
            name: self.name(entry, "enum "),
            size: size.unwrap_or(of.size),
            shape: Shape::Enumeration { signed, names },
        }
    }

    /// What is wanted of an entry's children, not of theirs.
    fn children<T>(
        &mut self,
        offset: UnitOffset,
        want: &dyn Fn(&Context<'a, 'u>, &Entry<'a>) -> Option<T>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        let Ok(mut entries) = self.context.unit.entries_raw(Some(offset)) else { return found };
        let mut entry = Entry::null();
        if !matches!(entries.read_entry(&mut entry), Ok(true)) || !entry.has_children() {
            return found;
        }
        while !entries.is_empty() && entries.next_depth() > 0 && self.left > 0 {
            match entries.read_entry(&mut entry) {
                Ok(true) if entry.depth() == 1 => {
                    self.left -= 1;
                    found.extend(want(self.context, &entry));
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        found
    }
}

fn count<'a>(context: &Context<'a, '_>, subrange: &Entry<'a>) -> u64 {
    let number = |name| context.number(subrange, name);
    let by_bound = || number(dw::DW_AT_upper_bound).map(|bound| bound.wrapping_add(1));
    number(dw::DW_AT_count).or_else(by_bound).unwrap_or(0)
}

const fn encoding(code: dw::DwAte) -> Option<Encoding> {
    match code {
        dw::DW_ATE_signed => Some(Encoding::Signed),
        dw::DW_ATE_unsigned | dw::DW_ATE_address | dw::DW_ATE_UTF => Some(Encoding::Unsigned),
        dw::DW_ATE_float => Some(Encoding::Float),
        dw::DW_ATE_boolean => Some(Encoding::Boolean),
        dw::DW_ATE_signed_char => Some(Encoding::SignedCharacter),
        dw::DW_ATE_unsigned_char => Some(Encoding::UnsignedCharacter),
        _ => None,
    }
}
