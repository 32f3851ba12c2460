//! The registers of a frame, and what of a processor's ABI unwinding depends on.

use crate::Machine;

/// How many registers an ABI here numbers at most.
const COUNT: usize = 17;

/// The registers of one frame, by the numbers that DWARF gives them in the processor's ABI; some may be unknown.
///
/// On x86-64 (System V ABI, figure 3.36) 6 is rbp, 7 is rsp, 16 the return address, that is the frame's pc; on i386
/// 4 is esp, 5 is ebp, 8 the return address.
///
/// ```
/// use libdebug_image::FrameRegisters;
/// let mut registers = FrameRegisters::default();
/// registers.set(7, 0x7fff_0000);
/// assert_eq!((registers.get(7), registers.get(6), registers.get(900)), (Some(0x7fff_0000), None, None));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FrameRegisters {
    values: [u64; COUNT],
    known: u32,
}

impl FrameRegisters {
    /// The value of the register with that number, if it is known.
    #[must_use]
    pub fn get(&self, number: u16) -> Option<u64> {
        let value = self.values.get(usize::from(number))?;
        (self.known >> number & 1 == 1).then_some(*value)
    }

    /// Notes a value; numbers that the ABI has not are ignored.
    pub fn set(&mut self, number: u16, value: u64) {
        if let Some(place) = self.values.get_mut(usize::from(number)) {
            *place = value;
            self.known |= 1 << number;
        }
    }

    /// Makes a register unknown.
    pub fn forget(&mut self, number: u16) {
        if let Some(place) = self.values.get_mut(usize::from(number)) {
            *place = 0;
            self.known &= !(1 << number);
        }
    }

    /// The registers that are known, with their numbers.
    pub fn known(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        (0..COUNT as u16).filter_map(|number| Some((number, self.get(number)?)))
    }
}

/// What unwinding has to know of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abi {
    pub(super) word: u8,
    pub(super) stack_pointer: u16,
    /// The registers that a function leaves as they were, by number.
    preserved: &'static [u16],
}

impl Abi {
    pub(super) fn of(machine: Machine) -> Option<Self> {
        match machine {
            Machine::X86_64 => Some(Self { word: 8, stack_pointer: 7, preserved: &[3, 6, 12, 13, 14, 15] }),
            Machine::I386 => Some(Self { word: 4, stack_pointer: 4, preserved: &[3, 5, 6, 7] }),
            Machine::Aarch64 | Machine::Other(_) => None,
        }
    }

    /// What a caller's registers are as long as no rule says otherwise.
    pub(super) fn kept(self, registers: &FrameRegisters) -> FrameRegisters {
        let mut kept = FrameRegisters::default();
        for &number in self.preserved {
            if let Some(value) = registers.get(number) {
                kept.set(number, value);
            }
        }
        kept
    }

    /// An address, of as many bits as the processor has.
    pub(super) fn wrap(self, address: u64) -> u64 {
        if self.word == 4 { address & 0xffff_ffff } else { address }
    }
}
