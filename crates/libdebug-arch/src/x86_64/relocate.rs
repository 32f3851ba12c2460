//! One instruction, moved. Bytes are copied and patched rather than encoded anew wherever that is possible, so
//! that no prefix changes its meaning on the way.

use iced_x86::{Code, ConstantOffsets, Decoder, DecoderOptions, Encoder, FlowControl, Mnemonic, Register};

use crate::stub::Boundary;
use crate::{CannotRelocate, Stub};

/// Builds code for address `to` with the effect of the instruction that `bytes` starts with and that belongs
/// at `from`, and which then continues behind the original. Its length is at most `max_len` bytes.
///
/// A call leaves the *original* return address on the stack, and flags and registers are touched only as the
/// instruction itself does; what remains visible is what the processor records: the x87 instruction pointer
/// names the copy. A call is built from a store and a jump, so programs that run under
/// a hardware shadow stack need another way.
///
/// ```
/// let push = libdebug_arch::x86_64::relocate(&[0x55], 0x40_1000, 0x40_9000, 64).unwrap();
/// assert_eq!(push.code, [0x55, 0xe9, 0xfb, 0x7f, 0xff, 0xff]);
/// ```
///
/// A one-byte instruction takes the one behind it along where that can simply be copied too: then no thread
/// comes back to stand right behind the first byte, where a trap leaves one that has just executed it.
///
/// # Errors
/// [`CannotRelocate`] when the instruction only works at its own address.
pub fn relocate(bytes: &[u8], from: u64, to: u64, max_len: usize) -> Result<Stub, CannotRelocate> {
    let source = Source::decode(bytes, from)?;
    let mut stub = Builder { to, code: Vec::with_capacity(32), boundaries: Vec::with_capacity(3), covers: 0 };
    match companion(&source, bytes) {
        Some(next) => stub.emit_both(&source, &next)?,
        None => stub.emit(&source)?,
    }
    if stub.code.len() > max_len {
        return Err(CannotRelocate::TooLong { needed: stub.code.len() });
    }
    Ok(Stub { code: stub.code, boundaries: stub.boundaries, covers: stub.covers })
}

/// The instruction behind a one-byte one, if both only have to be copied.
fn companion<'a>(source: &Source<'_>, bytes: &'a [u8]) -> Option<Source<'a>> {
    let next = Source::decode(bytes.get(1..)?, source.raw.next_ip()).ok()?;
    let copied = |source: &Source<'_>| source.recipe() == Ok(Recipe::CopyAndReturn);
    (source.bytes.len() == 1 && copied(source) && copied(&next)).then_some(next)
}

pub(super) struct Source<'a> {
    pub(super) raw: iced_x86::Instruction,
    pub(super) offsets: ConstantOffsets,
    pub(super) bytes: &'a [u8],
}

/// How an instruction is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recipe {
    /// Copy it, then jump back.
    CopyAndReturn,
    /// Copy it; it goes elsewhere by itself.
    Copy,
    /// Copy it, then give `rcx`, in which the processor leaves its own address, the original one.
    Syscall,
    Jump,
    ConditionalJump,
    DirectCall,
    IndirectCall,
}

impl<'a> Source<'a> {
    pub(super) fn decode(bytes: &'a [u8], from: u64) -> Result<Self, CannotRelocate> {
        let mut decoder = Decoder::with_ip(64, bytes, from, DecoderOptions::NONE);
        let raw = decoder.decode();
        match bytes.get(..raw.len()) {
            Some(bytes) if !raw.is_invalid() => {
                Ok(Self { raw, offsets: decoder.get_constant_offsets(&raw), bytes })
            }
            _ => Err(CannotRelocate::Undecodable),
        }
    }

    fn recipe(&self) -> Result<Recipe, CannotRelocate> {
        let raw = &self.raw;
        match raw.flow_control() {
            FlowControl::Next => Ok(Recipe::CopyAndReturn),
            FlowControl::Return if raw.mnemonic() == Mnemonic::Ret => Ok(Recipe::Copy),
            FlowControl::Call if raw.mnemonic() == Mnemonic::Syscall => Ok(Recipe::Syscall),
            FlowControl::XbeginXabortXend if raw.mnemonic() != Mnemonic::Xbegin => Ok(Recipe::CopyAndReturn),
            FlowControl::UnconditionalBranch
            | FlowControl::ConditionalBranch
            | FlowControl::Call
            | FlowControl::IndirectBranch
            | FlowControl::IndirectCall => self.branch_recipe(),
            FlowControl::Return
            | FlowControl::XbeginXabortXend
            | FlowControl::Interrupt
            | FlowControl::Exception => Err(CannotRelocate::AddressMatters),
        }
    }

    fn branch_recipe(&self) -> Result<Recipe, CannotRelocate> {
        let raw = &self.raw;
        // Intel ignores the operand-size prefix of a near branch, AMD truncates the target to 16 bits.
        if self.has_operand_size_prefix() {
            return Err(CannotRelocate::UnsupportedForm);
        }
        match raw.code() {
            Code::Jmp_rel8_64 | Code::Jmp_rel32_64 => Ok(Recipe::Jump),
            Code::Jmp_rm64 => Ok(Recipe::Copy),
            Code::Call_rel32_64 => Ok(Recipe::DirectCall),
            Code::Call_rm64 => Ok(Recipe::IndirectCall),
            _ if raw.flow_control() == FlowControl::ConditionalBranch => Ok(Recipe::ConditionalJump),
            _ => Err(CannotRelocate::UnsupportedForm),
        }
    }

    pub(super) fn has_operand_size_prefix(&self) -> bool {
        let is_prefix = |byte: &&u8| matches!(**byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3);
        self.bytes.iter().take_while(is_prefix).any(|&byte| byte == 0x66)
    }
}

struct Builder {
    to: u64,
    code: Vec<u8>,
    boundaries: Vec<Boundary>,
    covers: usize,
}

impl Builder {
    fn emit_both(&mut self, first: &Source<'_>, second: &Source<'_>) -> Result<(), CannotRelocate> {
        self.mark(first.raw.ip());
        self.copy(first)?;
        self.mark(second.raw.ip());
        self.copy(second)?;
        self.jump_marked(second.raw.next_ip());
        self.covers = first.bytes.len() + second.bytes.len();
        Ok(())
    }

    fn emit(&mut self, source: &Source<'_>) -> Result<(), CannotRelocate> {
        let recipe = source.recipe()?;
        self.mark(source.raw.ip());
        self.covers = source.bytes.len();
        match recipe {
            Recipe::Copy => self.copy(source)?,
            Recipe::CopyAndReturn => {
                self.copy(source)?;
                self.jump_marked(source.raw.next_ip());
            }
            Recipe::Syscall => {
                self.copy(source)?;
                self.mark(source.raw.next_ip());
                self.code.extend_from_slice(&[0x48, 0xb9]); // mov rcx, imm64
                self.code.extend_from_slice(&source.raw.next_ip().to_le_bytes());
                self.jump(source.raw.next_ip());
            }
            Recipe::Jump => self.jump(source.raw.near_branch_target()),
            Recipe::ConditionalJump => self.conditional(source),
            Recipe::DirectCall => {
                self.push_return_address(source.raw.next_ip());
                self.jump(source.raw.near_branch_target());
            }
            Recipe::IndirectCall => {
                self.push_return_address(source.raw.next_ip());
                self.indirect_call_as_jump(source)?;
            }
        }
        Ok(())
    }

    fn here(&self) -> u64 {
        self.to.wrapping_add(self.code.len() as u64)
    }

    fn mark(&mut self, original: u64) {
        self.boundaries.push(Boundary { offset: self.code.len(), original });
    }

    fn copy(&mut self, source: &Source<'_>) -> Result<(), CannotRelocate> {
        let start = self.code.len();
        let here = self.here();
        self.code.extend_from_slice(source.bytes);
        if source.raw.is_ip_rel_memory_operand() {
            let displacement = rip_displacement(source, here)?;
            self.patch(start + source.offsets.displacement_offset(), &displacement.to_le_bytes());
        }
        Ok(())
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.code.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// The branch keeps its bytes and skips the jump back when it is taken: one shape for `jcc`, `loop` and
    /// `jrcxz`, whatever their reach.
    fn conditional(&mut self, source: &Source<'_>) {
        let start = self.code.len();
        self.code.extend_from_slice(source.bytes);
        let fall_through = self.code.len();
        self.jump_marked(source.raw.next_ip());
        let skip = (self.code.len() - fall_through) as i32;
        let size = source.offsets.immediate_size();
        let bytes = skip.to_le_bytes();
        self.patch(start + source.offsets.immediate_offset(), &bytes[..size.min(4)]);
        self.jump_marked(source.raw.near_branch_target());
    }

    fn jump_marked(&mut self, target: u64) {
        self.mark(target);
        self.jump(target);
    }

    fn jump(&mut self, target: u64) {
        match i32::try_from(distance(self.here().wrapping_add(5), target)) {
            Ok(near) => {
                self.code.push(0xe9);
                self.code.extend_from_slice(&near.to_le_bytes());
            }
            Err(_) => {
                self.code.extend_from_slice(&[0xff, 0x25, 0, 0, 0, 0]);
                self.code.extend_from_slice(&target.to_le_bytes());
            }
        }
    }

    /// `lea rsp, [rsp-8]` and two stores: a push of 64 bits that changes neither flags nor registers.
    fn push_return_address(&mut self, address: u64) {
        let [b0, b1, b2, b3, b4, b5, b6, b7] = address.to_le_bytes();
        self.code.extend_from_slice(&[0x48, 0x8d, 0x64, 0x24, 0xf8]);
        self.code.extend_from_slice(&[0xc7, 0x04, 0x24, b0, b1, b2, b3]);
        self.code.extend_from_slice(&[0xc7, 0x44, 0x24, 0x04, b4, b5, b6, b7]);
    }

    fn indirect_call_as_jump(&mut self, source: &Source<'_>) -> Result<(), CannotRelocate> {
        let jump = call_to_jump(&source.raw)?;
        let mut encoder = Encoder::new(64);
        encoder.encode(&jump, self.here()).map_err(|_| unencodable(&source.raw))?;
        self.code.append(&mut encoder.take_buffer());
        Ok(())
    }
}

/// The call's operand under a `jmp`, seen from a stack pointer that is already 8 lower.
fn call_to_jump(call: &iced_x86::Instruction) -> Result<iced_x86::Instruction, CannotRelocate> {
    if call.op0_register() == Register::RSP || call.memory_base() == Register::ESP {
        return Err(CannotRelocate::UnsupportedForm);
    }
    let mut jump = *call;
    jump.set_code(Code::Jmp_rm64);
    if call.memory_base() == Register::RSP {
        let displacement = (call.memory_displacement64() as i64).wrapping_add(8);
        let size = if i8::try_from(displacement).is_ok() { 1 } else { 8 };
        jump.set_memory_displacement64(displacement as u64);
        jump.set_memory_displ_size(size);
    }
    Ok(jump)
}

fn unencodable(raw: &iced_x86::Instruction) -> CannotRelocate {
    if raw.is_ip_rel_memory_operand() {
        CannotRelocate::OutOfReach { target: raw.ip_rel_memory_address() }
    } else {
        CannotRelocate::UnsupportedForm
    }
}

/// The displacement that names the same memory from the copy at `here`.
pub(super) fn rip_displacement(source: &Source<'_>, here: u64) -> Result<i32, CannotRelocate> {
    let target = source.raw.ip_rel_memory_address();
    let distance = distance(here.wrapping_add(source.bytes.len() as u64), target);
    // With the address-size prefix the sum is cut to 32 bits, which makes every address reachable.
    if source.raw.memory_base() == Register::EIP {
        return Ok(distance as i32);
    }
    i32::try_from(distance).map_err(|_| CannotRelocate::OutOfReach { target })
}

pub(super) const fn distance(from: u64, to: u64) -> i64 {
    to.wrapping_sub(from) as i64
}
