//! Values of variables.

use super::types::{Encoding, Field, Shape, Type};

/// How many elements of arrays are read in all.
const MOST: usize = 1 << 16;

/// A value, as its type says that its bytes are to be read.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An integer or a character.
    Integer(i128),
    /// A number with a fraction.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// An address.
    Pointer(u64),
    /// Characters one behind the other.
    Text(Vec<u8>),
    /// Values of one type.
    Array(Vec<Value>),
    /// Values with names.
    Structure(Vec<(String, Value)>),
    /// A number with the name that it has, if it has one.
    Enumeration(Option<String>, i128),
    /// Bytes that are not understood.
    Opaque(Vec<u8>),
    /// It is nowhere at this instruction: optimized out, or its memory cannot be read.
    Unavailable,
}

impl Value {
    /// What those bytes mean.
    pub(super) fn decode(of: &Type, bytes: &[u8]) -> Self {
        decode(of, bytes, &mut { MOST })
    }
}

fn decode(of: &Type, bytes: &[u8], left: &mut usize) -> Value {
    let size = usize::try_from(of.size).unwrap_or(usize::MAX);
    let Some(bytes) = bytes.get(..size) else { return Value::Unavailable };
    match &of.shape {
        Shape::Number(encoding) => number(*encoding, bytes),
        Shape::Pointer { .. } => Value::Pointer(unsigned(bytes) as u64),
        Shape::Array { element, .. } if is_character(element) => Value::Text(bytes.to_vec()),
        Shape::Array { element, count } => array(element, *count, bytes, left),
        Shape::Structure(fields) => {
            let values = fields.iter().map(|field| (field.name.clone(), member(field, bytes, left)));
            Value::Structure(values.collect())
        }
        Shape::Enumeration { signed, names } => {
            let value = if *signed { self::signed(bytes) } else { unsigned(bytes).cast_signed() };
            Value::Enumeration(names.iter().find(|name| name.1 == value).map(|name| name.0.clone()), value)
        }
        Shape::Opaque => Value::Opaque(bytes.to_vec()),
    }
}

fn is_character(of: &Type) -> bool {
    of.size == 1 && matches!(of.shape, Shape::Number(encoding) if encoding.is_character())
}

fn array(element: &Type, count: u64, bytes: &[u8], left: &mut usize) -> Value {
    let size = usize::try_from(element.size).unwrap_or(usize::MAX).max(1);
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(*left);
    *left -= count;
    Value::Array(bytes.chunks(size).take(count).map(|bytes| decode(element, bytes, left)).collect())
}

fn member(field: &Field, bytes: &[u8], left: &mut usize) -> Value {
    if let Some((start, size)) = field.bits {
        return bit_field(field, start, size, bytes).unwrap_or(Value::Unavailable);
    }
    let start = usize::try_from(field.offset).unwrap_or(usize::MAX);
    bytes.get(start..).map_or(Value::Unavailable, |bytes| decode(&field.of, bytes, left))
}

fn bit_field(field: &Field, start: u64, size: u64, bytes: &[u8]) -> Option<Value> {
    let from = usize::try_from(start / 8).ok()?;
    let window = bytes.get(from..)?;
    let size = u32::try_from(size).ok().filter(|size| (1..=64).contains(size))?;
    let raw = unsigned(&window[..window.len().min(9)]) >> (start % 8) & ((1 << size) - 1);
    let extended = (raw << (128 - size)).cast_signed() >> (128 - size);
    Some(match field.of.shape {
        Shape::Number(Encoding::Signed) => Value::Integer(extended),
        Shape::Number(Encoding::Boolean) => Value::Boolean(raw != 0),
        _ => Value::Integer(raw.cast_signed()),
    })
}

fn number(encoding: Encoding, bytes: &[u8]) -> Value {
    match (encoding, bytes.len()) {
        (Encoding::Boolean, 1..=16) => Value::Boolean(unsigned(bytes) != 0),
        (Encoding::Float, 4) => Value::Float(f32::from_bits(unsigned(bytes) as u32).into()),
        (Encoding::Float, 8) => Value::Float(f64::from_bits(unsigned(bytes) as u64)),
        (Encoding::Signed | Encoding::SignedCharacter, 1..=16) => Value::Integer(signed(bytes)),
        (Encoding::Unsigned | Encoding::UnsignedCharacter, 1..=15) => {
            Value::Integer(unsigned(bytes).cast_signed())
        }
        _ => Value::Opaque(bytes.to_vec()),
    }
}

fn unsigned(bytes: &[u8]) -> u128 {
    bytes.iter().take(16).rev().fold(0, |value, byte| value << 8 | u128::from(*byte))
}

fn signed(bytes: &[u8]) -> i128 {
    let unused = 128 - 8 * bytes.len().clamp(1, 16) as u32;
    (unsigned(bytes) << unused).cast_signed() >> unused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(size: u64, encoding: Encoding) -> Type {
        Type { name: "int".into(), size, shape: Shape::Number(encoding) }
    }

    #[test]
    fn numbers_have_their_signs_and_sizes() {
        let decode = |size, encoding, bytes: &[u8]| Value::decode(&int(size, encoding), bytes);
        assert_eq!(decode(4, Encoding::Signed, &[0xfe, 0xff, 0xff, 0xff]), Value::Integer(-2));
        assert_eq!(decode(4, Encoding::Unsigned, &[0xfe, 0xff, 0xff, 0xff]), Value::Integer(0xffff_fffe));
        assert_eq!(decode(8, Encoding::Float, &1.5_f64.to_le_bytes()), Value::Float(1.5));
        assert_eq!(decode(1, Encoding::Boolean, &[2]), Value::Boolean(true));
        assert_eq!(decode(8, Encoding::Signed, &[1, 2]), Value::Unavailable);
    }

    #[test]
    fn bit_fields_are_cut_out() {
        let field = |start, size, encoding| Field {
            name: "bits".into(),
            offset: 0,
            bits: Some((start, size)),
            of: int(4, encoding),
        };
        let fields = vec![
            field(0, 3, Encoding::Unsigned),
            field(3, 5, Encoding::Signed),
            field(30, 4, Encoding::Unsigned),
        ];
        let of = Type { name: "s".into(), size: 8, shape: Shape::Structure(fields) };
        let bytes = (0b101_u64 | 0b11110 << 3 | 0b1010 << 30).to_le_bytes();
        let Value::Structure(values) = Value::decode(&of, &bytes) else { unreachable!() };
        let values: Vec<_> = values.into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [Value::Integer(5), Value::Integer(-2), Value::Integer(10)]);
    }
}
