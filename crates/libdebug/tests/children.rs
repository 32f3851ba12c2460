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

/// Lets a process and all its descendants run to their ends, each as soon as it is there. Answers how each of the
/// descendants ended.
fn drive(debugger: &Debugger) -> Vec<Option<libdebug::Death>> {
    let mut ends = Vec::new();
    debugger.cont().unwrap();
    while let Some(child) = debugger.wait_child(Some(PATIENCE)).unwrap() {
        // One that ends between vfork and exec is there when it is over.
        child.wait_timeout(PATIENCE).unwrap();
        if !child.is_dead() {
            ends.extend(drive(&child));
        }
        assert!(child.is_dead(), "{child:?} {:?}", child.main_thread().unwrap().stop_reasons());
        ends.push(child.death().unwrap());
    }
    ends
}

#[test]
fn children_of_every_kind_are_followed_to_their_ends() {
    for (how, code, more) in
        [("fork", None, 0), ("vfork", None, 0), ("posix_spawn", Some(5), 0), ("system", Some(3), 0)]
    {
        within_time(Duration::from_secs(60), how, move || {
            let path = program("forker");
            let debugger = Debugger::builder(path).args(["50", how]).follow_children(true).run().unwrap();
            let threads = own_threads();
            debugger.breakpoint_with("ends_with", Action::Count).unwrap();
            let ends = drive(&debugger);
            assert_eq!(ends.len(), 50 + more, "{how}");
            for (number, end) in ends.iter().enumerate() {
                let code = code.unwrap_or(i32::try_from(number).unwrap());
                assert_eq!(*end, Some(libdebug::Death::Exited(code)), "{how} {number}");
            }
            assert_eq!((output(&debugger).as_str(), debugger.exit_code().unwrap()), ("ok\n", Some(0)));
            assert_eq!(debugger.children().len(), 50 + more);
            assert!(own_threads() <= threads + 2, "a thread for each child");
        });
    }
}

#[test]
fn a_child_stands_still_blank_and_on_its_own() {
    let path = program("forker");
    let debugger = Debugger::builder(path).args(["1", "fork"]).follow_children(true).run().unwrap();
    let of_parent = debugger.breakpoint_with("child_code", Action::Count).unwrap();
    debugger.cont().unwrap();
    let child = debugger.wait_child(Some(PATIENCE)).unwrap().unwrap();
    assert_ne!(child.pid(), debugger.pid());
    assert!(debugger.is_running() && !child.is_running());
    let thread = child.main_thread().unwrap();
    assert_eq!(thread.syscall_return().unwrap(), 0, "what fork returns to it");
    // The waiting parent says who keeps it waiting.
    let message = debugger.wait_timeout(Duration::from_millis(1)).unwrap_err().to_string();
    assert!(message.contains(&child.pid().unwrap().to_string()), "{message}");
    // Its own breakpoint, on the instruction where the parent has one that the child did not inherit.
    let of_child = child.breakpoint("child_code").unwrap();
    cont(&child);
    assert!(of_child.hit_on(&thread).unwrap());
    thread.set_register("rdi", libdebug::RegisterValue::U64(77)).unwrap();
    cont(&child);
    assert_eq!(child.exit_code().unwrap(), Some(77));
    debugger.wait_timeout(PATIENCE).unwrap();
    assert_eq!((output(&debugger).as_str(), of_parent.hit_count()), ("wrong\n", 0));
}

#[test]
fn following_can_be_switched_at_any_time() {
    let path = program("forker");
    let debugger = Debugger::builder(path).args(["4", "fork"]).follow_children(true).run().unwrap();
    let turns = debugger.breakpoint("by_fork").unwrap();
    for turn in 0..4 {
        while turns.hit_count() <= turn {
            debugger.cont().unwrap();
            while let Some(child) = debugger.wait_child(Some(PATIENCE)).unwrap() {
                child.cont().unwrap();
            }
        }
        debugger.set_follows_children(turn % 2 == 0);
    }
    assert_eq!((finish(&debugger).as_str(), debugger.children().len()), ("ok\n", 2));
}

#[test]
fn dropping_or_running_anew_ends_the_children_too() {
    let path = program("forker");
    let alive = |pid: libdebug::Pid| std::path::Path::new(&format!("/proc/{pid}")).exists();
    let debugger = Debugger::builder(&path).args(["9", "fork"]).follow_children(true).run().unwrap();
    for _ in 0..2 {
        debugger.cont().unwrap();
        let child = debugger.wait_child(Some(PATIENCE)).unwrap().unwrap();
        let pids = [debugger.pid().unwrap(), child.pid().unwrap()];
        drop(child);
        debugger.run(&Debugger::builder(&path).args(["9", "fork"]).launch()).unwrap();
        assert!(debugger.children().is_empty());
        common::within("the end of the old processes", move || {
            while pids.into_iter().any(alive) {
                std::thread::yield_now();
            }
        });
    }
}

#[test]
fn a_deep_tree_of_a_thousand_processes_is_seen_whole_or_left_alone() {
    for follow in [true, false] {
        within_time(Duration::from_secs(120), "a tree of a thousand", move || {
            let path = program("family");
            let builder = Debugger::builder(path).args(["1000", "5"]).follow_children(follow);
            let debugger = builder.run().unwrap();
            debugger.breakpoint_with("descendants", Action::Count).unwrap();
            let (threads, files) = (own_threads(), own_files());
            let mut ends = drive(&debugger);
            let wanted =
                (1..=if follow { 1000 } else { 0 }).map(|number| libdebug::Death::Exited(number % 200));
            let mut wanted: Vec<_> = wanted.map(Some).collect();
            ends.sort_by_key(|end| format!("{end:?}"));
            wanted.sort_by_key(|end| format!("{end:?}"));
            assert_eq!(ends, wanted);
            assert_eq!((output(&debugger).as_str(), debugger.exit_code().unwrap()), ("ok\n", Some(0)));
            assert!(own_threads() <= threads + 8, "a thread for each child");
            let all = members(&debugger);
            assert_eq!(all.len(), wanted.len() + 1);
            assert!(all.iter().all(|member| common::state(member.pid().unwrap()).is_none()));
            assert!(own_files() <= files + 100, "{} files more for dead children", own_files() - files);
        });
    }
}

fn own_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn members(debugger: &Debugger) -> Vec<Debugger> {
    let below = debugger.children().into_iter().flat_map(|child| members(&child));
    std::iter::once(debugger.clone()).chain(below).collect()
}
