//! Programs that fork, spawn, execute and lose their leader.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PATIENCE, cont, finish, output, program, within_time};
use libdebug::{Action, Debugger};
use std::time::Duration;

fn own_threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn a_thousand_children_of_every_kind_run_unharmed_past_breakpoints() {
    for how in ["fork", "vfork", "posix_spawn", "system", "popen"] {
        let count = if how == "fork" || how == "vfork" { "1000" } else { "250" };
        within_time(Duration::from_secs(120), how, move || {
            let debugger = Debugger::builder(program("forker")).args([count, how]).run().unwrap();
            let threads = own_threads();
            let mut set = Vec::new();
            for symbol in ["child_code", "by_fork", "by_vfork", "ends_with"] {
                set.push(debugger.breakpoint_with(symbol, Action::Count).unwrap());
            }
            // Functions of libc that children run too, in the parent's memory between vfork and exec.
            for symbol in ["_exit", "execve", "sigaction", "sigprocmask"] {
                set.push(debugger.breakpoint_with(symbol, Action::Count).unwrap());
            }
            assert_eq!(finish(&debugger), "ok\n", "{how}");
            assert_eq!(debugger.exit_code().unwrap(), Some(0));
            assert!(own_threads() <= threads + 8, "a thread for each child");
            assert!(set.iter().any(|breakpoint| breakpoint.hit_count() > 0));
        });
    }
}

#[test]
fn stops_and_callbacks_work_beside_children() {
    let debugger = Debugger::builder(program("forker")).args(["30", "all"]).run().unwrap();
    let stops = debugger.breakpoint("ends_with").unwrap();
    let calls = debugger
        .breakpoint_with("by_fork", Action::call(|thread, _| thread.pc().map(drop).map_err(Into::into)))
        .unwrap();
    while !debugger.is_dead() {
        cont(&debugger);
    }
    assert_eq!(output(&debugger), "ok\n");
    assert_eq!((stops.hit_count(), calls.hit_count()), (90, 30));
}

#[test]
fn interrupts_and_drops_beside_children_hang_nobody() {
    for how in ["all", "vfork", "posix_spawn", "system"] {
        within_time(Duration::from_secs(60), "interrupts beside children", move || {
            let debugger = Debugger::builder(program("forker")).args(["1000", how]).run().unwrap();
            debugger.breakpoint_with("ends_with", Action::Count).unwrap();
            for _ in 0..30 {
                debugger.cont().unwrap();
                common::interrupt(&debugger);
                if debugger.is_dead() {
                    break;
                }
            }
            if !debugger.is_dead() {
                debugger.cont().unwrap();
            }
        });
    }
}

#[test]
fn a_vfork_child_that_lingers_holds_nobody_up() {
    let debugger = Debugger::builder(program("lingering_vfork")).run().unwrap();
    debugger.cont().unwrap();
    assert_eq!(common::line(&debugger), "vforked");
    debugger.interrupt().unwrap();
    debugger.wait_timeout(PATIENCE).unwrap();
    debugger.main_thread().unwrap().pc().unwrap();
    debugger.cont().unwrap();
    within_time(Duration::from_secs(20), "the end of a debugger of a program in vfork", move || {
        drop(debugger)
    });
}

#[test]
fn an_exec_off_the_leader_is_the_same_process() {
    for _ in 0..30 {
        let debugger = Debugger::builder(program("exec_off_leader")).run().unwrap();
        let pid = debugger.pid();
        let breakpoint = debugger.breakpoint_with("after_exec", Action::Count).unwrap();
        assert_eq!(finish(&debugger), "ok\n");
        assert_eq!((debugger.pid(), debugger.exit_code().unwrap()), (pid, Some(0)));
        assert_eq!(breakpoint.hit_count(), 0, "it was set in the program before");
        assert!(debugger.threads().iter().all(libdebug::Thread::is_dead));
    }
}

#[test]
fn a_leader_that_ends_first_leaves_a_process_that_can_be_debugged() {
    for action in [Action::Count, Action::Stop, Action::call(|_, _| Ok(()))] {
        for _ in 0..20 {
            let debugger = Debugger::builder(program("leader_exits")).run().unwrap();
            let breakpoint = debugger.breakpoint_with("after_leader", action.clone()).unwrap();
            while !debugger.is_dead() {
                cont(&debugger);
                if !debugger.is_dead() {
                    let main = debugger.main_thread().unwrap();
                    assert!(main.is_zombie() && !main.is_dead());
                    main.pc().unwrap();
                    assert!(debugger.maps().unwrap().len() > 5);
                    assert!(debugger.resolve_symbol("after_leader", &libdebug::FileScope::Binary).is_ok());
                }
            }
            assert_eq!(output(&debugger), "ok\n");
            assert_eq!((breakpoint.hit_count(), debugger.exit_code().unwrap()), (3, Some(0)));
        }
    }
}

#[test]
fn a_process_without_its_leader_can_be_attached_to() {
    let debugger = Debugger::builder(program("leader_exits")).kill_on_exit(false).run().unwrap();
    let pid = debugger.pid().unwrap();
    debugger.breakpoint("after_leader").unwrap();
    cont(&debugger);
    // Between its barriers the process waits for all its threads: one that is stopped holds the others.
    let threads = debugger.threads().len();
    assert_eq!(threads, 4);
    let io = debugger.io().unwrap();
    debugger.detach().unwrap();
    match Debugger::builder("").attach(pid) {
        Ok(again) => {
            assert!(again.main_thread().unwrap().is_zombie());
            // It may have ended while it was being attached to.
            if !again.is_dead() {
                cont(&again);
            }
            assert!(again.is_dead());
        }
        // It was quicker.
        Err(libdebug::Error::NoSuchProcess(_)) => {}
        Err(error) => panic!("{error}"),
    }
    drop(io);
    assert_eq!(output(&debugger), "ok\n");
}
