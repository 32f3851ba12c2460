//! Symbols of running programs: every way to a name, and what is looked at for it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use libdebug::{Debugger, Error, FileScope, Note, SymbolLevel, SymbolSources, Value, VariableKind};

/// A directory of its own per test, which goes away afterwards.
struct Workshop(PathBuf);

impl Workshop {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("libdebug-symbols-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn compile(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let file = self.path(&format!("{name}.cc"));
        std::fs::write(&file, source).unwrap();
        let out = self.path(name);
        run(Command::new("g++").args(["-o"]).arg(&out).arg(&file).args(flags));
        out
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

const SHAPES: &str = r#"
#include <cstdio>
struct point { int x, y; };
enum color { RED = 1, GREEN = 2 };
point origin = {3, 4};
color paint = GREEN;
const char *greeting = "hello";
__thread int mine = 3;
namespace shape {
__attribute__((noinline)) int area(int width, double height) {
  point local = {width, 7};
  char text[4] = "abc";
  int several[3] = {1, 2, 3};
  unsigned char small = 200;
  return width * (int)height + local.x + text[0] + several[1] + small;
}
}
int main(int argc, char **) {
  int sum = shape::area(argc + 5, 2.5) + mine;
  printf("%d\n", sum);
  return sum > 0 ? 0 : 1;
}
"#;

fn start(path: &Path, level: SymbolLevel) -> Debugger {
    let debugger = Debugger::builder(path).run().unwrap();
    set(&debugger, level);
    debugger
}

fn set(debugger: &Debugger, level: SymbolLevel) {
    debugger.set_symbol_sources(SymbolSources { level, ..SymbolSources::default() });
}

fn address(debugger: &Debugger, name: &str) -> libdebug::Result<u64> {
    debugger.resolve_symbol(name, &FileScope::Hybrid).map(|found| found.address)
}

#[test]
fn a_function_has_all_its_names() {
    let shop = Workshop::new("names");
    let debugger = start(&shop.compile("names", SHAPES, &["-g"]), SymbolLevel::Tables);
    let area = address(&debugger, "_ZN5shape4areaEid").unwrap();
    for name in ["shape::area", "shape::area(int, double)", "shape::area(int,double)", "shape::area+0"] {
        assert_eq!(address(&debugger, name).unwrap(), area, "{name}");
    }
    assert_eq!(debugger.symbol_at(area + 4).unwrap(), Some(("shape::area(int, double)".to_owned(), 4)));
    let stub = debugger.resolve_symbol("printf@plt", &FileScope::Binary).unwrap().address;
    assert_eq!(debugger.symbol_at(stub).unwrap(), Some(("printf@plt".to_owned(), 0)));
    let slot = debugger.resolve_symbol("printf@got", &FileScope::Binary).unwrap().address;
    debugger.breakpoint("main").unwrap();
    debugger.cont().unwrap();
    debugger.wait().unwrap();
    assert_eq!(debugger.read_memory(slot, 8).unwrap().len(), 8);
    assert!(matches!(address(&debugger, "mine"), Err(Error::ThreadLocal(_))));
    assert!(matches!(address(&debugger, "shape::no_such"), Err(Error::NoSuchSymbol { .. })));
}

#[test]
fn a_rebuilt_program_has_its_new_addresses() {
    let shop = Workshop::new("rebuilt");
    let path = shop.compile("rebuilt", SHAPES, &["-no-pie"]);
    let debugger = start(&path, SymbolLevel::Tables);
    let before = address(&debugger, "shape::area").unwrap();
    debugger.kill().unwrap();
    let longer = format!("int one(int n) {{ return n + 1; }}\n{SHAPES}");
    shop.compile("rebuilt", &longer, &["-no-pie"]);
    debugger.run(&libdebug::Launch::new(&path)).unwrap();
    let after = address(&debugger, "shape::area").unwrap();
    assert_ne!(before, after);
    debugger.breakpoint("shape::area").unwrap();
    debugger.cont().unwrap();
    debugger.wait().unwrap();
    assert_eq!(debugger.main_thread().unwrap().pc().unwrap(), after);
}

#[test]
fn what_was_read_serves_all_runs_and_all_debuggers() {
    let shop = Workshop::new("shared");
    let path = shop.compile("shared", SHAPES, &["-g"]);
    let debugger = start(&path, SymbolLevel::Tables);
    let first = debugger.symbols().unwrap();
    debugger.run(&libdebug::Launch::new(&path)).unwrap();
    let other = start(&path, SymbolLevel::Tables);
    for again in [debugger.symbols().unwrap(), other.symbols().unwrap()] {
        assert!(first.files().len() > 1);
        for (one, two) in first.files().iter().zip(again.files()) {
            assert!(std::sync::Arc::ptr_eq(&one.symbols, &two.symbols), "{}", one.symbols.backing_file());
        }
    }
}

#[test]
fn each_level_knows_more() {
    let shop = Workshop::new("levels");
    let path = shop.compile("levels", SHAPES, &["-g"]);
    let directory = shop.path("debug");
    std::fs::create_dir_all(directory.join(shop.0.strip_prefix("/").unwrap())).unwrap();
    let debug = directory.join(shop.0.strip_prefix("/").unwrap()).join("levels.debug");
    run(Command::new("objcopy").arg("--only-keep-debug").arg(&path).arg(&debug));
    run(Command::new("strip").arg(&path));
    run(Command::new("objcopy").arg(format!("--add-gnu-debuglink={}", debug.display())).arg(&path));
    let debugger = Debugger::builder(&path).run().unwrap();
    let with = |level| {
        let directories = vec![directory.clone()];
        debugger.set_symbol_sources(SymbolSources { level, directories, debuginfod: None });
        let line = debugger.line_addresses("levels.cc", 18);
        (address(&debugger, "shape::area"), line)
    };
    for level in [SymbolLevel::Tables, SymbolLevel::DebugInfo] {
        assert!(matches!(with(level), (Err(Error::NoSuchSymbol { .. }), Err(Error::NoSuchLine { .. }))));
    }
    let (area, line) = with(SymbolLevel::DebugFileTables);
    assert!(area.is_ok() && line.is_err());
    let (again, line) = with(SymbolLevel::DebugFileInfo);
    assert_eq!(again.unwrap(), area.unwrap());
    assert_eq!(line.unwrap().len(), 1);
    assert!(matches!(with(SymbolLevel::Disabled), (Err(Error::SymbolsDisabled), _)));
    let listed = || debugger.symbols().unwrap().iter().filter(|found| found.is_external()).count();
    assert!(with(SymbolLevel::DebugFileTables).0.is_ok() && listed() > 0);
}

#[test]
fn nothing_is_listed_twice() {
    let shop = Workshop::new("twice");
    for flags in [&["-g", "-rdynamic"][..], &["-static"], &["-static", "-g"]] {
        let debugger = start(&shop.compile("twice", SHAPES, flags), SymbolLevel::DebugFileInfo);
        let symbols = debugger.symbols().unwrap();
        let program = &symbols.files()[0].symbols;
        let mains: Vec<_> = program.named("main").iter().map(|index| program.get(*index).unwrap()).collect();
        assert_eq!(mains.len(), 1, "{flags:?}: {mains:?}");
        assert_eq!(program.named("shape::area").len(), 1, "{flags:?}");
        let mut seen = std::collections::HashSet::new();
        assert!(symbols.iter().all(|one| seen.insert((
            one.name.to_owned(),
            one.start,
            one.backing_file.to_owned()
        ))));
        let area = program.get(program.named("shape::area")[0]).unwrap();
        let (file, offset) = symbols.file_at(address(&debugger, "shape::area").unwrap()).unwrap();
        let covering: Vec<_> =
            file.symbols.covering(offset).iter().map(|i| file.symbols.get(*i).unwrap()).collect();
        assert_eq!(covering, [area]);
        assert!(program.containing("shape::area(").len() == 1 && program.containing("ape4are").len() == 1);
    }
}

#[test]
fn a_program_stops_at_a_line_and_its_variables_are_there() {
    let shop = Workshop::new("lines");
    let debugger = start(&shop.compile("lines", SHAPES, &["-g", "-O0"]), SymbolLevel::DebugInfo);
    debugger.breakpoint("lines.cc:16").unwrap();
    debugger.cont().unwrap();
    debugger.wait().unwrap();
    let thread = debugger.main_thread().unwrap();
    let line = debugger.source_line(thread.pc().unwrap()).unwrap().unwrap();
    assert_eq!((line.line, line.function.as_deref()), (16, Some("shape::area(int, double)")));
    assert!(line.file.ends_with("/lines.cc"));
    let found = thread.variables().unwrap();
    let get = |name: &str| found.iter().find(|one| one.name == name).unwrap();
    assert_eq!((get("width").kind, &get("width").value), (VariableKind::Argument, &Value::Integer(6)));
    assert_eq!(get("height").value, Value::Float(2.5));
    let fields = vec![("x".to_owned(), Value::Integer(6)), ("y".to_owned(), Value::Integer(7))];
    assert_eq!((get("local").kind, &get("local").value), (VariableKind::Local, &Value::Structure(fields)));
    assert_eq!(get("text").value, Value::Text(b"abc\0".to_vec()));
    assert_eq!(get("several").value, Value::Array([1, 2, 3].map(Value::Integer).to_vec()));
    assert_eq!((&*get("small").of.name, &get("small").value), ("unsigned char", &Value::Integer(200)));
    assert_eq!(debugger.variable("paint").unwrap().value, Value::Enumeration(Some("GREEN".to_owned()), 2));
    let origin = debugger.variable("origin").unwrap();
    assert_eq!(
        (&*origin.of.name, origin.address),
        ("struct point", Some(address(&debugger, "origin").unwrap()))
    );
    assert!(matches!(debugger.variable("nothing"), Err(Error::NoSuchVariable(_))));
}

#[test]
fn variables_are_there_at_the_first_instruction_and_under_optimization() {
    let shop = Workshop::new("optimized");
    let debugger = start(&shop.compile("optimized", SHAPES, &["-g", "-O2"]), SymbolLevel::DebugInfo);
    debugger.breakpoint("shape::area").unwrap();
    debugger.cont().unwrap();
    debugger.wait().unwrap();
    let found = debugger.main_thread().unwrap().variables().unwrap();
    let get = |name: &str| &found.iter().find(|one| one.name == name).unwrap().value;
    assert_eq!(get("width"), &Value::Integer(6));
    assert_eq!(get("height"), &Value::Float(2.5));
}

#[test]
fn a_line_without_code_is_the_next_one() {
    let shop = Workshop::new("next");
    let debugger = start(&shop.compile("next", SHAPES, &["-g"]), SymbolLevel::DebugInfo);
    let found = debugger.resolve_symbol("next.cc:9", &FileScope::Hybrid).unwrap();
    assert_eq!(found.notes, [Note::NextLine { file: "next.cc".into(), line: 9, actual: 10 }]);
    let far = debugger.resolve_symbol("next.cc:999", &FileScope::Hybrid);
    assert!(matches!(far, Err(Error::NoSuchLine { .. })));
    let elsewhere = debugger.resolve_symbol("elsewhere.cc:3", &FileScope::Hybrid).unwrap_err().to_string();
    assert!(elsewhere.contains("no mapped file was compiled from"), "{elsewhere}");
}
