//! An address space for tests.

use std::ops::Range;
use std::sync::Arc;

use libdebug_image::Image;
use libdebug_kernel::proc::Map;

use super::AddressSpace;
use crate::error::Result;

/// Memory of given content; `None` for a page that cannot be read.
pub(crate) struct Kept {
    pub(crate) maps: Arc<[Map]>,
    pub(crate) content: Vec<(u64, Option<Vec<u8>>)>,
    pub(crate) populated: Option<Range<u64>>,
}

impl AddressSpace for Kept {
    fn maps(&self) -> Result<Arc<[Map]>> {
        Ok(Arc::clone(&self.maps))
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let at = address + done as u64;
            let holds = |(start, bytes): &&(u64, Option<Vec<u8>>)| {
                let size = bytes.as_ref().map_or(4096, Vec::len) as u64;
                (*start..start + size).contains(&at)
            };
            let Some((start, Some(bytes))) = self.content.iter().find(holds) else { break };
            let rest = &bytes[(at - start) as usize..];
            let size = rest.len().min(buffer.len() - done);
            buffer[done..done + size].copy_from_slice(&rest[..size]);
            done += size;
        }
        Ok(done)
    }

    fn populated(&self, map: &Map) -> Vec<Range<u64>> {
        vec![self.populated.clone().unwrap_or(map.start..map.end); 1]
    }

    fn image(&self, _: &str) -> Option<Arc<Image>> {
        None
    }

    fn program(&self) -> Result<String> {
        Ok("/bin/program".to_owned())
    }
}

pub(crate) fn map(start: u64, end: u64, path: &str) -> Map {
    Map { start, end, permissions: *b"rw-p", offset: 0, inode: 0, path: path.to_owned() }
}

pub(crate) fn kept(parts: &[(u64, &str, Vec<u8>)]) -> Kept {
    let maps = parts.iter().map(|(start, path, bytes)| map(*start, start + bytes.len() as u64, path));
    let content = parts.iter().map(|(start, _, bytes)| (*start, Some(bytes.clone()))).collect();
    Kept { maps: maps.collect(), content, populated: None }
}
