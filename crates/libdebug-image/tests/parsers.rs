//! Two hundred damaged files through every parser: each question has an answer, in bounded time and memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Random, Workshop, libc_path, parse};
use libdebug_image::{FileAddress, Frame, Image, Registers, Spelling, demangle};

/// Each file is asked everything within this time, in a build without optimization on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
const MOST_MEMORY_KIB: u64 = 1 << 20;

const SOURCE: &str = r#"
#include <string>
#include <vector>
struct node { node *next; int values[4]; unsigned flag : 3; union { float f; char c[4]; }; };
enum class color { red, green };
__thread int mine;
color paint = color::green;
namespace deep { template <typename T> struct box { T it; __attribute__((noinline)) T get(int n) const { return it + n; } }; }
inline int half(int n) { return n / 2; }
int main(int argc, char **argv) {
  std::vector<node> nodes(argc);
  deep::box<double> box{1.5};
  node one{};
  one.values[1] = half(argc) + (int)box.get(argc);
  return one.values[1] + mine + (argv[0] ? 1 : 0) + (int)nodes.size();
}
"#;

/// Registers and memory of nothing: every value is another one.
struct Anything;

impl Registers for Anything {
    fn register(&self, number: u16) -> Option<u64> {
        (number < 17).then_some(u64::from(number) * 0x1_0001)
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> bool {
        buffer.fill(address as u8);
        !address.is_multiple_of(7)
    }
}

fn interrogate(bytes: Vec<u8>) {
    let Ok(image) = parse(bytes) else { return };
    tables(&image);
    black_box((image.debug_link(), image.mitigations(), image.sections().count()));
    if let Some(packed) = image.mini_debug_info() {
        tables(packed);
    }
    debug_information(&image);
}

fn tables(image: &Image) {
    black_box(image.linkage_symbols().count());
    for name in ["main", "deep::box<double>::get", "puts@plt", "half(int)", ""] {
        black_box((image.symbol(name), image.symbols_meaning(name).len(), image.linkage_symbol(name)));
    }
    for symbol in image.symbols().take(2000) {
        black_box((demangle(symbol.name, Spelling::Full), demangle(symbol.name, Spelling::Bare)));
    }
}

fn debug_information(image: &Image) {
    let Some(info) = image.debug_info() else { return };
    let functions: Vec<_> = info.functions().take(60).map(|function| function.address).collect();
    black_box((info.functions_named("main").len(), info.line_places("source.c", 12).len()));
    for address in functions.into_iter().chain([image.entry(), FileAddress(u64::MAX)]) {
        let pc = FileAddress(address.0.wrapping_add(9));
        let frame = Frame { pc, load_bias: 0x1000, registers: &Anything, cfa: None };
        black_box((info.source_line(pc), info.inlined_at(pc), info.function_at(pc)));
        black_box((info.variables(&frame).len(), frame.canonical_frame_address(image)));
        black_box(info.global("paint", &frame));
    }
}

/// Files of every kind that there is something to parse in.
fn originals() -> Vec<Vec<u8>> {
    let shop = Workshop::new();
    let build = |flags: &[&str]| {
        shop.compile(SOURCE, &[&["-x", "c++", "-O1", "-Wl,--unresolved-symbols=ignore-all"], flags].concat())
    };
    let mut files: Vec<_> = [
        &["-g"][..],
        &["-gdwarf-4", "-O2"],
        &["-gdwarf-5", "-O2", "-flto"],
        &["-g", "-gz=zlib"],
        &["-g", "-fdebug-types-section"],
    ]
    .into_iter()
    .map(build)
    .collect();
    let path = shop.path("output").to_str().unwrap().to_owned();
    let script = "set -e; objcopy --strip-debug \"$0\" mini; xz -k mini; objcopy --only-keep-debug \"$0\" d; \
                  strip \"$0\"; objcopy --add-section .gnu_debugdata=mini.xz --add-gnu-debuglink=d \"$0\"";
    let status = Command::new("sh").args(["-c", script, &path]).current_dir(shop.path("")).status().unwrap();
    assert!(status.success());
    files.push(std::fs::read(path).unwrap());
    files.push(std::fs::read(libc_path()).unwrap());
    files
}

/// Cut off, filled with one value, overwritten with offsets far outside, or copied over itself: which makes circles.
fn damage(file: &mut Vec<u8>, random: &mut Random) {
    let length = file.len();
    for _ in 0..=random.below(24) {
        let at = random.below(length - 64);
        match random.below(5) {
            0 => file[at] = random.next() as u8,
            1 => file[at..at + 8]
                .copy_from_slice(&[u64::MAX, 1 << 63, length as u64, 0][random.below(4)].to_le_bytes()),
            2 => {
                let from = random.below(length - 64);
                file.copy_within(from..from + 32, at);
            }
            3 => file[at..at + 16].fill([0, 0xff, 0x80][random.below(3)]),
            _ => file[at] ^= 1 << random.below(8),
        }
    }
    if random.below(6) == 0 {
        file.truncate(length - random.below(length / 2));
    }
}

/// What is damaged most tellingly: the bytes of the sections that describe the program.
fn damage_sections(file: &mut [u8], original: &Image, random: &mut Random) {
    let sections: Vec<_> = original
        .sections()
        .filter(|section| section.is_in_file && section.size > 16)
        .filter(|section| section.name.starts_with(".debug") || section.name.starts_with(".gnu_debug"))
        .collect();
    for _ in 0..sections.len().min(20) {
        let section = &sections[random.below(sections.len())];
        let at = (section.offset.0 + random.next() % section.size) as usize;
        if let Some(byte) = file.get_mut(at) {
            *byte = [0, 1, 0x7f, 0xff, random.next() as u8][random.below(5)];
        }
    }
}

#[test]
fn two_hundred_damaged_files_are_answered_for() {
    let originals = originals();
    let images: Vec<_> = originals.iter().map(|file| parse(file.clone()).unwrap()).collect();
    let mut random = Random(0x5eed_0fda_ba9e);
    let mut slowest = Duration::ZERO;
    for round in 0..210 {
        let which = round % originals.len();
        let mut file = originals[which].clone();
        damage_sections(&mut file, &images[which], &mut random);
        damage(&mut file, &mut random);
        file[..6].copy_from_slice(&originals[which][..6]);
        let began = Instant::now();
        interrogate(file);
        slowest = slowest.max(began.elapsed());
        assert!(slowest < PATIENCE, "file {round} took {slowest:?}");
    }
    let peak = peak_memory_kib();
    println!("slowest: {slowest:?}, memory: {} MiB", peak >> 10);
    assert!(peak < MOST_MEMORY_KIB, "{peak} KiB");
}

fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A section that says of itself that it is much larger than any.
#[test]
fn a_compressed_section_that_swells_is_refused() {
    let shop = Workshop::new();
    let whole = shop.compile(SOURCE, &["-x", "c++", "-g", "-gz=zlib", "-Wl,--unresolved-symbols=ignore-all"]);
    let image = parse(whole.clone()).unwrap();
    assert!(image.debug_info().unwrap().functions().count() > 0);
    let section = image.sections().find(|section| section.name == ".debug_info").unwrap();
    assert!(section.is_compressed);
    for size in [u64::MAX, 1 << 40, 1 << 30] {
        let mut file = whole.clone();
        let at = section.offset.0 as usize + 8;
        file[at..at + 8].copy_from_slice(&size.to_le_bytes());
        assert!(parse(file).unwrap().debug_info().is_none());
    }
    assert!(peak_memory_kib() < MOST_MEMORY_KIB);
}

/// A segment at the end of the address space, whose end is at its beginning.
#[test]
fn addresses_that_wrap_around_are_answered_for() {
    let shop = Workshop::new();
    let whole = shop.program(&["-g", "-no-pie"]);
    let original = parse(whole.clone()).unwrap();
    let headers = u64::from_le_bytes(*whole[0x20..].first_chunk().unwrap()) as usize;
    let count = usize::from(u16::from_le_bytes(*whole[0x38..].first_chunk().unwrap()));
    for number in 0..count {
        for address in [u64::MAX - 0x100, 1 << 63, 0] {
            let mut file = whole.clone();
            let at = headers + 56 * number + 16;
            file[at..at + 8].copy_from_slice(&address.to_le_bytes());
            let image = parse(file.clone()).unwrap();
            for asked in [FileAddress(0x10), FileAddress(u64::MAX), original.entry()] {
                black_box((image.bytes_at(asked, 64), image.offset_of(asked), image.symbol_at(asked)));
                black_box((image.loads(asked), image.linkage_symbol_at(asked)));
            }
            interrogate(file);
        }
    }
}
