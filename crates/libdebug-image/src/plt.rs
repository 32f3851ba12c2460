//! Names of what is called through: `puts@plt` for the stub, `puts@got` for the slot that holds the address.

use std::collections::HashMap;

use memchr::memmem;

use crate::dynamic::Imported;
use crate::layout::Segment;
use crate::{FileAddress, Image, Machine, Symbol, SymbolBinding, SymbolKind};

/// `endbr64` and `endbr32` begin stubs in programs for CPUs that check indirect jumps.
const ENDBR: [[u8; 4]; 2] = [[0xf3, 0x0f, 0x1e, 0xfa], [0xf3, 0x0f, 0x1e, 0xfb]];
const BND: u8 = 0xf2;

/// The stubs and slots of a file, by address.
#[derive(Debug, Default)]
pub(crate) struct Linkage {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: Box<str>,
    address: u64,
    size: u64,
    kind: SymbolKind,
}

impl Linkage {
    pub(crate) fn read(image: &Image) -> Self {
        let imports = image.imports();
        let word = if image.is_64_bit() { 8 } else { 4 };
        let slots = imports.iter().map(|import| row(import, "@got", import.slot, word, SymbolKind::Object));
        let mut rows: Vec<Row> = slots.collect();
        let by_slot: HashMap<u64, &Imported> = imports.iter().map(|import| (import.slot, import)).collect();
        for (address, end, slot) in stubs(image) {
            if let Some(import) = by_slot.get(&slot) {
                rows.push(row(import, "@plt", address, end.wrapping_sub(address), SymbolKind::Function));
            }
        }
        rows.sort_by_key(|row| row.address);
        rows.dedup_by_key(|row| row.address);
        Self { rows }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.rows.iter().map(symbol)
    }

    pub(crate) fn named(&self, name: &str) -> Option<Symbol<'_>> {
        self.rows.iter().find(|row| *row.name == *name).map(symbol)
    }

    pub(crate) fn at(&self, address: u64) -> Option<Symbol<'_>> {
        let behind = self.rows.partition_point(|row| row.address <= address);
        let row = self.rows.get(behind.checked_sub(1)?)?;
        (address - row.address < row.size).then(|| symbol(row))
    }
}

fn row(import: &Imported, suffix: &str, address: u64, size: u64, kind: SymbolKind) -> Row {
    Row { name: format!("{}{suffix}", import.name).into(), address, size, kind }
}

fn symbol(row: &Row) -> Symbol<'_> {
    Symbol {
        name: &row.name,
        address: FileAddress(row.address),
        size: row.size,
        kind: row.kind,
        binding: SymbolBinding::Local,
        is_default_version: true,
        is_dynamic: true,
    }
}

/// Start, end and slot of everything that looks like a stub: a jump through a word in memory.
fn stubs(image: &Image) -> Vec<(u64, u64, u64)> {
    let parts: Vec<(u64, &[u8])> = stub_parts(image);
    match image.machine() {
        Machine::X86_64 | Machine::I386 => parts.iter().flat_map(|part| x86_stubs(image, *part)).collect(),
        Machine::Aarch64 => parts.iter().flat_map(|part| aarch64_stubs(*part)).collect(),
        Machine::Other(_) => Vec::new(),
    }
}

/// The sections of stubs, or where there are no sections the code that is loaded.
fn stub_parts(image: &Image) -> Vec<(u64, &[u8])> {
    let named = image.sections().filter(|section| section.name.starts_with(".plt"));
    let sections: Vec<_> =
        named.filter_map(|section| Some((section.address.0, image.bytes_of(&section)?))).collect();
    if !sections.is_empty() || image.sections().next().is_some() {
        return sections;
    }
    let code = image.segments().iter().filter(|segment| segment.executable);
    let whole = |segment: &Segment| usize::try_from(segment.file_size).unwrap_or(usize::MAX);
    code.filter_map(|segment| Some((segment.address.0, image.bytes_at(segment.address, whole(segment))?)))
        .collect()
}

fn x86_stubs(image: &Image, (base, code): (u64, &[u8])) -> Vec<(u64, u64, u64)> {
    let got = image.got_address().unwrap_or_default();
    let mut found = x86_jumps(code, &[0xff, 0x25], |at, operand| {
        let next = base.wrapping_add(at as u64 + 6);
        if image.is_64_bit() {
            next.wrapping_add_signed(operand.into())
        } else {
            u64::from(operand.cast_unsigned())
        }
    });
    if image.machine() == Machine::I386 {
        found.extend(x86_jumps(code, &[0xff, 0xa3], |_, operand| got.wrapping_add_signed(operand.into())));
    }
    found
        .into_iter()
        .map(|(start, end, slot)| (base.wrapping_add(start as u64), base.wrapping_add(end as u64), slot))
        .collect()
}

fn x86_jumps(code: &[u8], opcode: &[u8; 2], slot: impl Fn(usize, i32) -> u64) -> Vec<(usize, usize, u64)> {
    let jumps = memmem::find_iter(code, opcode);
    let decoded = jumps.filter_map(|at| {
        let operand = i32::from_le_bytes(*code.get(at + 2..)?.first_chunk()?);
        let start = stub_start(code, at);
        // A stub fills a slot of 8 or 16 bytes, the last part of which asks for the address to be looked up.
        let size = if start.is_multiple_of(16) { 16 } else { 8 };
        Some((start, (start + size).min(code.len()), slot(at, operand)))
    });
    decoded.collect()
}

fn stub_start(code: &[u8], jump: usize) -> usize {
    let jump = if code[..jump].last() == Some(&BND) { jump - 1 } else { jump };
    let before = code[..jump].last_chunk::<4>();
    if before.is_some_and(|bytes| ENDBR.contains(bytes)) { jump - 4 } else { jump }
}

/// `adrp x16, page; ldr x17, [x16, #offset]`, as every linker writes them.
fn aarch64_stubs((base, code): (u64, &[u8])) -> Vec<(u64, u64, u64)> {
    let (words, _) = code.as_chunks::<4>();
    let words: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let pairs = words.windows(2).enumerate();
    let decoded = pairs.filter_map(|(at, pair)| {
        let [adrp, load] = [pair[0], pair[1]];
        if adrp & 0x9f00_001f != 0x9000_0010 || load & 0xffc0_03ff != 0xf940_0211 {
            return None;
        }
        let start = base.wrapping_add(4 * at as u64);
        let pages = u64::from(adrp >> 5 & 0x7_ffff) << 2 | u64::from(adrp >> 29 & 3);
        let pages = (pages << 43).cast_signed() >> 43;
        let page = (start & !0xfff).wrapping_add_signed(pages << 12);
        Some((start, start.wrapping_add(16), page.wrapping_add(u64::from(load >> 10 & 0xfff) * 8)))
    });
    decoded.collect()
}
