//! A stopped thread's innermost frame, as location expressions see it.

use std::fmt;

use gimli::{
    BaseAddresses, CfaRule, DebugFrame, EhFrame, LittleEndian, Register, UnwindContext, UnwindSection,
};

use super::evaluate::{Location, evaluate_plain};
use super::sections::Bytes;
use crate::{FileAddress, Image};

/// The values of a thread's registers, by their numbers in DWARF (of the processor's ABI supplement).
pub trait Registers {
    /// The register's value; `None` for one that is not known.
    fn register(&self, number: u16) -> Option<u64>;

    /// Fills the buffer from that virtual address on; false when not all of it can be read.
    fn read(&self, address: u64, buffer: &mut [u8]) -> bool;
}

/// A thread in a function of the image.
#[derive(Clone, Copy)]
pub struct Frame<'f> {
    /// Where it is, as the file counts.
    pub pc: FileAddress,
    /// By how much addresses in the process are greater than in the file.
    pub load_bias: u64,
    /// Its registers, and the memory of its process.
    pub registers: &'f dyn Registers,
    /// The canonical frame address, if it is known already; else it is looked for in the image.
    pub cfa: Option<u64>,
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Frame").field("pc", &self.pc).field("cfa", &self.cfa).finish_non_exhaustive()
    }
}

impl Frame<'_> {
    pub(super) fn unsigned(&self, address: u64, size: usize) -> Option<u64> {
        let mut word = [0; 8];
        let wanted = word.get_mut(..size)?;
        self.registers.read(address, wanted).then(|| u64::from_le_bytes(word))
    }

    /// The canonical frame address: the one that is known, else by the call frame information of the image.
    #[must_use]
    pub fn canonical_frame_address(&self, image: &Image) -> Option<u64> {
        self.cfa.or_else(|| self.by_eh_frame(image)).or_else(|| self.by_debug_frame(image))
    }

    fn by_eh_frame(&self, image: &Image) -> Option<u64> {
        let section = image.sections().find(|section| section.name == ".eh_frame")?;
        let mut table = EhFrame::new(image.bytes_of(&section)?, LittleEndian);
        table.set_address_size(if image.is_64_bit() { 8 } else { 4 });
        self.by_table(&table, &BaseAddresses::default().set_eh_frame(section.address.0))
    }

    fn by_debug_frame(&self, image: &Image) -> Option<u64> {
        let section = image.sections().find(|section| section.name == ".debug_frame")?;
        let mut table = DebugFrame::new(image.bytes_of(&section)?, LittleEndian);
        table.set_address_size(if image.is_64_bit() { 8 } else { 4 });
        self.by_table(&table, &BaseAddresses::default())
    }

    fn by_table<'a, S: UnwindSection<Bytes<'a>>>(&self, table: &S, bases: &BaseAddresses) -> Option<u64> {
        let mut context = UnwindContext::new();
        let entry = table.fde_for_address(bases, self.pc.0, S::cie_from_offset).ok()?;
        let encoding = entry.cie().encoding();
        let row = entry.unwind_info_for_address(table, bases, &mut context, self.pc.0).ok()?;
        match row.cfa() {
            CfaRule::RegisterAndOffset { register: Register(number), offset } => {
                Some(self.registers.register(*number)?.wrapping_add_signed(*offset))
            }
            CfaRule::Expression(expression) => {
                match evaluate_plain(expression.get(table).ok()?, encoding, self)? {
                    Location::Memory(address) => Some(address),
                    _ => None,
                }
            }
        }
    }
}
