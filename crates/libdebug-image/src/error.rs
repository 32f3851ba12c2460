/// Why bytes could not be read as an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// They do not begin with the ELF magic.
    #[error("not an ELF file")]
    NotElf,
    /// An ELF file of a kind that is not read here: only little-endian ones of 32 and 64 bits are.
    #[error("unsupported ELF file: class {class}, data encoding {data}, machine {machine}")]
    Unsupported {
        /// `EI_CLASS`: 1 for 32 bits, 2 for 64 bits.
        class: u8,
        /// `EI_DATA`: 1 for little endian, 2 for big endian.
        data: u8,
        /// `e_machine`.
        machine: u16,
    },
    /// The file ends too early, or its headers contradict each other.
    #[error("damaged ELF file: {0}")]
    Damaged(&'static str),
}
