use std::cell::RefCell;
use std::rc::Rc;

use iced_x86::{
    Decoder, DecoderOptions, Formatter, IntelFormatter, OpKind, Register, SymbolResolver, SymbolResult,
};

use super::instruction::{kind, target};
use crate::{DisassembledInstruction, Instruction, InstructionKind};

/// No instruction is longer, in bytes: Intel SDM, volume 2, 2.3.11.
pub const LONGEST_INSTRUCTION: usize = 15;

/// Which of the two instruction encodings a thread executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum CodeSize {
    /// 64-bit mode.
    #[default]
    Bits64,
    /// Compatibility mode: 32-bit programs.
    Bits32,
}

impl CodeSize {
    /// That of a thread by its selector `cs`, as Linux assigns them (arch/x86/include/asm/segment.h).
    ///
    /// ```
    /// use libdebug_arch::x86_64::CodeSize;
    /// assert_eq!(CodeSize::of_selector(0x33), CodeSize::Bits64);
    /// assert_eq!(CodeSize::of_selector(0x23), CodeSize::Bits32);
    /// ```
    #[must_use]
    pub const fn of_selector(cs: u64) -> Self {
        const USER32: u64 = 0x23;
        if cs == USER32 { Self::Bits32 } else { Self::Bits64 }
    }

    const fn bits(self) -> u32 {
        match self {
            Self::Bits64 => 64,
            Self::Bits32 => 32,
        }
    }
}

/// Tells a name of what lies at an address: a symbol, and the distance from its start.
pub type NameOf<'a> = dyn FnMut(u64) -> Option<(String, u64)> + 'a;

/// Writes instructions in Intel's syntax.
///
/// ```
/// use libdebug_arch::x86_64::{CodeSize, Disassembler};
/// let mut disassembler = Disassembler::new(CodeSize::Bits64);
/// let call = disassembler.next(&[0xe8, 0xfb, 0x0f, 0, 0], 0x1000, &mut |to| Some(("puts".into(), to - 0x2000)));
/// assert_eq!(call.text(), "call puts");
/// assert_eq!(call.instruction.target, Some(0x2000));
/// assert_eq!(disassembler.next(&[0x06], 0, &mut |_| None).text(), "(bad)");
/// ```
pub struct Disassembler {
    size: CodeSize,
    formatter: IntelFormatter,
    named: Rc<RefCell<Option<Named>>>,
}

/// What the instruction at hand refers to.
struct Named {
    address: u64,
    name: String,
    offset: u64,
}

/// The formatter owns its resolver, so what it is to resolve is handed to it for one instruction at a time.
struct Resolver(Rc<RefCell<Option<Named>>>);

impl SymbolResolver for Resolver {
    fn symbol(
        &mut self,
        instruction: &iced_x86::Instruction,
        _: u32,
        operand: Option<u32>,
        address: u64,
        _: u32,
    ) -> Option<SymbolResult<'_>> {
        if !is_place(instruction.try_op_kind(operand?).ok()?) {
            return None;
        }
        let named = self.0.borrow();
        let named = named.as_ref().filter(|named| named.address == address)?;
        let start = address.wrapping_sub(named.offset);
        Some(SymbolResult::with_string(start, named.name.clone()))
    }
}

/// Operands that are addresses, and not numbers that look like one.
const fn is_place(kind: OpKind) -> bool {
    matches!(kind, OpKind::Memory | OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64)
}

impl Disassembler {
    /// For code of that size.
    #[must_use]
    pub fn new(size: CodeSize) -> Self {
        let named = Rc::new(RefCell::new(None));
        let resolver = Box::new(Resolver(Rc::clone(&named)));
        let mut formatter = IntelFormatter::with_options(Some(resolver), None);
        let options = formatter.options_mut();
        options.set_hex_prefix("0x");
        options.set_hex_suffix("");
        options.set_uppercase_hex(false);
        options.set_branch_leading_zeros(false);
        options.set_show_branch_size(false);
        Self { size, formatter, named }
    }

    /// The first instruction of `bytes`, which lie at `address`; one byte that is no instruction, shown as `(bad)`, where
    /// no valid and complete one starts. Addresses in it are written as `name_of` tells them.
    pub fn next(&mut self, bytes: &[u8], address: u64, name_of: &mut NameOf<'_>) -> DisassembledInstruction {
        let raw = Decoder::with_ip(self.size.bits(), bytes, address, DecoderOptions::NONE).decode();
        if raw.is_invalid() {
            return bad(address);
        }
        let named = reference(&raw)
            .and_then(|to| name_of(to).map(|(name, offset)| Named { address: to, name, offset }));
        *self.named.borrow_mut() = named;
        self.formatted(&raw, address)
    }

    fn formatted(&mut self, raw: &iced_x86::Instruction, address: u64) -> DisassembledInstruction {
        let mut mnemonic = String::new();
        self.formatter.format_mnemonic(raw, &mut mnemonic);
        let operands = (0..self.formatter.operand_count(raw)).map(|index| {
            let mut operand = String::new();
            // An operand beyond the count is the only error there is.
            let _ = self.formatter.format_operand(raw, &mut operand, index);
            operand
        });
        let operands = operands.collect();
        let (kind, target) = (kind(raw), target(raw));
        let instruction = Instruction { address, length: raw.len(), kind, target };
        DisassembledInstruction { instruction, mnemonic, operands }
    }
}

/// The address that an instruction names by itself, whatever is in registers.
fn reference(raw: &iced_x86::Instruction) -> Option<u64> {
    if let Some(target) = target(raw) {
        return Some(target);
    }
    if raw.is_ip_rel_memory_operand() {
        return Some(raw.ip_rel_memory_address());
    }
    let has_memory = (0..raw.op_count()).any(|operand| raw.op_kind(operand) == OpKind::Memory);
    let alone = raw.memory_base() == Register::None
        && raw.memory_index() == Register::None
        && raw.segment_prefix() == Register::None;
    (has_memory && alone).then(|| raw.memory_displacement64())
}

fn bad(address: u64) -> DisassembledInstruction {
    let instruction = Instruction { address, length: 1, kind: InstructionKind::Invalid, target: None };
    DisassembledInstruction { instruction, mnemonic: "(bad)".to_owned(), operands: Vec::new() }
}
