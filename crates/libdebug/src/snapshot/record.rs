//! What a snapshot says beside the content of memory, as a plain record: what files of our own begin with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use libdebug_arch::x86_64::{GeneralRegisters, XsaveLayout};
use libdebug_image::Image;
use libdebug_kernel::Tid;
use libdebug_kernel::proc::Map;
use serde::{Deserialize, Serialize};

use super::file::Loaded;
use super::symbols::SymbolRecords;
use super::{Content, Facts, KeptRegisters, KeptThread, Snapshot, SnapshotHost};

/// Everything but content.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    facts: Facts,
    threads: Vec<ThreadRecord>,
    pub(super) maps: Vec<MapRecord>,
    /// The files that are mapped and were there, with their build ids.
    files: Vec<(String, Vec<u8>)>,
    symbols: SymbolRecords,
}

#[derive(Serialize, Deserialize)]
struct ThreadRecord {
    tid: i32,
    id: u32,
    signal: i32,
    general: Vec<u64>,
    extended: Vec<u8>,
    size: usize,
    places: [Option<usize>; 4],
}

#[derive(Serialize, Deserialize)]
pub(super) struct MapRecord {
    pub(super) start: u64,
    pub(super) end: u64,
    permissions: [u8; 4],
    offset: u64,
    inode: u64,
    path: String,
    pub(super) content: Option<ContentRecord>,
}

/// How much could be read, and the parts that are kept, by offset and size.
#[derive(Serialize, Deserialize)]
pub(super) struct ContentRecord {
    pub(super) readable: u64,
    pub(super) runs: Vec<(u64, u64)>,
}

impl Record {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let maps = snapshot.maps.iter().zip(&snapshot.contents);
        let file = |(path, image): (&String, &Arc<Image>)| {
            (path.clone(), image.build_id().unwrap_or_default().to_vec())
        };
        Self {
            facts: snapshot.facts.clone(),
            threads: snapshot.threads.iter().map(ThreadRecord::of).collect(),
            maps: maps.map(|(map, content)| MapRecord::of(map, content.as_ref())).collect(),
            files: snapshot.images.iter().map(file).collect(),
            symbols: snapshot.symbol_records(),
        }
    }

    /// The snapshot, with the content of each map.
    pub(super) fn restore(
        self,
        contents: Vec<Option<Content>>,
        surroundings: SnapshotHost,
    ) -> Loaded<Snapshot> {
        let threads = self.threads.into_iter().map(ThreadRecord::restore).collect::<Loaded<Vec<_>>>()?;
        let maps: Vec<Map> = self.maps.into_iter().map(MapRecord::restore).collect();
        let known: BTreeMap<_, _> = self.files.into_iter().collect();
        let images = images(&maps, |path| known.get(path).map(Vec::as_slice));
        Ok(assemble(self.facts, threads, maps, contents, images, surroundings)?.adopt(&self.symbols))
    }
}

/// A snapshot out of its parts, if they fit together.
pub(super) fn assemble(
    facts: Facts,
    threads: Vec<KeptThread>,
    maps: Vec<Map>,
    contents: Vec<Option<Content>>,
    images: BTreeMap<String, Arc<Image>>,
    surroundings: SnapshotHost,
) -> Loaded<Snapshot> {
    if threads.is_empty() {
        return Err("it has no thread".to_owned());
    }
    let is_sound = maps.iter().all(|map| map.start < map.end)
        && maps.windows(2).all(|pair| pair[0].end <= pair[1].start)
        && maps.len() == contents.len()
        && maps.iter().zip(&contents).all(|(map, content)| {
            content.as_ref().is_none_or(|content| content.size() == map.end - map.start)
        });
    if !is_sound {
        return Err("its memory maps contradict each other".to_owned());
    }
    Ok(Snapshot { facts, threads, maps: maps.into(), contents, images, orphans: Vec::new(), surroundings })
}

/// The files of maps as they are now, if they are still the ones of those build ids; an empty one says nothing.
pub(super) fn images<'a>(
    maps: &[Map],
    build_id: impl Fn(&str) -> Option<&'a [u8]>,
) -> BTreeMap<String, Arc<Image>> {
    let mut images = BTreeMap::new();
    for map in maps.iter().filter(|map| map.has_file()) {
        if images.contains_key(&map.path) {
            continue;
        }
        let same = |image: &Arc<Image>| match build_id(&map.path) {
            Some(known) if !known.is_empty() => image.build_id() == Some(known),
            _ => true,
        };
        if let Some(image) = crate::images::open(Path::new(&map.path)).filter(same) {
            images.insert(map.path.clone(), image);
        }
    }
    images
}

impl ThreadRecord {
    fn of(thread: &KeptThread) -> Self {
        let KeptRegisters { general, extended, layout } = &thread.registers;
        Self {
            tid: thread.tid.0,
            id: thread.id,
            signal: thread.signal,
            general: general.0.to_vec(),
            extended: extended.clone(),
            size: layout.size,
            places: [layout.ymm_high, layout.opmask, layout.zmm_high, layout.hi16_zmm],
        }
    }

    fn restore(self) -> Loaded<KeptThread> {
        let [ymm_high, opmask, zmm_high, hi16_zmm] = self.places;
        let layout = XsaveLayout { size: self.size, ymm_high, opmask, zmm_high, hi16_zmm };
        let general = self.general.try_into().map(GeneralRegisters);
        let general = general.map_err(|_| "a thread has another number of registers".to_owned())?;
        let registers = KeptRegisters { general, extended: self.extended, layout };
        if !registers.is_sound() {
            return Err("the registers of a thread are damaged".to_owned());
        }
        Ok(KeptThread { tid: Tid(self.tid), id: self.id, signal: self.signal, registers })
    }
}

impl MapRecord {
    fn of(map: &Map, content: Option<&Content>) -> Self {
        let content = content.map(|content| ContentRecord {
            readable: content.readable(),
            runs: content.populated().map(|part| (part.start, part.end - part.start)).collect(),
        });
        let Map { start, end, permissions, offset, inode, path } = map.clone();
        Self { start, end, permissions, offset, inode, path, content }
    }

    fn restore(self) -> Map {
        let Self { start, end, permissions, offset, inode, path, .. } = self;
        Map { start, end, permissions, offset, inode, path }
    }
}
