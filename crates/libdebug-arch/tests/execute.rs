//! Moved instructions, run on the processor beside the originals: both must leave the same state.
//!
//! A small C program maps the code, runs it in place and out of line, and compares. It needs an x86-64
//! machine with gcc.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::process::Command;

use libdebug_arch::x86_64::relocate;

const FROM: u64 = 0x1000_0000;
const NEAR: u64 = 0x1010_0000;
const FAR: u64 = 0x6000_0000_0000;

/// Each runs with rax = `FROM + 0x80`, where `mov rax, [rsp]; ret` stands, and 8 bytes of data at
/// `FROM + 0xf0` that hold that address. Behind the instruction stands `inc rax; ret`.
const INSTRUCTIONS: &[&[u8]] = &[
    &[0x90],                            // nop
    &[0x48, 0x8d, 0x05, 0x10, 0, 0, 0], // lea rax, [rip+0x10]
    &[0x48, 0x8b, 0x05, 0xe9, 0, 0, 0], // mov rax, [FROM+0xf0]
    &[0x80, 0x3d, 0xe9, 0, 0, 0, 0x10], // cmp byte [FROM+0xf0], 0x10
    &[0x48, 0x0f, 0xc8],                // bswap rax
    &[0xc3],                            // ret
    &[0xeb, 0x7e],                      // jmp FROM+0x80
    &[0xe9, 0x7b, 0, 0, 0],             // jmp near FROM+0x80
    &[0xff, 0xe0],                      // jmp rax
    &[0xff, 0x25, 0xea, 0, 0, 0],       // jmp [FROM+0xf0]
    &[0xe8, 0x7b, 0, 0, 0],             // call FROM+0x80
    &[0xff, 0xd0],                      // call rax
    &[0xff, 0x15, 0xea, 0, 0, 0],       // call [FROM+0xf0]
    &[0xff, 0x54, 0x24, 0x08],          // call [rsp+8], where the harness left the address, too
    &[0xff, 0x54, 0x0c, 0x08],          // call [rsp+rcx+8], with rcx = 0
    &[0x74, 0x7e],                      // je
    &[0x75, 0x7e],                      // jne
    &[0x72, 0x7e],                      // jb
    &[0x73, 0x7e],                      // jae
    &[0x0f, 0x88, 0x7a, 0, 0, 0],       // js
    &[0x0f, 0x89, 0x7a, 0, 0, 0],       // jns
    &[0xe3, 0x7e],                      // jrcxz
    &[0x67, 0xe3, 0x7d],                // jecxz
    &[0xe2, 0x7e],                      // loop
    &[0xe1, 0x7e],                      // loope
    &[0xe0, 0x7e],                      // loopne
];

const HARNESS: &str = r#"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
struct state { unsigned long rax, rcx, flags; };
static void *map(unsigned long at) {
    return mmap((void *)at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}
static __attribute__((noinline)) struct state run(unsigned long code, unsigned long rcx, unsigned long flags) {
    struct state s;
    unsigned long rax = 0x10000080;
    __asm__ volatile("sub $256, %%rsp\n push %%rax\n push %[f]\n popf\n call *%[code]\n"
                     "pushf\n pop %[f]\n lea 264(%%rsp), %%rsp\n"
                     : "+a"(rax), "+c"(rcx), [f] "+&r"(flags) : [code] "r"(code) : "memory", "cc");
    s.rax = rax; s.rcx = rcx; s.flags = flags;
    return s;
}
static int check(int number, const char *code, int size, unsigned long to, const char *stub, int stub_size) {
    static const unsigned long target = 0x10000080;
    int bad = 0;
    memset((void *)0x10000000, 0xcc, 4096);
    memcpy((void *)0x10000000, code, size);
    memcpy((char *)0x10000000 + size, "\x48\xff\xc0\xc3", 4);
    memcpy((void *)target, "\x48\x8b\x04\x24\xc3", 5);
    memcpy((void *)0x100000f0, &target, 8);
    memcpy((void *)to, stub, stub_size);
    for (unsigned long rcx = 0; rcx < 3; rcx++)
        for (unsigned long flags = 0; flags < 16; flags++) {
            unsigned long bits = 2 | (flags & 1) | (flags & 2) << 5 | (flags & 4) << 5 | (flags & 8) << 8;
            if (rcx && number == INDEXED) continue;
            struct state here = run(0x10000000, rcx, bits), there = run(to, rcx, bits);
            if (memcmp(&here, &there, sizeof here)) {
                printf("case %d at %lx, rcx %lu, flags %lx: rax %lx/%lx rcx %lx/%lx flags %lx/%lx\n", number, to, rcx,
                       bits, here.rax, there.rax, here.rcx, there.rcx, here.flags, there.flags);
                bad = 1;
            }
        }
    return bad;
}
int main(void) {
    int bad = 0;
    map(0x10000000); map(0x10100000); map(0x600000000000);
"#;

fn literal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut all, byte| {
        write!(all, "\\x{byte:02x}").unwrap();
        all
    })
}

fn program() -> (String, usize) {
    let indexed = INSTRUCTIONS.iter().position(|code| code.ends_with(&[0x0c, 0x08])).unwrap();
    let mut source = format!("#define INDEXED {indexed}\n{HARNESS}");
    let mut count = 0;
    for (number, code) in INSTRUCTIONS.iter().enumerate() {
        for to in [NEAR, FAR] {
            let Ok(stub) = relocate(code, FROM, to, 64) else { continue };
            let (size, stub_size) = (code.len(), stub.code.len());
            let (code, stub) = (literal(code), literal(&stub.code));
            writeln!(source, r#"bad |= check({number}, "{code}", {size}, {to:#x}, "{stub}", {stub_size});"#)
                .unwrap();
            count += 1;
        }
    }
    (source + "return bad; }\n", count)
}

#[test]
fn moved_instructions_leave_the_state_that_the_originals_leave() {
    let directory = std::env::temp_dir().join(format!("libdebug-arch-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (input, output) = (directory.join("harness.c"), directory.join("harness"));
    let (source, count) = program();
    std::fs::write(&input, source).unwrap();
    let gcc =
        Command::new("gcc").args(["-O1", "-fcf-protection=none", "-o"]).arg(&output).arg(&input).status();
    let ran = Command::new(&output).output();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(gcc.unwrap().success());
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{}: {}", ran.status, String::from_utf8_lossy(&ran.stdout));
    // Five of the instructions name memory that a far copy cannot reach.
    assert_eq!(count, 2 * INSTRUCTIONS.len() - 5);
}
