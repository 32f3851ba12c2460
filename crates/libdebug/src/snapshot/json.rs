//! The format for exchange with other debuggers' users: JSON, with memory in base64.

use std::io::{self, Write};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use libdebug_arch::float80;
use libdebug_arch::x86_64::{Register, RegisterClass, RegisterValue};
use libdebug_kernel::proc::Map;

use super::{Content, KeptRegisters, KeptThread, Snapshot, SnapshotKind, decimal};

/// Piece by piece, so that no text as large as all memory is ever made.
pub(super) fn write(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let facts = &snapshot.facts;
    let is_process = facts.kind == SnapshotKind::Process;
    write!(out, r#"{{"type": "{}", "arch": "{}""#, kind(is_process), snapshot.isa().name())?;
    write!(out, r#", "snapshot_id": {}, "level": "{}", "name": "#, facts.id, facts.level.name())?;
    text_or_null(out, facts.name.as_deref())?;
    write!(out, r#", "aslr_enabled": {}, "architectural_registers": "#, facts.aslr)?;
    let Some(first) = snapshot.threads.first() else { return Err(io::ErrorKind::InvalidData.into()) };
    register_names(out, &first.registers)?;
    write!(out, r#", "maps": ["#)?;
    for (index, (map, content)) in snapshot.maps.iter().zip(&snapshot.contents).enumerate() {
        separate(out, index)?;
        write_map(out, map, content.as_ref())?;
    }
    write!(out, r#"], "symbols": "#)?;
    write_symbols(out, snapshot)?;
    write!(out, r#", "_process_full_path": "#)?;
    text(out, &facts.program)?;
    write!(out, r#", "_process_name": "#)?;
    text(out, facts.program.rsplit('/').next().unwrap_or_default())?;
    if is_process {
        write_threads(out, snapshot)?;
    } else {
        write!(out, r#", "thread_id": {}, "regs": "#, first.tid.0)?;
        write_registers(out, &first.registers)?;
    }
    write!(out, "}}")
}

fn write_symbols(out: &mut dyn Write, snapshot: &Snapshot) -> io::Result<()> {
    let Some(symbols) = snapshot.symbols_to_save() else { return write!(out, "null") };
    write!(out, "[")?;
    for (index, symbol) in symbols.iter().enumerate() {
        separate(out, index)?;
        write!(out, r#"{{"start": {}, "end": {}, "name": "#, symbol.start, symbol.end)?;
        text(out, symbol.name)?;
        write!(out, r#", "backing_file": "#)?;
        text(out, symbol.backing_file)?;
        write!(out, r#", "reference_file": "#)?;
        text(out, symbol.reference_file)?;
        write!(out, r#", "reference_build_id": "#)?;
        text_or_null(out, Some(symbol.reference_build_id).filter(|id| !id.is_empty()))?;
        write!(out, r#", "is_external": {}}}"#, symbol.is_external())?;
    }
    write!(out, "]")
}

fn kind(is_process: bool) -> &'static str {
    if is_process { "process" } else { "thread" }
}

fn separate(out: &mut dyn Write, index: usize) -> io::Result<()> {
    if index > 0 { write!(out, ", ") } else { Ok(()) }
}

fn text(out: &mut dyn Write, text: &str) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(Into::into)
}

fn text_or_null(out: &mut dyn Write, text: Option<&str>) -> io::Result<()> {
    serde_json::to_writer(out, &text).map_err(Into::into)
}

fn write_threads(out: &mut dyn Write, snapshot: &Snapshot) -> io::Result<()> {
    write!(out, r#", "process_id": {}, "threads": ["#, snapshot.facts.pid)?;
    for (index, KeptThread { tid, id, registers, .. }) in snapshot.threads.iter().enumerate() {
        separate(out, index)?;
        write!(out, r#"{{"snapshot_id": {id}, "thread_id": {tid}, "regs": "#)?;
        write_registers(out, registers)?;
        write!(out, "}}")?;
    }
    write!(out, "]")
}

/// The names of the registers by class; vectors with all their parts together.
fn register_names(out: &mut dyn Write, registers: &KeptRegisters) -> io::Result<()> {
    let of = |class: RegisterClass| -> Vec<&str> {
        registers.listed().filter(|one| one.class == class).map(|one| one.name).collect()
    };
    let mut groups: Vec<Vec<&str>> = Vec::new();
    for number in 0..32 {
        let names = ["xmm", "ymm", "zmm"].map(|stem| format!("{stem}{number}"));
        let vectors =
            of(RegisterClass::Vector).into_iter().filter(|name| names.iter().any(|one| one == name));
        groups.push(vectors.collect());
    }
    groups.extend(of(RegisterClass::Mmx).into_iter().chain(of(RegisterClass::X87)).map(|name| vec![name]));
    groups.retain(|group| !group.is_empty());
    write!(out, r#"{{"generic": "#)?;
    serde_json::to_writer(&mut *out, &of(RegisterClass::General))?;
    write!(out, r#", "special": "#)?;
    serde_json::to_writer(&mut *out, &of(RegisterClass::Special))?;
    write!(out, r#", "vector_fp": "#)?;
    serde_json::to_writer(&mut *out, &groups)?;
    write!(out, "}}")
}

fn write_registers(out: &mut dyn Write, registers: &KeptRegisters) -> io::Result<()> {
    write!(out, "{{")?;
    let known = registers.listed().filter_map(|one| Some((one, registers.read(one).ok()?)));
    for (index, (register, value)) in known.enumerate() {
        separate(out, index)?;
        write!(out, r#""{}": {}"#, register.name, number(register, &value))?;
    }
    write!(out, "}}")
}

/// As Python writes numbers: `NaN` and `Infinity` too.
fn number(register: &Register, value: &RegisterValue) -> String {
    match value {
        RegisterValue::U64(value) => value.to_string(),
        RegisterValue::U128(value) => value.to_string(),
        RegisterValue::Wide { bytes, .. } => decimal::format(&bytes[..usize::from(register.bits) / 8]),
        RegisterValue::F80(bytes) => match float80::to_f64(*bytes) {
            value if value.is_nan() => "NaN".to_owned(),
            f64::INFINITY => "Infinity".to_owned(),
            f64::NEG_INFINITY => "-Infinity".to_owned(),
            value => format!("{value:?}"),
        },
    }
}

fn write_map(out: &mut dyn Write, map: &Map, content: Option<&Content>) -> io::Result<()> {
    let Map { start, end, offset, .. } = map;
    let permissions = String::from_utf8_lossy(&map.permissions);
    write!(out, r#"{{"start": {start}, "end": {end}, "permissions": "#)?;
    text(out, &permissions)?;
    write!(out, r#", "size": {}, "offset": {offset}, "backing_file": "#, end - start)?;
    text(out, &map.name())?;
    write!(out, r#", "content": "#)?;
    match content.filter(|content| content.is_whole()) {
        Some(content) => write_content(out, content)?,
        None => write!(out, "null")?,
    }
    write!(out, "}}")
}

fn write_content(out: &mut dyn Write, content: &Content) -> io::Result<()> {
    // A multiple of three: so the texts of all parts together are the text of the whole.
    const PART: u64 = 3 << 16;
    write!(out, "\"")?;
    let mut at = 0;
    while at < content.size() {
        let end = content.size().min(at + PART);
        let bytes = content.bytes(at..end).ok_or(io::ErrorKind::OutOfMemory)?;
        write!(out, "{}", Base64Display::new(&bytes, &STANDARD))?;
        at = end;
    }
    write!(out, "\"")
}
