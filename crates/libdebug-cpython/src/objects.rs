//! Python objects: texts, bytes, integers, dictionaries, attributes of instances.

use crate::error::Result;
use crate::interpreter::Interpreter;
use crate::layout::Attributes;
use crate::target::Reader;

/// Names and paths are not longer, in characters; what is, is no text.
const LONGEST: u64 = 1 << 16;
/// Tables of code are not longer, in bytes.
const GREATEST: u64 = 1 << 24;
/// More entries than any dictionary that is looked through.
const MOST: u64 = 1 << 20;

/// Objects of an interpreter, as they are at one moment.
pub(crate) struct Objects<'a> {
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) memory: &'a Reader<'a>,
}

/// What a dictionary has at one place.
pub(crate) struct Entry {
    pub(crate) key: u64,
    pub(crate) value: u64,
}

impl Objects<'_> {
    /// The text of a `str`.
    pub(crate) fn text(&self, object: u64) -> Result<String> {
        let layout = &self.interpreter.layout().text;
        let length = self.memory.u64(object + layout.length)?;
        let state = self.memory.u32(object + layout.state)? >> layout.kind_bit;
        let (kind, is_compact, is_ascii) = (state & 7, state >> 3 & 1 == 1, state >> 4 & 1 == 1);
        if length > LONGEST || !is_compact {
            return Err(self.interpreter.unexpected("a text is none"));
        }
        let data = object + if is_ascii { layout.ascii_data } else { layout.compact_data };
        let bytes = self.memory.bytes(data, length as usize * kind as usize)?;
        decode(kind, &bytes).ok_or_else(|| self.interpreter.unexpected("a text is none"))
    }

    /// The content of a `bytes`.
    pub(crate) fn bytes(&self, object: u64) -> Result<Vec<u8>> {
        let layout = &self.interpreter.layout().objects;
        let size = self.memory.u64(object + layout.bytes_size)?;
        if size > GREATEST {
            return Err(self.interpreter.unexpected("a table of code is none"));
        }
        self.memory.bytes(object + layout.bytes_data, size as usize)
    }

    /// The value of a positive `int` of up to 64 bits.
    pub(crate) fn integer(&self, object: u64) -> Result<u64> {
        const DIGIT: u32 = 30;
        let layout = &self.interpreter.layout().objects;
        let size = self.memory.u64(object + layout.integer_size)?;
        let digits = if layout.integer_is_tagged { size >> 3 } else { size };
        let mut value = 0;
        for place in 0..digits.min(3) {
            let digit = self.memory.u32(object + layout.integer_digits + 4 * place)?;
            value |= u64::from(digit) << (DIGIT * place as u32);
        }
        Ok(value)
    }

    /// What a `dict` has, in the order of its keys' table.
    pub(crate) fn entries(&self, dictionary: u64) -> Result<Vec<Entry>> {
        let layout = &self.interpreter.layout().objects;
        let keys = self.memory.u64(dictionary + layout.keys)?;
        match self.memory.u64(dictionary + layout.values)? {
            0 => self.entries_of(keys, None),
            values => self.entries_of(keys, Some(values)),
        }
    }

    /// The entries of a table of keys, with values of their own or with those of one of the dictionaries that share the keys.
    fn entries_of(&self, keys: u64, values: Option<u64>) -> Result<Vec<Entry>> {
        let (start, size, count) = self.key_table(keys)?;
        if count > MOST {
            return Err(self.interpreter.unexpected("a dictionary is none"));
        }
        let first_value = self.interpreter.layout().objects.first_value;
        let mut entries = Vec::new();
        for place in 0..count {
            // The hash comes first, where it is kept.
            let key_at = start + place * size + (size - 16);
            let key = self.memory.u64(key_at)?;
            let value_at = values.map_or(key_at + 8, |values| values + first_value + 8 * place);
            let value = if key == 0 { 0 } else { self.memory.u64(value_at)? };
            if value != 0 {
                entries.push(Entry { key, value });
            }
        }
        Ok(entries)
    }

    /// Where the entries of a table of keys are, how large one is, in bytes, and how many there are.
    fn key_table(&self, keys: u64) -> Result<(u64, u64, u64)> {
        const WITH_HASH: u64 = 24;
        const WITHOUT_HASH: u64 = 16;
        if self.interpreter.layout().objects.keys_are_compact {
            let indices = 1 << (self.memory.u8(keys + 9)? & 63);
            let size = if self.memory.u8(keys + 10)? == 0 { WITH_HASH } else { WITHOUT_HASH };
            return Ok((keys + 32 + indices, size, self.memory.u64(keys + 24)?));
        }
        let slots = self.memory.u64(keys + 8)?;
        let width = match slots {
            0..=0xff => 1,
            0x100..=0xffff => 2,
            0x1_0000..=0xffff_ffff => 4,
            _ => 8,
        };
        Ok((
            keys.wrapping_add(40).wrapping_add(slots.wrapping_mul(width)),
            WITH_HASH,
            self.memory.u64(keys + 32)?,
        ))
    }

    /// The value of a key of a `dict` whose keys are texts.
    pub(crate) fn item(&self, dictionary: u64, name: &str) -> Result<Option<u64>> {
        Ok(self.named(self.entries(dictionary)?, name))
    }

    fn named(&self, entries: Vec<Entry>, name: &str) -> Option<u64> {
        let is_it = |entry: &Entry| self.text(entry.key).is_ok_and(|key| key == name);
        entries.into_iter().find(is_it).map(|entry| entry.value)
    }

    /// The value of an attribute that an instance of a class has of its own.
    pub(crate) fn attribute(&self, object: u64, name: &str) -> Result<Option<u64>> {
        const INLINE_VALUES: u64 = 1 << 2;
        const MANAGED: u64 = 1 << 4;
        let layout = &self.interpreter.layout().objects;
        let class = self.memory.u64(object + layout.of_type)?;
        let flags = self.memory.u64(class + layout.type_flags)?;
        let offset = self.memory.u64(class + layout.dictionary_offset)?;
        let shared = |values| {
            let keys = self.memory.u64(class + layout.shared_keys)?;
            Ok(self.named(self.entries_of(keys, Some(values))?, name))
        };
        let managed = |dictionary| if dictionary == 0 { Ok(None) } else { self.item(dictionary, name) };
        if flags & MANAGED == 0 || layout.attributes == Attributes::Dictionary {
            let has_one = (1..MOST).contains(&offset);
            return if has_one { managed(self.memory.u64(object + offset)?) } else { Ok(None) };
        }
        match layout.attributes {
            Attributes::ValuesBefore => match self.memory.u64(object - 32)? {
                0 => managed(self.memory.u64(object - 24)?),
                values => shared(values),
            },
            Attributes::TaggedBefore => match self.memory.u64(object - 24)? {
                tagged if tagged & 1 == 1 => shared(tagged.wrapping_add(1)),
                dictionary => managed(dictionary),
            },
            Attributes::Inline(offset) => match self.memory.u64(object.wrapping_add_signed(offset))? {
                0 if flags & INLINE_VALUES != 0 => {
                    shared(object + self.memory.u64(class + layout.basic_size)?)
                }
                dictionary => managed(dictionary),
            },
            Attributes::Dictionary => Ok(None),
        }
    }
}

/// The text of `kind` bytes per character; lone surrogates come as U+FFFD.
fn decode(kind: u32, bytes: &[u8]) -> Option<String> {
    let character = |code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    Some(match kind {
        1 => bytes.iter().map(|&byte| char::from(byte)).collect(),
        2 => {
            bytes.as_chunks::<2>().0.iter().map(|pair| character(u16::from_le_bytes(*pair).into())).collect()
        }
        4 => bytes.as_chunks::<4>().0.iter().map(|four| character(u32::from_le_bytes(*four))).collect(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_width() {
        assert_eq!(decode(1, b"caf\xe9").as_deref(), Some("café"));
        assert_eq!(decode(2, &[0xb1, 0x03, 0x00, 0xd8]).as_deref(), Some("α\u{fffd}"));
        assert_eq!(decode(4, &[0x00, 0xf6, 0x01, 0x00]).as_deref(), Some("\u{1f600}"));
        assert_eq!(decode(3, b"abc"), None);
    }
}
