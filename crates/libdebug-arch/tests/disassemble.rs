//! Instructions in words.

use libdebug_arch::InstructionKind;
use libdebug_arch::x86_64::{CodeSize, Disassembler};

fn text(size: CodeSize, bytes: &[u8]) -> String {
    Disassembler::new(size).next(bytes, 0x40_1000, &mut |_| None).text()
}

fn named(bytes: &[u8]) -> String {
    let mut name = |address: u64| (address >= 0x40_2000).then(|| ("data".to_owned(), address - 0x40_2000));
    Disassembler::new(CodeSize::Bits64).next(bytes, 0x40_1000, &mut name).text()
}

#[test]
fn instructions_are_in_intel_syntax() {
    let table: [(&[u8], &str); 13] = [
        (&[0x55], "push rbp"),
        (&[0x48, 0x89, 0xe5], "mov rbp,rsp"),
        (&[0x48, 0x83, 0xec, 0x10], "sub rsp,0x10"),
        (&[0x89, 0x7d, 0xfc], "mov [rbp-4],edi"),
        (&[0xc7, 0x45, 0xfc, 1, 0, 0, 0], "mov dword ptr [rbp-4],1"),
        (&[0xe8, 0xfb, 0xff, 0xff, 0xff], "call 0x401000"),
        (&[0x74, 0x10], "je 0x401012"),
        (&[0xff, 0x25, 0xfa, 0x0f, 0, 0], "jmp qword ptr [0x402000]"),
        (&[0xf3, 0x48, 0xab], "rep stosq [rdi]"),
        (&[0xf0, 0x0f, 0xb1, 0x0a], "lock cmpxchg [rdx],ecx"),
        (&[0xbf, 0x00, 0x20, 0x40, 0x00], "mov edi,0x402000"),
        (&[0xf3, 0x0f, 0x1e, 0xfa], "endbr64"),
        (&[0xc3], "ret"),
    ];
    for (bytes, expected) in table {
        assert_eq!(text(CodeSize::Bits64, bytes), expected, "{bytes:x?}");
    }
}

#[test]
fn places_have_names_and_numbers_have_not() {
    assert_eq!(named(&[0xff, 0x25, 0xfa, 0x0f, 0, 0]), "jmp qword ptr [data]");
    assert_eq!(named(&[0x48, 0x8d, 0x3d, 0x09, 0x10, 0, 0]), "lea rdi,[data+0x10]");
    assert_eq!(named(&[0xe9, 0xff, 0x0f, 0, 0]), "jmp data+4");
    assert_eq!(named(&[0xbf, 0x00, 0x20, 0x40, 0x00]), "mov edi,0x402000");
    assert_eq!(named(&[0x8b, 0x04, 0x25, 0x00, 0x20, 0x40, 0x00]), "mov eax,[data]");
    assert_eq!(named(&[0x64, 0x8b, 0x04, 0x25, 0x00, 0x20, 0x40, 0x00]), "mov eax,fs:[0x402000]");
}

#[test]
fn code_of_32_bits_is_another_language() {
    assert_eq!(text(CodeSize::Bits32, &[0x40]), "inc eax");
    assert_eq!(text(CodeSize::Bits32, &[0x55]), "push ebp");
    assert_eq!(text(CodeSize::Bits32, &[0x06]), "push es");
    assert_eq!(text(CodeSize::Bits64, &[0x06]), "(bad)");
}

#[test]
fn what_is_no_instruction_is_one_bad_byte() {
    for bytes in [&[][..], &[0x06], &[0xe8, 1, 2], &[0x0f, 0xff]] {
        let bad = Disassembler::new(CodeSize::Bits64).next(bytes, 0x1000, &mut |_| None);
        assert_eq!(
            (bad.instruction.length, bad.instruction.kind),
            (1, InstructionKind::Invalid),
            "{bytes:x?}"
        );
    }
}
