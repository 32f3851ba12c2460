//! Damaged files: every question has an answer, in bounded time, and nothing panics.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Random, Workshop, libc_path, parse, without_section_headers};
use libdebug_image::{FileAddress, FileOffset, Image};

/// Asks everything that an image can be asked.
fn interrogate(bytes: Vec<u8>) {
    let Ok(image) = parse(bytes) else { return };
    let names = ["main", "memcpy", "no_such_name", "_", ""];
    for name in names {
        std::hint::black_box((image.symbol(name), image.symbols_named(name).len()));
    }
    let entry = image.entry();
    for address in [FileAddress(0), entry, FileAddress(0x4000), FileAddress(u64::MAX)] {
        std::hint::black_box((
            image.symbol_at(address),
            image.offset_of(address),
            image.bytes_at(address, 64),
        ));
    }
    std::hint::black_box((image.interpreter(), image.build_id(), image.sections().count()));
    std::hint::black_box((image.symbols().count(), image.address_of(FileOffset(0x1000))));
    places(&image);
}

fn places(image: &Image) {
    for segment in image.segments() {
        for page in [0, 1, 4096, u64::MAX] {
            std::hint::black_box(image.load_bias(segment.address.0, segment.offset.0, page));
        }
    }
}

fn small_program() -> Vec<u8> {
    Workshop::new().program(&["-pie", "-rdynamic"])
}

#[test]
fn a_file_cut_anywhere_is_answered_for() {
    let whole = small_program();
    for file in [without_section_headers(whole.clone()), whole] {
        for length in (0..file.len()).step_by(16) {
            interrogate(file[..length].to_vec());
        }
    }
}

#[test]
fn large_files_cut_short_are_answered_for() {
    for path in ["/bin/ls".into(), libc_path()] {
        let whole = std::fs::read(path).unwrap();
        let step = (whole.len() / 150).next_multiple_of(16);
        for length in (0..whole.len()).step_by(step).chain((0..2048).step_by(16)) {
            interrogate(whole[..length].to_vec());
        }
    }
}

/// Half of the damage goes where the structure is: the file header, program headers and the tables' ends.
fn damage(file: &mut [u8], random: &mut Random) {
    let length = file.len();
    for _ in 0..=random.below(8) {
        let at = match random.below(4) {
            0 => random.below(64),
            1 => random.below(1024.min(length)),
            2 => length - 1 - random.below(4096.min(length)),
            _ => random.below(length),
        };
        file[at] = [0, 0xff, 0x7f, 0x80, random.next() as u8][random.below(5)];
    }
}

fn mutate(original: &[u8], rounds: usize, seed: u64) {
    let mut random = Random(seed);
    for _ in 0..rounds {
        let mut file = original.to_vec();
        damage(&mut file, &mut random);
        file[..6].copy_from_slice(&original[..6]);
        interrogate(file);
    }
}

#[test]
fn random_damage_to_a_small_program_is_answered_for() {
    let whole = small_program();
    mutate(&without_section_headers(whole.clone()), 2000, 0x1357_9bdf);
    mutate(&whole, 2000, 0x2468_ace0);
}

#[test]
fn random_damage_to_installed_files_is_answered_for() {
    mutate(&std::fs::read("/bin/ls").unwrap(), 2000, 0x0bad_cafe);
    mutate(&std::fs::read(libc_path()).unwrap(), 200, 0x0dd_ba11);
}

/// One file of nothing but equal, overlapping symbols must not make the answers quadratic.
#[test]
fn a_file_of_equal_symbols_is_answered_in_linear_time() {
    let count = 300_000;
    let image = parse(equal_symbols(count)).unwrap();
    assert_eq!(image.symbols().count(), count);
    for _ in 0..4 {
        assert_eq!(image.symbols_named("a").len(), count);
    }
    assert_eq!(image.symbol_at(FileAddress(0x1000)).unwrap().name, "a");
}

/// File header, a symbol table, its strings, and three section headers.
fn equal_symbols(count: usize) -> Vec<u8> {
    let mut file = vec![0; 64];
    file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    let mut symbol = [0; 24];
    symbol[..8].copy_from_slice(&[1, 0, 0, 0, 0x12, 0, 1, 0]);
    symbol[8..16].copy_from_slice(&0x1000_u64.to_le_bytes());
    symbol[16] = 1;
    file.extend(symbol.repeat(count));
    let strings = file.len() as u64;
    file.extend([0, b'a', 0, 0, 0, 0, 0, 0]);
    let headers = file.len() as u64;
    file.extend([0; 64]);
    file.extend(section(2, 64, 24 * count as u64, 2));
    file.extend(section(3, strings, 3, 0));
    file[16..20].copy_from_slice(&[3, 0, 62, 0]);
    file[0x28..0x30].copy_from_slice(&headers.to_le_bytes());
    file[0x36..0x40].copy_from_slice(&[56, 0, 0, 0, 64, 0, 3, 0, 2, 0]);
    file
}

fn section(kind: u32, offset: u64, size: u64, link: u32) -> Vec<u8> {
    let mut header = vec![0; 64];
    header[4..8].copy_from_slice(&kind.to_le_bytes());
    header[24..32].copy_from_slice(&offset.to_le_bytes());
    header[32..40].copy_from_slice(&size.to_le_bytes());
    header[40..44].copy_from_slice(&link.to_le_bytes());
    header
}

/// A segment that goes on behind the last address, at the first one.
#[test]
fn a_segment_around_the_end_of_the_address_space_is_answered_for() {
    let mut file = without_section_headers(small_program());
    let programs = u64::from_le_bytes(file[0x20..0x28].try_into().unwrap()) as usize;
    for entry in 0..usize::from(file[0x38]) {
        let address = programs + entry * 56 + 16;
        file[address..address + 8].copy_from_slice(&(u64::MAX - 0x80).to_le_bytes());
    }
    interrogate(file.clone());
    let image = parse(file).unwrap();
    for address in [0, 1, 0x40, u64::MAX - 0x80, u64::MAX] {
        std::hint::black_box((
            image.bytes_at(FileAddress(address), 64),
            image.offset_of(FileAddress(address)),
        ));
    }
}
