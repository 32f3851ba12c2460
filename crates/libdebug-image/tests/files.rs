//! What well-formed files say, compared with what binutils say about them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::{Workshop, file, image, libc_path, output_of, parse, without_section_headers};
use libdebug_image::{
    FileAddress, FileOffset, Image, ImageError, ImageKind, Machine, SymbolBinding, SymbolKind,
};

const PAGE: u64 = 4096;

#[test]
fn kinds_of_programs_are_told_apart() {
    let shop = Workshop::new();
    let table: &[(&[&str], ImageKind, bool)] = &[
        (&["-no-pie"], ImageKind::Executable, true),
        (&["-pie"], ImageKind::SharedObject, true),
        (&["-static", "-no-pie"], ImageKind::Executable, false),
        (&["-static-pie"], ImageKind::SharedObject, false),
        (&["-c"], ImageKind::Relocatable, false),
    ];
    for &(flags, kind, is_dynamic) in table {
        let image = image(shop.program(flags));
        assert_eq!((image.kind(), image.machine()), (kind, Machine::X86_64), "{flags:?}");
        assert_eq!(image.is_pie_like(), kind == ImageKind::SharedObject);
        assert_eq!(image.interpreter().is_some(), is_dynamic, "{flags:?}");
        assert!(image.is_64_bit());
        assert_eq!(image.symbol("main").unwrap().kind, SymbolKind::Function, "{flags:?}");
    }
}

#[test]
fn headers_agree_with_readelf() {
    let shop = Workshop::new();
    let image = image(shop.program(&["-pie", "-Wl,--build-id=0x0123456789abcdef"]));
    let readelf = output_of("readelf", &["-hlSW", shop.path("output").to_str().unwrap()]);
    assert!(readelf.contains(&format!("Entry point address:               {}", image.entry())));
    assert_eq!(image.interpreter(), Some("/lib64/ld-linux-x86-64.so.2"));
    assert_eq!(image.build_id(), Some(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef][..]));
    let loads = readelf.lines().filter(|line| line.trim_start().starts_with("LOAD "));
    for (line, segment) in loads.clone().zip(image.segments()) {
        assert!(line.contains(&format!("0x{:06x} 0x{:016x}", segment.offset.0, segment.address.0)), "{line}");
        assert!(
            line.contains(&format!("0x{:06x} 0x{:06x}", segment.file_size, segment.memory_size)),
            "{line}"
        );
        assert_eq!(line.contains("R E"), segment.executable);
        assert_eq!(line.contains("RW"), segment.writable);
        assert!(segment.readable);
    }
    assert_eq!(loads.count(), image.segments().len());
    let text = image.sections().find(|section| section.name == ".text").unwrap();
    assert!(readelf.contains(&format!("{:016x} {:06x} {:06x}", text.address.0, text.offset.0, text.size)));
    assert!(!image.sections().find(|section| section.name == ".bss").unwrap().is_in_file);
}

/// Name and address of every symbol that nm lists and that names a place.
fn nm(shop: &Workshop, flag: &str) -> Vec<(u64, String)> {
    let listing = output_of("nm", &[flag, "--defined-only", shop.path("output").to_str().unwrap()]);
    let mut all: Vec<(u64, String)> = listing
        .lines()
        .filter_map(|line| {
            let [address, kind, name] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
            (kind != "A").then(|| (u64::from_str_radix(address, 16).unwrap(), name.to_owned()))
        })
        .collect();
    all.sort();
    all
}

fn listed(image: &Image, is_dynamic: bool) -> Vec<(u64, String)> {
    let symbols = image.symbols().filter(|symbol| symbol.is_dynamic == is_dynamic);
    let mut all: Vec<_> = symbols.map(|symbol| (symbol.address.0, symbol.name.to_owned())).collect();
    all.sort();
    all
}

#[test]
fn symbols_agree_with_nm() {
    let shop = Workshop::new();
    let image = image(shop.program(&["-pie", "-rdynamic"]));
    assert_eq!(listed(&image, false), nm(&shop, "-p"));
    assert_eq!(listed(&image, true), nm(&shop, "-D"));
    assert!(listed(&image, true).iter().any(|(_, name)| name == "exported_step"));
}

#[test]
fn symbols_are_found_by_name_before_and_after_the_index_exists() {
    let shop = Workshop::new();
    let image = image(shop.program(&["-pie"]));
    for _ in 0..5 {
        let local = image.symbol("local_step").unwrap();
        assert_eq!((local.kind, local.binding), (SymbolKind::Function, SymbolBinding::Local));
        assert_eq!(image.symbol("weak_step").unwrap().binding, SymbolBinding::Weak);
        assert_eq!(image.symbol("counter").unwrap().kind, SymbolKind::Object);
        assert_eq!(image.symbol("counter").unwrap().size, 4);
        assert_eq!(image.symbol("bare_label").unwrap().kind, SymbolKind::NoType);
        for missing in ["", "no_such", "xported_step", "exported_ste", "printf", "source.c", "main\0"] {
            assert_eq!(image.symbol(missing), None, "{missing:?}");
        }
    }
}

#[test]
fn scan_and_index_give_the_same_for_every_symbol_of_a_large_file() {
    let indexed = file(libc_path());
    for _ in 0..3 {
        assert_eq!(indexed.symbol("main"), None);
    }
    let bytes = Arc::new(indexed.data().to_vec());
    for symbol in indexed.symbols().step_by(29) {
        let scanning = Image::parse(bytes.clone()).unwrap();
        let by_scan = scanning.symbols_named(symbol.name);
        assert!(by_scan.contains(&symbol));
        assert_eq!(by_scan, indexed.symbols_named(symbol.name), "{}", symbol.name);
    }
}

#[test]
fn symbols_are_found_by_address() {
    let shop = Workshop::new();
    let image = image(shop.program(&["-pie", "-rdynamic"]));
    for name in ["main", "local_step", "exported_step", "counter"] {
        let symbol = image.symbol(name).unwrap();
        for inside in [0, symbol.size / 2, symbol.size - 1] {
            assert_eq!(
                image.symbol_at(FileAddress(symbol.address.0 + inside)),
                Some(symbol),
                "{name}+{inside}"
            );
        }
    }
    let bare = image.symbol("bare_label").unwrap();
    assert_eq!(bare.size, 0);
    assert_eq!(image.symbol_at(FileAddress(bare.address.0 + 3)).unwrap().name, "bare_label");
    assert_eq!(image.symbol_at(FileAddress(bare.address.0 + 4)).unwrap().name, "after_label");
    for nowhere in [FileAddress(0), FileAddress(0x7000_0000), FileAddress(u64::MAX)] {
        assert_eq!(image.symbol_at(nowhere), None, "{nowhere}");
    }
}

#[test]
fn stripped_files_keep_their_dynamic_symbols() {
    let shop = Workshop::new();
    let stripped = shop.program(&["-pie", "-rdynamic", "-s"]);
    for bytes in [stripped.clone(), without_section_headers(stripped)] {
        let image = image(bytes);
        assert_eq!(image.symbol("local_step"), None);
        assert!(image.symbol("exported_step").unwrap().is_dynamic);
    }
}

#[test]
fn the_dynamic_symbols_are_the_same_with_and_without_section_headers() {
    let shop = Workshop::new();
    for style in ["-Wl,--hash-style=sysv", "-Wl,--hash-style=gnu", "-Wl,--hash-style=both"] {
        let bytes = shop.program(&["-pie", "-rdynamic", style]);
        let headerless = image(without_section_headers(bytes.clone()));
        assert_eq!(headerless.sections().count(), 0);
        assert!(headerless.build_id().is_some());
        assert_eq!(listed(&headerless, true), listed(&image(bytes), true), "{style}");
    }
    let whole = std::fs::read(libc_path()).unwrap();
    let headerless = image(without_section_headers(whole.clone()));
    let dynamic: Vec<_> = headerless.symbols().collect();
    assert_eq!(dynamic, image(whole).symbols().filter(|symbol| symbol.is_dynamic).collect::<Vec<_>>());
    assert!(dynamic.len() > 1000);
}

#[test]
fn the_default_version_of_a_name_is_preferred() {
    let shop = Workshop::new();
    let bytes = shop.library();
    for bytes in [bytes.clone(), without_section_headers(bytes)] {
        let image = image(bytes);
        let dynamic = |all: &[libdebug_image::Symbol<'_>]| all.iter().filter(|one| one.is_dynamic).count();
        for _ in 0..4 {
            let chosen = image.symbol("answer").unwrap();
            assert!(chosen.is_default_version);
            assert_eq!(dynamic(&image.symbols_named("answer")), 2);
            let code = image.bytes_at(chosen.address, 5).unwrap();
            assert_eq!(code, [0xb8, 2, 0, 0, 0], "the default version returns 2");
        }
    }
}

#[test]
fn versions_in_symtab_names_are_understood() {
    let shop = Workshop::new();
    let image = image(shop.library());
    for _ in 0..4 {
        let old = image.symbol("answer@V1").unwrap();
        let new = image.symbol("answer@@V2").unwrap();
        assert_eq!((old.name, new.name), ("answer", "answer"));
        assert_eq!((old.is_default_version, new.is_default_version), (false, true));
        assert_eq!(image.symbol("answer").unwrap().address, new.address);
        assert_ne!(old.address, new.address);
        assert_eq!(image.symbol("answer@V9"), None);
    }
}

#[test]
fn memcpy_of_the_c_library_is_found() {
    let image = file(libc_path());
    let memcpy = image.symbol("memcpy").unwrap();
    assert!(memcpy.is_default_version);
    assert!(image.symbols_named("memcpy").iter().any(|symbol| !symbol.is_default_version));
}

#[test]
fn places_translate_between_file_and_memory() {
    let shop = Workshop::new();
    let bytes = shop.program(&["-pie"]);
    let image = image(bytes.clone());
    let counter = image.symbol("counter").unwrap().address;
    let offset = image.offset_of(counter).unwrap();
    assert_ne!(offset.0, counter.0);
    assert_eq!(image.address_of(offset), Some(counter));
    assert_eq!(image.bytes_at(counter, 4), Some(&7_i32.to_le_bytes()[..]));
    assert_eq!(bytes[offset.0 as usize..][..4], 7_i32.to_le_bytes());
    let bss = image.symbol("hidden_counter").unwrap().address;
    assert_eq!(image.offset_of(bss), None);
    assert_eq!(image.address_of(FileOffset(u64::MAX)), None);
}

#[test]
fn the_load_bias_is_the_same_from_every_mapping_that_shares_no_page() {
    let shop = Workshop::new();
    for flags in
        [&["-pie"][..], &["-no-pie"], &["-static"], &["-static-pie"], &["-pie", "-Wl,-z,noseparate-code"]]
    {
        let image = image(shop.program(flags));
        let bias = if image.is_pie_like() { 0x5555_5555_4000 } else { 0 };
        let mut seen = Vec::new();
        for segment in image.segments() {
            let start = segment.address.in_process(bias) & !(PAGE - 1);
            let offset = segment.offset.0 & !(PAGE - 1);
            if !seen.contains(&offset) {
                assert_eq!(image.load_bias(start, offset, PAGE), Some(bias), "{flags:?} {segment:?}");
            }
            if segment.file_size > 2 * PAGE {
                assert_eq!(image.load_bias(start + PAGE, offset + PAGE, PAGE), Some(bias));
            }
            seen.push(offset);
        }
        assert!(seen.len() > 1);
        assert_eq!(image.load_bias(0x1000, 1 << 40, PAGE), None);
    }
}

#[test]
fn thirty_two_bit_files_are_read() {
    let shop = Workshop::new();
    let source =
        shop.write("small.s", ".globl _start\n.type _start,@function\n_start: nop\nret\n.size _start,2\n");
    let (object, output) = (shop.path("small.o"), shop.path("small"));
    let paths = [&source, &object, &output].map(|path| path.to_str().unwrap());
    output_of("as", &["--32", "-o", paths[1], paths[0]]);
    output_of("ld", &["-m", "elf_i386", "-o", paths[2], paths[1]]);
    let image = file(&output);
    assert_eq!((image.machine(), image.is_64_bit()), (Machine::I386, false));
    let start = image.symbol("_start").unwrap();
    assert_eq!((start.address, start.size), (image.entry(), 2));
    assert_eq!(image.symbol_at(FileAddress(start.address.0 + 1)), Some(start));
}

#[test]
fn other_files_are_refused_with_the_reason() {
    assert_eq!(parse(Vec::new()).unwrap_err(), ImageError::NotElf);
    assert_eq!(parse(b"#!/bin/sh\n".to_vec()).unwrap_err(), ImageError::NotElf);
    assert!(matches!(parse(b"\x7fELF".to_vec()).unwrap_err(), ImageError::Damaged(_)));
    let mut big = std::fs::read("/bin/ls").unwrap();
    big[5] = 2;
    big[18..20].copy_from_slice(&[0, 8]);
    let expected = ImageError::Unsupported { class: 2, data: 2, machine: 8 };
    assert_eq!(parse(big).unwrap_err(), expected);
}

#[test]
fn an_image_is_shared_between_threads() {
    let image = file(libc_path());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for name in ["read", "write", "memcpy", "open", "close"] {
                    let symbol = image.symbol(name).unwrap();
                    assert!(image.symbol_at(symbol.address).is_some());
                }
            });
        }
    });
}
