//! From a frame to its caller where no table tells: by the conventions of compiled code on x86-64, each guess checked.

use libdebug_arch::x86_64::dwarf::{FRAME_POINTER, REGISTERS, RETURN_ADDRESS, STACK_POINTER};
use libdebug_arch::{InstructionKind, Isa};
use libdebug_image::{CallerFrame, FrameRegisters};

use super::Walk;

/// What a frame without a table has on its stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// The return address is on top: the function has just been entered, or is about to return or to go on elsewhere,
    /// as entries of procedure linkage tables do.
    ReturnOnTop,
    /// The caller's frame pointer is on top of the return address.
    PushedFramePointer,
    /// The kernel's frame of a signal is on top.
    Signal,
    /// Unknown from the instructions.
    Other,
}

/// Tells a function's first instructions and its last one from their bytes; `before` are those before the pc.
fn shape(before: &[u8], code: &[u8]) -> Shape {
    const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
    const PUSH_RBP: u8 = 0x55;
    /// `mov eax, 15; syscall`: rt_sigreturn(2), in both encodings that C libraries and Go use.
    const SIGRETURN: [&[u8]; 2] =
        [&[0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05], &[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05]];
    if SIGRETURN.iter().any(|text| code.starts_with(text)) {
        return Shape::Signal;
    }
    match code {
        [PUSH_RBP | 0xc3 | 0xc2, ..] | [0xf3, 0xc3, ..] => Shape::ReturnOnTop,
        // A jump through a word near by. Tables of switches are at a register's distance.
        [0xff, 0x25, ..] | [0xf2, 0xff, 0x25, ..] => Shape::ReturnOnTop,
        code if code.starts_with(&ENDBR64) => Shape::ReturnOnTop,
        [0x48, 0x89, 0xe5, ..] | [0x48, 0x8b, 0xec, ..] if before.last() == Some(&PUSH_RBP) => {
            Shape::PushedFramePointer
        }
        _ => Shape::Other,
    }
}

impl Walk<'_> {
    /// The caller by the instructions at the pc, the chain of frame pointers, or a return address on top of the stack.
    pub(super) fn guess(
        &mut self,
        pc: u64,
        registers: &FrameRegisters,
        is_exact: bool,
    ) -> Option<CallerFrame> {
        let sp = registers.get(STACK_POINTER)?;
        let shape = self.shape_at(pc, is_exact);
        let guessed = match shape {
            Shape::Signal => return self.interrupted(sp),
            Shape::ReturnOnTop => self.returning_to(registers, sp, None),
            Shape::PushedFramePointer => self.returning_to(registers, sp.wrapping_add(8), Some(sp)),
            Shape::Other => None,
        };
        let chained = guessed.or_else(|| {
            let frame = registers.get(FRAME_POINTER).filter(|&frame| frame >= sp && frame % 8 == 0)?;
            self.returning_to(registers, frame.wrapping_add(8), Some(frame))
        });
        // A leaf function need not keep the frame pointer at all, and code that is not there cannot.
        chained.or_else(|| if is_exact { self.returning_to(registers, sp, None) } else { None })
    }

    fn shape_at(&mut self, pc: u64, is_exact: bool) -> Shape {
        let (mut before, mut code) = ([0; 1], [0; 9]);
        let executable = self.modules.map_at(pc).is_some_and(libdebug_kernel::proc::Map::is_executable);
        if !executable {
            return Shape::Other;
        }
        let size = self.space.read(pc, &mut code).unwrap_or(0);
        let has_before = self.space.read(pc.wrapping_sub(1), &mut before).is_ok_and(|read| read == 1);
        match shape(&before[..usize::from(has_before)], &code[..size]) {
            // A return address is in the middle of a function, wherever that looks like.
            Shape::ReturnOnTop | Shape::PushedFramePointer if !is_exact => Shape::Other,
            shape => shape,
        }
    }

    /// The caller whose return address is at `place`, if that is one, and its frame pointer at `saved`.
    fn returning_to(
        &mut self,
        registers: &FrameRegisters,
        place: u64,
        saved: Option<u64>,
    ) -> Option<CallerFrame> {
        let pc = self.stack.word(place).filter(|&pc| self.is_behind_call(pc) || self.ends_handler(pc))?;
        let cfa = place.wrapping_add(8);
        let mut kept = match saved {
            Some(place) => {
                let mut kept = FrameRegisters::default();
                kept.set(FRAME_POINTER, self.stack.word(place)?);
                kept
            }
            // Without a frame nothing was saved, and so nothing was changed.
            None => preserved(registers),
        };
        kept.set(STACK_POINTER, cfa);
        kept.set(RETURN_ADDRESS, pc);
        Some(CallerFrame { cfa, pc: Some(pc), registers: kept, is_signal_frame: false })
    }

    /// What a signal has interrupted, by the kernel's `struct rt_sigframe`, whose `ucontext` is on top of the stack.
    fn interrupted(&mut self, sp: u64) -> Option<CallerFrame> {
        /// `uc_mcontext` begins with these registers, by their DWARF numbers (`asm/sigcontext.h`).
        const CONTEXT: [u16; 17] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16];
        const CONTEXT_OFFSET: u64 = 40;
        debug_assert_eq!(CONTEXT.len(), REGISTERS.len());
        let mut registers = FrameRegisters::default();
        for (place, number) in CONTEXT.into_iter().enumerate() {
            let at = sp.wrapping_add(CONTEXT_OFFSET + 8 * place as u64);
            registers.set(number, self.stack.word(at)?);
        }
        let (cfa, pc) = (registers.get(STACK_POINTER)?, registers.get(RETURN_ADDRESS));
        Some(CallerFrame { cfa, pc, registers, is_signal_frame: true })
    }

    /// Whether a signal's handler returns to `address`: there is no call before, as the kernel has called.
    fn ends_handler(&mut self, address: u64) -> bool {
        self.shape_at(address, false) == Shape::Signal
    }

    /// Whether a call comes right before `address`, in code.
    fn is_behind_call(&self, address: u64) -> bool {
        const LONGEST: u64 = 8;
        let executable = self.modules.map_at(address.wrapping_sub(1));
        if !executable.is_some_and(libdebug_kernel::proc::Map::is_executable) {
            return false;
        }
        let mut code = [0; LONGEST as usize];
        let start = address.wrapping_sub(LONGEST);
        self.space.read(start, &mut code).is_ok_and(|size| size == code.len())
            && (2..=code.len()).any(|length| is_call(&code[code.len() - length..]))
    }
}

/// The registers that functions leave as they were: rbx, rbp, r12 to r15 (System V ABI for AMD64, 3.2.1).
fn preserved(registers: &FrameRegisters) -> FrameRegisters {
    let mut kept = FrameRegisters::default();
    for number in [3, FRAME_POINTER, 12, 13, 14, 15] {
        if let Some(value) = registers.get(number) {
            kept.set(number, value);
        }
    }
    kept
}

fn is_call(code: &[u8]) -> bool {
    let decoded = Isa::X86_64.decode(code, 0);
    decoded.is_some_and(|found| found.kind == InstructionKind::Call && found.length == code.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_and_last_instructions_tell_what_is_on_the_stack() {
        assert_eq!(shape(&[0x90], &[0x55, 0x48]), Shape::ReturnOnTop);
        assert_eq!(shape(&[0x90], &[0xf3, 0x0f, 0x1e, 0xfa]), Shape::ReturnOnTop);
        assert_eq!(shape(&[], &[0xc3]), Shape::ReturnOnTop);
        assert_eq!(shape(&[], &[0xff, 0x25, 1, 2, 3, 4]), Shape::ReturnOnTop);
        assert_eq!(shape(&[0x55], &[0x48, 0x89, 0xe5]), Shape::PushedFramePointer);
        assert_eq!(shape(&[0x90], &[0x48, 0x89, 0xe5]), Shape::Other);
        assert_eq!(shape(&[0x90], &[0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05]), Shape::Signal);
        assert_eq!(shape(&[], &[]), Shape::Other);
    }

    #[test]
    fn calls_of_every_length_are_known() {
        for call in
            [&[0xff, 0xd0][..], &[0x41, 0xff, 0xd4], &[0xe8, 1, 2, 3, 4], &[0xff, 0x14, 0xc5, 0, 0, 0, 0]]
        {
            assert!(is_call(call), "{call:x?}");
        }
        assert!(!is_call(&[0x90, 0x90]) && !is_call(&[0xc3]));
    }
}
