//! From the program's addresses to blocks: a table with open addressing, and the code that looks into it.
//!
//! The table is an array of entries, each of them the negated address of the program's instruction and the address of its
//! block, and it is searched from [`entry_offset`] on, up to an entry of zeros. Comparisons are additions and `jrcxz`: they
//! leave the flags alone.

use super::emit::{Emitter, Scratch};
use super::{At, Counted, Mark, Spilled, area};

/// An entry's bytes.
pub const ENTRY_SIZE: u64 = 16;
/// How many different entries a search begins with.
const FIRST: u64 = 4 * 0xffff + 0xff + 1;
/// Entries behind the last one that a search begins with; the very last one stays empty.
const SLACK: u64 = 4096 - 256;
/// How many entries there are.
pub const KEYS: u64 = FIRST + SLACK;
/// The table's bytes.
pub const TABLE_SIZE: u64 = KEYS * ENTRY_SIZE;

/// Where in the table the search for `address` begins, in bytes.
#[must_use]
pub const fn entry_offset(address: u64) -> u64 {
    ((address & 0xffff) * 4 + (address >> 16 & 0xff)) * ENTRY_SIZE
}

/// The entry that leads from `address` to the block at `block`: its key, which is written last, and its value.
#[must_use]
pub const fn entry_of(address: u64, block: u64) -> (u64, u64) {
    (address.wrapping_neg(), block)
}

/// The code that a block jumps to with a target in `rax` and in [`area::TARGET`], and the program's `rax` in [`area::RAX`]:
/// it goes on at the target's block, or traps. For `to`, with the table at `table`. The marks' `done` and `counted` say
/// nothing: what has come here is executed and counted.
#[must_use]
pub fn lookup(to: u64, table: u64) -> (Vec<u8>, Vec<Mark>) {
    let mut out = Emitter::new(to);
    out.all_done(0, At::Target);
    out.counted(Counted::All);
    out.spilled(Spilled::Rax);
    out.save(Scratch::Rcx, area::RCX);
    out.save(Scratch::Rdx, area::RDX);
    out.spilled(Spilled::All);
    index(&mut out);
    out.bytes(&[0x48, 0xb9]); // mov rcx, table
    out.bytes(&table.to_le_bytes());
    out.bytes(&[0x48, 0x8d, 0x14, 0xd1]); // lea rdx, [rcx+rdx*8]
    let probe = out.length();
    out.bytes(&[0x48, 0x8b, 0x0a]); // mov rcx, [rdx]
    out.bytes(&[0xe3, 0]); // jrcxz miss
    let to_miss = out.length();
    out.bytes(&[0x48, 0x8d, 0x0c, 0x01]); // lea rcx, [rcx+rax]
    out.bytes(&[0xe3, 0]); // jrcxz hit
    let to_hit = out.length();
    out.bytes(&[0x48, 0x8d, 0x52, 0x10]); // lea rdx, [rdx+16]
    let back = probe as i32 - (out.length() as i32 + 2);
    out.bytes(&[0xeb, back as u8]); // jmp probe
    close(&mut out, to_hit);
    out.bytes(&[0x48, 0x8b, 0x4a, 0x08]); // mov rcx, [rdx+8]
    out.save(Scratch::Rcx, area::LANDING);
    out.load(Scratch::Rdx, area::RDX);
    out.load(Scratch::Rcx, area::RCX);
    out.load(Scratch::Rax, area::RAX);
    out.bytes(&[0x65, 0xff, 0x24, 0x25]); // jmp gs:[LANDING]
    out.bytes(&area::LANDING.to_le_bytes());
    close(&mut out, to_miss);
    out.bytes(&[0xcc]);
    out.finish()
}

/// `rdx` = twice the number of the entry of the target in `rax`.
fn index(out: &mut Emitter) {
    out.bytes(&[0x0f, 0xb7, 0xd0]); // movzx edx, ax
    let [a, b, c, d] = (area::TARGET + 2).to_le_bytes();
    out.bytes(&[0x65, 0x0f, 0xb6, 0x0c, 0x25, a, b, c, d]); // movzx ecx, byte gs:[TARGET+2]
    out.bytes(&[0x48, 0x8d, 0x14, 0x91]); // lea rdx, [rcx+rdx*4]
    out.bytes(&[0x48, 0x8d, 0x14, 0x12]); // lea rdx, [rdx+rdx]
}

/// The short jump whose end is at `behind` leads here.
fn close(out: &mut Emitter, behind: usize) {
    let distance = (out.length() - behind) as u8;
    out.patch(behind - 1, &[distance]);
}
