//! Symbols beyond the plain tables, compared with what binutils and the compiler say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::Command;

use common::{Workshop, file, image, libc_path, output_of};
use libdebug_image::{FileAddress, Image, Relro, SymbolKind};

const CPP: &str = r"
namespace shape {
struct box { int side; box(int side); ~box(); int area(int by, double factor) const; int operator+(int more) const; };
__attribute__((noinline)) box::box(int side) : side(side) {}
__attribute__((noinline)) box::~box() { side = 0; }
__attribute__((noinline)) int box::area(int by, double factor) const { return side * by * (int)factor; }
__attribute__((noinline)) int box::operator+(int more) const { return side + more; }
template <typename T> __attribute__((noinline)) T twice(T value) { return value + value; }
template int twice<int>(int);
}
int main(int argc, char **) { shape::box one(argc); return one.area(2, 1.0) + (one + 1) + shape::twice(argc); }
";

fn cpp(shop: &Workshop, flags: &[&str]) -> Image {
    image(shop.compile(CPP, &[&["-x", "c++"], flags].concat()))
}

#[test]
fn readable_names_are_found_before_and_after_the_index_exists() {
    let shop = Workshop::new();
    let image = cpp(&shop, &["-pie"]);
    let area = image.symbol("_ZNK5shape3box4areaEid").unwrap();
    for _ in 0..3 {
        for name in
            ["shape::box::area(int, double) const", "shape::box::area(int,double)const", "shape::box::area"]
        {
            assert_eq!(image.symbols_meaning(name), [area], "{name}");
        }
        assert_eq!(image.symbols_meaning("shape::box::operator+").len(), 1);
        assert_eq!(image.symbols_meaning("shape::box::~box()").len(), 2, "both kinds of destructor");
        assert_eq!(image.symbols_meaning("int shape::twice<int>(int)").len(), 1);
        assert_eq!(image.symbols_meaning("shape::twice<int>").len(), 1);
        for missing in ["area", "shape::box", "shape::box::area(int)", "no_such", ""] {
            assert_eq!(image.symbols_meaning(missing), [], "{missing}");
        }
        for number in 0..70 {
            assert_eq!(image.symbols_meaning(&format!("no_such_{number}")), []);
        }
    }
}

#[test]
fn stubs_and_slots_have_names() {
    for flags in
        [&["-pie"][..], &["-no-pie"], &["-fcf-protection=full"], &["-Wl,-z,now"], &["-fno-plt"], &["-s"]]
    {
        let shop = Workshop::new();
        let image = image(shop.program(flags));
        let slot = image.linkage_symbol("printf@got").unwrap();
        assert_eq!((slot.size, slot.kind), (8, SymbolKind::Object));
        let path = shop.path("output");
        let relocations = output_of("readelf", &["-rW", path.to_str().unwrap()]);
        let line = relocations.lines().find(|line| line.contains(" printf@")).unwrap();
        assert!(line.starts_with(&format!("{:016x}", slot.address.0)), "{line}");
        let Some(stub) = image.linkage_symbol("printf@plt") else {
            assert_eq!(flags, ["-fno-plt"]);
            continue;
        };
        let code = output_of("objdump", &["-d", path.to_str().unwrap()]);
        assert!(code.contains(&format!("{:016x} <printf@plt>:", stub.address.0)), "{flags:?}: {stub:?}");
        assert_eq!(image.linkage_symbol_at(FileAddress(stub.address.0 + 5)), Some(stub));
        assert_eq!(image.linkage_symbol_at(FileAddress(stub.address.0 + 100)), None);
    }
}

#[test]
fn thread_local_variables_are_kept_apart() {
    let source = "__thread int mine = 3; int main(void) { return mine; }";
    let image = image(Workshop::new().compile(source, &["-pie"]));
    let mine = image.symbol("mine").unwrap();
    assert_eq!((mine.kind, mine.size), (SymbolKind::ThreadLocal, 4));
    assert!(image.symbol_at(mine.address).is_none_or(|other| other.name != "mine"));
}

#[test]
fn a_separate_file_of_debug_information_is_named_and_recognized() {
    let shop = Workshop::new();
    drop(shop.program(&["-g"]));
    let run = |program: &str, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).current_dir(shop.path("")).status().unwrap();
        assert!(status.success());
    };
    run("objcopy", &["--only-keep-debug", "output", "output.debug"]);
    run("strip", &["output"]);
    run("objcopy", &["--add-gnu-debuglink=output.debug", "output"]);
    let (stripped, debug) = (file(shop.path("output")), file(shop.path("output.debug")));
    let link = stripped.debug_link().unwrap();
    assert_eq!(link.name, "output.debug");
    assert!(link.fits(debug.data()) && !link.fits(stripped.data()));
    assert_eq!(stripped.symbol("local_step"), None);
    assert!(debug.symbol("local_step").is_some());
    assert_eq!(debug.build_id(), stripped.build_id());
    assert!(stripped.mitigations().stripped && !debug.mitigations().stripped);
}

#[test]
fn symbols_packed_into_a_stripped_file_are_unpacked() {
    let shop = Workshop::new();
    drop(shop.program(&[]));
    let path = shop.path("output").to_str().unwrap().to_owned();
    let script = "set -e; objcopy --strip-debug \"$0\" mini; xz --check=crc64 mini; strip \"$0\"; \
                  objcopy --add-section .gnu_debugdata=mini.xz \"$0\"";
    let status = Command::new("sh").args(["-c", script, &path]).current_dir(shop.path("")).status().unwrap();
    assert!(status.success());
    let image = file(shop.path("output"));
    assert_eq!(image.symbol("local_step"), None);
    assert!(image.mini_debug_info().unwrap().symbol("local_step").is_some());
}

#[test]
fn a_packed_section_that_swells_is_refused() {
    let shop = Workshop::new();
    drop(shop.program(&[]));
    let path = shop.path("output").to_str().unwrap().to_owned();
    let script = "set -e; head -c 300M /dev/zero | xz -0 > bomb.xz; objcopy --add-section .gnu_debugdata=bomb.xz \"$0\"";
    let status = Command::new("sh").args(["-c", script, &path]).current_dir(shop.path("")).status().unwrap();
    assert!(status.success());
    assert!(file(shop.path("output")).mini_debug_info().is_none());
}

#[test]
fn functions_of_debug_information_are_those_of_the_symbol_table() {
    for flags in [
        &["-g"][..],
        &["-gdwarf-4"],
        &["-g", "-gz=zlib"],
        &["-g", "-O2"],
        &["-g", "-no-pie"],
        &["-g", "-flto"],
    ] {
        let shop = Workshop::new();
        let image = cpp(&shop, flags);
        let info = image.debug_info().unwrap();
        let mut listed = 0;
        for function in info.functions() {
            let known = image.symbols().filter(|symbol| symbol.address == function.address);
            let known: Vec<_> = known.map(|symbol| (symbol.name, symbol.size)).collect();
            // Constructors have several names at one place, and debug information knows none of them.
            let is_known = known.contains(&(function.name, function.size)) || function.name.contains("C4E");
            assert!(is_known || function.name.contains("D4E"), "{flags:?}: {function:?} {known:?}");
            listed += 1;
        }
        assert!(listed >= 4, "{flags:?}: {listed}");
        let main = info.functions_named("main");
        assert_eq!(main.len(), 1, "{flags:?}");
        assert_eq!(main[0].address, image.symbol("main").unwrap().address);
        assert_eq!(info.functions_named("shape::box::area").len(), 1, "{flags:?}");
        assert_eq!(info.function_at(FileAddress(main[0].address.0 + 1)), Some(main[0]));
    }
}

#[test]
fn source_lines_are_those_of_addr2line() {
    for flags in [&["-g"][..], &["-gdwarf-4"], &["-g", "-O2"]] {
        let shop = Workshop::new();
        let image = cpp(&shop, flags);
        let info = image.debug_info().unwrap();
        let path = shop.path("output");
        let main = image.symbol("main").unwrap();
        let area = info.functions_named("shape::box::area")[0];
        for function in [main, area] {
            for at in (0..function.size).step_by(3) {
                let address = FileAddress(function.address.0 + at);
                let found =
                    info.source_line(address).map_or("??:?".into(), |at| format!("{}:{}", at.file, at.line));
                let expected = output_of("addr2line", &["-e", path.to_str().unwrap(), &address.to_string()]);
                let expected = expected.lines().next().unwrap().split(" (").next().unwrap().to_owned();
                assert_eq!(found, expected, "{flags:?} {address}");
            }
        }
    }
}

#[test]
fn lines_have_places_in_the_functions_that_have_them() {
    let source = "static inline __attribute__((always_inline)) int half(int n) {\n  return n / 2;\n}\n\
                  int one(int n) {\n  return half(n) + 1;\n}\n\nint main(int n, char **v) {\n  (void)v;\n\
                  \n  return half(n) + one(n);\n}\n";
    let image = image(Workshop::new().compile(source, &["-g", "-O0"]));
    let info = image.debug_info().unwrap();
    let function = |address| info.function_at(address).unwrap().name;
    let places = |line| -> Vec<_> {
        info.line_places("source.c", line).iter().map(|place| (place.line, function(place.address))).collect()
    };
    assert_eq!(places(2), [(2, "one"), (2, "main")]);
    assert_eq!(places(5), [(5, "one")]);
    assert_eq!(places(10), [(11, "main")], "an empty line is the next one");
    assert_eq!(places(4), [(4, "one")]);
    assert_eq!(places(99), []);
    assert_eq!(info.line_places("other.c", 2), []);
    let behind_prologue = info.line_places("source.c", 4)[0].address;
    assert!(behind_prologue > image.symbol("one").unwrap().address);
    let inlined = info.inlined_at(info.line_places("source.c", 2)[0].address);
    assert_eq!(inlined.iter().map(|call| &*call.name).collect::<Vec<_>>(), ["half"]);
    assert_eq!(inlined[0].call_line, Some(5));
}

#[test]
fn mitigations_are_what_the_flags_say() {
    let found = |flags: &[&str]| image(Workshop::new().program(flags)).mitigations();
    let full = found(&["-pie", "-Wl,-z,now", "-fcf-protection=full", "-fstack-protector-all"]);
    assert_eq!(
        (full.pie, full.relro, full.nx, full.canary, full.stripped),
        (true, Relro::Full, true, true, false)
    );
    let none = found(&["-no-pie", "-Wl,-z,norelro", "-Wl,-z,execstack", "-fno-stack-protector", "-s"]);
    assert_eq!(
        (none.pie, none.relro, none.nx, none.canary, none.stripped),
        (false, Relro::None, false, false, true)
    );
    assert_eq!(found(&["-Wl,-z,lazy,-z,relro"]).relro, Relro::Partial);
    // The linker keeps the mark only if all object files have it, the C library's among them.
    let marked =
        image(Workshop::new().compile("int one;", &["-shared", "-nostdlib", "-fcf-protection=full"]));
    assert!(marked.mitigations().ibt && marked.mitigations().shstk);
    assert!(!found(&["-fcf-protection=none"]).ibt);
}

#[test]
fn sections_have_permissions() {
    let image = file(libc_path());
    let of = |name| {
        let section = image.sections().find(|section| section.name == name).unwrap();
        (section.is_loaded, section.writable, section.executable)
    };
    assert_eq!(of(".text"), (true, false, true));
    assert_eq!(of(".data"), (true, true, false));
    assert_eq!(of(".rodata"), (true, false, false));
    assert_eq!(of(".shstrtab"), (false, false, false));
}
