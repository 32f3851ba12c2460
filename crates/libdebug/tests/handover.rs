//! Processes that are lent to another debugger and taken back.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{PATIENCE, cont, finish, kill, program, state, tracer};
use libdebug::{Action, CatcherSpec, Debugger, Error, FileScope, Pid, Signal, SyscallSpec};

const CONT: i32 = 18;

/// Waits until a process that was let go has come to its stop.
fn await_stop(pid: Pid) {
    common::within("the stop of what was let go", move || {
        while (tracer(pid), state(pid)) != (0, Some('T')) {
            std::thread::yield_now();
        }
    });
}

/// A program with a breakpoint hit once, and lent.
fn lent() -> (Debugger, libdebug::Breakpoint) {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let breakpoint = debugger.breakpoint("counter_function").unwrap();
    cont(&debugger);
    assert_eq!(breakpoint.hit_count(), 1);
    debugger.hand_over().unwrap();
    (debugger, breakpoint)
}

#[test]
fn what_is_lent_stands_still_without_a_tracer_and_comes_back_where_it_was() {
    let (debugger, breakpoint) = lent();
    let pid = debugger.pid().unwrap();
    assert!(debugger.is_handed_over());
    await_stop(pid);
    // As another debugger finds it: without our trap.
    let other = Debugger::new().unwrap();
    other.attach(pid, false).unwrap();
    let thread = other.main_thread().unwrap();
    assert_eq!(thread.pc().unwrap(), breakpoint.address());
    let mut code = [0];
    other.read_memory_into(breakpoint.address(), &mut code).unwrap();
    assert_ne!(code[0], 0xcc);
    thread.step().unwrap();
    let moved = thread.pc().unwrap();
    assert!(matches!(debugger.take_back(), Err(Error::AttachDenied { .. })));
    assert!(debugger.is_handed_over());
    other.hand_over().unwrap();
    debugger.take_back().unwrap();
    let thread = debugger.main_thread().unwrap();
    assert_eq!(thread.pc().unwrap(), moved);
    assert!(!breakpoint.hit_on(&thread).unwrap());
    // The breakpoint is there again, and the program ends as ever.
    for hit in 2..=10 {
        cont(&debugger);
        assert_eq!((breakpoint.hit_count(), thread.pc().unwrap()), (hit, breakpoint.address()));
    }
    finish(&debugger);
    assert_eq!(debugger.exit_code().unwrap(), Some(0));
}

#[test]
fn nothing_is_to_be_had_of_what_is_lent() {
    let (debugger, breakpoint) = lent();
    let thread = debugger.main_thread().unwrap();
    let address = breakpoint.address();
    assert!(matches!(debugger.cont(), Err(Error::HandedOver)));
    assert!(matches!(debugger.wait(), Err(Error::HandedOver)));
    assert!(matches!(debugger.read_memory(address, 1), Err(Error::HandedOver)));
    assert!(matches!(debugger.breakpoint("main"), Err(Error::HandedOver)));
    assert!(matches!(thread.pc(), Err(Error::HandedOver)));
    assert!(matches!(thread.step(), Err(Error::HandedOver)));
    assert!(matches!(debugger.kill(), Err(Error::HandedOver)));
    assert!(matches!(debugger.hand_over(), Err(Error::HandedOver)));
    debugger.take_back().unwrap();
    debugger.take_back().unwrap();
    assert_eq!(thread.pc().unwrap(), address);
    debugger.kill().unwrap();
}

#[test]
fn the_program_sees_no_signal_of_it_and_handlers_stay() {
    let debugger = Debugger::builder(program("syscall_threads")).args(["4", "200"]).run().unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&seen);
    let action = Action::call_at_signal(move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    debugger.catch_signal(CatcherSpec { action, ..CatcherSpec::stop(None) }).unwrap();
    let number = Some(Debugger::syscall_number("getpriority").unwrap());
    let counting = SyscallSpec { number, on_enter: Some(Action::Count), ..SyscallSpec::default() };
    let handler = debugger.handle_syscall(counting).unwrap();
    let work = debugger.resolve_symbol("work", &FileScope::Binary).unwrap().address;
    let breakpoint = debugger.set_breakpoint(libdebug::BreakpointSpec::at(work)).unwrap();
    cont(&debugger);
    for _ in 0..3 {
        debugger.hand_over().unwrap();
        debugger.take_back().unwrap();
    }
    breakpoint.set_enabled(false).unwrap();
    assert!(finish(&debugger).contains("ok"));
    assert_eq!((debugger.exit_code().unwrap(), handler.hit_count()), (Some(0), 800));
    assert_eq!(seen.load(Ordering::Relaxed), 0);
}

#[test]
fn what_ends_while_it_is_lent_is_dead_when_it_is_taken_back() {
    for signal in [9, CONT] {
        let (debugger, _) = lent();
        let pid = debugger.pid().unwrap();
        kill(pid, signal);
        if signal == CONT {
            // It runs to its end, unless it is taken back before.
            while state(pid).is_some_and(|state| state != 'Z') {
                std::thread::yield_now();
            }
        }
        assert!(matches!(debugger.take_back(), Err(Error::Died { .. })));
        assert!(!debugger.is_handed_over());
        let killed = debugger.main_thread().unwrap().death();
        match signal {
            9 => assert_eq!(killed, Some(libdebug::Death::Killed(Signal::KILL))),
            _ => assert_eq!(debugger.exit_code().unwrap(), Some(0)),
        }
        assert!(matches!(debugger.cont(), Err(Error::Died { .. })));
    }
}

#[test]
fn a_callback_can_lend_the_process() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let action = Action::call(|thread, breakpoint| {
        if breakpoint.hit_count() == 3 {
            let pid = thread.debugger().pid().ok_or("no process")?;
            thread.debugger().hand_over()?;
            await_stop(pid);
            thread.debugger().take_back()?;
            if thread.pc()? != breakpoint.address() {
                return Err("it is somewhere else".into());
            }
        }
        Ok(())
    });
    let breakpoint = debugger.breakpoint_with("counter_function", action).unwrap();
    debugger.cont().unwrap();
    debugger.wait_timeout(PATIENCE).unwrap();
    assert_eq!((breakpoint.hit_count(), debugger.exit_code().unwrap()), (10, Some(0)));
}

#[test]
fn nobody_is_left_behind_when_a_debugger_ends_whose_process_is_lent() {
    let (debugger, _) = lent();
    let pid = debugger.pid().unwrap();
    drop(debugger);
    common::within("the end of the process", move || {
        while state(pid).is_some_and(|state| state != 'Z') {
            std::thread::yield_now();
        }
    });
}
