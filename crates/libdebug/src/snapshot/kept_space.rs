//! The address space of a snapshot: what looks at processes looks at it in the same way.

use std::ops::Range;
use std::sync::Arc;

use libdebug_image::Image;
use libdebug_kernel::proc::Map;

use super::Snapshot;
use crate::error::Result;
use crate::space::AddressSpace;
use crate::symbol_sources::SymbolSources;

pub(crate) struct KeptSpace<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// Code that the level leaves out is read from its file.
    pub(super) has_code: bool,
}

impl KeptSpace<'_> {
    fn read_map(&self, place: usize, offset: u64, buffer: &mut [u8]) -> usize {
        match self.snapshot.content(place) {
            Some(content) => content.read(offset, buffer),
            None if self.has_code => self.read_file(place, offset, buffer).unwrap_or_default(),
            None => 0,
        }
    }

    /// What a map of a file that nobody can write to has: the file's.
    fn read_file(&self, place: usize, offset: u64, buffer: &mut [u8]) -> Option<usize> {
        let is_code = |map: &&Map| map.is_executable() && map.permissions[1] != b'w';
        let map = self.snapshot.maps.get(place).filter(is_code)?;
        let image = self.snapshot.images.get(&map.path)?;
        let start = usize::try_from(map.offset.checked_add(offset)?).ok()?;
        let left = usize::try_from(map.end - map.start - offset).ok()?;
        let bytes = image.data().get(start..)?;
        let size = bytes.len().min(left).min(buffer.len());
        buffer[..size].copy_from_slice(&bytes[..size]);
        Some(size)
    }
}

impl AddressSpace for KeptSpace<'_> {
    fn maps(&self) -> Result<Arc<[Map]>> {
        Ok(Arc::clone(&self.snapshot.maps))
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let Some(at) = address.checked_add(done as u64) else { break };
            let Some(place) = self.snapshot.place_of(at) else { break };
            let read = self.read_map(place, at - self.snapshot.maps[place].start, &mut buffer[done..]);
            if read == 0 {
                break;
            }
            done += read;
        }
        Ok(done)
    }

    fn populated(&self, map: &Map) -> Vec<Range<u64>> {
        let content = self.snapshot.place_of(map.start).and_then(|place| self.snapshot.content(place));
        let parts = content.into_iter().flat_map(super::Content::populated);
        parts.map(|part| map.start + part.start..map.start + part.end).collect()
    }

    fn image(&self, path: &str) -> Option<Arc<Image>> {
        self.snapshot.images.get(path).cloned()
    }

    fn symbol_sources(&self) -> Arc<SymbolSources> {
        self.snapshot.surroundings.sources.get()
    }

    fn program(&self) -> Result<String> {
        Ok(self.snapshot.facts.program.clone())
    }
}

impl Snapshot {
    /// The place of the map that holds an address.
    pub(super) fn place_of(&self, address: u64) -> Option<usize> {
        let behind = self.maps.partition_point(|map| map.start <= address);
        let place = behind.checked_sub(1)?;
        self.maps[place].contains(address).then_some(place)
    }
}
