//! Core files as snapshots: our own, the kernel's, and those of other debuggers.

use libdebug_image::{CoreFile, CoreSegment, CoreThread};
use libdebug_kernel::Tid;
use libdebug_kernel::proc::Map;

use super::file::Loaded;
use super::record::{Record, assemble, images};
use super::{Content, Facts, KeptRegisters, KeptThread, Snapshot, SnapshotHost, SnapshotKind, SnapshotLevel};

/// Parts of this size are left out of memory when they are zeros.
const PIECE: usize = 64 << 10;
static ZEROS: [u8; PIECE] = [0; PIECE];
/// A key of the auxiliary vector: where the vDSO is.
const VDSO: u64 = 33;

pub(super) fn load(data: &[u8], surroundings: SnapshotHost) -> Loaded<Snapshot> {
    let core = CoreFile::parse(data).map_err(|error| error.to_string())?;
    let contents: Vec<_> = core.segments.iter().map(|segment| content(data, segment)).collect();
    if let Some(record) = own_record(&core) {
        return record.restore(contents, surroundings);
    }
    let maps = maps(&core);
    let images = images(&maps, |_| None);
    let facts = facts(&core, level(&maps, &contents));
    let threads = core.threads.into_iter().map(thread).collect();
    assemble(facts, threads, maps, contents, images, surroundings)
}

/// What we have added to a core file of our own, if it still fits.
fn own_record(core: &CoreFile) -> Option<Record> {
    let record: Record = postcard::from_bytes(&core.private).ok()?;
    let places = record.maps.iter().map(|map| (map.start, map.end));
    let segments = core.segments.iter().map(|segment| (segment.address, segment.address + segment.size));
    places.eq(segments).then_some(record)
}

fn content(data: &[u8], segment: &CoreSegment) -> Option<Content> {
    let start = usize::try_from(segment.file_offset).ok()?;
    let size = usize::try_from(segment.file_size).ok()?;
    let bytes = data.get(start..start.checked_add(size)?).filter(|bytes| !bytes.is_empty())?;
    let mut content = Content::zeros(segment.size, segment.file_size);
    for (offset, piece) in (0..).step_by(PIECE).zip(bytes.chunks(PIECE)) {
        if *piece != ZEROS[..piece.len()] {
            content.add(offset, piece.to_vec());
        }
    }
    Some(content)
}

fn maps(core: &CoreFile) -> Vec<Map> {
    let vdso = auxiliary(&core.auxiliary, VDSO);
    let stack = core.threads.first().map(|thread| thread.general[libdebug_arch::x86_64::index::RSP]);
    let map = |segment: &CoreSegment| {
        let mut map = bare_map(segment);
        let file = core.files.iter().find(|file| (file.start..file.end).contains(&map.start));
        if let Some(file) = file {
            (map.path, map.offset) = (file.path.clone(), file.offset + (map.start - file.start));
        } else if vdso == Some(map.start) {
            map.path = "[vdso]".to_owned();
        } else if stack.is_some_and(|stack| map.contains(stack)) {
            map.path = "[stack]".to_owned();
        }
        map
    };
    core.segments.iter().filter(|segment| segment.size > 0).map(map).collect()
}

fn bare_map(segment: &CoreSegment) -> Map {
    let letter = |is_set: bool, letter: u8| if is_set { letter } else { b'-' };
    let CoreSegment { readable, writable, executable, .. } = *segment;
    let permissions = [letter(readable, b'r'), letter(writable, b'w'), letter(executable, b'x'), b'p'];
    let (start, end) = (segment.address, segment.address + segment.size);
    Map { start, end, permissions, offset: 0, inode: 0, path: String::new() }
}

fn auxiliary(vector: &[u8], key: u64) -> Option<u64> {
    let words = vector.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect::<Vec<_>>();
    words.as_chunks().0.iter().find(|[known, _]| *known == key).map(|[_, value]| *value)
}

fn thread(thread: CoreThread) -> KeptThread {
    let registers = KeptRegisters::of_core(thread.general, &thread.floating, thread.extended);
    KeptThread { tid: Tid(thread.tid), id: 0, signal: thread.signal, registers }
}

/// What the kernel leaves out is what files have.
fn level(maps: &[Map], contents: &[Option<Content>]) -> SnapshotLevel {
    let is_there = |content: &Option<Content>| content.as_ref().is_some_and(Content::is_whole);
    let of_files = maps.iter().zip(contents).filter(|(map, _)| map.has_file());
    if contents.iter().all(Option::is_none) {
        SnapshotLevel::Base
    } else if of_files.into_iter().all(|(_, content)| is_there(content)) {
        SnapshotLevel::Full
    } else {
        SnapshotLevel::Writable
    }
}

fn facts(core: &CoreFile, level: SnapshotLevel) -> Facts {
    Facts {
        kind: SnapshotKind::Process,
        level,
        id: 0,
        name: None,
        pid: core.process.pid,
        parent: core.process.parent,
        aslr: true,
        program: program(core),
        arguments: core.process.arguments.clone(),
        auxiliary: core.auxiliary.clone(),
    }
}

/// The file of the program headers that the auxiliary vector tells, else one that is called as the program is.
fn program(core: &CoreFile) -> String {
    const HEADERS: u64 = 3;
    let headers = auxiliary(&core.auxiliary, HEADERS);
    let has_headers = |start: u64, end: u64| headers.is_some_and(|headers| (start..end).contains(&headers));
    let by_place = core.files.iter().find(|file| has_headers(file.start, file.end));
    let is_called =
        |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with(&core.process.name));
    let by_name = || core.files.iter().find(|file| is_called(&file.path));
    by_place.or_else(by_name).map(|file| file.path.clone()).unwrap_or_default()
}
