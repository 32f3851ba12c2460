//! Bytes, and what the program believes at each of them.

use super::{At, Counted, Iterations, Mark, Spilled};

/// The registers that blocks use for themselves, by their numbers in instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scratch {
    Rax = 0,
    Rcx = 1,
    Rdx = 2,
}

/// The byte of a trap.
const TRAP: u8 = 0xcc;
/// An exit's bytes.
const EXIT: usize = 5;
/// What an exit must not cross, so that it can be replaced while others execute it.
const AT_ONCE: usize = 8;

/// Writes code for one address.
#[derive(Debug)]
pub(super) struct Emitter {
    to: u64,
    code: Vec<u8>,
    marks: Vec<Mark>,
    now: Mark,
    /// Constants, and where their distances are to be written.
    constants: Vec<(usize, u64)>,
}

impl Emitter {
    pub(super) fn new(to: u64) -> Self {
        let now = Mark {
            offset: 0,
            done: 0,
            at: At::Instruction,
            counted: Counted::Nothing,
            spilled: Spilled::Nothing,
            iterations: Iterations::None,
        };
        let (code, marks) = (Vec::with_capacity(256), Vec::with_capacity(24));
        Self { to, code, marks, now, constants: Vec::new() }
    }

    pub(super) fn length(&self) -> usize {
        self.code.len()
    }

    pub(super) fn here(&self) -> u64 {
        self.to.wrapping_add(self.code.len() as u64)
    }

    /// Adds bytes; answers where they begin.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> usize {
        self.note();
        let start = self.code.len();
        self.code.extend_from_slice(bytes);
        start
    }

    pub(super) fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.code.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// Notes what holds from here on, if that is something new.
    fn note(&mut self) {
        let offset = self.code.len() as u16;
        self.now.offset = offset;
        match self.marks.last() {
            Some(last) if Mark { offset, ..*last } == self.now => {}
            _ => self.marks.push(self.now),
        }
    }

    pub(super) fn not_counted(&mut self) {
        let counted = Counted::Nothing;
        self.now = Mark { counted, at: At::Instruction, spilled: Spilled::Nothing, done: 0, ..self.now };
        self.now.iterations = Iterations::None;
    }

    /// The block is counted, and at its instruction with this number.
    pub(super) fn done(&mut self, done: u8) {
        self.now.done = done;
        self.now.spilled = Spilled::Nothing;
    }

    pub(super) fn all_done(&mut self, count: u8, at: At) {
        self.now = Mark { done: count, at, spilled: Spilled::Nothing, ..self.now };
    }

    pub(super) fn counted(&mut self, counted: Counted) {
        self.now.counted = counted;
    }

    pub(super) fn spilled(&mut self, spilled: Spilled) {
        self.now.spilled = spilled;
    }

    pub(super) fn iterations(&mut self, iterations: Iterations) {
        self.now.iterations = iterations;
    }

    /// `mov gs:[word], register`
    pub(super) fn save(&mut self, register: Scratch, word: u32) {
        self.word(0x89, register, word);
    }

    /// `mov register, gs:[word]`
    pub(super) fn load(&mut self, register: Scratch, word: u32) {
        self.word(0x8b, register, word);
    }

    fn word(&mut self, opcode: u8, register: Scratch, word: u32) {
        let [a, b, c, d] = word.to_le_bytes();
        self.bytes(&[0x65, 0x48, opcode, 0x04 | (register as u8) << 3, 0x25, a, b, c, d]);
    }

    /// `lea rax, [rax+count]`
    pub(super) fn add_to_rax(&mut self, count: u8) {
        self.bytes(&[0x48, 0x8d, 0x40, count]);
    }

    /// `push qword [rip+distance]` of a constant behind the block: one instruction, so that a fault finds nothing half done.
    pub(super) fn push_constant(&mut self, constant: u64) {
        let start = self.bytes(&[0xff, 0x35, 0, 0, 0, 0]);
        self.constants.push((start + 2, constant));
    }

    /// `jmp rel32`
    pub(super) fn jump(&mut self, target: u64) {
        let distance = target.wrapping_sub(self.here().wrapping_add(5)) as u32;
        self.bytes(&[0xe9]);
        self.bytes(&distance.to_le_bytes());
    }

    /// Up to where an exit can begin.
    pub(super) fn align_exit(&mut self) {
        while (self.to as usize + self.code.len()) % AT_ONCE > AT_ONCE - EXIT {
            self.bytes(&[0x90]);
        }
    }

    /// An exit that traps; answers where.
    pub(super) fn trap(&mut self) -> u16 {
        self.align_exit();
        self.bytes(&[TRAP, 0, 0, 0, 0]) as u16
    }

    /// The code with its constants, and the marks.
    pub(super) fn finish(mut self) -> (Vec<u8>, Vec<Mark>) {
        for (place, constant) in std::mem::take(&mut self.constants) {
            while !(self.to as usize + self.code.len()).is_multiple_of(8) {
                self.code.push(TRAP);
            }
            let distance = (self.code.len() - (place + 4)) as u32;
            self.patch(place, &distance.to_le_bytes());
            self.code.extend_from_slice(&constant.to_le_bytes());
        }
        (self.code, self.marks)
    }
}
