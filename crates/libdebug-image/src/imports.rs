//! What a file takes from others, read out of its relocations.

use crate::dynamic::Imported;
use crate::table::Class;
use crate::{Image, Machine};

/// A table of more relocations than this is no table: the largest programs have a few hundred thousand.
const MOST: usize = 4 << 20;

impl Image {
    /// The slots that are filled with addresses of other files' symbols.
    pub(crate) fn imports(&self) -> Vec<Imported> {
        let wanted = slot_relocations(self.machine());
        let Some(table) = self.tables().dynsym else { return Vec::new() };
        let raw = self.layout().linking.relocations.iter().flat_map(|(range, has_addend)| {
            entries(self.data().get(range.clone()).unwrap_or_default(), self.class(), *has_addend)
        });
        let slots = raw.take(MOST).filter(|entry| wanted.contains(&entry.kind));
        slots
            .filter_map(|entry| {
                let name = table.name(entry.symbol).filter(|name| !name.is_empty())?;
                Some(Imported { name: name.to_owned(), slot: entry.offset })
            })
            .collect()
    }

    /// Where the table of slots begins, which code of i386 counts from.
    pub(crate) fn got_address(&self) -> Option<u64> {
        self.layout().linking.got
    }
}

/// `GLOB_DAT` and `JUMP_SLOT` of the processor's supplement to the ABI.
const fn slot_relocations(machine: Machine) -> [u32; 2] {
    match machine {
        Machine::Aarch64 => [1025, 1026],
        _ => [6, 7],
    }
}

struct Relocation {
    offset: u64,
    symbol: u32,
    kind: u32,
}

fn entries(table: &[u8], class: Class, has_addend: bool) -> impl Iterator<Item = Relocation> + use<'_> {
    let word = if class == Class::Elf64 { 8 } else { 4 };
    table.chunks_exact(if has_addend { 3 * word } else { 2 * word }).map(move |entry| {
        let (offset, info) = (number(&entry[..word]), number(&entry[word..2 * word]));
        match class {
            Class::Elf64 => Relocation { offset, symbol: (info >> 32) as u32, kind: info as u32 },
            Class::Elf32 => Relocation { offset, symbol: (info >> 8) as u32, kind: info as u32 & 0xff },
        }
    })
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
