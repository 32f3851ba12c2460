//! Catchers of signals, on real programs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;

use common::{cont, finish, program};
use libdebug::{Action, CatcherSpec, Death, Debugger, Error, Signal, SignalCatcher, Thread};

const USR1: Signal = Signal(10);
const USR2: Signal = Signal(12);

/// A shell that tells which of two signals it gets.
fn shell(script: &str) -> Debugger {
    let traps = "trap 'echo one' USR1; trap 'echo two' USR2; ";
    Debugger::builder("/bin/bash").args(["-c", &format!("{traps}{script}")]).run().unwrap()
}

fn counting(signal: Option<Signal>) -> CatcherSpec {
    CatcherSpec { action: Action::Count, ..CatcherSpec::stop(signal) }
}

#[test]
fn a_caught_signal_stops_the_process_and_is_delivered_then() {
    let debugger = shell("kill -USR1 $$; echo end");
    let catcher = debugger.catch_signal(CatcherSpec::stop(Some(USR1))).unwrap();
    let thread = debugger.main_thread().unwrap();
    cont(&debugger);
    assert!(catcher.hit_on(&thread).unwrap());
    assert_eq!((thread.signal().unwrap(), catcher.hit_count()), (Some(USR1), 1));
    let info = thread.signal_info().unwrap().unwrap();
    assert_eq!((info.signal(), info.sender()), (USR1, debugger.pid().unwrap().0));
    assert_eq!(finish(&debugger), "one\nend\n");
    assert!(!catcher.hit_on(&thread).unwrap());
}

#[test]
fn a_callback_can_drop_or_replace_a_signal() {
    for (new, output) in [(None, "end\n"), (Some(USR2), "two\nend\n"), (Some(USR1), "one\nend\n")] {
        let debugger = shell("kill -USR1 $$; echo end");
        let change = move |thread: &Thread, _: &SignalCatcher| Ok(thread.set_signal(new)?);
        let spec = CatcherSpec { action: Action::call_at_signal(change), ..CatcherSpec::stop(Some(USR1)) };
        let catcher = debugger.catch_signal(spec).unwrap();
        assert_eq!((finish(&debugger).as_str(), catcher.hit_count()), (output, 1));
    }
}

#[test]
fn the_catcher_of_a_replacing_signal_runs_only_if_recursive() {
    for recursive in [true, false] {
        let debugger = shell("kill -USR1 $$; echo end");
        let first = debugger.hijack_signal(Some(USR1), USR2, recursive).unwrap();
        let second = debugger.catch_signal(counting(Some(USR2))).unwrap();
        assert_eq!(finish(&debugger), "two\nend\n");
        assert_eq!((first.hit_count(), second.hit_count()), (1, u64::from(recursive)));
    }
}

#[test]
fn a_loop_is_an_error_of_the_next_wait() {
    let debugger = shell("kill -USR1 $$; echo end");
    debugger.hijack_signal(Some(USR1), USR2, true).unwrap();
    debugger.hijack_signal(Some(USR2), USR1, true).unwrap();
    debugger.cont().unwrap();
    assert!(matches!(debugger.wait_timeout(common::PATIENCE), Err(Error::HijackLoop(_))));
}

#[test]
fn blocked_signals_are_caught_and_not_delivered() {
    let debugger = shell("kill -USR1 $$; kill -USR2 $$; echo end");
    debugger.set_blocked_signals(BTreeSet::from([USR1])).unwrap();
    assert_eq!(debugger.blocked_signals().unwrap(), BTreeSet::from([USR1]));
    let catcher = debugger.catch_signal(counting(Some(USR1))).unwrap();
    assert_eq!((finish(&debugger).as_str(), catcher.hit_count()), ("two\nend\n", 1));
}

#[test]
fn a_catcher_of_all_leaves_those_that_have_their_own() {
    let debugger = shell("kill -USR1 $$; kill -USR2 $$; echo end");
    let own = debugger.catch_signal(counting(Some(USR1))).unwrap();
    let all = debugger.catch_signal(counting(None)).unwrap();
    finish(&debugger);
    assert_eq!((own.hit_count(), all.hit_count()), (1, 1));
}

#[test]
fn what_is_disabled_or_removed_catches_nothing() {
    let debugger = shell("kill -USR1 $$; kill -USR2 $$; echo end");
    let disabled = debugger.catch_signal(CatcherSpec::stop(Some(USR1))).unwrap();
    let removed = debugger.catch_signal(CatcherSpec::stop(Some(USR2))).unwrap();
    disabled.set_enabled(false).unwrap();
    removed.remove().unwrap();
    assert_eq!(finish(&debugger), "one\ntwo\nend\n");
    assert_eq!((disabled.hit_count(), removed.hit_count()), (0, 0));
}

#[test]
fn signals_that_no_stop_comes_before_are_refused() {
    let debugger = shell("echo end");
    for number in [9, 19, 0, 65] {
        let refused = debugger.catch_signal(CatcherSpec::stop(Some(Signal(number))));
        assert!(matches!(refused, Err(Error::NoSuchSignal(_) | Error::Uncatchable(_))), "{number}");
    }
    assert!(matches!(debugger.hijack_signal(Some(USR1), USR1, false), Err(Error::SelfHijack(_))));
    assert_eq!(finish(&debugger), "end\n");
}

#[test]
fn the_programs_own_traps_can_be_caught_beside_breakpoints() {
    let debugger = Debugger::builder(program("int3")).run().unwrap();
    let breakpoint = debugger.breakpoint_with("main", Action::Count).unwrap();
    let catcher = debugger.catch_signal(CatcherSpec::stop(Some(Signal::TRAP))).unwrap();
    let thread = debugger.main_thread().unwrap();
    cont(&debugger);
    assert!(catcher.hit_on(&thread).unwrap());
    assert_eq!((breakpoint.hit_count(), catcher.hit_count()), (1, 1));
}

#[test]
fn a_signal_is_caught_once_however_often_it_is_put_off() {
    let debugger = shell("kill -USR1 $$; echo end");
    let catcher = debugger.catch_signal(CatcherSpec::stop(Some(USR1))).unwrap();
    let thread = debugger.main_thread().unwrap();
    cont(&debugger);
    assert!(catcher.hit_on(&thread).unwrap());
    for _ in 0..5 {
        thread.step().unwrap();
    }
    assert_eq!(finish(&debugger), "one\nend\n");
    assert_eq!(catcher.hit_count(), 1);
}

#[test]
fn a_fault_is_caught_with_its_address() {
    let debugger = Debugger::builder(program("crash")).arg("segv").run().unwrap();
    let catcher = debugger.catch_signal(CatcherSpec::stop(Some(Signal::SEGV))).unwrap();
    let thread = debugger.main_thread().unwrap();
    cont(&debugger);
    assert!(catcher.hit_on(&thread).unwrap());
    assert_eq!(thread.signal_info().unwrap().map(|info| info.address()), Some(8));
    // A call made meanwhile changes nothing of that.
    thread.invoke_syscall(Debugger::syscall_number("getpid").unwrap(), &[]).unwrap();
    assert_eq!(thread.signal_info().unwrap().map(|info| info.address()), Some(8));
    cont(&debugger);
    assert_eq!(debugger.death().unwrap(), Some(Death::Killed(Signal::SEGV)));
}
