//! Unwinding out of the bytes of files: every kind of table, both register files, and damage.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{Random, Workshop, image, libc_path, parse, without_section_headers};
use libdebug_image::{FileAddress, FrameRegisters, Image, Machine, UnwindError, UnwindScratch};

const STACK: u64 = 0x7000_0000;
const RETURN: u64 = 0x1234_5678;

/// A function that makes a frame of 24 bytes below what it saves.
const X86_64: &str = r#"
    .text
    .globl work
    .type work, @function
work:
    .cfi_startproc
    push %rbx
    .cfi_def_cfa_offset 16
    .cfi_offset rbx, -16
    sub $24, %rsp
    .cfi_def_cfa_offset 40
inside:
    nop
    add $24, %rsp
    .cfi_def_cfa_offset 16
    pop %rbx
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size work, .-work
"#;

const I386: &str = r#"
    .text
    .globl work
    .type work, @function
work:
    .cfi_startproc
    push %ebp
    .cfi_def_cfa_offset 8
    .cfi_offset ebp, -8
    mov %esp, %ebp
    .cfi_def_cfa_register ebp
inside:
    nop
    leave
    .cfi_def_cfa esp, 4
    ret
    .cfi_endproc
    .size work, .-work
"#;

fn assemble(source: &str, flags: &[&str]) -> Image {
    image(assembled(source, flags))
}

fn assembled(source: &str, flags: &[&str]) -> Vec<u8> {
    let workshop = Workshop::new();
    let text = format!("__asm__({});", quoted(source));
    workshop.compile(&text, &[&["-nostdlib", "-Wl,-e,work"], flags].concat())
}

fn quoted(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("\"{}\\n\"", line)).collect();
    lines.join("\n")
}

/// The caller of a frame at `symbol`, out of a stack of those words.
fn unwind(
    image: &Image,
    symbol: &str,
    registers: &FrameRegisters,
    stack: &BTreeMap<u64, u64>,
) -> Result<libdebug_image::CallerFrame, UnwindError> {
    let address = image.symbol(symbol).unwrap().address;
    let mut read = |address: u64, buffer: &mut [u8]| {
        let word = stack.get(&address);
        let size = buffer.len();
        word.inspect(|word| buffer.copy_from_slice(&word.to_le_bytes()[..size])).is_some()
    };
    image.unwind(&mut UnwindScratch::default(), address, 0, registers, &mut read)
}

#[test]
fn every_kind_of_table_of_x86_64_leads_to_the_caller() {
    let stack = BTreeMap::from([(STACK + 24, 77), (STACK + 32, RETURN)]);
    let mut registers = FrameRegisters::default();
    registers.set(7, STACK);
    registers.set(0, 5);
    registers.set(12, 6);
    let debug_frame = X86_64.replace(".cfi_startproc", ".cfi_sections .debug_frame\n.cfi_startproc");
    let tables: [(&str, &[&str]); 4] = [
        (X86_64, &[]),
        (X86_64, &["-static", "-Wl,--no-eh-frame-hdr"]),
        (&debug_frame, &[]),
        (&debug_frame, &["-Wl,--compress-debug-sections=zlib"]),
    ];
    for (source, flags) in tables {
        let image = assemble(source, flags);
        let caller = unwind(&image, "inside", &registers, &stack).unwrap();
        assert_eq!((caller.cfa, caller.pc), (STACK + 40, Some(RETURN)), "{flags:?}");
        let known: Vec<_> = caller.registers.known().collect();
        assert_eq!(known, [(3, 77), (7, STACK + 40), (12, 6), (16, RETURN)], "rax is lost; {flags:?}");
        assert!(!caller.is_signal_frame);
        let entry = unwind(&image, "work", &registers, &BTreeMap::from([(STACK, RETURN)])).unwrap();
        assert_eq!((entry.cfa, entry.pc), (STACK + 8, Some(RETURN)), "{flags:?}");
    }
}

#[test]
fn no_section_is_needed_where_the_loader_knows_the_table() {
    let stripped = image(without_section_headers(assembled(X86_64, &[])));
    let whole = assemble(X86_64, &[]);
    assert!(stripped.has_unwind_entry(whole.symbol("inside").unwrap().address));
}

#[test]
fn i386_has_registers_of_its_own() {
    let image = assemble(I386, &["-m32"]);
    assert_eq!(image.machine(), Machine::I386);
    let mut registers = FrameRegisters::default();
    registers.set(5, STACK);
    registers.set(4, STACK - 64);
    registers.set(7, 9);
    let stack = BTreeMap::from([(STACK, 0x55), (STACK + 4, RETURN)]);
    let caller = unwind(&image, "inside", &registers, &stack).unwrap();
    assert_eq!((caller.cfa, caller.pc), (STACK + 8, Some(RETURN)));
    assert_eq!(
        caller.registers.known().collect::<Vec<_>>(),
        [(4, STACK + 8), (5, 0x55), (7, 9), (8, RETURN)]
    );
}

#[test]
fn what_is_missing_is_told() {
    let image = assemble(X86_64, &[]);
    let nothing = BTreeMap::new();
    let mut registers = FrameRegisters::default();
    assert_eq!(unwind(&image, "inside", &registers, &nothing), Err(UnwindError::UnknownRegister(7)));
    registers.set(7, STACK);
    let unreadable = unwind(&image, "inside", &registers, &nothing);
    assert!(matches!(unreadable, Err(UnwindError::Unreadable(address)) if address > STACK));
    let outside = FileAddress(image.segments().last().unwrap().address.0 + (1 << 30));
    assert!(!image.has_unwind_entry(outside));
    let never = &mut |_: u64, _: &mut [u8]| false;
    let unwound = image.unwind(&mut UnwindScratch::default(), outside, 0, &registers, never);
    assert_eq!(unwound, Err(UnwindError::NoEntry));
}

/// Unwinds at many addresses, with a stack that holds something everywhere.
fn interrogate(image: &Image, random: &mut Random) {
    let mut scratch = UnwindScratch::default();
    let code: Vec<_> = image.segments().iter().filter(|segment| segment.executable).collect();
    let Some(first) = code.first() else { return };
    let size = first.memory_size.clamp(1, 1 << 24);
    for _ in 0..40 {
        let mut registers = FrameRegisters::default();
        (0..17).for_each(|number| registers.set(number, STACK + random.next() % 4096));
        let address = FileAddress(first.address.0.wrapping_add(random.next() % size));
        let mut read = |address: u64, buffer: &mut [u8]| {
            buffer.fill(address as u8);
            !address.is_multiple_of(64)
        };
        let _ = std::hint::black_box(image.unwind(&mut scratch, address, 7, &registers, &mut read));
    }
}

/// Damage where the tables are: flipped bits, wild lengths, and ends that come too early.
fn damaged(whole: &[u8], table: std::ops::Range<usize>, random: &mut Random) -> Vec<u8> {
    let mut file = whole.to_vec();
    for _ in 0..=random.below(6) {
        let at = table.start + random.below(table.len());
        match random.below(4) {
            0 => file[at] ^= 1 << random.below(8),
            1 => file[at] = random.next() as u8,
            2 => {
                let length = 4.min(file.len() - at);
                file[at..at + length].fill([0xff, 0x00, 0x7f][random.below(3)]);
            }
            _ => file[at] = [0x0f, 0x10, 0x16, 0x0e, 0x0a, 0x0b][random.below(6)],
        }
    }
    if random.below(8) == 0 {
        file.truncate(at_least_headers(table.start + random.below(table.len())));
    }
    file
}

fn at_least_headers(length: usize) -> usize {
    length.max(0x1000)
}

fn tables(whole: &[u8]) -> Vec<std::ops::Range<usize>> {
    let image = parse(whole.to_vec()).unwrap();
    let wanted = [".eh_frame_hdr", ".eh_frame", ".debug_frame"];
    let found = image.sections().filter(|section| wanted.contains(&section.name) && section.size > 0);
    found.map(|section| section.offset.0 as usize..(section.offset.0 + section.size) as usize).collect()
}

#[test]
fn damaged_tables_are_answered_for_in_bounded_time() {
    let workshop = Workshop::new();
    let debug_frame = X86_64.replace(".cfi_startproc", ".cfi_sections .debug_frame\n.cfi_startproc");
    let files = [
        (workshop.program(&["-pie"]), 600),
        (workshop.program(&["-static"]), 100),
        (assembled(&debug_frame, &[]), 600),
        (assembled(&debug_frame, &["-Wl,--compress-debug-sections=zlib"]), 600),
        (assembled(I386, &["-m32"]), 600),
        (std::fs::read(libc_path()).unwrap(), 60),
    ];
    let (mut random, start) = (Random(0x5eed_0cf1), Instant::now());
    for (whole, rounds) in files {
        let tables = tables(&whole);
        assert!(!tables.is_empty());
        for _ in 0..rounds * 4 {
            let table = tables[random.below(tables.len())].clone();
            if let Ok(image) = parse(damaged(&whole, table, &mut random)) {
                interrogate(&image, &mut random);
            }
        }
    }
    assert!(start.elapsed() < Duration::from_secs(100), "{:?}", start.elapsed());
}

#[test]
fn a_section_that_claims_to_be_huge_once_decompressed_is_left_alone() {
    let debug_frame = X86_64.replace(".cfi_startproc", ".cfi_sections .debug_frame\n.cfi_startproc");
    let mut file = assembled(&debug_frame, &["-Wl,--compress-debug-sections=zlib"]);
    let inside = parse(file.clone()).unwrap().symbol("inside").unwrap().address;
    assert!(parse(file.clone()).unwrap().has_unwind_entry(inside));
    let table = tables(&file).pop().unwrap();
    file[table.start + 8..table.start + 16].copy_from_slice(&(1_u64 << 60).to_le_bytes());
    assert!(!parse(file).unwrap().has_unwind_entry(inside));
}
