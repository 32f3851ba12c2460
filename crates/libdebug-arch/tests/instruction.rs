//! What instructions do to the flow of control.

use libdebug_arch::x86_64::decode;
use libdebug_arch::{InstructionKind as Kind, Isa};

#[test]
fn instructions_have_their_kind_length_and_target() {
    let table: &[(&[u8], usize, Kind, Option<u64>)] = &[
        (&[0x90], 1, Kind::Other, None),
        (&[0xe8, 0x10, 0, 0, 0], 5, Kind::Call, Some(0x1015)),
        (&[0xff, 0xd0], 2, Kind::Call, None),
        (&[0xff, 0x15, 0, 0, 0, 0], 6, Kind::Call, None),
        (&[0xff, 0x18], 2, Kind::Call, None),
        (&[0xc3], 1, Kind::Return, None),
        (&[0xf3, 0xc3], 2, Kind::Return, None),
        (&[0xc2, 8, 0], 3, Kind::Return, None),
        (&[0xcb], 1, Kind::Return, None),
        (&[0xeb, 0xfe], 2, Kind::Branch, Some(0x1000)),
        (&[0xe9, 0xfb, 0xff, 0xff, 0xff], 5, Kind::Branch, Some(0x1000)),
        (&[0xff, 0xe0], 2, Kind::Branch, None),
        (&[0x74, 0x02], 2, Kind::ConditionalBranch, Some(0x1004)),
        (&[0x0f, 0x84, 0, 1, 0, 0], 6, Kind::ConditionalBranch, Some(0x1106)),
        (&[0xe3, 0x00], 2, Kind::ConditionalBranch, Some(0x1002)),
        (&[0xe2, 0xfe], 2, Kind::ConditionalBranch, Some(0x1000)),
        (&[0x0f, 0x05], 2, Kind::Syscall, None),
        (&[0x0f, 0x34], 2, Kind::Syscall, None),
        (&[0xcc], 1, Kind::Interrupt, None),
        (&[0xcd, 0x80], 2, Kind::Interrupt, None),
        (&[0x0f, 0x0b], 2, Kind::Other, None),
        (&[0xf3, 0x48, 0xab], 3, Kind::Other, None),
        (&[0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8], 10, Kind::Other, None),
    ];
    for &(bytes, length, kind, target) in table {
        let found = decode(bytes, 0x1000).unwrap();
        assert_eq!((found.length, found.kind, found.target), (length, kind, target), "{bytes:02x?}");
        assert_eq!(Isa::X86_64.decode(bytes, 0x1000), Some(found));
    }
}

#[test]
fn incomplete_and_invalid_bytes_are_no_instruction() {
    for bytes in [&[][..], &[0xe8], &[0x48], &[0x0f], &[0x06], &[0x48, 0xb8, 1], &[0x66; 16]] {
        assert_eq!(decode(bytes, 0x1000), None, "{bytes:02x?}");
    }
}

#[test]
fn a_trap_is_reported_behind_itself() {
    let isa = Isa::X86_64;
    let trap = isa.decode(isa.trap_bytes(), 0x40_1000).unwrap();
    assert_eq!(trap.kind, Kind::Interrupt);
    assert_eq!(isa.breakpoint_address(trap.next_address()), 0x40_1000);
}
