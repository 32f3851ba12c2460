//! ELF files to test on, built with the C compiler of the machine in a directory that goes away afterwards.
#![allow(dead_code, reason = "every test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use libdebug_image::{Image, ImageError};

pub(crate) const PROGRAM: &str = r#"
#include <stdio.h>
int counter = 7;
static int hidden_counter;
static __attribute__((noinline)) int local_step(int by) { hidden_counter += by; return hidden_counter; }
__attribute__((noinline, weak)) int weak_step(int by) { return local_step(by) + 1; }
__attribute__((noinline)) int exported_step(int by) { return weak_step(by) * 2; }
__asm__(".text\n.globl bare_label\nbare_label: nop; nop; nop; ret\n.type after_label,@function\n"
        ".globl after_label\nafter_label: ret\n.size after_label, 1\n");
int main(void) { counter += exported_step(3); printf("%d\n", counter); return 0; }
"#;

pub(crate) const LIBRARY: &str = r#"
int answer_old(void) { return 1; }
int answer_new(void) { return 2; }
__asm__(".symver answer_old, answer@V1\n.symver answer_new, answer@@V2\n");
int only_here(void) { return 3; }
"#;

pub(crate) const VERSIONS: &str =
    "V1 { global: answer; only_here; local: *; };\nV2 { global: answer; } V1;\n";

/// A directory of its own per test.
pub(crate) struct Workshop(PathBuf);

impl Workshop {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("libdebug-image-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// The bytes of what gcc makes of the source with these flags.
    pub(crate) fn compile(&self, source: &str, flags: &[&str]) -> Vec<u8> {
        let (input, output) = (self.write("source.c", source), self.path("output"));
        run(Command::new("gcc").args(["-O1", "-o"]).arg(&output).args(flags).arg(&input));
        std::fs::read(output).unwrap()
    }

    pub(crate) fn program(&self, flags: &[&str]) -> Vec<u8> {
        self.compile(PROGRAM, flags)
    }

    pub(crate) fn library(&self) -> Vec<u8> {
        let script = format!("-Wl,--version-script={}", self.write("versions", VERSIONS).display());
        self.compile(LIBRARY, &["-shared", "-fPIC", "-fcf-protection=none", &script])
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn run(command: &mut Command) {
    let status = command.status().expect("the compiler runs");
    assert!(status.success(), "{command:?}");
}

pub(crate) fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("the tool runs");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn parse(bytes: Vec<u8>) -> Result<Image, ImageError> {
    Image::parse(Arc::new(bytes))
}

pub(crate) fn image(bytes: Vec<u8>) -> Image {
    parse(bytes).unwrap()
}

pub(crate) fn file(path: impl AsRef<Path>) -> Image {
    image(std::fs::read(path).unwrap())
}

/// The same 64-bit file without section headers, as some packers leave it.
pub(crate) fn without_section_headers(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[0x28..0x30].fill(0);
    bytes[0x3c..0x40].fill(0);
    bytes
}

/// The file of the C library that programs here run with.
pub(crate) fn libc_path() -> PathBuf {
    PathBuf::from(output_of("gcc", &["-print-file-name=libc.so.6"]).trim())
}

/// xorshift64*: the same numbers in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
