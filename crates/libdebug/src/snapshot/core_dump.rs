//! Snapshots as core files.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use libdebug_image::{CoreFile, CoreMapping, CoreProcess, CoreSegment, CoreThread};
use libdebug_kernel::proc::Map;

use super::record::Record;
use super::{Content, KeptThread, Snapshot};

/// The part of the XSAVE area that FXSAVE writes.
const FLOATING: usize = 512;
/// Up to here reach the components that have registers with names; GDB remarks on areas that are larger than what it
/// knows, as with the tiles of AMX.
const EXTENDED: usize = 2696;

/// What nobody has ever written to becomes a hole in the file.
pub(super) fn write(snapshot: &Snapshot, file: &mut BufWriter<File>) -> io::Result<()> {
    let (head, places) = describe(snapshot)?.head();
    file.write_all(&head)?;
    let mut end = head.len() as u64;
    for (content, place) in snapshot.contents.iter().zip(places) {
        let (Some(content), Some(place)) = (content, place) else { continue };
        for run in content.runs() {
            file.seek(SeekFrom::Start(place + run.offset))?;
            file.write_all(&run.bytes)?;
        }
        end = place + content.readable();
    }
    file.flush()?;
    // A hole at the end is only there if the file is that long.
    let length = file.get_ref().metadata()?.len();
    if length < end { file.get_ref().set_len(end) } else { Ok(()) }
}

fn describe(snapshot: &Snapshot) -> io::Result<CoreFile> {
    let mut record = Record::of(snapshot);
    for map in &mut record.maps {
        map.content = None;
    }
    let maps = snapshot.maps.iter().zip(&snapshot.contents);
    Ok(CoreFile {
        process: process(snapshot),
        threads: snapshot.threads.iter().map(thread).collect(),
        auxiliary: snapshot.facts.auxiliary.clone(),
        files: snapshot.maps.iter().filter(|map| map.has_file()).map(mapping).collect(),
        segments: maps.map(|(map, content)| segment(map, content.as_ref())).collect(),
        private: postcard::to_allocvec(&record).map_err(io::Error::other)?,
    })
}

fn process(snapshot: &Snapshot) -> CoreProcess {
    let facts = &snapshot.facts;
    CoreProcess {
        pid: facts.pid,
        parent: facts.parent,
        name: facts.program.rsplit('/').next().unwrap_or_default().to_owned(),
        arguments: facts.arguments.clone(),
    }
}

fn thread(thread: &KeptThread) -> CoreThread {
    let registers = &thread.registers;
    let floating = registers.extended.get(..FLOATING).unwrap_or_default();
    CoreThread {
        tid: thread.tid.0,
        signal: thread.signal,
        general: registers.general.0,
        floating: floating.to_vec(),
        extended: registers.extended[..registers.extended.len().min(EXTENDED)].to_vec(),
    }
}

fn mapping(map: &Map) -> CoreMapping {
    CoreMapping { start: map.start, end: map.end, offset: map.offset, path: map.path.clone() }
}

fn segment(map: &Map, content: Option<&Content>) -> CoreSegment {
    let [readable, writable, executable, _] = map.permissions;
    CoreSegment {
        address: map.start,
        size: map.end - map.start,
        file_size: content.map_or(0, Content::readable),
        file_offset: 0,
        readable: readable == b'r',
        writable: writable == b'w',
        executable: executable == b'x',
    }
}
