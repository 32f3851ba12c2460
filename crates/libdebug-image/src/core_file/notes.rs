//! The notes of core files.

use super::read::{part, read_u32, read_u64};
use super::{CoreFile, CoreMapping, CoreThread, PAGE, field, note_type};

/// Under which name this library adds notes.
const OURS: &[u8] = b"libdebug";

/// Takes from notes what is known; what cannot be understood is passed over.
pub(super) fn parse(mut notes: &[u8], core: &mut CoreFile) {
    while let Some((note, rest)) = split(notes) {
        take(&note, core);
        notes = rest;
    }
}

struct Note<'a> {
    name: &'a [u8],
    kind: u32,
    content: &'a [u8],
}

/// The first note, and what is behind it.
fn split(notes: &[u8]) -> Option<(Note<'_>, &[u8])> {
    let (name_size, size) = (read_u32(notes, 0)?, read_u32(notes, 4)?);
    let name = part(notes, 12, u64::from(name_size))?;
    let content_at = 12 + aligned(u64::from(name_size));
    let content = part(notes, content_at, u64::from(size))?;
    let behind = usize::try_from(content_at + aligned(u64::from(size))).ok()?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Some((Note { name, kind: read_u32(notes, 8)?, content }, notes.get(behind..).unwrap_or_default()))
}

fn aligned(size: u64) -> u64 {
    size.next_multiple_of(4)
}

fn take(note: &Note<'_>, core: &mut CoreFile) {
    match (note.name, note.kind) {
        (OURS, note_type::PRIVATE) => core.private = note.content.to_vec(),
        (OURS, _) => {}
        (_, note_type::STATUS) => core.threads.extend(thread(note.content)),
        (_, note_type::PROCESS) => take_process(note.content, core),
        (_, note_type::AUXILIARY) => core.auxiliary = note.content.to_vec(),
        (_, note_type::FILES) => core.files = files(note.content).unwrap_or_default(),
        (_, note_type::FLOATING) => of_last(core, |thread| thread.floating = note.content.to_vec()),
        (_, note_type::EXTENDED) => of_last(core, |thread| thread.extended = note.content.to_vec()),
        _ => {}
    }
}

/// Notes of a thread follow the one of its status.
fn of_last(core: &mut CoreFile, act: impl FnOnce(&mut CoreThread)) {
    if let Some(thread) = core.threads.last_mut() {
        act(thread);
    }
}

fn thread(content: &[u8]) -> Option<CoreThread> {
    let mut thread = CoreThread {
        tid: read_u32(content, field::STATUS_TID)?.cast_signed(),
        signal: i32::from(super::read::read_u16(content, field::STATUS_SIGNAL)?),
        ..CoreThread::default()
    };
    for (index, register) in thread.general.iter_mut().enumerate() {
        *register = read_u64(content, field::STATUS_REGISTERS + 8 * index)?;
    }
    Some(thread)
}

fn take_process(content: &[u8], core: &mut CoreFile) {
    if content.len() < field::PROCESS_SIZE {
        return;
    }
    let number = |at| read_u32(content, at).unwrap_or_default().cast_signed();
    core.process.pid = number(field::PROCESS_PID);
    core.process.parent = number(field::PROCESS_PARENT);
    core.process.name = text(&content[field::PROCESS_NAME..][..field::NAME_SIZE]);
    core.process.arguments = text(&content[field::PROCESS_ARGUMENTS..][..field::ARGUMENTS_SIZE]);
}

fn text(bytes: &[u8]) -> String {
    let whole = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(whole).trim_end().to_owned()
}

/// `NT_FILE`: a count, the unit of the offsets, three numbers for each file, and then all paths.
fn files(content: &[u8]) -> Option<Vec<CoreMapping>> {
    const ROW: usize = 24;
    let (count, unit) = (usize::try_from(read_u64(content, 0)?).ok()?, read_u64(content, 8)?);
    let rows = content.get(16..16_usize.checked_add(count.checked_mul(ROW)?)?)?;
    let mut paths = content[16 + rows.len()..].split(|byte| *byte == 0);
    let mapping = |row: &[u8]| {
        Some(CoreMapping {
            start: read_u64(row, 0)?,
            end: read_u64(row, 8)?,
            offset: read_u64(row, 16)?.checked_mul(unit)?,
            path: String::from_utf8_lossy(paths.next()?).into_owned(),
        })
    };
    rows.chunks_exact(ROW).map(mapping).collect()
}

/// All notes of a core file, in the order that GDB expects: the first thread's status, the process, then the rest.
pub(super) fn write(core: &CoreFile) -> Vec<u8> {
    let mut notes = Vec::new();
    for (index, thread) in core.threads.iter().enumerate() {
        append(&mut notes, b"CORE", note_type::STATUS, &status(thread, core));
        if index == 0 {
            append(&mut notes, b"CORE", note_type::PROCESS, &process(core));
            append(&mut notes, b"CORE", note_type::AUXILIARY, &core.auxiliary);
            append(&mut notes, b"CORE", note_type::FILES, &file_table(&core.files));
        }
        if !thread.floating.is_empty() {
            append(&mut notes, b"CORE", note_type::FLOATING, &thread.floating);
        }
        if !thread.extended.is_empty() {
            append(&mut notes, b"LINUX", note_type::EXTENDED, &thread.extended);
        }
    }
    if !core.private.is_empty() {
        append(&mut notes, OURS, note_type::PRIVATE, &core.private);
    }
    notes
}

fn append(notes: &mut Vec<u8>, name: &[u8], kind: u32, content: &[u8]) {
    let sizes = [name.len() + 1, content.len()].map(|size| u32::try_from(size).unwrap_or(u32::MAX));
    for number in [sizes[0], sizes[1], kind] {
        notes.extend(number.to_le_bytes());
    }
    notes.extend(name);
    notes.push(0);
    pad(notes);
    notes.extend(content);
    pad(notes);
}

fn pad(notes: &mut Vec<u8>) {
    notes.resize(notes.len().next_multiple_of(4), 0);
}

fn put(record: &mut [u8], at: usize, bytes: &[u8]) {
    record[at..at + bytes.len()].copy_from_slice(bytes);
}

fn status(thread: &CoreThread, core: &CoreFile) -> Vec<u8> {
    let mut record = vec![0; field::STATUS_SIZE];
    let signal = i16::try_from(thread.signal).unwrap_or_default();
    put(&mut record, 0, &thread.signal.to_le_bytes());
    put(&mut record, field::STATUS_SIGNAL, &signal.to_le_bytes());
    put(&mut record, field::STATUS_TID, &thread.tid.to_le_bytes());
    put(&mut record, field::STATUS_PARENT, &core.process.parent.to_le_bytes());
    for (index, register) in thread.general.iter().enumerate() {
        put(&mut record, field::STATUS_REGISTERS + 8 * index, &register.to_le_bytes());
    }
    record[field::STATUS_HAS_FLOATING] = u8::from(!thread.floating.is_empty());
    record
}

fn process(core: &CoreFile) -> Vec<u8> {
    let mut record = vec![0; field::PROCESS_SIZE];
    put(&mut record, field::PROCESS_PID, &core.process.pid.to_le_bytes());
    put(&mut record, field::PROCESS_PARENT, &core.process.parent.to_le_bytes());
    let cut = |text: &str, size: usize| text.as_bytes()[..text.len().min(size - 1)].to_vec();
    put(&mut record, field::PROCESS_NAME, &cut(&core.process.name, field::NAME_SIZE));
    put(&mut record, field::PROCESS_ARGUMENTS, &cut(&core.process.arguments, field::ARGUMENTS_SIZE));
    record
}

fn file_table(files: &[CoreMapping]) -> Vec<u8> {
    let mut table = Vec::new();
    let mut number = |value: u64| table.extend(value.to_le_bytes());
    number(files.len() as u64);
    number(PAGE);
    for file in files {
        [file.start, file.end, file.offset / PAGE].into_iter().for_each(&mut number);
    }
    for file in files {
        table.extend(file.path.as_bytes());
        table.push(0);
    }
    table
}
