//! Mini-debuginfo: symbols of a stripped file, compressed into it (`.gnu_debugdata`).

use std::io::{Cursor, Read};
use std::sync::Arc;

use lzma_rust2::XzReader;

use crate::Image;

/// The symbol table of the largest programs takes tens of megabytes.
const LARGEST: u64 = 128 << 20;
/// What the decoder's dictionary may take.
const DICTIONARY_KIB: u32 = 64 << 10;

impl Image {
    /// The file that is packed into this one with the symbols which stripping has removed; `None` without one, or where
    /// it is damaged or larger than any such file would be. Unpacked once, when first asked for.
    #[must_use]
    pub fn mini_debug_info(&self) -> Option<&Self> {
        self.mini.get_or_init(|| unpack(self.section_bytes(".gnu_debugdata")?)).as_deref()
    }
}

fn unpack(packed: &[u8]) -> Option<Box<Image>> {
    let reader = XzReader::new_mem_limit(Cursor::new(packed), false, DICTIONARY_KIB);
    let mut content = Vec::new();
    reader.take(LARGEST + 1).read_to_end(&mut content).ok()?;
    if content.len() as u64 > LARGEST {
        return None;
    }
    Image::parse(Arc::new(content)).ok().map(Box::new)
}
