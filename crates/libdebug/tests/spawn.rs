//! Starting programs of every kind, and those that cannot be started.
#![allow(clippy::unwrap_used)]

mod common;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{finish, line, program, send, within};
use libdebug::{Action, Debugger, Error, StartAt};

/// A file of its own for each test, gone with the handle.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: &[u8], mode: u32) -> Self {
        let path = std::env::temp_dir().join(format!("libdebug-spawn-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The children of this process's threads that were started by its debuggers' ways of starting.
fn children_called(name: &Path) -> usize {
    let own = std::process::id();
    let name = name.file_name().unwrap().to_str().unwrap().chars().take(15).collect::<String>();
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter(|stat| stat.contains(&format!("({name})")) && stat.contains(&format!(" {own} ")))
        .count()
}

#[test]
fn every_kind_of_executable_runs_to_its_entry_point_and_its_end() {
    for name in [
        "basic",
        "basic-static",
        "basic-static-pie",
        "basic-nopie",
        "basic-stripped",
        "basic-nosections",
        "tiny",
    ] {
        let debugger = Debugger::builder(program(name)).run().unwrap();
        let pc = debugger.main_thread().unwrap().pc().unwrap();
        let maps = debugger.maps().unwrap();
        let map = maps.iter().find(|map| map.contains(pc)).unwrap();
        assert_eq!(Path::new(&map.path), program(name), "{name} stands in its own text");
        finish(&debugger);
        assert_eq!(debugger.exit_code().unwrap(), Some(if name == "tiny" { 42 } else { 0 }), "{name}");
    }
}

#[test]
fn the_first_instruction_is_the_linkers() {
    let debugger = Debugger::builder(program("basic")).start_at(StartAt::FirstInstruction).run().unwrap();
    let pc = debugger.main_thread().unwrap().pc().unwrap();
    let maps = debugger.maps().unwrap();
    let map = maps.iter().find(|map| map.contains(pc)).unwrap();
    assert!(map.path.contains("ld-linux"), "{}", map.path);
    finish(&debugger);
}

#[test]
fn where_a_program_starts_everything_works_at_once() {
    for (name, start) in [
        ("basic", StartAt::FirstInstruction),
        ("basic", StartAt::EntryPoint),
        ("basic-static", StartAt::FirstInstruction),
        ("basic-static", StartAt::EntryPoint),
        ("tiny", StartAt::EntryPoint),
    ] {
        let debugger = Debugger::builder(program(name)).start_at(start).run().unwrap();
        let thread = debugger.main_thread().unwrap();
        let pc = thread.pc().unwrap();
        thread.step().unwrap();
        assert_ne!(thread.pc().unwrap(), pc, "{name} {start:?}: the first step executes an instruction");
        finish(&debugger);

        let debugger = Debugger::builder(program(name)).start_at(start).run().unwrap();
        let thread = debugger.main_thread().unwrap();
        let spec = libdebug::BreakpointSpec {
            action: Action::Count,
            ..libdebug::BreakpointSpec::at(thread.pc().unwrap())
        };
        let breakpoint = debugger.set_breakpoint(spec).unwrap();
        thread.set_register("rax", libdebug::RegisterValue::U64(0x1234_5678)).unwrap();
        thread.step().unwrap();
        let rax = thread.register("rax").unwrap().as_u64();
        assert!(name == "tiny" || rax == Some(0x1234_5678), "{name} {start:?}: {rax:x?}");
        finish(&debugger);
        assert_eq!(breakpoint.hit_count(), 0, "it stood there, and did not come there");
    }
}

#[test]
fn a_script_runs_its_interpreter() {
    let script = Scratch::new("script", b"#!/bin/sh\necho script $1\n", 0o755);
    let debugger = Debugger::builder(&script.0).arg("works").run().unwrap();
    assert_eq!(finish(&debugger), "script works\n");
}

#[test]
fn what_cannot_be_executed_gives_its_error_and_leaves_no_process() {
    let text = Scratch::new("text", b"not a program", 0o755);
    let plain = Scratch::new("plain", &fs::read(program("tiny")).unwrap(), 0o644);
    let missing = PathBuf::from("/nonexistent/libdebug-missing");
    let loops = Scratch::new("nointerp", b"#!/nonexistent/interpreter\n", 0o755);
    for (path, wanted) in [
        (text.0.as_path(), 8),
        (plain.0.as_path(), 13),
        (missing.as_path(), 2),
        (Path::new("/tmp"), 13),
        (loops.0.as_path(), 2),
    ] {
        let debugger = Debugger::new().unwrap();
        let launch = Debugger::builder(path).launch();
        match debugger.run(&launch) {
            Err(Error::Spawn { errno, path: shown, .. }) => {
                assert_eq!((errno.0, shown.as_path()), (wanted, path));
            }
            other => panic!("{}: {other:?}", path.display()),
        }
        assert!(matches!(debugger.cont(), Err(Error::NoProcess)));
        assert_eq!(children_called(path), 0);
        debugger.run(&Debugger::builder(program("tiny")).launch()).unwrap();
        finish(&debugger);
    }
}

#[test]
fn a_working_directory_that_is_not_there_is_named() {
    let launch = Debugger::builder(program("tiny")).directory("/nonexistent/libdebug").launch();
    match Debugger::new().unwrap().run(&launch) {
        Err(Error::Spawn { call: "chdir", errno, .. }) => assert_eq!(errno.0, 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn arguments_and_environment_arrive_whole() {
    let words: Vec<OsString> = (0..10_000).map(|number| format!("word{number}").into()).collect();
    let mut builder = Debugger::builder(program("argenv")).args(words).clear_env();
    for number in 0..10_000 {
        builder = builder.env(format!("V{number:05}"), "x".repeat(number % 50));
    }
    let debugger = builder.run().unwrap();
    debugger.cont().unwrap();
    let text = common::output(&debugger);
    assert!(text.contains("argc 10001\n") && text.contains("argv[10000] word9999\n"));
    assert!(text.contains(&format!("env V09999={}\n", "x".repeat(49))));
    assert_eq!(text.lines().filter(|line| line.starts_with("env ")).count(), 10_000);
}

#[test]
fn an_empty_argument_vector_is_as_the_kernel_makes_it() {
    let debugger = Debugger::builder(program("argenv")).argv(Vec::<OsString>::new()).run().unwrap();
    // Linux since 5.18 puts one empty word in place of none.
    assert!(finish(&debugger).starts_with("argc 1\nargv[0] \n"));
}

#[test]
fn arguments_that_are_too_long_are_refused() {
    let launch = Debugger::builder(program("argenv")).arg("x".repeat(1 << 20)).launch();
    match Debugger::new().unwrap().run(&launch) {
        Err(Error::Spawn { errno, .. }) => assert_eq!(errno.0, 7),
        other => panic!("{other:?}"),
    }
    let launch = Debugger::builder(program("argenv")).arg("nul\0inside").launch();
    assert!(matches!(Debugger::new().unwrap().run(&launch), Err(Error::Spawn { .. })));
}

#[test]
fn a_program_that_dies_before_its_entry_point_is_dead_and_no_hang() {
    let debugger = within("a start that fails", || {
        Debugger::builder(program("basic")).env("LD_PRELOAD", "").env("LD_BIND_NOW", "1").run().unwrap()
    });
    finish(&debugger);
    // The dynamic linker ends with 127 when a library is missing; as a program it prints its usage.
    let launch = Debugger::builder("/lib64/ld-linux-x86-64.so.2").arg("/nonexistent").launch();
    let debugger = Debugger::new().unwrap();
    debugger.run(&launch).unwrap();
    finish(&debugger);
    assert_eq!(debugger.exit_code().unwrap(), Some(127));
}

#[test]
fn one_debugger_runs_again_and_again() {
    let debugger = Debugger::new().unwrap();
    let launch = Debugger::builder(program("basic")).launch();
    for round in 0..30 {
        debugger.run(&launch).unwrap();
        let breakpoint = debugger.breakpoint("counter_function").unwrap();
        match round % 3 {
            0 => drop(finish_hits(&debugger)),
            1 => common::cont(&debugger),
            _ => debugger.kill().unwrap(),
        }
        drop(breakpoint);
    }
    assert!(matches!(debugger.kill(), Err(Error::NoProcess)));
}

fn finish_hits(debugger: &Debugger) -> u32 {
    let mut stops = 0;
    while !debugger.is_dead() {
        common::cont(debugger);
        stops += 1;
    }
    assert_eq!(stops, 11);
    stops
}

#[test]
fn a_run_ends_the_program_that_was_running() {
    let debugger = Debugger::builder(program("sleeper")).run().unwrap();
    let first = debugger.pid().unwrap();
    debugger.cont().unwrap();
    let again = debugger.clone();
    within("a run while another program runs", move || {
        again.run(&Debugger::builder(program("selfcheck")).launch()).unwrap();
    });
    assert_ne!(debugger.pid(), Some(first));
    assert_eq!(common::state(first), None);
    debugger.cont().unwrap();
    let sum = line(&debugger);
    send(&debugger, "\n");
    assert_eq!(line(&debugger), sum);
}

#[test]
fn two_debuggers_side_by_side_do_not_disturb_each_other() {
    let path = program("threads");
    let work = move || {
        for _ in 0..10 {
            let debugger = Debugger::builder(&path).args(["4", "200"]).run().unwrap();
            let breakpoint = debugger.breakpoint_with("hot", Action::Count).unwrap();
            assert!(finish(&debugger).ends_with(" ok\n"));
            assert_eq!(breakpoint.hit_count(), 800);
        }
    };
    let other = std::thread::spawn(work.clone());
    within("a debugger beside another", work);
    other.join().unwrap();
}

#[test]
fn a_program_sees_the_cpus_that_it_may_use() {
    let free = std::process::Command::new("nproc").output().unwrap();
    let debugger = Debugger::builder("nproc").run().unwrap();
    assert_eq!(finish(&debugger).as_bytes(), free.stdout, "where the debugger runs it is not its business");
}
