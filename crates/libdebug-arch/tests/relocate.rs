//! Moved instructions, read back with a decoder.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Register};
use libdebug_arch::x86_64::relocate;
use libdebug_arch::{CannotRelocate, Stub};

const FROM: u64 = 0x5555_5555_5000;
const NEAR: u64 = FROM + 0x10_0000;
const FAR: u64 = 0x7fff_f7ff_0000;
const ROOM: usize = 64;

fn moved(bytes: &[u8], to: u64) -> Stub {
    relocate(bytes, FROM, to, ROOM).unwrap_or_else(|error| panic!("{bytes:02x?}: {error}"))
}

fn instructions(stub: &Stub, to: u64) -> Vec<Instruction> {
    let mut found: Vec<Instruction> = Vec::new();
    let mut decoder = Decoder::with_ip(64, &stub.code, to, DecoderOptions::NONE);
    while decoder.can_decode() {
        let next = decoder.decode();
        assert!(!next.is_invalid(), "{:02x?}", stub.code);
        found.push(next);
        if next.is_jmp_near_indirect() && next.ip_rel_memory_address() == next.next_ip() {
            let data = decoder.position();
            decoder.set_position(data + 8).unwrap();
            decoder.set_ip(to + data as u64 + 8);
        }
    }
    found
}

/// Where an unconditional jump of ours goes, in either of its forms.
fn destination(jump: &Instruction, stub: &Stub, to: u64) -> u64 {
    if jump.code() == Code::Jmp_rel32_64 {
        return jump.near_branch_target();
    }
    assert_eq!(jump.code(), Code::Jmp_rm64);
    let at = (jump.ip_rel_memory_address() - to) as usize;
    u64::from_le_bytes(stub.code[at..at + 8].try_into().unwrap())
}

#[test]
fn a_one_byte_instruction_takes_a_plain_neighbour_along() {
    let stub = moved(&[0x55, 0x48, 0x89, 0xe5], NEAR); // push rbp; mov rbp, rsp
    assert_eq!((&stub.code[..4], stub.covers), (&[0x55, 0x48, 0x89, 0xe5][..], 4));
    assert_eq!(
        [0, 1, 3, 4].map(|offset| stub.original_pc(offset)),
        [Some(FROM), Some(FROM + 1), Some(FROM + 1), Some(FROM + 4)]
    );
    for alone in [&[0x55][..], &[0x55, 0xc3], &[0x55, 0xe8, 0, 0, 0, 0], &[0x48, 0x89, 0xe5, 0x55]] {
        let first = if alone[0] == 0x55 { 1 } else { 3 };
        assert_eq!(moved(alone, NEAR).covers, first, "{alone:02x?}");
    }
}

#[test]
fn a_moved_syscall_leaves_the_original_address_in_rcx() {
    for to in [NEAR, FAR] {
        let stub = moved(&[0x0f, 0x05], to);
        let decoded = instructions(&stub, to);
        assert_eq!((decoded[1].op0_register(), decoded[1].immediate(1)), (iced_x86::Register::RCX, FROM + 2));
        assert_eq!(destination(&decoded[2], &stub, to), FROM + 2);
        assert_eq!((stub.original_pc(0), stub.original_pc(2)), (Some(FROM), Some(FROM + 2)));
    }
}

#[test]
fn ordinary_instructions_are_copied_and_jump_back() {
    let table: &[&[u8]] = &[
        &[0x90],
        &[0x55],
        &[0x5d],
        &[0x9c],
        &[0x9d],
        &[0xf3, 0x48, 0xab],
        &[0xf2, 0xae],
        &[0xf3, 0x0f, 0x1e, 0xfa],
        &[0x48, 0x83, 0xec, 0x18],
        &[0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0],
        &[0xf0, 0x48, 0x0f, 0xb1, 0x0f],
        &[0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0xc5, 0xfd, 0x6f, 0x07],
        &[0xc8, 0x10, 0, 0],
        &[0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    ];
    for &bytes in table {
        for to in [NEAR, FAR] {
            let stub = moved(bytes, to);
            assert_eq!(&stub.code[..bytes.len()], bytes);
            let decoded = instructions(&stub, to);
            assert_eq!(decoded.len(), 2, "{bytes:02x?}");
            assert_eq!(destination(&decoded[1], &stub, to), FROM + bytes.len() as u64);
            assert_eq!(stub.original_pc(0), Some(FROM));
            assert_eq!(stub.original_pc(bytes.len()), Some(FROM + bytes.len() as u64));
            assert_eq!(stub.original_pc(stub.code.len()), None);
        }
    }
}

#[test]
fn returns_and_indirect_jumps_are_copied_alone() {
    let table: &[&[u8]] = &[
        &[0xc3],
        &[0xf3, 0xc3],
        &[0xc2, 0x10, 0],
        &[0xff, 0xe0],
        &[0x3e, 0xff, 0xe0],
        &[0x41, 0xff, 0xe3],
        &[0xff, 0x64, 0x24, 0x08],
    ];
    for &bytes in table {
        assert_eq!(moved(bytes, FAR).code, bytes);
    }
}

#[test]
fn memory_relative_to_rip_stays_the_same_memory() {
    let table: &[&[u8]] = &[
        &[0x48, 0x8b, 0x05, 0x11, 0x22, 0, 0],
        &[0x48, 0x8d, 0x3d, 0xf0, 0xff, 0xff, 0xff],
        &[0xc7, 0x05, 0x10, 0, 0, 0, 1, 2, 3, 4],
        &[0x80, 0x3d, 0x10, 0, 0, 0, 7],
        &[0xff, 0x25, 0x10, 0, 0, 0],
        &[0xf2, 0x0f, 0x10, 0x05, 0x10, 0, 0, 0],
        &[0x62, 0xf1, 0x7c, 0x48, 0x10, 0x05, 0x40, 0, 0, 0],
    ];
    for &bytes in table {
        let original = Decoder::with_ip(64, bytes, FROM, DecoderOptions::NONE).decode();
        let stub = moved(bytes, NEAR);
        let copy = instructions(&stub, NEAR)[0];
        assert_eq!(copy.ip_rel_memory_address(), original.ip_rel_memory_address(), "{bytes:02x?}");
        assert_eq!((copy.code(), copy.len()), (original.code(), original.len()));
        let target = original.ip_rel_memory_address();
        assert_eq!(relocate(bytes, FROM, FAR, ROOM), Err(CannotRelocate::OutOfReach { target }));
    }
}

#[test]
fn memory_relative_to_eip_is_reached_from_everywhere() {
    let bytes = [0x67, 0x48, 0x8b, 0x05, 0x10, 0, 0, 0];
    let original = Decoder::with_ip(64, &bytes, FROM, DecoderOptions::NONE).decode();
    for to in [NEAR, FAR] {
        let copy = instructions(&moved(&bytes, to), to)[0];
        assert_eq!(copy.ip_rel_memory_address(), original.ip_rel_memory_address());
    }
}

#[test]
fn direct_jumps_go_where_they_went() {
    for (bytes, target) in [
        (&[0xeb, 0xfe][..], FROM),
        (&[0xeb, 0x10], FROM + 0x12),
        (&[0xe9, 0, 0, 0, 0x10], FROM + 0x1000_0005),
    ] {
        for to in [NEAR, FAR] {
            let stub = moved(bytes, to);
            let decoded = instructions(&stub, to);
            assert_eq!(decoded.len(), 1);
            assert_eq!(destination(&decoded[0], &stub, to), target);
        }
    }
}

#[test]
fn conditional_branches_keep_both_ways() {
    let mut table: Vec<Vec<u8>> = (0x70..=0x7f).map(|opcode| vec![opcode, 0x20]).collect();
    table.extend((0x80..=0x8f).map(|opcode| vec![0x0f, opcode, 0x20, 1, 0, 0]));
    table.extend((0xe0..=0xe3).map(|opcode| vec![opcode, 0xfe]));
    table.extend([vec![0x67, 0xe3, 0x20], vec![0x2e, 0x74, 0x20], vec![0x3e, 0x0f, 0x85, 0x20, 0, 0, 0]]);
    for bytes in table {
        let original = Decoder::with_ip(64, &bytes, FROM, DecoderOptions::NONE).decode();
        for to in [NEAR, FAR] {
            let stub = moved(&bytes, to);
            let decoded = instructions(&stub, to);
            let [branch, back, taken] = decoded[..] else { panic!("{bytes:02x?}: {decoded:?}") };
            assert_eq!(branch.code(), original.code());
            assert_eq!(branch.near_branch_target(), taken.ip(), "{bytes:02x?}");
            assert_eq!(destination(&back, &stub, to), original.next_ip());
            assert_eq!(destination(&taken, &stub, to), original.near_branch_target());
            let shown = |at: &Instruction| stub.original_pc((at.ip() - to) as usize);
            assert_eq!(shown(&branch), Some(FROM));
            assert_eq!(shown(&back), Some(original.next_ip()));
            assert_eq!(shown(&taken), Some(original.near_branch_target()));
        }
    }
}

/// Checks the three instructions that push the original return address, and gives the jump behind them.
fn pushed(stub: &Stub, to: u64, return_address: u64) -> Instruction {
    let decoded = instructions(stub, to);
    let [lea, low, high, jump] = decoded[..] else { panic!("{decoded:?}") };
    assert_eq!((lea.code(), lea.op0_register()), (Code::Lea_r64_m, Register::RSP));
    assert_eq!((lea.memory_base(), lea.memory_displacement64() as i64), (Register::RSP, -8));
    for (store, displacement, value) in
        [(low, 0, return_address as u32), (high, 4, (return_address >> 32) as u32)]
    {
        assert_eq!(store.code(), Code::Mov_rm32_imm32);
        assert_eq!((store.memory_base(), store.memory_displacement64()), (Register::RSP, displacement));
        assert_eq!(store.immediate32(), value);
    }
    for offset in 0..(jump.next_ip() - to) as usize {
        assert_eq!(stub.original_pc(offset), Some(FROM));
    }
    jump
}

#[test]
fn a_direct_call_pushes_the_original_return_address() {
    let bytes = [0xe8, 0x10, 0x20, 0, 0];
    for to in [NEAR, FAR] {
        let stub = moved(&bytes, to);
        let jump = pushed(&stub, to, FROM + 5);
        assert_eq!(destination(&jump, &stub, to), FROM + 5 + 0x2010);
    }
}

#[test]
fn an_indirect_call_becomes_the_same_jump() {
    let table: &[&[u8]] = &[
        &[0xff, 0xd0],
        &[0x41, 0xff, 0xd3],
        &[0x3e, 0xff, 0xd0],
        &[0xff, 0x13],
        &[0xff, 0x54, 0xc3, 0x10],
        &[0x41, 0xff, 0x94, 0xc4, 0, 1, 0, 0],
        &[0x64, 0xff, 0x14, 0x25, 0x10, 0, 0, 0],
        &[0xff, 0x55, 0xf8],
    ];
    for &bytes in table {
        let original = Decoder::with_ip(64, bytes, FROM, DecoderOptions::NONE).decode();
        let jump = pushed(&moved(bytes, FAR), FAR, FROM + bytes.len() as u64);
        assert_eq!(jump.code(), Code::Jmp_rm64, "{bytes:02x?}");
        assert_eq!(jump.op0_register(), original.op0_register());
        assert_eq!(operand(&jump), operand(&original), "{bytes:02x?}");
    }
}

fn operand(of: &Instruction) -> (Register, Register, u32, u64, Register) {
    let base = (of.memory_base(), of.memory_index(), of.memory_index_scale());
    (base.0, base.1, base.2, of.memory_displacement64(), of.memory_segment())
}

#[test]
fn a_call_through_the_stack_looks_eight_bytes_higher() {
    let table: &[(&[u8], u64)] = &[
        (&[0xff, 0x14, 0x24], 8),
        (&[0xff, 0x54, 0x24, 0x10], 0x18),
        (&[0xff, 0x54, 0x24, 0xf8], 0),
        (&[0xff, 0x54, 0x24, 0x7c], 0x84),
        (&[0xff, 0x94, 0x24, 0, 1, 0, 0], 0x108),
        (&[0xff, 0x54, 0xc4, 0x10], 0x18),
        (&[0xff, 0x94, 0x24, 0x70, 0xff, 0xff, 0xff], 0xffff_ffff_ffff_ff78),
    ];
    for &(bytes, displacement) in table {
        let jump = pushed(&moved(bytes, FAR), FAR, FROM + bytes.len() as u64);
        assert_eq!(jump.memory_base(), Register::RSP);
        assert_eq!(jump.memory_displacement64(), displacement, "{bytes:02x?}");
    }
}

#[test]
fn a_call_through_rip_relative_memory_reads_the_same_slot() {
    let bytes = [0xff, 0x15, 0x10, 0x20, 0, 0];
    let jump = pushed(&moved(&bytes, NEAR), NEAR, FROM + 6);
    assert_eq!(jump.ip_rel_memory_address(), FROM + 6 + 0x2010);
    let target = FROM + 6 + 0x2010;
    assert_eq!(relocate(&bytes, FROM, FAR, ROOM), Err(CannotRelocate::OutOfReach { target }));
}

#[test]
fn instructions_bound_to_their_address_are_refused() {
    use CannotRelocate::{AddressMatters, Undecodable, UnsupportedForm};
    let table: &[(&[u8], CannotRelocate)] = &[
        (&[0xcc], AddressMatters),
        (&[0xcd, 0x80], AddressMatters),
        (&[0xf1], AddressMatters),
        (&[0x48, 0xcf], AddressMatters),
        (&[0xcb], AddressMatters),
        (&[0x0f, 0x0b], AddressMatters),
        (&[0xc7, 0xf8, 0, 0, 0, 0], AddressMatters),
        (&[0x0f, 0x34], UnsupportedForm),
        (&[0xff, 0xd4], UnsupportedForm),
        (&[0xff, 0x18], UnsupportedForm),
        (&[0xff, 0x28], UnsupportedForm),
        (&[0x66, 0xff, 0xd0], UnsupportedForm),
        (&[0x66, 0xff, 0xe0], UnsupportedForm),
        (&[0x66, 0xe8, 0, 0, 0, 0], UnsupportedForm),
        (&[0x66, 0x74, 0], UnsupportedForm),
        (&[0x67, 0xff, 0x14, 0x24], UnsupportedForm),
        (&[0xff, 0x94, 0x24, 0xff, 0xff, 0xff, 0x7f], UnsupportedForm),
        (&[], Undecodable),
        (&[0x06], Undecodable),
        (&[0xe8, 0, 0], Undecodable),
    ];
    for &(bytes, expected) in table {
        assert_eq!(relocate(bytes, FROM, NEAR, ROOM), Err(expected), "{bytes:02x?}");
    }
}

#[test]
fn a_stub_longer_than_the_room_is_refused() {
    assert_eq!(relocate(&[0x90], FROM, NEAR, 5), Err(CannotRelocate::TooLong { needed: 6 }));
    assert_eq!(relocate(&[0x90], FROM, FAR, 14), Err(CannotRelocate::TooLong { needed: 15 }));
    assert!(relocate(&[0x90], FROM, NEAR, 6).is_ok());
}

#[test]
fn the_reach_of_a_jump_ends_at_two_gibibytes() {
    let limit = (1 << 31) - 1;
    let back = FROM + 1;
    assert_eq!(moved(&[0x90], back - 6 - limit).code.len(), 6);
    assert_eq!(moved(&[0x90], back - 7 - limit).code.len(), 15);
    assert_eq!(moved(&[0x90], back - 6 + limit + 1).code.len(), 6);
    assert_eq!(moved(&[0x90], back - 6 + limit + 2).code.len(), 15);
}

/// xorshift64*: the same bytes in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[test]
fn any_bytes_at_any_address_give_a_stub_or_an_error() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut built = 0;
    for round in 0..200_000 {
        let bytes = (u128::from(random.next()) << 64 | u128::from(random.next())).to_le_bytes();
        let from = if round % 3 == 0 { u64::MAX - random.next() % 32 } else { random.next() };
        let to = if round % 2 == 0 { from.wrapping_add(random.next() % 0x1000) } else { random.next() };
        let Ok(stub) = relocate(&bytes[..(random.next() % 17) as usize], from, to, ROOM) else { continue };
        built += 1;
        assert!(stub.code.len() <= ROOM);
        assert_eq!(stub.original_pc(0), Some(from));
        let first = Decoder::with_ip(64, &stub.code, to, DecoderOptions::NONE).decode();
        assert!(!first.is_invalid(), "{bytes:02x?} -> {:02x?}", stub.code);
    }
    assert!(built > 50_000, "only {built} of the random instructions were moved");
}
