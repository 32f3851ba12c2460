//! The compact format, `.ldsnap`: a record of everything but memory, and each page once.
//!
//! | part | what |
//! |---|---|
//! | magic | 8 bytes |
//! | version | u32 |
//! | sizes | u32 each: of the compressed record, of the record itself; how many references to pages, how many pages |
//! | record | in the encoding of postcard, by zstd |
//! | references | u32 for each page of memory, in the order of the record's runs; 0 is a page of zeros |
//! | blocks | up to 512 pages each, by zstd, each behind its size as u32 |
//! | sum | CRC-32 of all that comes before |
//!
//! References are not compressed: so the memory that a file asks for is bounded by its own size.

use super::content::Content;
use super::file::Loaded;
use super::pages::{PageSet, PageStore};
use super::record::{MapRecord, Record};
use super::{Snapshot, SnapshotHost};
use std::io::{self, Write};

const MAGIC: &[u8; 8] = b"\x89LDSNAP\n";
const VERSION: u32 = 1;
const HEAD: usize = 28;
const SUM: usize = 4;
const COMPRESSION: i32 = 3;
/// No table of names compresses better than this.
const MOST_COMPRESSION: usize = 1 << 10;

pub(super) fn is_compact(data: &[u8]) -> bool {
    data.starts_with(MAGIC)
}

pub(super) fn write(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let record = postcard::to_allocvec(&Record::of(snapshot)).map_err(io::Error::other)?;
    let packed = zstd::bulk::compress(&record, COMPRESSION)?;
    let mut pages = PageSet::default();
    for run in snapshot.contents.iter().flatten().flat_map(Content::runs) {
        pages.add(&run.bytes);
    }
    let mut head = MAGIC.to_vec();
    let sizes = [packed.len(), record.len(), pages.references.len(), pages.count()];
    head.extend(VERSION.to_le_bytes());
    for size in sizes {
        let size = u32::try_from(size).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        head.extend(size.to_le_bytes());
    }
    let references: Vec<u8> = pages.references.iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut sum = crc32fast::Hasher::new();
    for part in [head, packed, references, pages.compressed()?] {
        sum.update(&part);
        out.write_all(&part)?;
    }
    out.write_all(&sum.finalize().to_le_bytes())
}

pub(super) fn load(data: &[u8], surroundings: SnapshotHost) -> Loaded<Snapshot> {
    let cut_short = || "the file is cut short".to_owned();
    let version = number(data, MAGIC.len()).ok_or_else(cut_short)?;
    if version != VERSION as usize {
        return Err(format!("it is of version {version}; this release reads version {VERSION}"));
    }
    let (content, sum) = data.split_at_checked(data.len().saturating_sub(SUM)).ok_or_else(cut_short)?;
    if content.len() < HEAD || sum != crc32fast::hash(content).to_le_bytes() {
        return Err("the file is damaged: its sum is wrong".to_owned());
    }
    let damaged = || "the file contradicts itself".to_owned();
    let size = |place: usize| number(content, 12 + 4 * place).ok_or_else(cut_short);
    let (packed, record_size, references, count) = (size(0)?, size(1)?, size(2)?, size(3)?);
    let (packed, rest) = content[HEAD..].split_at_checked(packed).ok_or_else(damaged)?;
    let (references, blocks) =
        references.checked_mul(4).and_then(|size| rest.split_at_checked(size)).ok_or_else(damaged)?;
    let record = unpack(packed, record_size).ok_or_else(damaged)?;
    let references = references.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    let mut store = PageStore::read(blocks, count, references).ok_or_else(damaged)?;
    let contents = record.maps.iter().map(|map| restore(map, &mut store)).collect::<Option<_>>();
    let contents = contents.filter(|_| store.is_used_up()).ok_or_else(damaged)?;
    record.restore(contents, surroundings)
}

fn number(data: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*data.get(at..)?.first_chunk()?)).ok()
}

fn unpack(packed: &[u8], size: usize) -> Option<Record> {
    if size / MOST_COMPRESSION > packed.len() {
        return None;
    }
    postcard::from_bytes(&zstd::bulk::decompress(packed, size).ok()?).ok()
}

/// The content of one map, if it has one: ascending runs that lie in what could be read.
fn restore(map: &MapRecord, store: &mut PageStore) -> Option<Option<Content>> {
    let Some(record) = &map.content else { return Some(None) };
    let size = map.end.checked_sub(map.start)?;
    let mut content = Content::zeros(size, record.readable);
    let mut reached = 0;
    for &(offset, length) in &record.runs {
        let end = offset.checked_add(length)?;
        if offset < reached || end > content.readable() {
            return None;
        }
        content.add(offset, store.take(length)?);
        reached = end;
    }
    Some(Some(content))
}
