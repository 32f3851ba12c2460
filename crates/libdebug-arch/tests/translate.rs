//! Which instructions become blocks, where those lead, and what the program believes at each of their bytes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use libdebug_arch::x86_64::translate::{
    At, Block, Counted, Iterations, KEYS, Mark, Place, Spilled, TABLE_SIZE, area, entry_of, entry_offset,
    link, lookup, translate,
};

const FROM: u64 = 0x5555_5555_0000;
const PLACE: Place = Place { to: 0x5555_5000_0000, lookup: 0x5555_4fff_f000, slot: None, is_limited: false };

fn block(bytes: &[u8]) -> Option<Block> {
    translate(bytes, FROM, &PLACE)
}

fn targets(block: &Block) -> Vec<u64> {
    block.exits.iter().map(|exit| exit.target).collect()
}

/// The mark that holds for the code at `offset`.
fn mark(block: &Block, offset: usize) -> Mark {
    *block.marks.iter().rev().find(|mark| usize::from(mark.offset) <= offset).unwrap()
}

fn find(code: &[u8], part: &[u8]) -> usize {
    code.windows(part.len()).position(|window| window == part).unwrap()
}

#[test]
fn what_only_works_at_its_own_place_begins_no_block() {
    let odd: &[&[u8]] = &[
        &[0x0f, 0x05],                               // syscall
        &[0xcd, 0x80],                               // int 0x80
        &[0xcc],                                     // int3
        &[0xf1],                                     // int1
        &[0x0f, 0x0b],                               // ud2
        &[0x9d],                                     // popf
        &[0xcb],                                     // retf
        &[0xff, 0x28],                               // jmp far [rax]
        &[0xc7, 0xf8, 0, 0, 0, 0],                   // xbegin
        &[0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0], // mov rax, gs:[0]
        &[0x65, 0xa4],                               // movsb from gs
        &[0x65, 0xff, 0x20],                         // jmp gs:[rax]
        &[0x8e, 0xe8],                               // mov gs, eax
        &[0x8c, 0xe8],                               // mov eax, gs
        &[0x8e, 0xd0],                               // mov ss, eax
        &[0x0f, 0xa8],                               // push gs
        &[0x0f, 0xa9],                               // pop gs
        &[0xf3, 0x48, 0x0f, 0xae, 0xd8],             // wrgsbase rax
        &[0xf3, 0x48, 0x0f, 0xae, 0xc8],             // rdgsbase rax
        &[0x67, 0xf3, 0xa4],                         // rep movsb by ecx
        &[0xf3, 0x6c],                               // rep insb
        &[0x66, 0xe9, 0, 0],                         // jmp, which AMD cuts to 16 bits
        &[0x66, 0xc3],                               // ret of 16 bits
        &[0x06],                                     // none at all
        &[0x48],                                     // cut off
    ];
    for bytes in odd {
        assert_eq!(block(bytes), None, "{bytes:02x?}");
        let behind = [&[0x90], *bytes].concat();
        let before = block(&behind).unwrap();
        assert_eq!((before.lengths.as_slice(), targets(&before)), (&[1][..], vec![FROM + 1]), "{bytes:02x?}");
    }
}

#[test]
fn blocks_end_where_the_program_branches() {
    type Case<'a> = (&'a [u8], &'a [u8], &'a [u64], Option<u64>);
    let table: &[Case<'_>] = &[
        (&[0x90, 0xeb, 0x10, 0x90], &[1, 2], &[FROM + 0x13], None),
        (&[0x90, 0xe9, 0, 1, 0, 0], &[1, 5], &[FROM + 0x106], None),
        (&[0x74, 0xfe], &[2], &[FROM + 2, FROM], None),
        (&[0x0f, 0x85, 0, 1, 0, 0], &[6], &[FROM + 6, FROM + 0x106], None),
        (&[0xe2, 0xfe], &[2], &[FROM + 2, FROM], None),
        (&[0xe3, 0x10], &[2], &[FROM + 2, FROM + 0x12], None),
        (&[0xe8, 0, 1, 0, 0], &[5], &[FROM + 0x105], Some(FROM + 5)),
        (&[0xff, 0xd0], &[2], &[], Some(FROM + 2)),
        (&[0xff, 0x14, 0x24], &[3], &[], Some(FROM + 3)), // call [rsp]
        (&[0xff, 0xd4], &[2], &[], Some(FROM + 2)),       // call rsp
        (&[0xff, 0xe0], &[2], &[], None),
        (&[0xff, 0x25, 0, 0, 0, 0], &[6], &[], None),
        (&[0x3e, 0xff, 0xe0], &[3], &[], None), // notrack jmp rax
        (&[0xc3], &[1], &[], None),
        (&[0xf3, 0xc3], &[2], &[], None),
        (&[0xc2, 0x10, 0], &[3], &[], None),
    ];
    for (bytes, lengths, exits, returns) in table {
        let block = block(bytes).unwrap();
        let made = (block.lengths.as_slice(), targets(&block), block.returns_to);
        assert_eq!(made, (*lengths, exits.to_vec(), *returns), "{bytes:02x?}");
        for exit in &block.exits {
            let offset = usize::from(exit.offset);
            assert_eq!(block.code[offset], 0xcc, "{bytes:02x?}: an exit traps");
            assert!(offset % 8 <= 3, "{bytes:02x?}: an exit can be written at once");
        }
    }
}

#[test]
fn a_long_line_is_cut() {
    let block = block(&[0x90; 1000]).unwrap();
    assert_eq!((block.lengths.len(), targets(&block)), (64, vec![FROM + 64]));
}

#[test]
fn every_instruction_of_a_block_has_its_mark() {
    let code = [0x48, 0x89, 0xc3, 0xf7, 0xd8, 0xc3]; // mov rbx, rax; neg eax; ret
    let block = block(&code).unwrap();
    let (copied, negated) = (find(&block.code, &code[..3]), find(&block.code, &code[3..5]));
    let begun = mark(&block, 0);
    assert_eq!((begun.done, begun.counted, begun.spilled), (0, Counted::Nothing, Spilled::Nothing));
    for (offset, done) in [(copied, 0), (negated, 1), (negated + 2, 2)] {
        let mark = mark(&block, offset);
        let what = (mark.done, mark.at, mark.counted, mark.spilled);
        assert_eq!(what, (done, At::Instruction, Counted::All, Spilled::Nothing));
    }
    let last = block.marks.last().unwrap();
    assert_eq!((last.done, last.at, last.spilled), (3, At::Target, Spilled::Rax), "the return is executed");
}

#[test]
fn in_a_prologue_rax_is_in_the_area_until_it_is_put_back() {
    let place = Place { slot: Some(3), ..PLACE };
    let block = translate(&[0x90, 0xc3], FROM, &place).unwrap();
    let states: Vec<_> = block.marks.iter().map(|mark| (mark.offset, mark.counted, mark.spilled)).collect();
    let prologue = [
        (0, Counted::Nothing, Spilled::Nothing),
        (18, Counted::Nothing, Spilled::Rax),
        (31, Counted::Total, Spilled::Rax),
        (53, Counted::All, Spilled::Rax),
        (62, Counted::All, Spilled::Nothing),
    ];
    assert_eq!(states[..5], prologue);
    let slot = (area::SLOTS + 3 * 8).to_le_bytes();
    assert_eq!(block.code[36..40], slot);
}

#[test]
fn operands_beside_the_program_are_reached_or_the_block_ends() {
    let near = block(&[0x8b, 0x05, 0, 1, 0, 0, 0xc3]).unwrap(); // mov eax, [rip+0x100]
    let at = find(&near.code, &[0x8b, 0x05]);
    let distance = i32::from_le_bytes(near.code[at + 2..at + 6].try_into().unwrap());
    let reached = (PLACE.to + at as u64 + 6).wrapping_add_signed(i64::from(distance));
    assert_eq!(reached, FROM + 0x106);

    let far = Place { to: 0x1000_0000_0000, lookup: 0x1000_0000_1000, slot: None, is_limited: false };
    assert_eq!(translate(&[0x8b, 0x05, 0, 1, 0, 0], FROM, &far), None);
    let lea = translate(&[0x48, 0x8d, 0x05, 0, 1, 0, 0, 0xc3], FROM, &far).unwrap();
    find(&lea.code, &[[0x48, 0xb8].as_slice(), &(FROM + 0x107).to_le_bytes()].concat()); // mov rax, imm64
    let low = translate(&[0x8b, 0x05, 0, 1, 0, 0, 0xc3], 0x40_0000, &far).unwrap();
    find(&low.code, &[0x8b, 0x04, 0x25, 0x06, 0x01, 0x40, 0x00]); // mov eax, [0x400106]
    let jump = translate(&[0xff, 0x25, 0, 1, 0, 0], 0x40_0000, &far).unwrap();
    find(&jump.code, &[0x48, 0x8b, 0x04, 0x25, 0x06, 0x01, 0x40, 0x00]); // mov rax, [0x400106]
}

#[test]
fn repeated_instructions_are_blocks_that_count_their_iterations() {
    let block = block(&[0xf3, 0xa4, 0x90]).unwrap();
    assert_eq!((block.lengths.as_slice(), targets(&block)), (&[2][..], vec![FROM + 2, FROM + 2]));
    let at = find(&block.code, &[0xf3, 0xa4]);
    let (before, behind) = (mark(&block, at), mark(&block, at + 2));
    assert_eq!((before.done, before.counted, before.iterations), (0, Counted::Nothing, Iterations::Register));
    assert_eq!((behind.done, behind.at, behind.iterations), (1, At::Exit(0), Iterations::Register));
    let saved: Vec<_> = block.marks.iter().filter(|mark| mark.iterations == Iterations::Saved).collect();
    assert!(!saved.is_empty() && saved.iter().all(|mark| mark.spilled == Spilled::RaxRcx));
    // A string instruction of one time is one of many; a prefix in front of others means nothing.
    assert_eq!(self::block(&[0xa4, 0xf3, 0x90, 0xc3]).unwrap().lengths, [1, 2, 1]);
}

#[test]
fn a_block_with_a_limit_traps_before_its_first_instruction() {
    let place = Place { is_limited: true, ..PLACE };
    let block = translate(&[0x90, 0xc3], FROM, &place).unwrap();
    let trap = usize::from(block.limit.unwrap());
    let mark = mark(&block, trap + 1);
    assert_eq!(block.code[trap], 0xcc);
    assert_eq!((mark.done, mark.at, mark.counted), (0, At::Instruction, Counted::All));
    assert_eq!(mark.spilled, Spilled::RaxRcx);
    assert_eq!(translate(&[0xf3, 0xa4], FROM, &place), None, "iterations show too late");
    assert_eq!(translate(&[0x90, 0xc3], FROM, &PLACE).unwrap().limit, None);
}

#[test]
fn links_are_jumps_where_those_reach() {
    assert_eq!(link(0x1000, 0x1005), Some([0xe9, 0, 0, 0, 0]));
    assert_eq!(link(0x1000, 0x0ff5), Some([0xe9, 0xf0, 0xff, 0xff, 0xff]));
    assert_eq!(link(0x1000, 0x1_0000_1000), None);
}

#[test]
fn searches_begin_inside_the_table() {
    for address in [0, 0xffff, 0xff_ffff, 0x7fff_ffff_ffff, u64::MAX] {
        assert!(entry_offset(address) < TABLE_SIZE - 16 * 1024, "{address:#x}");
    }
    assert_eq!(TABLE_SIZE, KEYS * 16);
    assert_eq!(entry_of(0x1000, 0x2000), (0x1000_u64.wrapping_neg(), 0x2000));
    let (code, marks) = lookup(PLACE.to, 0x2000_0000_1000);
    assert_eq!(code.last(), Some(&0xcc), "what is not found traps");
    assert_eq!(marks.last().map(|mark| (mark.at, mark.spilled)), Some((At::Target, Spilled::All)));
}
