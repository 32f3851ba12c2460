//! What a file says about the file that holds its debug information.

use crate::Image;

/// `.gnu_debuglink`: the name of a file of debug information, and a checksum of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugLink<'image> {
    /// The file's name, without a directory.
    pub name: &'image str,
    /// The CRC-32 of its whole content.
    pub crc: u32,
}

impl DebugLink<'_> {
    /// Whether these bytes are the file's that is meant.
    ///
    /// ```
    /// use libdebug_image::DebugLink;
    /// assert!(DebugLink { name: "ls.debug", crc: 0xcbf4_3926 }.fits(b"123456789"));
    /// ```
    #[must_use]
    pub fn fits(&self, content: &[u8]) -> bool {
        crc32fast::hash(content) == self.crc
    }
}

impl Image {
    /// The file of debug information that this one names. A name with a directory in it is no name.
    #[must_use]
    pub fn debug_link(&self) -> Option<DebugLink<'_>> {
        let bytes = self.section_bytes(".gnu_debuglink")?;
        let end = memchr::memchr(0, bytes)?;
        let name = str::from_utf8(&bytes[..end]).ok()?;
        let crc = bytes.get((end + 1).next_multiple_of(4)..)?.first_chunk()?;
        let is_plain = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
        is_plain.then_some(DebugLink { name, crc: u32::from_le_bytes(*crc) })
    }
}
