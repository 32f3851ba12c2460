//! The program's instructions in words.

use libdebug_arch::x86_64::{CodeSize, Disassembler, LONGEST_INSTRUCTION};
use libdebug_arch::{Instruction, InstructionKind};

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::scan::Patience;
use crate::space::AddressSpace;
use crate::symbols::symbol_at;
use crate::thread::Thread;

/// One instruction of the program: see [`Debugger::disassemble`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeLine {
    /// Where it lies.
    pub address: u64,
    /// The program's own bytes.
    pub bytes: Vec<u8>,
    /// What it does to the flow of control.
    pub kind: InstructionKind,
    /// Where a direct call or branch goes.
    pub target: Option<u64>,
    /// Its name with its prefixes.
    pub mnemonic: String,
    /// What it works on, in Intel's order.
    pub operands: Vec<String>,
    /// Mnemonic and operands.
    pub text: String,
    /// The symbol that it lies in, and the distance from its start in bytes.
    pub symbol: Option<(String, u64)>,
}

impl Debugger {
    /// `count` instructions from `address` on, read as the main thread would execute them; fewer where memory ends. A
    /// breakpoint's trap is never seen; a byte where no instruction starts is one of kind
    /// [`InstructionKind::Invalid`].
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/true").run()?;
    /// let lines = debugger.disassemble(debugger.main_thread()?.pc()?, 5)?;
    /// assert_eq!(lines.len(), 5);
    /// println!("{:#x} {}", lines[0].address, lines[0].text);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::BadAddress`] when there is no memory at `address`, [`Error::Interrupted`], and those of
    /// [`Debugger::wait`].
    pub fn disassemble(&self, address: u64, count: usize) -> Result<Vec<CodeLine>> {
        self.main_thread()?.disassemble(address, count)
    }
}

impl Thread {
    /// As [`Debugger::disassemble`], in the mode that this thread is in.
    ///
    /// # Errors
    /// As [`Debugger::disassemble`].
    pub fn disassemble(&self, address: u64, count: usize) -> Result<Vec<CodeLine>> {
        let debugger = self.debugger();
        let size = CodeSize::of_selector(self.register("cs")?.as_u64().unwrap_or_default());
        let space = debugger.space()?;
        let patience = Patience::of(&*debugger.shared().host);
        let lines = disassemble(&space, size, address, count, &patience)?;
        if lines.is_empty() && count > 0 {
            let (operation, pid) = ("read", space.session.pid);
            return Err(Error::BadAddress { operation, pid, address, size: 1, done: 0 });
        }
        Ok(lines)
    }
}

pub(crate) fn disassemble(
    space: &dyn AddressSpace,
    size: CodeSize,
    address: u64,
    count: usize,
    patience: &Patience<'_>,
) -> Result<Vec<CodeLine>> {
    let mut code = Code { space, at: address, bytes: Vec::new(), used: 0 };
    let mut disassembler = Disassembler::new(size);
    // What cannot be looked up has no name, which is no reason to show no instruction.
    let mut name_of = |address| symbol_at(space, address).ok().flatten();
    let mut lines = Vec::new();
    while lines.len() < count {
        patience.check()?;
        let at = code.at;
        let bytes = code.ahead()?;
        if bytes.is_empty() {
            break;
        }
        let line = disassembler.next(bytes, at, &mut name_of);
        let Instruction { address, length, kind, target } = line.instruction;
        let (bytes, text, symbol) = (bytes[..length].to_vec(), line.text(), name_of(address));
        let (mnemonic, operands) = (line.mnemonic, line.operands);
        lines.push(CodeLine { address, bytes, kind, target, mnemonic, operands, text, symbol });
        code.skip(length);
    }
    Ok(lines)
}

/// Code that is read as it is needed.
struct Code<'a> {
    space: &'a dyn AddressSpace,
    /// Of the next instruction.
    at: u64,
    bytes: Vec<u8>,
    used: usize,
}

impl Code<'_> {
    /// The bytes that the next instruction can have; none where memory ends.
    fn ahead(&mut self) -> Result<&[u8]> {
        const READ: usize = 4096;
        if self.bytes.len() - self.used < LONGEST_INSTRUCTION {
            self.bytes.resize(READ, 0);
            let read = self.space.read(self.at, &mut self.bytes)?;
            self.bytes.truncate(read);
            self.used = 0;
        }
        let rest = &self.bytes[self.used..];
        Ok(&rest[..rest.len().min(LONGEST_INSTRUCTION)])
    }

    fn skip(&mut self, length: usize) {
        self.at = self.at.wrapping_add(length as u64);
        self.used += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::RustHost;
    use crate::space::kept::kept;

    fn texts(size: CodeSize, code: &[u8], count: usize) -> Vec<String> {
        let space = kept(&[(0x1000, "", code.to_vec())]);
        let lines = disassemble(&space, size, 0x1000, count, &Patience::of(&RustHost)).unwrap();
        let mut at = 0x1000;
        for line in &lines {
            assert_eq!(
                (line.address, line.bytes.as_slice()),
                (at, &code[(at - 0x1000) as usize..][..line.bytes.len()])
            );
            at += line.bytes.len() as u64;
        }
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn the_mode_decides_what_bytes_mean() {
        assert_eq!(texts(CodeSize::Bits64, &[0x40, 0x55, 0xc3], 3), ["push rbp", "ret"]);
        assert_eq!(texts(CodeSize::Bits32, &[0x40, 0x55, 0xc3], 3), ["inc eax", "push ebp", "ret"]);
    }

    #[test]
    fn bad_bytes_and_the_end_of_memory_are_shown_byte_by_byte() {
        assert_eq!(texts(CodeSize::Bits64, &[0x06, 0x90, 0xe8, 0x90], 9), ["(bad)", "nop", "(bad)", "nop"]);
        assert!(texts(CodeSize::Bits64, &[], 9).is_empty());
        assert_eq!(texts(CodeSize::Bits64, &[0x90; 64], 3).len(), 3);
    }

    #[test]
    fn instructions_go_on_across_what_is_read_at_once() {
        let code: Vec<u8> = [0x48, 0x83, 0xec, 0x10].repeat(3000)[..9000].to_vec();
        let lines = texts(CodeSize::Bits64, &code, 5000);
        assert_eq!(lines.len(), 2250);
        assert!(lines.iter().all(|line| line == "sub rsp,0x10"));
    }
}
