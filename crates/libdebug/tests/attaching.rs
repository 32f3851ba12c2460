//! Attaching to live processes, and letting them go as they were.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Free, PATIENCE, kill, tracer};
use libdebug::{Action, Debugger, Error, FileScope, Pid};

/// Attaches, looks, and lets go, so often.
fn visit(pid: Pid, times: usize) {
    let debugger = Debugger::new().unwrap();
    for _ in 0..times {
        debugger.attach(pid, false).unwrap();
        assert!(!debugger.is_running() && !debugger.is_dead());
        assert!(debugger.main_thread().unwrap().pc().is_ok());
        debugger.detach().unwrap();
        assert_eq!(tracer(pid), 0);
    }
}

#[test]
fn two_hundred_times_while_threads_come_and_go() {
    let mut program = Free::start("churn", &[]);
    assert_eq!(program.line(), "ready");
    visit(program.pid(), 200);
    let (text, code) = program.finish();
    assert!(text.starts_with("threads=") && text.ends_with(" ok\n"), "{text:?}");
    assert_eq!(code, Some(0));
}

#[test]
fn two_hundred_times_in_a_read() {
    let mut program = Free::start("blocked", &["read"]);
    assert_eq!(program.line(), "ready");
    visit(program.pid(), 200);
    program.send("a line\n");
    assert_eq!(program.finish(), ("done a line\n".to_owned(), Some(0)));
}

#[test]
fn two_hundred_times_in_a_pause_and_in_a_busy_loop() {
    const USR1: i32 = 10;
    for how in ["pause", "busy"] {
        let mut program = Free::start("blocked", &[how]);
        assert_eq!(program.line(), "ready");
        visit(program.pid(), 200);
        kill(program.pid(), USR1);
        assert_eq!(program.finish(), ("done signalled\n".to_owned(), Some(0)), "{how}");
    }
}

#[test]
fn two_hundred_times_in_a_sleep_which_is_neither_cut_nor_stretched() {
    let mut program = Free::start("blocked", &["nanosleep", "1500"]);
    assert_eq!(program.line(), "ready");
    visit(program.pid(), 200);
    assert_eq!(program.finish(), ("done slept\n".to_owned(), Some(0)));
}

#[test]
fn breakpoints_are_gone_after_the_detach_whatever_threads_were_doing() {
    for round in 0..20 {
        let mut program = Free::start("churn", &[]);
        assert_eq!(program.line(), "ready");
        let debugger = Debugger::new().unwrap();
        debugger.attach(program.pid(), false).unwrap();
        let address = debugger.resolve_symbol("churned", &FileScope::Binary).unwrap().address;
        let before = debugger.read_memory(address, 8).unwrap();
        let hits = debugger.breakpoint_with("churned", Action::Count).unwrap();
        debugger.cont().unwrap();
        while hits.hit_count() < 100 * (round + 1) {
            std::hint::spin_loop();
        }
        debugger.interrupt().unwrap();
        debugger.wait_timeout(PATIENCE).unwrap();
        debugger.detach().unwrap();
        let mut memory = [0; 8];
        let file = std::fs::File::open(format!("/proc/{}/mem", program.pid())).unwrap();
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut memory, address).unwrap();
        assert_eq!(memory.to_vec(), before);
        let (text, code) = program.finish();
        assert!(text.ends_with(" ok\n"), "{text:?}");
        assert_eq!(code, Some(0));
    }
}

#[test]
fn nobody_to_attach_to_is_an_error_at_once() {
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    let zombie = Pid(gone.id().cast_signed());
    let debugger = Debugger::new().unwrap();
    // The pid is not given to another process before the zombie has been waited for.
    while common::state(zombie) != Some('Z') {
        std::hint::spin_loop();
    }
    assert!(matches!(debugger.attach(zombie, false), Err(Error::NoSuchProcess(pid)) if pid == zombie));
    gone.wait().unwrap();
    assert!(matches!(debugger.attach(Pid(0x7fff_fff0), false), Err(Error::NoSuchProcess(_))));
}

#[test]
fn a_second_tracer_is_refused_and_told_of_the_first() {
    let mut program = Free::start("blocked", &["read"]);
    assert_eq!(program.line(), "ready");
    let (first, second) = (Debugger::new().unwrap(), Debugger::new().unwrap());
    first.attach(program.pid(), false).unwrap();
    match second.attach(program.pid(), false) {
        Err(error @ Error::AttachDenied { tracer: Some(_), .. }) => {
            assert!(error.to_string().contains("already traced by"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    first.detach().unwrap();
    program.send("still here\n");
    assert_eq!(program.finish().0, "done still here\n");
}
