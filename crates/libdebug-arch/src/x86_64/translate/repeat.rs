//! Repeated string instructions, whose number of iterations only shows behind them.

use super::emit::Scratch;
use super::{At, Counted, Iterations, Maker, Spilled, area};
use crate::x86_64::relocate::Source;

impl Maker {
    /// A block of one repeated instruction: it counts by how much `rcx` has become less, and one where that is zero.
    pub(super) fn repeat(&mut self, source: &Source<'_>) {
        self.out.not_counted();
        self.out.save(Scratch::Rcx, area::ITERATIONS);
        self.out.bytes(&[0xe3, 0]); // jrcxz
        let behind = self.out.length();
        self.out.iterations(Iterations::Register);
        self.out.bytes(source.bytes);
        self.count_iterations();
        self.exit(source.raw.next_ip());
        let distance = (self.out.length() - behind) as u8;
        self.out.patch(behind - 1, &[distance]);
        self.prologue();
        self.exit(source.raw.next_ip());
    }

    fn count_iterations(&mut self) {
        // This exit is the one that follows.
        self.out.all_done(1, At::Exit(self.exits.len() as u8));
        self.out.save(Scratch::Rax, area::RAX);
        self.out.save(Scratch::Rcx, area::RCX);
        self.out.spilled(Spilled::RaxRcx);
        self.out.iterations(Iterations::Saved);
        self.out.bytes(&[0x48, 0xf7, 0xd1]); // not rcx: leaves the flags alone
        self.out.load(Scratch::Rax, area::ITERATIONS);
        self.out.bytes(&[0x48, 0x8d, 0x4c, 0x01, 0x01]); // lea rcx, [rcx+rax+1]
        self.add_rcx_to(area::TOTAL);
        if let Some(slot) = self.slot() {
            self.out.counted(Counted::Total);
            self.add_rcx_to(slot);
        }
        self.out.counted(Counted::All);
        self.out.iterations(Iterations::None);
        self.out.load(Scratch::Rcx, area::RCX);
        self.out.load(Scratch::Rax, area::RAX);
    }

    fn add_rcx_to(&mut self, word: u32) {
        self.out.load(Scratch::Rax, word);
        self.out.bytes(&[0x48, 0x8d, 0x04, 0x08]); // lea rax, [rax+rcx]
        self.out.save(Scratch::Rax, word);
    }
}
