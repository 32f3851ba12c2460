//! The address space of a snapshot: what looks at processes looks at it in the same way.

use std::ops::Range;
use std::sync::Arc;

use libdebug_image::Image;
use libdebug_kernel::proc::Map;

use super::Snapshot;
use crate::error::Result;
use crate::space::AddressSpace;
use crate::symbol_sources::SymbolSources;

pub(crate) struct KeptSpace<'a>(pub(super) &'a Snapshot);

impl AddressSpace for KeptSpace<'_> {
    fn maps(&self) -> Result<Arc<[Map]>> {
        Ok(Arc::clone(&self.0.maps))
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let Some(at) = address.checked_add(done as u64) else { break };
            let Some((map, content)) = self.0.place_of(at).and_then(|place| self.0.known(place)) else {
                break;
            };
            let read = content.read(at - map.start, &mut buffer[done..]);
            if read == 0 {
                break;
            }
            done += read;
        }
        Ok(done)
    }

    fn populated(&self, map: &Map) -> Vec<Range<u64>> {
        let content = self.0.place_of(map.start).and_then(|place| self.0.content(place));
        let parts = content.into_iter().flat_map(super::Content::populated);
        parts.map(|part| map.start + part.start..map.start + part.end).collect()
    }

    fn image(&self, path: &str) -> Option<Arc<Image>> {
        self.0.images.get(path).cloned()
    }

    fn symbol_sources(&self) -> Arc<SymbolSources> {
        self.0.surroundings.sources.get()
    }

    fn program(&self) -> Result<String> {
        Ok(self.0.facts.program.clone())
    }
}

impl Snapshot {
    /// The place of the map that holds an address.
    pub(super) fn place_of(&self, address: u64) -> Option<usize> {
        let behind = self.maps.partition_point(|map| map.start <= address);
        let place = behind.checked_sub(1)?;
        self.maps[place].contains(address).then_some(place)
    }

    fn known(&self, place: usize) -> Option<(&Map, &super::Content)> {
        Some((&self.maps[place], self.content(place)?))
    }
}
