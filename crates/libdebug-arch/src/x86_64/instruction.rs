use iced_x86::{Decoder, DecoderOptions, FlowControl, Mnemonic};

use super::index;
use crate::{Instruction, InstructionKind, SavedFlags};

/// What the first instruction of `bytes` does when it lies at `address`; `None` when no complete, valid
/// instruction starts there.
///
/// ```
/// use libdebug_arch::{InstructionKind, x86_64::decode};
/// let jump = decode(&[0xeb, 0xfe], 0x1000).unwrap();
/// assert_eq!((jump.length, jump.kind, jump.target), (2, InstructionKind::Branch, Some(0x1000)));
/// assert!(decode(&[0xe8, 0x00], 0x1000).is_none());
/// ```
#[must_use]
pub fn decode(bytes: &[u8], address: u64) -> Option<Instruction> {
    let raw = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode();
    if raw.is_invalid() {
        return None;
    }
    Some(Instruction { address, length: raw.len(), kind: kind(&raw), target: target(&raw) })
}

/// Where the first instruction of `bytes` leaves a copy of the flags: `pushf` on the stack, `syscall` in r11.
///
/// ```
/// use libdebug_arch::{SavedFlags, x86_64::{index, saves_flags}};
/// assert_eq!(saves_flags(&[0x66, 0x9c]), Some(SavedFlags::OnStack));
/// assert_eq!(saves_flags(&[0x0f, 0x05]), Some(SavedFlags::InRegister(index::R11)));
/// assert_eq!(saves_flags(&[0x9d]), None);
/// ```
#[must_use]
pub fn saves_flags(bytes: &[u8]) -> Option<SavedFlags> {
    const OPERAND_SIZE: u8 = 0x66;
    const REX: std::ops::RangeInclusive<u8> = 0x40..=0x4f;
    let is_prefix = |byte: &u8| *byte == OPERAND_SIZE || REX.contains(byte);
    let prefixes = bytes.iter().take_while(|byte| is_prefix(byte)).count();
    match &bytes[prefixes..] {
        [0x9c, ..] => Some(SavedFlags::OnStack),
        [0x0f, 0x05, ..] => Some(SavedFlags::InRegister(index::R11)),
        _ => None,
    }
}

pub(super) fn kind(raw: &iced_x86::Instruction) -> InstructionKind {
    match (raw.mnemonic(), raw.flow_control()) {
        (Mnemonic::Syscall | Mnemonic::Sysenter, _) => InstructionKind::Syscall,
        (Mnemonic::Call, _) => InstructionKind::Call,
        (Mnemonic::Ret | Mnemonic::Retf, _) => InstructionKind::Return,
        (_, FlowControl::UnconditionalBranch | FlowControl::IndirectBranch) => InstructionKind::Branch,
        (_, FlowControl::ConditionalBranch) => InstructionKind::ConditionalBranch,
        (_, FlowControl::Interrupt) => InstructionKind::Interrupt,
        _ => InstructionKind::Other,
    }
}

pub(super) fn target(raw: &iced_x86::Instruction) -> Option<u64> {
    let direct = raw.is_call_near() || raw.is_jmp_short_or_near() || is_conditional(raw);
    direct.then(|| raw.near_branch_target())
}

pub(super) fn is_conditional(raw: &iced_x86::Instruction) -> bool {
    raw.flow_control() == FlowControl::ConditionalBranch
}
