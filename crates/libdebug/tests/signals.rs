//! Signals that arrive while breakpoints are hit and passed.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PATIENCE, cont, finish, output, program};
use libdebug::{Action, Debugger, Error, Signal};

fn check(debugger: &Debugger, how: &str) {
    let text = output(debugger);
    assert!(text.ends_with(" ok\n"), "{how}: {text}");
    assert_eq!(debugger.exit_code().unwrap(), Some(0), "{how}");
}

#[test]
fn no_signal_is_lost_doubled_or_disordered_whatever_a_hit_does() {
    let mut hits = 0;
    for (how, action) in
        [("count", Action::Count), ("call", Action::call(|_, _| Ok(()))), ("stop", Action::Stop)]
    {
        let debugger = Debugger::builder(program("signals")).arg("3000").run().unwrap();
        let breakpoint = debugger.breakpoint_with("hot", action).unwrap();
        while !debugger.is_dead() {
            cont(&debugger);
        }
        check(&debugger, how);
        hits += breakpoint.hit_count();
    }
    assert!(hits > 0);
}

#[test]
fn signals_that_come_in_the_middle_of_steps_arrive_in_order_afterwards() {
    let debugger = Debugger::builder(program("signals")).arg("1000").run().unwrap();
    let breakpoint = debugger.breakpoint("hot").unwrap();
    let mut rounds = 0_u32;
    while !debugger.is_dead() {
        debugger.cont().unwrap();
        debugger.wait_timeout(PATIENCE).unwrap();
        let threads = debugger.threads();
        for thread in threads.iter().filter(|thread| !thread.is_dead()) {
            if breakpoint.hit_on(thread).unwrap() {
                for _ in 0..rounds % 7 {
                    thread.step().unwrap();
                }
            }
        }
        rounds += 1;
    }
    check(&debugger, "steps");
}

#[test]
fn callbacks_that_step_lose_no_signal() {
    let debugger = Debugger::builder(program("signals")).arg("1000").run().unwrap();
    let action = Action::call(|thread, breakpoint| {
        for _ in 0..breakpoint.hit_count() % 5 {
            thread.step()?;
        }
        Ok(())
    });
    debugger.breakpoint_with("hot", action).unwrap();
    cont(&debugger);
    assert!(debugger.is_dead());
    check(&debugger, "stepping callbacks");
}

#[test]
fn interrupts_lose_no_signal() {
    let debugger = Debugger::builder(program("signals")).arg("20000").run().unwrap();
    let breakpoint = debugger.breakpoint_with("hot", Action::Count).unwrap();
    // An interrupt can come before the program has done anything; so it is let go in the end.
    for _ in 0..500 {
        if !debugger.is_dead() {
            debugger.cont().unwrap();
            common::interrupt(&debugger);
        }
    }
    if !debugger.is_dead() {
        cont(&debugger);
    }
    assert!(breakpoint.hit_count() > 0);
    check(&debugger, "interrupts");
}

#[test]
fn deadly_signals_end_the_program_as_they_should() {
    for (how, signal) in [("segv", 11), ("abort", 6), ("ill", 4), ("fpe", 8)] {
        let debugger = Debugger::builder(program("crash")).arg(how).run().unwrap();
        let breakpoint = debugger.breakpoint_with("crash_here", Action::Count).unwrap();
        cont(&debugger);
        assert_eq!(
            debugger.death().unwrap(),
            Some(libdebug::Death::Killed(libdebug::Signal(signal))),
            "{how}"
        );
        assert_eq!((debugger.exit_code().unwrap(), breakpoint.hit_count()), (None, 1));
    }
}

#[test]
fn steps_over_a_faulting_instruction_end_there() {
    let debugger = Debugger::builder(program("crash")).arg("ill").run().unwrap();
    let thread = debugger.main_thread().unwrap();
    debugger.breakpoint("crash_here").unwrap();
    cont(&debugger);
    let mut last = 0;
    for _ in 0..10_000 {
        if thread.pc().unwrap() == last {
            break;
        }
        last = thread.pc().unwrap();
        thread.step().unwrap();
    }
    let code = debugger.read_memory(last, 2).unwrap();
    assert_eq!(code, [0x0f, 0x0b], "ud2");
    assert_eq!(thread.signal().unwrap(), Some(libdebug::Signal(4)));
    cont(&debugger);
    assert_eq!(debugger.death().unwrap(), Some(libdebug::Death::Killed(libdebug::Signal(4))));
}

#[test]
fn a_fault_at_a_breakpoint_is_shown_to_the_program_where_its_code_is() {
    let debugger = Debugger::builder(program("faulting")).arg("50").run().unwrap();
    let breakpoint = debugger.breakpoint_with("faulting_load", Action::Count).unwrap();
    assert_eq!(common::finish(&debugger), "faults=50 elsewhere=0\n");
    assert_eq!(breakpoint.hit_count(), 100);
}

#[test]
fn a_number_that_is_no_signal_is_refused_and_changes_nothing() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    thread.set_signal(Some(Signal(64))).unwrap();
    for number in [-1, 0, 65, 1000, i32::MIN, i32::MAX] {
        let refused = thread.set_signal(Some(Signal(number))).unwrap_err();
        assert!(matches!(refused, Error::NoSuchSignal(found) if found == number), "{refused:?}");
        assert_eq!(thread.signal().unwrap(), Some(Signal(64)));
    }
    thread.set_signal(None).unwrap();
    assert_eq!(thread.signal().unwrap(), None);
    assert!(finish(&debugger).starts_with("basic:"));
}
