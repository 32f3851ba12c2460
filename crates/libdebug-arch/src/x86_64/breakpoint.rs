//! The software breakpoint: `int3`.

/// What a breakpoint writes over the first byte of an instruction.
pub const TRAP: &[u8] = &[0xcc];

/// The length of [`TRAP`], in bytes.
pub const TRAP_LENGTH: usize = TRAP.len();

/// The address of the trap that left the program counter at `pc`: `int3` is a trap in the sense of the Intel
/// SDM, so it reports the address behind itself.
///
/// ```
/// use libdebug_arch::x86_64::breakpoint::address_of_trap;
/// assert_eq!(address_of_trap(0x401001), 0x401000);
/// ```
#[must_use]
pub const fn address_of_trap(pc: u64) -> u64 {
    pc.wrapping_sub(TRAP_LENGTH as u64)
}
