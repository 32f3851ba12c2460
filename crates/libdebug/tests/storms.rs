//! Many events at once: signals, children, deaths, in the middle of breakpoints. Nothing is lost, nobody hangs.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PATIENCE, finish, kill, output, program};
use libdebug::{Action, Debugger};

#[test]
fn children_of_every_kind_run_unharmed_past_our_breakpoints() {
    for action in [Action::Count, Action::call(|_, _| Ok(()))] {
        let debugger = Debugger::builder(program("forker")).arg("200").run().unwrap();
        debugger.breakpoint_with("child_code", action.clone()).unwrap();
        let text = finish(&debugger);
        assert!(text.ends_with("ok\n"), "{action:?}: {text:?}");
        assert_eq!(debugger.exit_code().unwrap(), Some(0));
    }
}

#[test]
fn a_thousand_forks_start_no_thread() {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let debugger = Debugger::builder(program("forker")).arg("1000").run().unwrap();
    debugger.cont().unwrap();
    let during = threads();
    debugger.wait_timeout(PATIENCE).unwrap();
    assert!(debugger.is_dead());
    assert!(threads() <= during, "{} threads, {during} before", threads());
    assert!(output(&debugger).ends_with("ok\n"));
}

#[test]
fn a_kill_from_outside_at_any_moment_is_an_ordinary_end() {
    const KILL: i32 = 9;
    for round in 0..100_u64 {
        let debugger = Debugger::builder(program("threads")).args(["4", "1000000"]).run().unwrap();
        let action = match round % 3 {
            0 => Action::Count,
            1 => Action::call(|thread, _| thread.pc().map(drop).map_err(Into::into)),
            _ => Action::Stop,
        };
        let hits = debugger.breakpoint_with("hot", action).unwrap();
        let pid = debugger.pid().unwrap();
        let watched = hits.clone();
        let killer = std::thread::spawn(move || {
            while watched.hit_count() < round * 7 {
                std::hint::spin_loop();
            }
            kill(pid, KILL);
        });
        while !debugger.is_dead() {
            match debugger.cont() {
                Ok(()) => debugger.wait_timeout(PATIENCE).or_else(death).unwrap(),
                Err(error) => death(error).unwrap(),
            }
        }
        killer.join().unwrap();
        assert_eq!(debugger.death().unwrap(), Some(libdebug::Death::Killed(libdebug::Signal(KILL))));
    }
}

/// A callback that finds its thread dead says so; that is no failure of the debugger's.
fn death(error: libdebug::Error) -> libdebug::Result<()> {
    match error {
        libdebug::Error::Callback(cause) if cause.downcast_ref().is_some_and(libdebug::Error::is_death) => {
            Ok(())
        }
        error if error.is_death() => Ok(()),
        error => Err(error),
    }
}

#[test]
fn leaders_that_exit_first_and_execs_off_the_leader_are_survived() {
    for name in ["leader_exits", "exec_off_leader"] {
        let free = std::process::Command::new(program(name)).output().unwrap();
        for _ in 0..20 {
            let debugger = Debugger::builder(program(name)).run().unwrap();
            assert_eq!(finish(&debugger), String::from_utf8_lossy(&free.stdout), "{name}");
            assert_eq!(debugger.exit_code().unwrap(), free.status.code(), "{name}");
        }
    }
}

#[test]
fn job_control_works_as_without_a_debugger() {
    const STOP: i32 = 19;
    const CONT: i32 = 18;
    let debugger = Debugger::builder(program("echo")).run().unwrap();
    let pid = debugger.pid().unwrap();
    debugger.cont().unwrap();
    common::send(&debugger, "one\n");
    assert_eq!(common::line(&debugger), "echo: one");
    kill(pid, STOP);
    while !matches!(common::state(pid), Some('T' | 't')) {
        std::hint::spin_loop();
    }
    assert!(debugger.is_running(), "a group-stop is the program's own affair");
    kill(pid, CONT);
    common::send(&debugger, "two\n");
    assert_eq!(common::line(&debugger), "echo: two");
    common::send(&debugger, "quit\n");
    debugger.wait_timeout(PATIENCE).unwrap();
    assert_eq!(debugger.exit_code().unwrap(), Some(7));
}
