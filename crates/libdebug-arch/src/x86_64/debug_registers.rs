//! Hardware breakpoints and watchpoints: DR0–DR3 hold addresses, DR7 says what they watch for, DR6 says which
//! fired (Intel SDM, volume 3, section 17.2). Pure encodings; the kernel is asked elsewhere.

/// How many addresses the processor can watch at once.
pub const SLOTS: usize = 4;

/// What makes a slot fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// The instruction at the address is about to be executed.
    Execute,
    /// Something was written there.
    Write,
    /// Something was read or written there. The processor cannot watch for reads alone.
    ReadWrite,
}

/// What one slot watches, checked to be something that the processor can watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Watch {
    address: u64,
    access: Access,
    length: u8,
}

/// Why the processor cannot watch that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WatchError {
    /// Only 1, 2, 4 and 8 bytes can be watched.
    #[error("a hardware watchpoint covers 1, 2, 4 or 8 bytes, not {length}")]
    Length {
        /// The length asked for, in bytes.
        length: u64,
    },
    /// An execution breakpoint has the length 1.
    #[error("a hardware breakpoint on execution has length 1, not {length}")]
    ExecuteLength {
        /// The length asked for, in bytes.
        length: u64,
    },
    /// The address must be a multiple of the length.
    #[error(
        "a hardware watchpoint of {length} bytes needs an address that is a multiple of it, not {address:#x}"
    )]
    Alignment {
        /// The address asked for.
        address: u64,
        /// The length asked for, in bytes.
        length: u64,
    },
}

impl Watch {
    /// Checks that the processor can watch `length` bytes at `address`.
    ///
    /// ```
    /// use libdebug_arch::x86_64::debug_registers::{Access, Watch, WatchError};
    /// assert!(Watch::new(0x1000, Access::Write, 8).is_ok());
    /// assert_eq!(
    ///     Watch::new(0x1001, Access::Write, 2),
    ///     Err(WatchError::Alignment { address: 0x1001, length: 2 })
    /// );
    /// ```
    ///
    /// # Errors
    /// [`WatchError`] when it cannot.
    pub const fn new(address: u64, access: Access, length: u64) -> Result<Self, WatchError> {
        if !matches!(length, 1 | 2 | 4 | 8) {
            return Err(WatchError::Length { length });
        }
        if matches!(access, Access::Execute) && length != 1 {
            return Err(WatchError::ExecuteLength { length });
        }
        if !address.is_multiple_of(length) {
            return Err(WatchError::Alignment { address, length });
        }
        Ok(Self { address, access, length: length as u8 })
    }

    /// The watched address: the value for DR0–DR3.
    #[must_use]
    pub const fn address(&self) -> u64 {
        self.address
    }

    /// What makes it fire.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// How many bytes it covers.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length as u64
    }
}

const fn access_bits(access: Access) -> u64 {
    match access {
        Access::Execute => 0b00,
        Access::Write => 0b01,
        Access::ReadWrite => 0b11,
    }
}

const fn length_bits(length: u8) -> u64 {
    match length {
        8 => 0b10,
        4 => 0b11,
        2 => 0b01,
        _ => 0b00,
    }
}

/// DR7 for these slots: every filled one enabled for the thread, with its kind and length.
///
/// ```
/// use libdebug_arch::x86_64::debug_registers::{Access, Watch, control};
/// let watch = Watch::new(0x1000, Access::Write, 4).unwrap();
/// assert_eq!(control(&[Some(watch), None, None, None]), 0x000d_0001);
/// ```
#[must_use]
pub fn control(slots: &[Option<Watch>; SLOTS]) -> u64 {
    slots.iter().enumerate().map(|(slot, watch)| watch.map_or(0, |watch| slot_control(slot, &watch))).sum()
}

const fn slot_control(slot: usize, watch: &Watch) -> u64 {
    let kind = length_bits(watch.length) << 2 | access_bits(watch.access);
    kind << (16 + 4 * slot) | 1 << (2 * slot)
}

/// What DR6 reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fired {
    /// For each slot, whether its condition was met. The processor also reports slots that are not enabled.
    pub slots: [bool; SLOTS],
    /// The trap flag caused the exception: a single step ended.
    pub single_step: bool,
}

/// Decodes DR6. The processor never clears it: whoever reads it writes 0 back.
///
/// ```
/// use libdebug_arch::x86_64::debug_registers::decode_status;
/// let fired = decode_status(0xffff_4ff2);
/// assert_eq!((fired.slots, fired.single_step), ([false, true, false, false], true));
/// ```
#[must_use]
pub fn decode_status(dr6: u64) -> Fired {
    Fired { slots: std::array::from_fn(|slot| dr6 >> slot & 1 == 1), single_step: dr6 >> 14 & 1 == 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_kind_and_length_has_its_bits() {
        let table = [
            (0, Access::Execute, 1, 0x0000_0001),
            (1, Access::Write, 1, 0x0010_0004),
            (2, Access::Write, 2, 0x0500_0010),
            (3, Access::ReadWrite, 4, 0xf000_0040),
            (0, Access::ReadWrite, 8, 0x000b_0001),
            (3, Access::Write, 8, 0x9000_0040),
            (2, Access::ReadWrite, 2, 0x0700_0010),
        ];
        for (slot, access, length, expected) in table {
            let mut slots = [None; SLOTS];
            slots[slot] = Some(Watch::new(0x1000, access, length).unwrap());
            assert_eq!(control(&slots), expected, "{slot} {access:?} {length}");
        }
    }

    #[test]
    fn slots_do_not_disturb_each_other() {
        let write = Some(Watch::new(0x1000, Access::Write, 4).unwrap());
        let execute = Some(Watch::new(0x1003, Access::Execute, 1).unwrap());
        assert_eq!(control(&[execute, write, None, write]), 0xd0d0_0045);
        assert_eq!(control(&[None; SLOTS]), 0);
    }

    #[test]
    fn what_cannot_be_watched_is_an_error() {
        let table = [
            (0x1000, Access::Write, 3, WatchError::Length { length: 3 }),
            (0x1000, Access::Write, 0, WatchError::Length { length: 0 }),
            (0x1000, Access::ReadWrite, 16, WatchError::Length { length: 16 }),
            (0x1000, Access::Execute, 4, WatchError::ExecuteLength { length: 4 }),
            (0x1004, Access::Write, 8, WatchError::Alignment { address: 0x1004, length: 8 }),
            (0x1001, Access::ReadWrite, 2, WatchError::Alignment { address: 0x1001, length: 2 }),
        ];
        for (address, access, length, expected) in table {
            assert_eq!(Watch::new(address, access, length), Err(expected));
        }
        assert!(Watch::new(0x1001, Access::Execute, 1).is_ok());
    }

    #[test]
    fn status_tells_slots_and_steps() {
        let table = [
            (0xffff_0ff0, [false; 4], false),
            (0xffff_0ff1, [true, false, false, false], false),
            (0xffff_0ffa, [false, true, false, true], false),
            (0xffff_4ff0, [false; 4], true),
            (0x4004, [false, false, true, false], true),
        ];
        for (dr6, slots, single_step) in table {
            assert_eq!(decode_status(dr6), Fired { slots, single_step }, "{dr6:#x}");
        }
    }
}
