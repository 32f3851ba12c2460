use std::fmt;

/// An address as the file writes it, before the loader moved the file: `p_vaddr`, `st_value`, `e_entry`.
///
/// ```
/// use libdebug_image::FileAddress;
/// assert_eq!(FileAddress(0x1139).in_process(0x5555_5555_4000), 0x5555_5555_5139);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileAddress(pub u64);

/// A position in the file, in bytes from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileOffset(pub u64);

impl FileAddress {
    /// The virtual address in a process that has the file loaded with that bias.
    #[must_use]
    pub const fn in_process(self, load_bias: u64) -> u64 {
        self.0.wrapping_add(load_bias)
    }

    /// The reverse of [`FileAddress::in_process`].
    #[must_use]
    pub const fn from_process(virtual_address: u64, load_bias: u64) -> Self {
        Self(virtual_address.wrapping_sub(load_bias))
    }
}

impl fmt::Display for FileAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

impl fmt::Display for FileOffset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}
