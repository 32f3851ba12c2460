//! What a long way costs, in system calls of the tracer. Alone in its program, because the count is of all threads.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cont, program};
use libdebug::{Debugger, Finish, Thread, tracer_syscalls};

/// The system calls that `act` takes from the first instruction of a function to its end.
fn cost(mode: &str, act: impl FnOnce(&Thread, u64)) -> u64 {
    let debugger = Debugger::builder(program("stacks-O2")).args([mode, "3"]).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    debugger.breakpoint(mode).unwrap();
    cont(&debugger);
    let end = thread.saved_ip().unwrap();
    let before = tracer_syscalls();
    act(&thread, end);
    let made = tracer_syscalls() - before;
    assert_eq!(thread.pc().unwrap(), end);
    made
}

#[test]
fn the_length_of_the_way_does_not_matter() {
    for mode in ["sort", "busy"] {
        let steps = cost(mode, |thread, end| thread.step_until(end, Some(u64::MAX)).unwrap());
        let until = cost(mode, |thread, end| thread.step_until(end, None).unwrap());
        let finish = cost(mode, |thread, _| thread.finish(Finish::Backtrace).unwrap());
        println!("{mode}: {steps} system calls by steps, {until} without, {finish} for finish");
        assert!(steps > 1000 && until < 60 && finish < 60, "{mode}: {steps}, {until}, {finish}");
    }
}
