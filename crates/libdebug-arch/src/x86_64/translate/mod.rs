//! Stretches of a program, rewritten so that they count themselves.
//!
//! A *block* is a straight line of the program's instructions up to a branch, for another address. It begins by adding
//! their number to a counter of the thread's own, which lies at a fixed distance from the base of `gs`; the
//! instructions follow as they are, and where it ends there are *exits*, traps of their own that can be replaced by jumps to
//! other blocks. Branches whose target is in a register or in memory, returns among them, go through a *lookup*
//! from the program's addresses to blocks. Neither flags nor the stack beyond what the program itself puts there are touched,
//! return addresses are the program's own, and the registers that counting needs are put back.
//!
//! [`Mark`]s tell for each place in a block what the program believes: where it is, how much of the block it has
//! executed, and which of its registers are in the thread's area meanwhile.

mod emit;
mod lookup;
mod plan;
mod repeat;

use emit::{Emitter, Scratch};
use iced_x86::{Code, Encoder, Instruction, MemoryOperand, Register};
use plan::{Ending, Plan, Recipe};

use super::relocate::{Source, rip_displacement};

pub use lookup::{ENTRY_SIZE, KEYS, TABLE_SIZE, entry_of, entry_offset, lookup};

/// Where the words of a thread's own are, in bytes from the base of `gs`.
pub mod area {
    /// What `rax` holds for the program while a block uses it.
    pub const RAX: u32 = 0;
    /// The same for `rcx`.
    pub const RCX: u32 = 8;
    /// The same for `rdx`.
    pub const RDX: u32 = 16;
    /// Where an indirect branch goes.
    pub const TARGET: u32 = 24;
    /// The block that the lookup has found.
    pub const LANDING: u32 = 32;
    /// `rcx` before a repeated instruction.
    pub const ITERATIONS: u32 = 40;
    /// All instructions so far.
    pub const TOTAL: u32 = 48;
    /// How often each block was executed, by its slot: words from here on.
    pub const SLOTS: u32 = 64;
    /// The words before the slots.
    pub const WORDS: usize = 8;
}

/// Where a block will lie, and what it refers to.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The address of its first byte, a multiple of 16.
    pub to: u64,
    /// The address of [`lookup`]'s code, which a relative jump reaches.
    pub lookup: u64,
    /// The slot that counts this block, if each block is counted.
    pub slot: Option<u32>,
    /// Whether the block traps before its first instruction when [`area::TOTAL`] with the whole block is not negative any more.
    /// Repeated instructions, whose number shows too late, are no blocks then.
    pub is_limited: bool,
}

/// A block of the program's instructions that counts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The bytes for the place that it was made for.
    pub code: Vec<u8>,
    /// How long each of the program's instructions is, one behind the other.
    pub lengths: Vec<u8>,
    /// What the program believes, ascending by offset.
    pub marks: Vec<Mark>,
    /// Where it is left for addresses that are known.
    pub exits: Vec<Exit>,
    /// Where a call that ends it returns to.
    pub returns_to: Option<u64>,
    /// Where the trap of a limit is.
    pub limit: Option<u16>,
}

/// Five bytes of a block that trap, or jump to another one once that is known ([`link`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Where they are in the block; they do not cross a multiple of 8.
    pub offset: u16,
    /// Where the program goes.
    pub target: u64,
}

/// From this offset on, up to the next mark, this holds for a thread that is about to execute what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// In the block.
    pub offset: u16,
    /// How many of the program's instructions are executed.
    pub done: u8,
    /// Where the program is.
    pub at: At,
    /// What of the block is added to the counters.
    pub counted: Counted,
    /// Which registers are in the thread's area.
    pub spilled: Spilled,
    /// The iterations of a repeated instruction that no counter has yet.
    pub iterations: Iterations,
}

/// Where the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At the first instruction that is not done.
    Instruction,
    /// Where this exit leads.
    Exit(u8),
    /// At the address in [`area::TARGET`].
    Target,
}

/// What of a block is added to the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// Nothing.
    Nothing,
    /// The number of its instructions to [`area::TOTAL`].
    Total,
    /// That, and one to its slot where it has one.
    All,
}

/// Registers whose values are in the thread's area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spilled {
    /// None.
    Nothing,
    /// `rax`.
    Rax,
    /// `rax` and `rcx`.
    RaxRcx,
    /// `rax`, `rcx` and `rdx`.
    All,
}

/// How often a repeated instruction was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iterations {
    /// There is none.
    None,
    /// By how much `rcx` is less than [`area::ITERATIONS`].
    Register,
    /// By how much [`area::RCX`] is less than [`area::ITERATIONS`].
    Saved,
}

/// The block that begins with the first of `bytes`, which are the program's from `from` on; `None` where an instruction
/// begins that only works at its own address, asks the kernel for something, or concerns `gs`.
///
/// ```
/// use libdebug_arch::x86_64::translate::{Place, translate};
/// let place = Place { to: 0x9000, lookup: 0x8000, slot: None, is_limited: false };
/// let block = translate(&[0x90, 0xff, 0xc9, 0x75, 0xfb], 0x1000, &place).unwrap(); // nop; dec ecx; jne 0x1000
/// assert_eq!(block.lengths, [1, 2, 2]);
/// assert_eq!(block.exits.iter().map(|exit| exit.target).collect::<Vec<_>>(), [0x1005, 0x1000]);
/// assert!(translate(&[0x0f, 0x05], 0x1000, &place).is_none()); // syscall
/// ```
#[must_use]
pub fn translate(bytes: &[u8], from: u64, place: &Place) -> Option<Block> {
    let mut maker =
        Maker { out: Emitter::new(place.to), place: *place, exits: Vec::new(), count: 0, limit: None };
    let (lengths, returns_to) = match plan::plan(bytes, from, place.to)? {
        Plan::Line { body, ending } => {
            let lengths = body.iter().map(|(source, _)| source).chain(ending.source());
            let lengths: Vec<u8> = lengths.map(|source| source.bytes.len() as u8).collect();
            maker.count = lengths.len() as u8;
            maker.line(&body, &ending)?;
            (lengths, ending.returns_to())
        }
        Plan::Repeat(_) if place.is_limited => return None,
        Plan::Repeat(source) => {
            maker.count = 1;
            maker.repeat(&source);
            (vec![source.bytes.len() as u8], None)
        }
    };
    let Maker { out, exits, limit, .. } = maker;
    let (code, marks) = out.finish();
    Some(Block { code, lengths, marks, exits, returns_to, limit })
}

/// What replaces the bytes of an exit at `exit` so that it leads to the block at `block`; `None` when that is too far.
///
/// Where other threads may execute it meanwhile the last four bytes are to be written first, and the first one then:
/// until that one changes it is a trap.
#[must_use]
pub fn link(exit: u64, block: u64) -> Option<[u8; 5]> {
    let distance = i32::try_from(block.wrapping_sub(exit.wrapping_add(5)).cast_signed()).ok()?;
    let [a, b, c, d] = distance.to_le_bytes();
    Some([0xe9, a, b, c, d])
}

struct Maker {
    out: Emitter,
    place: Place,
    exits: Vec<Exit>,
    /// How many of the program's instructions the block has.
    count: u8,
    limit: Option<u16>,
}

impl Maker {
    fn line(&mut self, body: &[(Source<'_>, Recipe)], ending: &Ending<'_>) -> Option<()> {
        self.prologue();
        for (number, (source, recipe)) in body.iter().enumerate() {
            self.out.done(number as u8);
            self.body(source, *recipe)?;
        }
        self.out.done(body.len() as u8);
        self.ending(ending)
    }

    /// Counts the block.
    fn prologue(&mut self) {
        self.out.not_counted();
        self.out.save(Scratch::Rax, area::RAX);
        self.add_from_rax_free(self.count);
        if self.place.is_limited {
            self.trap_at_limit();
        }
        self.out.load(Scratch::Rax, area::RAX);
    }

    /// With `rax` in the area: a trap, unless the total is negative.
    fn trap_at_limit(&mut self) {
        self.out.save(Scratch::Rcx, area::RCX);
        self.out.spilled(Spilled::RaxRcx);
        let [a, b, c, d] = (area::TOTAL + 7).to_le_bytes();
        self.out.bytes(&[0x65, 0x0f, 0xb6, 0x0c, 0x25, a, b, c, d]); // movzx ecx, byte gs:[TOTAL+7]
        self.out.bytes(&[0xe3, 0x02, 0xeb, 0x01]); // jrcxz to the trap, jmp behind it
        self.limit = Some(self.out.bytes(&[0xcc]) as u16);
        self.out.load(Scratch::Rcx, area::RCX);
        self.out.spilled(Spilled::Rax);
    }

    /// With `rax` in the area: `count` more instructions, one more block.
    fn add_from_rax_free(&mut self, count: u8) {
        self.out.load(Scratch::Rax, area::TOTAL);
        self.out.spilled(Spilled::Rax);
        self.out.add_to_rax(count);
        self.out.save(Scratch::Rax, area::TOTAL);
        if let Some(slot) = self.slot() {
            self.out.counted(Counted::Total);
            self.out.load(Scratch::Rax, slot);
            self.out.add_to_rax(1);
            self.out.save(Scratch::Rax, slot);
        }
        self.out.counted(Counted::All);
    }

    fn slot(&self) -> Option<u32> {
        self.place.slot.map(|slot| area::SLOTS + slot * 8)
    }

    fn body(&mut self, source: &Source<'_>, recipe: Recipe) -> Option<()> {
        match recipe {
            Recipe::Copy => {
                let here = self.out.here();
                let start = self.out.bytes(source.bytes);
                if source.raw.is_ip_rel_memory_operand() {
                    let displacement = rip_displacement(source, here).ok()?;
                    self.out.patch(start + source.offsets.displacement_offset(), &displacement.to_le_bytes());
                }
                Some(())
            }
            Recipe::Constant => self.encode(&constant(source)?),
            Recipe::Absolute => self.encode(&absolute(&source.raw)),
        }
    }

    fn encode(&mut self, instruction: &Instruction) -> Option<()> {
        let mut encoder = Encoder::new(64);
        encoder.encode(instruction, self.out.here()).ok()?;
        self.out.bytes(&encoder.take_buffer());
        Some(())
    }

    fn ending(&mut self, ending: &Ending<'_>) -> Option<()> {
        match ending {
            Ending::Fall(target) => self.exit(*target),
            Ending::Jump(source) => self.exit(source.raw.near_branch_target()),
            Ending::Conditional(source) => self.conditional(source),
            Ending::Call(source) => {
                self.out.push_constant(source.raw.next_ip());
                self.exit(source.raw.near_branch_target());
            }
            Ending::IndirectJump(source) => self.indirect(source, None)?,
            Ending::IndirectCall(source) => self.indirect(source, Some(source.raw.next_ip()))?,
            Ending::Return(source, size) => self.give_back(source, *size),
        }
        Some(())
    }

    /// Everything is done: on to `target`.
    fn exit(&mut self, target: u64) {
        self.out.all_done(self.count, At::Exit(self.exits.len() as u8));
        let offset = self.out.trap();
        self.exits.push(Exit { offset, target });
    }

    /// The branch keeps its bytes and skips the first exit when it is taken.
    fn conditional(&mut self, source: &Source<'_>) {
        let start = self.out.bytes(source.bytes);
        let behind = self.out.length();
        self.exit(source.raw.next_ip());
        self.out.align_exit();
        let skip = (self.out.length() - behind) as i32;
        let size = source.offsets.immediate_size().min(4);
        self.out.patch(start + source.offsets.immediate_offset(), &skip.to_le_bytes()[..size]);
        self.exit(source.raw.near_branch_target());
    }

    fn indirect(&mut self, source: &Source<'_>, returns_to: Option<u64>) -> Option<()> {
        self.out.save(Scratch::Rax, area::RAX);
        self.encode(&load_target(&source.raw, self.out.here())?)?;
        self.out.spilled(Spilled::Rax);
        self.out.save(Scratch::Rax, area::TARGET);
        if let Some(address) = returns_to {
            self.out.push_constant(address);
        }
        self.look_up();
        Some(())
    }

    /// A return: the return address, and the stack pointer behind it.
    fn give_back(&mut self, _source: &Source<'_>, size: u16) {
        self.out.save(Scratch::Rax, area::RAX);
        self.out.bytes(&[0x48, 0x8b, 0x04, 0x24]); // mov rax, [rsp]
        self.out.spilled(Spilled::Rax);
        self.out.save(Scratch::Rax, area::TARGET);
        self.out.bytes(&[0x48, 0x8d, 0xa4, 0x24]); // lea rsp, [rsp+disp32]
        self.out.bytes(&(8 + u32::from(size)).to_le_bytes());
        self.look_up();
    }

    fn look_up(&mut self) {
        self.out.all_done(self.count, At::Target);
        self.out.spilled(Spilled::Rax);
        self.out.jump(self.place.lookup);
    }
}

/// `lea` of an address that is known, as a move of that address.
fn constant(source: &Source<'_>) -> Option<Instruction> {
    let target = source.raw.ip_rel_memory_address();
    let register = source.raw.op0_register();
    match source.raw.code() {
        Code::Lea_r64_m => Instruction::with2(Code::Mov_r64_imm64, register, target).ok(),
        Code::Lea_r32_m => Instruction::with2(Code::Mov_r32_imm32, register, target as u32).ok(),
        _ => None,
    }
}

/// The same with an operand that is named by its address instead of its distance.
fn absolute(raw: &Instruction) -> Instruction {
    let mut changed = *raw;
    let target = raw.ip_rel_memory_address();
    changed.set_memory_base(Register::None);
    changed.set_memory_displacement64(target);
    changed.set_memory_displ_size(8);
    changed
}

/// `mov rax` of the operand of an indirect branch.
fn load_target(raw: &Instruction, here: u64) -> Option<Instruction> {
    if raw.op0_kind() == iced_x86::OpKind::Register {
        return Instruction::with2(Code::Mov_r64_rm64, Register::RAX, raw.op0_register()).ok();
    }
    let segment = if raw.segment_prefix() == Register::FS { Register::FS } else { Register::None };
    let is_far = raw.is_ip_rel_memory_operand() && !plan::reaches(raw, here);
    let base = if is_far { Register::None } else { raw.memory_base() };
    let operand = MemoryOperand {
        segment_prefix: segment,
        base,
        index: raw.memory_index(),
        scale: raw.memory_index_scale(),
        displacement: raw.memory_displacement64().cast_signed(),
        displ_size: raw.memory_displ_size(),
        is_broadcast: false,
    };
    Instruction::with2(Code::Mov_r64_rm64, Register::RAX, operand).ok()
}
