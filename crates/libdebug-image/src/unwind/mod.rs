//! From a frame to its caller, by call frame information: DWARF 5, section 6.4, and the Linux Standard Base's
//! `.eh_frame`.

mod registers;
mod rules;
mod tables;

use gimli::UnwindContext;

pub use registers::FrameRegisters;
pub use rules::ReadMemory;
pub(crate) use tables::FrameTables;

use crate::{FileAddress, Image};
use registers::Abi;
use rules::Frame;
use tables::Found;

/// What unwinding says of the frame that called another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerFrame {
    /// The canonical frame address of the frame that was unwound: its caller's stack pointer at the call.
    pub cfa: u64,
    /// Where the caller goes on; `None` when nobody has called: the frame that was unwound is the outermost.
    pub pc: Option<u64>,
    /// The caller's registers, as far as they are known: those that functions preserve, and all of what a signal
    /// has interrupted.
    pub registers: FrameRegisters,
    /// The frame that was unwound is the kernel's, made to deliver a signal: its caller was interrupted at the pc, and
    /// has not made a call right before it.
    pub is_signal_frame: bool,
}

/// Why a frame could not be unwound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnwindError {
    /// No table of the file covers the address.
    #[error("no unwind table covers the address")]
    NoEntry,
    /// The table contradicts itself, or uses what no unwind table can.
    #[error("the unwind table is damaged")]
    Damaged,
    /// A register's place on the stack cannot be read.
    #[error("the stack at {0:#x} cannot be read")]
    Unreadable(u64),
    /// The rules need a register, given by its DWARF number, whose value is lost.
    #[error("the value of register {0} is not known")]
    UnknownRegister(u16),
}

/// Working memory, to be used for frame after frame.
#[derive(Default)]
pub struct UnwindScratch(UnwindContext<usize>);

impl std::fmt::Debug for UnwindScratch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("UnwindScratch").finish_non_exhaustive()
    }
}

impl Image {
    /// Whether a table covers the address, so that a frame there can be unwound.
    #[must_use]
    pub fn has_unwind_entry(&self, address: FileAddress) -> bool {
        Abi::of(self.machine()).is_some_and(|abi| self.frame_tables().find(self, abi.word, address).is_some())
    }

    /// The frame that called the one with these registers.
    ///
    /// `address` says which rules apply: the frame's pc for the innermost frame and for one that a signal has
    /// interrupted; for all others an address in the call, such as the byte before the pc, because a call can be a
    /// function's last instruction. `load_bias` is that of the file in the process whose memory `read` reads.
    ///
    /// x86-64 and i386.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use libdebug_image::{FrameRegisters, Image, UnwindError, UnwindScratch};
    ///
    /// let image = Image::parse(Arc::new(std::fs::read(std::env::current_exe()?)?))?;
    /// let main = image.symbol("main").unwrap().address;
    /// let mut registers = FrameRegisters::default();
    /// registers.set(7, 0x7ffc_1000); // at the function's first instruction rsp leads to the return address
    /// let mut read = |address: u64, buffer: &mut [u8]| {
    ///     buffer.copy_from_slice(&0x1234_u64.to_le_bytes()[..buffer.len()]);
    ///     address == 0x7ffc_1000
    /// };
    /// let caller = image.unwind(&mut UnwindScratch::default(), main, 0, &registers, &mut read)?;
    /// assert_eq!((caller.pc, caller.cfa), (Some(0x1234), 0x7ffc_1008));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`UnwindError`] says what is missing.
    pub fn unwind(
        &self,
        scratch: &mut UnwindScratch,
        address: FileAddress,
        load_bias: u64,
        registers: &FrameRegisters,
        read: ReadMemory<'_>,
    ) -> Result<CallerFrame, UnwindError> {
        let abi = Abi::of(self.machine()).ok_or(UnwindError::NoEntry)?;
        let found = self.frame_tables().find(self, abi.word, address).ok_or(UnwindError::NoEntry)?;
        match found {
            Found::Eh(section, entry) => Frame { section, abi, bias: load_bias, registers, read }.caller(
                &entry,
                address,
                &mut scratch.0,
            ),
            Found::Debug(section, entry) => Frame { section, abi, bias: load_bias, registers, read }.caller(
                &entry,
                address,
                &mut scratch.0,
            ),
        }
    }
}
