//! Reading the format for exchange, whoever wrote it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libdebug_arch::Isa;
use libdebug_arch::float80;
use libdebug_arch::x86_64::{Register, RegisterClass, RegisterValue};
use libdebug_kernel::Tid;
use libdebug_kernel::proc::Map;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::file::Loaded;
use super::record::{assemble, images};
use super::symbols::{SymbolRecord, SymbolRecords};
use super::{
    Content, Facts, KeptRegisters, KeptThread, Snapshot, SnapshotHost, SnapshotKind, SnapshotLevel, decimal,
};

type Numbers = BTreeMap<String, Value>;

#[derive(Deserialize)]
struct Document {
    arch: String,
    snapshot_id: u32,
    level: String,
    name: Option<String>,
    aslr_enabled: Option<bool>,
    maps: Vec<MapRow>,
    symbols: Option<Vec<SymbolRow>>,
    _process_full_path: Option<String>,
    process_id: Option<i32>,
    threads: Option<Vec<ThreadRow>>,
    thread_id: Option<i32>,
    regs: Option<Numbers>,
}

#[derive(Deserialize)]
struct MapRow {
    start: u64,
    end: u64,
    permissions: String,
    offset: u64,
    backing_file: String,
    content: Option<String>,
}

#[derive(Deserialize)]
struct ThreadRow {
    #[serde(default)]
    snapshot_id: u32,
    thread_id: i32,
    regs: Numbers,
}

#[derive(Deserialize)]
struct SymbolRow {
    start: u64,
    end: u64,
    name: String,
    backing_file: String,
    reference_file: Option<String>,
    reference_build_id: Option<String>,
}

pub(super) fn load(data: &[u8], surroundings: SnapshotHost) -> Loaded<Snapshot> {
    let first = data.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Err("it is no snapshot: neither JSON, nor compact, nor a core file".to_owned());
    }
    let text = quote_constants(data);
    let document: Document =
        serde_json::from_slice(&text).map_err(|error| format!("it is no snapshot: {error}"))?;
    if document.arch != Isa::X86_64.name() {
        return Err(format!("snapshots of architecture {:?} are not supported", document.arch));
    }
    let level = SnapshotLevel::parse(&document.level)
        .ok_or_else(|| format!("Invalid snapshot level {}", document.level))?;
    let facts = facts(&document, level);
    let threads =
        threads(document.process_id.is_some(), document.threads, document.thread_id, document.regs)?;
    let (maps, contents): (Vec<_>, Vec<_>) =
        document.maps.into_iter().map(map).collect::<Loaded<Vec<_>>>()?.into_iter().unzip();
    let symbols = symbols(document.symbols.unwrap_or_default());
    let build_ids = build_ids(&symbols);
    let images = images(&maps, |path| build_ids.get(path).map(Vec::as_slice));
    Ok(assemble(facts, threads, maps, contents, images, surroundings)?.adopt(&symbols))
}

fn symbols(rows: Vec<SymbolRow>) -> SymbolRecords {
    let mut records = SymbolRecords::new();
    for row in rows {
        let reference_file = row.reference_file.unwrap_or_else(|| row.backing_file.clone());
        let reference_build_id = row.reference_build_id.unwrap_or_default();
        let (start, end, name) = (row.start, row.end, row.name);
        let record = SymbolRecord { start, end, name, reference_file, reference_build_id };
        records.entry(row.backing_file).or_default().push(record);
    }
    records
}

/// The build ids of the mapped files, as far as their symbols tell them.
fn build_ids(symbols: &SymbolRecords) -> BTreeMap<&str, Vec<u8>> {
    let of_file = symbols.iter().filter_map(|(path, records)| {
        let own = records.iter().find(|record| record.reference_file == *path)?;
        let digits = own.reference_build_id.as_bytes().chunks(2);
        let bytes: Option<_> =
            digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
        Some((path.as_str(), bytes?))
    });
    of_file.collect()
}

/// Python writes, and reads, `NaN` and `Infinity`, which are not JSON: as texts they are.
fn quote_constants(data: &[u8]) -> Cow<'_, [u8]> {
    const CONSTANTS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    let has = |constant: &&[u8]| memchr::memmem::find(data, constant).is_some();
    if !CONSTANTS.iter().any(has) {
        return Cow::Borrowed(data);
    }
    let mut quoted = Vec::with_capacity(data.len() + 64);
    let (mut rest, mut in_text) = (data, false);
    while let Some(&byte) = rest.first() {
        let constant = CONSTANTS.iter().find(|constant| !in_text && rest.starts_with(constant));
        let taken = match constant {
            Some(constant) => {
                quoted.extend([b"\"", *constant, b"\""].concat());
                constant.len()
            }
            None => {
                let taken = if in_text && byte == b'\\' { rest.len().min(2) } else { 1 };
                in_text ^= byte == b'"';
                quoted.extend(&rest[..taken]);
                taken
            }
        };
        rest = &rest[taken..];
    }
    Cow::Owned(quoted)
}

fn facts(document: &Document, level: SnapshotLevel) -> Facts {
    let is_process = document.process_id.is_some();
    Facts {
        kind: if is_process { SnapshotKind::Process } else { SnapshotKind::Thread },
        level,
        id: document.snapshot_id,
        name: document.name.clone(),
        pid: document.process_id.unwrap_or_default(),
        parent: 0,
        aslr: document.aslr_enabled.unwrap_or(true),
        program: document._process_full_path.clone().unwrap_or_default(),
        arguments: String::new(),
        auxiliary: Vec::new(),
    }
}

fn threads(
    is_process: bool,
    rows: Option<Vec<ThreadRow>>,
    tid: Option<i32>,
    numbers: Option<Numbers>,
) -> Loaded<Vec<KeptThread>> {
    if is_process {
        let rows = rows.ok_or("it has no threads")?;
        return Ok(rows.iter().map(|row| thread(row.thread_id, row.snapshot_id, &row.regs)).collect());
    }
    let (tid, numbers) = tid.zip(numbers).ok_or("it is neither of a process nor of a thread")?;
    Ok(vec![thread(tid, 0, &numbers)])
}

fn thread(tid: i32, id: u32, numbers: &Numbers) -> KeptThread {
    let has = |stem: &str| numbers.keys().any(|name| name.starts_with(stem));
    let mut registers = KeptRegisters::zeros(has("ymm"), has("zmm"));
    // Parts of a general register clear or keep the rest of it, which is there itself.
    let is_whole = |one: &&Register| match one.class {
        RegisterClass::General => one.bits == 64,
        class => !matches!(class, RegisterClass::Mmx | RegisterClass::X87),
    };
    let whole: Vec<_> = registers.listed().filter(is_whole).collect();
    for register in whole {
        let digits = numbers.get(register.name).map(Value::to_string);
        if let Some(bytes) = digits.and_then(|digits| decimal::parse(&digits)) {
            let size = usize::from(register.bits) / 8;
            registers.set(register, &RegisterValue::Wide { bytes, width: size });
        }
    }
    set_floats(&mut registers, numbers);
    KeptThread { tid: Tid(tid), id, signal: 0, registers }
}

/// The x87 registers are floats of 64 bits there; the `mm` registers, which are the same ones, have all bits of their
/// mantissas. Which is which, the top of the stack tells: the one with which both say the same.
fn set_floats(registers: &mut KeptRegisters, numbers: &Numbers) {
    let all = |stem: &str| (0..8).map(|at| numbers.get(&format!("{stem}{at}"))).collect::<Option<Vec<_>>>();
    let Some(floats) = all("st").map(|all| all.into_iter().map(float).collect::<Vec<_>>()) else { return };
    let mantissas: Option<Vec<u64>> = all("mm").and_then(|all| all.into_iter().map(Value::as_u64).collect());
    let whole = mantissas.and_then(|mantissas| {
        (0..8).find_map(|top| {
            let slot = |at: usize| extended_float(floats[at], mantissas[(at + top) % 8]);
            Some((top, (0..8).map(slot).collect::<Option<Vec<_>>>()?))
        })
    });
    let rounded = || (0, floats.iter().map(|float| float80::from_f64(*float)).collect());
    let (top, values) = whole.unwrap_or_else(rounded);
    const TOP: usize = 3;
    registers.extended[TOP] = (top as u8) << 3;
    for (at, value) in values.into_iter().enumerate() {
        if let Some(register) = libdebug_arch::x86_64::register(&format!("st{at}")) {
            registers.set(register, &RegisterValue::F80(value));
        }
    }
}

fn float(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap_or(f64::NAN),
        other => other.as_f64().unwrap_or(f64::NAN),
    }
}

/// The number of 80 bits with a mantissa that rounds to a float; `None` if there is none.
fn extended_float(float: f64, mantissa: u64) -> Option<[u8; 10]> {
    let near = float80::from_f64(float);
    let head = u16::from_le_bytes([near[8], near[9]]);
    // The mantissa can have been rounded up to the next power of two; what is too small has become zero.
    let heads = [head, head.wrapping_sub(1), head & 0x8000, 0xffff];
    let with = |head: u16| {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&mantissa.to_le_bytes());
        bytes[8..].copy_from_slice(&head.to_le_bytes());
        bytes
    };
    let is_same = |bytes: &[u8; 10]| {
        let back = float80::to_f64(*bytes);
        back.to_bits() == float.to_bits() || back.is_nan() && float.is_nan()
    };
    heads.into_iter().map(with).find(is_same)
}

fn map(row: MapRow) -> Loaded<(Map, Option<Content>)> {
    let damaged = |what: &str| format!("the map at {:#x} has {what}", row.start);
    let permissions = row.permissions.as_bytes().try_into().map_err(|_| damaged("no permissions"))?;
    let content = match &row.content {
        Some(text) => Some(STANDARD.decode(text).map_err(|error| damaged(&error.to_string()))?),
        None => None,
    };
    if content.as_ref().is_some_and(|bytes| Some(bytes.len() as u64) != row.end.checked_sub(row.start)) {
        return Err(damaged("content of another size"));
    }
    let is_anonymous = row.backing_file == format!("anon_{:x}", row.start);
    let path = if is_anonymous { String::new() } else { row.backing_file };
    let map = Map { start: row.start, end: row.end, permissions, offset: row.offset, inode: 0, path };
    Ok((map, content.map(Content::from_bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_constants_are_read_outside_of_texts_only() {
        let quoted = quote_constants(br#"{"a NaN\" NaN": [NaN, -Infinity, Infinity]}"#);
        let expected = r#"{"a NaN\" NaN": ["NaN", "-Infinity", "Infinity"]}"#;
        assert_eq!(String::from_utf8_lossy(&quoted), expected);
    }

    #[test]
    fn floats_come_back_with_all_their_bits() {
        for bits in [0x3fff_8000_0000_0000_0001_u128, 0x4000_c90f_daa2_2168_c235, 0xbfff_ffff_ffff_ffff_ffff]
        {
            let bytes: [u8; 10] = std::array::from_fn(|at| (bits >> (8 * at)) as u8);
            let mantissa = bits as u64;
            assert_eq!(extended_float(float80::to_f64(bytes), mantissa), Some(bytes), "{bits:x}");
        }
        assert_eq!(extended_float(1.0, 0xc000_0000_0000_0000), None);
    }
}
