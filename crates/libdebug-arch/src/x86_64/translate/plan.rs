//! Which instructions become a block, and how each of them does.

use iced_x86::{Code, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::super::relocate::{Source, distance};

/// A block has so many instructions at most.
const MOST: usize = 64;
/// Relative operands reach 2 GiB; a little less, since where exactly the copy lies is not known yet.
const REACH: u64 = (1 << 31) - (1 << 16);

/// How an instruction in the middle of a block is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recipe {
    /// Its bytes, with the distance to its operand corrected.
    Copy,
    /// It computes an address that is known: a move of that.
    Constant,
    /// Its operand is too far, and has an address of 31 bits.
    Absolute,
}

/// How a block ends.
pub(super) enum Ending<'a> {
    /// The next instruction begins another block, or none.
    Fall(u64),
    Jump(Source<'a>),
    Conditional(Source<'a>),
    Call(Source<'a>),
    IndirectJump(Source<'a>),
    IndirectCall(Source<'a>),
    /// And how much of the stack it takes beside the return address.
    Return(Source<'a>, u16),
}

impl<'a> Ending<'a> {
    /// The instruction that it is made of.
    pub(super) fn source(&self) -> Option<&Source<'a>> {
        match self {
            Self::Fall(_) => None,
            Self::Jump(source)
            | Self::Conditional(source)
            | Self::Call(source)
            | Self::IndirectJump(source)
            | Self::IndirectCall(source)
            | Self::Return(source, _) => Some(source),
        }
    }

    pub(super) fn returns_to(&self) -> Option<u64> {
        match self {
            Self::Call(source) | Self::IndirectCall(source) => Some(source.raw.next_ip()),
            _ => None,
        }
    }
}

pub(super) enum Plan<'a> {
    Line { body: Vec<(Source<'a>, Recipe)>, ending: Ending<'a> },
    Repeat(Source<'a>),
}

/// What becomes of one instruction.
enum Part<'a> {
    Body(Source<'a>, Recipe),
    End(Ending<'a>),
    Repeat(Source<'a>),
    Odd,
}

/// The block that begins with `bytes`, for about `to`; `None` where there is none.
pub(super) fn plan(bytes: &[u8], from: u64, to: u64) -> Option<Plan<'_>> {
    let (mut body, mut offset) = (Vec::with_capacity(8), 0);
    while body.len() < MOST {
        let rest = bytes.get(offset..).unwrap_or_default();
        match part(rest, from.wrapping_add(offset as u64), to) {
            Part::Body(source, recipe) => {
                offset += source.bytes.len();
                body.push((source, recipe));
            }
            Part::End(ending) => return Some(Plan::Line { body, ending }),
            Part::Repeat(source) if body.is_empty() => return Some(Plan::Repeat(source)),
            Part::Repeat(_) | Part::Odd => break,
        }
    }
    let ending = Ending::Fall(from.wrapping_add(offset as u64));
    (!body.is_empty()).then_some(Plan::Line { body, ending })
}

fn part(bytes: &[u8], from: u64, to: u64) -> Part<'_> {
    let Ok(source) = Source::decode(bytes, from) else { return Part::Odd };
    if is_odd(&source.raw) {
        return Part::Odd;
    }
    match source.raw.flow_control() {
        FlowControl::Next if is_repeated(&source.raw) => match is_narrow(&source) {
            true => Part::Odd,
            false => Part::Repeat(source),
        },
        FlowControl::Next => match recipe(&source.raw, to) {
            Some(recipe) => Part::Body(source, recipe),
            None => Part::Odd,
        },
        _ => ending(source, to).map_or(Part::Odd, Part::End),
    }
}

fn is_repeated(raw: &Instruction) -> bool {
    raw.is_string_instruction() && (raw.has_rep_prefix() || raw.has_repne_prefix())
}

/// Whether the counter of a repeated instruction is `ecx`.
fn is_narrow(source: &Source<'_>) -> bool {
    let is_prefix = |byte: &&u8| matches!(**byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3);
    source.bytes.iter().take_while(is_prefix).any(|&byte| byte == 0x67)
}

/// What has to do with segments, most of all with `gs`, and what may set the trap flag.
fn is_odd(raw: &Instruction) -> bool {
    let is_segment = |operand: u32| {
        operand < raw.op_count()
            && raw.op_kind(operand) == OpKind::Register
            && raw.op_register(operand).is_segment_register()
    };
    raw.segment_prefix() == Register::GS
        || raw.memory_segment() == Register::GS
        || is_segment(0)
        || is_segment(1)
        || matches!(
            raw.mnemonic(),
            Mnemonic::Popf
                | Mnemonic::Popfd
                | Mnemonic::Popfq
                | Mnemonic::Rdgsbase
                | Mnemonic::Wrgsbase
                | Mnemonic::Swapgs
                | Mnemonic::Lss
                | Mnemonic::Lfs
                | Mnemonic::Lgs
                | Mnemonic::Insb
                | Mnemonic::Insw
                | Mnemonic::Insd
                | Mnemonic::Outsb
                | Mnemonic::Outsw
                | Mnemonic::Outsd
                | Mnemonic::Enclu
        )
}

fn recipe(raw: &Instruction, to: u64) -> Option<Recipe> {
    if !raw.is_ip_rel_memory_operand() || raw.memory_base() == Register::EIP || reaches(raw, to) {
        return Some(Recipe::Copy);
    }
    match raw.code() {
        Code::Lea_r64_m | Code::Lea_r32_m => Some(Recipe::Constant),
        _ => is_low(raw).then_some(Recipe::Absolute),
    }
}

/// Whether the operand can be named by its distance from about `to`.
pub(super) fn reaches(raw: &Instruction, to: u64) -> bool {
    distance(to, raw.ip_rel_memory_address()).unsigned_abs() < REACH
}

/// Whether the operand can be named by its address.
fn is_low(raw: &Instruction) -> bool {
    raw.ip_rel_memory_address() < REACH
}

fn ending(source: Source<'_>, to: u64) -> Option<Ending<'_>> {
    let raw = &source.raw;
    // Intel ignores the operand-size prefix of a near branch, AMD truncates the target to 16 bits.
    if source.has_operand_size_prefix() {
        return None;
    }
    let is_named = raw.is_ip_rel_memory_operand();
    let is_near = !is_named || raw.memory_base() != Register::EIP && (reaches(raw, to) || is_low(raw));
    match raw.code() {
        Code::Jmp_rel8_64 | Code::Jmp_rel32_64 => Some(Ending::Jump(source)),
        Code::Call_rel32_64 => Some(Ending::Call(source)),
        Code::Jmp_rm64 if is_near => Some(Ending::IndirectJump(source)),
        Code::Call_rm64 if is_near => Some(Ending::IndirectCall(source)),
        Code::Retnq => Some(Ending::Return(source, 0)),
        Code::Retnq_imm16 => {
            let size = raw.immediate16();
            Some(Ending::Return(source, size))
        }
        _ if raw.flow_control() == FlowControl::ConditionalBranch => Some(Ending::Conditional(source)),
        _ => None,
    }
}
