//! What concerns one thread of several: handlers of it alone, and letting it alone go on or stand still.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use common::{PATIENCE, finish, output, program};
use libdebug::{
    Access, Action, BreakpointKind, BreakpointSpec, CatcherSpec, Debugger, FileScope, Signal, SyscallSpec,
    Thread,
};

const THREADS: usize = 4;
const CALLS: u64 = 200;

/// All workers of a program have come to `symbol`, or are on their way; answers the debugger and the first to come.
fn at_work(name: &str, symbol: &str) -> (Debugger, Thread) {
    let (threads, calls) = (THREADS.to_string(), CALLS.to_string());
    let debugger = Debugger::builder(program(name)).args([threads, calls]).run().unwrap();
    let breakpoint = debugger.breakpoint(symbol).unwrap();
    debugger.cont().unwrap();
    debugger.wait_timeout(PATIENCE).unwrap();
    let hit = |thread: &Thread| breakpoint.hit_on(thread).unwrap();
    let first = debugger.threads().into_iter().find(hit).unwrap();
    breakpoint.remove().unwrap();
    (debugger, first)
}

fn address(debugger: &Debugger, symbol: &str) -> u64 {
    debugger.resolve_symbol(symbol, &FileScope::Binary).unwrap().address
}

#[test]
fn a_breakpoint_of_one_thread_is_passed_by_the_others() {
    let (debugger, thread) = at_work("threads", "work");
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let tids = Arc::clone(&seen);
    let note = Action::call(move |thread, _| {
        tids.lock().unwrap().insert(thread.tid());
        Ok(())
    });
    let hot = address(&debugger, "hot");
    let of_one =
        |action, kind| BreakpointSpec { thread: Some(thread.tid()), action, kind, ..BreakpointSpec::at(hot) };
    let software = debugger.set_breakpoint(of_one(note, BreakpointKind::Software)).unwrap();
    let kind = BreakpointKind::Hardware { access: Access::Execute, length: 1 };
    let hardware = debugger.set_breakpoint(of_one(Action::Count, kind)).unwrap();
    let all = debugger.set_breakpoint(BreakpointSpec { action: Action::Count, ..BreakpointSpec::at(hot) });
    assert!(output_is_right(&debugger));
    assert_eq!(software.hit_count(), CALLS);
    assert_eq!(hardware.hit_count(), CALLS);
    assert_eq!(all.unwrap().hit_count(), CALLS * THREADS as u64);
    assert_eq!(*seen.lock().unwrap(), BTreeSet::from([thread.tid()]));
    assert_eq!(software.thread(), Some(thread.tid()));
}

fn output_is_right(debugger: &Debugger) -> bool {
    finish(debugger).contains("ok") && debugger.exit_code().unwrap() == Some(0)
}

#[test]
fn a_handler_of_one_threads_calls_leaves_the_others_alone() {
    for mode in [libdebug::SyscallFilterMode::Ptrace, libdebug::SyscallFilterMode::Seccomp] {
        let (debugger, thread) = at_work("syscall_threads", "work");
        debugger.set_syscall_filter(mode);
        let number = Some(Debugger::syscall_number("getpriority").unwrap());
        let counting = || SyscallSpec {
            number,
            on_enter: Some(Action::Count),
            on_exit: Some(Action::Count),
            ..SyscallSpec::default()
        };
        let all = debugger.handle_syscall(counting()).unwrap();
        let one = debugger.handle_syscall(SyscallSpec { thread: Some(thread.tid()), ..counting() }).unwrap();
        assert!(output_is_right(&debugger));
        // The newest of those that a call concerns handles it.
        assert_eq!((one.hit_count(), all.hit_count()), (CALLS, CALLS * (THREADS as u64 - 1)), "{mode:?}");
    }
}

#[test]
fn a_catcher_of_one_threads_signals_leaves_the_others_alone() {
    let (debugger, thread) = at_work("threads", "work");
    let usr1 = Signal(10);
    let drop_it = Action::call_at_signal(|thread, _| Ok(thread.set_signal(None)?));
    let spec = |thread| CatcherSpec { action: drop_it.clone(), thread, ..CatcherSpec::stop(Some(usr1)) };
    let all = debugger.catch_signal(spec(None)).unwrap();
    let one = debugger.catch_signal(spec(Some(thread.tid()))).unwrap();
    let tkill = Debugger::syscall_number("tkill").unwrap();
    let living: Vec<_> = debugger.threads().into_iter().filter(|thread| !thread.is_dead()).collect();
    for each in &living {
        assert_eq!(thread.invoke_syscall(tkill, &[each.tid().0 as u64, 10]).unwrap(), 0);
    }
    assert!(output_is_right(&debugger));
    assert_eq!((one.hit_count(), all.hit_count()), (1, living.len() as u64 - 1));
}

#[test]
fn one_thread_goes_on_while_the_others_stand_still() {
    let (debugger, thread) = at_work("threads", "hot");
    let count = |thread: Option<&Thread>| BreakpointSpec {
        thread: thread.map(Thread::tid),
        action: Action::Count,
        ..BreakpointSpec::at(address(&debugger, "hot"))
    };
    let (all, own) = (count(None), count(Some(&thread)));
    let (all, own) = (debugger.set_breakpoint(all).unwrap(), debugger.set_breakpoint(own).unwrap());
    // It runs to its end, and as main and the others are parked, nothing is left to run.
    thread.cont().unwrap();
    debugger.wait_timeout(PATIENCE).unwrap();
    assert!(thread.is_dead());
    assert!(debugger.main_thread().is_ok_and(|main| !main.is_dead() && !main.is_parked()));
    // Of what all have counted together, everything was its own.
    assert_eq!((own.hit_count(), all.hit_count()), (CALLS - 1, CALLS - 1));
    assert!(output_is_right(&debugger));
}

#[test]
fn a_parked_thread_is_looked_at_while_the_others_run() {
    let debugger = Debugger::builder(program("spinners")).arg("3").run().unwrap();
    debugger.cont().unwrap();
    common::line(&debugger);
    let threads = debugger.threads();
    let (parked, other) = (&threads[1], &threads[2]);
    parked.interrupt().unwrap();
    assert!(parked.is_parked() && !other.is_parked() && !debugger.is_settled());
    let before = parked.register("rip").unwrap();
    let turns = |thread: &Thread| thread.register("rbx").unwrap();
    let seen = turns(parked);
    // The other one goes on counting meanwhile: it is stopped twice, and has moved.
    other.interrupt().unwrap();
    let first = turns(other);
    other.cont().unwrap();
    other.interrupt().unwrap();
    while turns(other) == first {
        other.cont().unwrap();
        other.interrupt().unwrap();
    }
    assert_eq!((parked.register("rip").unwrap(), turns(parked)), (before, seen));
    // What is written is there when it goes on.
    parked.set_register("rbx", libdebug::RegisterValue::U64(1 << 62)).unwrap();
    parked.cont().unwrap();
    assert!(!parked.is_parked());
    debugger.interrupt().unwrap();
    debugger.wait_timeout(PATIENCE).unwrap();
    assert!(threads.iter().all(|thread| !thread.is_parked()));
    assert!(turns(parked).as_u64().unwrap() >= 1 << 62);
    debugger.kill().unwrap();
}

#[test]
fn the_last_thread_to_be_parked_stops_the_process() {
    let debugger = Debugger::builder(program("spinners")).arg("2").run().unwrap();
    debugger.cont().unwrap();
    common::line(&debugger);
    for thread in debugger.threads() {
        assert!(!debugger.is_settled());
        thread.interrupt().unwrap();
    }
    debugger.wait_timeout(PATIENCE).unwrap();
    assert!(debugger.threads().iter().all(|thread| !thread.is_parked() && thread.pc().is_ok()));
    debugger.kill().unwrap();
}

#[test]
fn an_exit_of_the_one_thread_that_runs_ends_the_parked_ones() {
    for _ in 0..20 {
        let debugger = Debugger::builder(program("spinners")).arg("3").run().unwrap();
        debugger.cont().unwrap();
        common::line(&debugger);
        debugger.interrupt().unwrap();
        debugger.wait_timeout(PATIENCE).unwrap();
        let main = debugger.main_thread().unwrap();
        let exit = address(&debugger, "leave");
        main.set_pc(exit).unwrap();
        main.cont().unwrap();
        debugger.wait_timeout(PATIENCE).unwrap();
        assert_eq!(debugger.exit_code().unwrap(), Some(7), "{}", output(&debugger));
    }
}

#[test]
fn callbacks_run_while_threads_are_parked_and_leave_them_so() {
    let (debugger, thread) = at_work("threads", "hot");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tids = Arc::clone(&seen);
    let note = Action::call(move |thread, _| {
        tids.lock().unwrap().push(thread.tid());
        Ok(())
    });
    debugger.breakpoint_with("hot", note).unwrap();
    thread.cont().unwrap();
    debugger.wait_timeout(PATIENCE).unwrap();
    assert_eq!(*seen.lock().unwrap(), vec![thread.tid(); CALLS as usize - 1]);
    assert!(output_is_right(&debugger));
}
