//! Snapshots in files: every format comes back, damaged files are refused, and core files are everybody's.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Free, cont, program};
use libdebug::{
    Debugger, Error, FileScope, Register, Snapshot, SnapshotError, SnapshotFormat, SnapshotKind,
    SnapshotLevel,
};

/// A directory for one test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("libdebug-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn at(name: &str, symbol: &str) -> Debugger {
    let debugger = Debugger::builder(program(name)).run().unwrap();
    debugger.breakpoint(symbol).unwrap();
    cont(&debugger);
    debugger
}

fn save_and_load(snapshot: &Snapshot, path: &Path) -> Snapshot {
    snapshot.save(path).unwrap();
    Snapshot::load(path).unwrap()
}

/// What the format for exchange does not tell.
fn assert_same_for_exchange(one: &Snapshot, other: &Snapshot) {
    assert_eq!(
        (one.name(), one.level(), one.id(), one.kind()),
        (other.name(), other.level(), other.id(), other.kind())
    );
    assert_eq!((one.aslr(), one.program()), (other.aslr(), other.program()));
    let maps = |of: &Snapshot| -> Vec<_> {
        let row = |map: &libdebug::Map| (map.start, map.end, map.permissions, map.offset, map.path.clone());
        of.maps().iter().map(row).collect()
    };
    assert_eq!(maps(one), maps(other));
    assert!((0..one.maps().len()).all(|place| one.content(place) == other.content(place)));
    for (one, other) in one.threads().iter().zip(other.threads()) {
        assert_eq!((one.tid, one.registers.listed().count()), (other.tid, other.registers.listed().count()));
        let value =
            |of: &libdebug::KeptThread, register: &'static Register| of.registers.read(register).unwrap();
        for register in one.registers.listed() {
            assert_eq!(value(one, register), value(other, register), "{}", register.name);
        }
    }
}

#[test]
fn every_level_comes_back_from_every_format() {
    let directory = Directory::new("formats");
    let debugger = at("threads", "hot");
    for level in [SnapshotLevel::Base, SnapshotLevel::Writable, SnapshotLevel::Full] {
        let process = debugger.snapshot(level, Some("a \"name\"".to_owned())).unwrap();
        let thread = debugger.threads()[1].snapshot(level, None).unwrap();
        for snapshot in [&process, &thread] {
            for file in ["x.ldsnap", "x.core"] {
                assert!(save_and_load(snapshot, &directory.file(file)) == *snapshot, "{level:?} {file}");
            }
            assert_same_for_exchange(snapshot, &save_and_load(snapshot, &directory.file("x.json")));
        }
    }
}

#[test]
fn registers_keep_all_their_bits() {
    let directory = Directory::new("registers");
    let debugger = at("regs", "regs_ready");
    let snapshot = debugger.snapshot(SnapshotLevel::Base, None).unwrap();
    assert!(save_and_load(&snapshot, &directory.file("x.ldsnap")) == snapshot);
    assert!(save_and_load(&snapshot, &directory.file("x.core")) == snapshot);
    assert_same_for_exchange(&snapshot, &save_and_load(&snapshot, &directory.file("x.json")));
}

#[test]
fn what_was_never_touched_takes_no_space_in_files() {
    use std::os::unix::fs::MetadataExt;
    let directory = Directory::new("sparse");
    let snapshot = at("haystack", "ready").snapshot(SnapshotLevel::Full, None).unwrap();
    for (name, most) in [("x.ldsnap", 4 << 20), ("x.core", 16 << 20)] {
        let file = directory.file(name);
        assert!(save_and_load(&snapshot, &file) == snapshot, "{name}");
        let blocks = std::fs::metadata(&file).unwrap().blocks() * 512;
        assert!(blocks < most, "{name}: {blocks} bytes on the disk");
    }
}

#[test]
fn the_content_of_a_file_tells_what_it_is() {
    let directory = Directory::new("content");
    let snapshot = at("basic", "counter_function").snapshot(SnapshotLevel::Writable, None).unwrap();
    for format in [SnapshotFormat::Compact, SnapshotFormat::Core] {
        let file = directory.file("snapshot.data");
        snapshot.save_as(&file, format).unwrap();
        assert!(Snapshot::load(&file).unwrap() == snapshot);
    }
    snapshot.save(&directory.file("no ending")).unwrap();
    assert_eq!(std::fs::read(directory.file("no ending")).unwrap()[0], b'{');
    assert!(matches!(Snapshot::load(&directory.file("nothing")), Err(Error::File { .. })));
    assert!(matches!(snapshot.save(Path::new("/nowhere/x.json")), Err(Error::File { .. })));
}

#[test]
fn symbols_are_kept_for_files_that_are_gone() {
    let directory = Directory::new("symbols");
    for (number, file) in ["x.json", "x.ldsnap", "x.core"].into_iter().enumerate() {
        let copy = directory.file(&format!("copy-{number}"));
        std::fs::copy(program("basic"), &copy).unwrap();
        let debugger = Debugger::builder(&copy).run().unwrap();
        debugger.breakpoint("counter_function").unwrap();
        cont(&debugger);
        let main = debugger.resolve_symbol("main", &FileScope::Binary).unwrap().address;
        let (frames, symbols) =
            (debugger.main_thread().unwrap().frames().unwrap(), debugger.symbols().unwrap());
        let snapshot = debugger.snapshot(SnapshotLevel::Full, None).unwrap();
        snapshot.save(&directory.file(file)).unwrap();
        drop(debugger);
        std::fs::remove_file(&copy).unwrap();
        let loaded = Snapshot::load(&directory.file(file)).unwrap();
        assert_eq!(loaded.resolve_symbol("main", &FileScope::Binary).unwrap().address, main, "{file}");
        assert_eq!(loaded.symbols().unwrap().len(), symbols.len(), "{file}");
        let now = loaded.frames(&loaded.threads()[0]).unwrap();
        let told = |frames: &[libdebug::Frame]| frames.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(told(&now), told(&frames), "{file}");
        assert!(loaded.symbols().unwrap().file_at(main).unwrap().0.symbols.backing_file().contains("copy"));
    }
}

#[test]
fn another_file_in_the_place_of_the_one_that_was_mapped_is_not_believed() {
    let directory = Directory::new("rebuilt");
    let copy = directory.file("copy");
    std::fs::copy(program("basic"), &copy).unwrap();
    let debugger = Debugger::builder(&copy).run().unwrap();
    let main = debugger.resolve_symbol("main", &FileScope::Binary).unwrap().address;
    let snapshot = debugger.snapshot(SnapshotLevel::Writable, None).unwrap();
    drop(debugger);
    std::fs::remove_file(&copy).unwrap();
    std::fs::copy(program("threads"), &copy).unwrap();
    for file in ["x.json", "x.ldsnap", "x.core"] {
        let loaded = save_and_load(&snapshot, &directory.file(file));
        assert_eq!(loaded.resolve_symbol("main", &FileScope::Binary).unwrap().address, main, "{file}");
        assert!(loaded.resolve_symbol("hot", &FileScope::Binary).is_err(), "{file}");
    }
}

fn is_refused(path: &Path) -> bool {
    match Snapshot::load(path) {
        Err(Error::Snapshot(SnapshotError::Damaged { .. })) => true,
        Err(other) => panic!("{other:?}"),
        Ok(_) => false,
    }
}

#[test]
fn damaged_files_are_refused() {
    let directory = Directory::new("damage");
    let snapshot =
        Debugger::builder(program("tiny")).run().unwrap().snapshot(SnapshotLevel::Writable, None).unwrap();
    for format in [SnapshotFormat::Compact, SnapshotFormat::Json, SnapshotFormat::Core] {
        let file = directory.file("damaged");
        snapshot.save_as(&file, format).unwrap();
        let good = std::fs::read(&file).unwrap();
        let has_sum = format == SnapshotFormat::Compact;
        for place in (0..good.len()).step_by(good.len() / 200 + 1).chain(0..64) {
            let mut bad = good.clone();
            bad[place] ^= 0x55;
            std::fs::write(&file, &bad).unwrap();
            assert!(is_refused(&file) || !has_sum, "{format:?}: byte {place} is wrong");
            std::fs::write(&file, &good[..place]).unwrap();
            assert!(
                is_refused(&file) || format == SnapshotFormat::Core,
                "{format:?}: cut after {place} bytes"
            );
        }
    }
    for text in ["", "{}", "[1]", "\u{7f}ELF", "{\"arch\": \"amd64\"", "plain text"] {
        let file = directory.file("no snapshot");
        std::fs::write(&file, text).unwrap();
        assert!(is_refused(&file), "{text}");
    }
}

/// What gdb says of a core file, in batch mode.
fn gdb(program: &Path, core: &Path, commands: &[&str]) -> String {
    let mut command = Command::new("gdb");
    command.args(["-nx", "-q", "-batch", "-ex", "set debuginfod enabled off"]);
    command.arg(program).arg(core);
    for one in commands {
        command.args(["-ex", one]);
    }
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn has(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok()
}

#[test]
fn gdb_opens_our_core_files() {
    if !has("gdb") {
        return;
    }
    let directory = Directory::new("gdb");
    let debugger = at("threads", "hot");
    for level in [SnapshotLevel::Writable, SnapshotLevel::Full] {
        let snapshot = debugger.snapshot(level, None).unwrap();
        let core = directory.file("x.core");
        snapshot.save(&core).unwrap();
        let commands =
            ["info threads", "thread apply all -q p/x $rip", "p/x $xmm0.uint128", "thread apply all bt"];
        let told = gdb(&program("threads"), &core, &commands);
        for thread in snapshot.threads() {
            assert!(told.contains(&format!("LWP {}", thread.tid)), "{told}");
            assert!(told.contains(&format!("= {:#x}", thread.registers.pc())), "{told}");
        }
        assert!(told.contains("in hot ") || told.contains("hot ("), "{told}");
        // Where the libraries are, gdb finds in pages that the program can only read.
        let is_whole = told.contains("work (") && told.contains("main (") && told.contains("clone");
        assert!(is_whole || level != SnapshotLevel::Full, "{told}");
        let maps = gdb(&program("threads"), &core, &["info proc mappings"]);
        let first = &snapshot.maps()[0];
        assert!(maps.contains(&format!("{:#x}", first.start)) && maps.contains(&first.path), "{maps}");
    }
}

#[test]
fn core_files_of_gdb_are_loaded() {
    if !has("gcore") {
        return;
    }
    let directory = Directory::new("gcore");
    let mut free = Free::start("echo", &[]);
    free.send("ready\n");
    free.line();
    let pid = free.pid();
    let made = Command::new("gcore").arg("-o").arg(directory.file("made")).arg(pid.to_string()).output();
    assert!(made.unwrap().status.success());
    let loaded = Snapshot::load(&directory.file(&format!("made.{pid}"))).unwrap();
    let debugger = Debugger::builder(program("echo")).attach(pid).unwrap();
    let now = debugger.snapshot(SnapshotLevel::Full, None).unwrap();
    assert_eq!((loaded.kind(), loaded.pid(), loaded.program()), (SnapshotKind::Process, pid, now.program()));
    let (old, new) = (&loaded.threads()[0], &now.threads()[0]);
    assert_eq!(
        (old.tid, old.registers.sp(), old.registers.pc()),
        (new.tid, new.registers.sp(), new.registers.pc())
    );
    let sp = now.threads()[0].registers.sp();
    assert_eq!(loaded.read_memory(sp, 256).unwrap(), now.read_memory(sp, 256).unwrap());
    debugger.kill().unwrap();
}

#[test]
fn core_files_of_the_kernel_are_loaded() {
    // Elsewhere a program of the system's gets them.
    if std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap().trim() != "core" {
        return;
    }
    let directory = Directory::new("kernel");
    let script =
        format!("ulimit -c unlimited; cd {}; exec {}", directory.0.display(), program("crash").display());
    Command::new("sh").args(["-c", &script]).output().unwrap();
    let core = std::fs::read_dir(&directory.0).unwrap().next();
    let Some(core) = core else { return };
    let loaded = Snapshot::load(&core.unwrap().path()).unwrap();
    assert_eq!((loaded.level(), loaded.threads()[0].signal), (SnapshotLevel::Writable, 11));
    assert_eq!(loaded.program(), program("crash").to_string_lossy());
    let registers = &loaded.threads()[0].registers;
    assert!(loaded.read_memory(registers.sp(), 64).is_ok());
    assert!(loaded.maps().iter().any(|map| map.path == "[stack]" && map.contains(registers.sp())));
    let frames = loaded.frames(&loaded.threads()[0]).unwrap();
    let told: Vec<_> =
        frames.iter().filter_map(|frame| frame.symbol.as_ref()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(told[..2], ["crash_here", "main"]);
}
