//! Functions of the program that the debugger has it call.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cont, finish, program};
use libdebug::{Action, CatcherSpec, Debugger, Error, FileScope, RegisterValue, Signal, SyscallSpec};

fn at_work() -> Debugger {
    let debugger = Debugger::builder(program("callee")).run().unwrap();
    let breakpoint = debugger.breakpoint("work").unwrap();
    cont(&debugger);
    breakpoint.remove().unwrap();
    debugger
}

fn address(debugger: &Debugger, symbol: &str) -> u64 {
    debugger.resolve_symbol(symbol, &FileScope::Hybrid).unwrap().address
}

fn call(debugger: &Debugger, symbol: &str, arguments: &[u64]) -> Result<u64, Error> {
    debugger.main_thread().unwrap().call_symbol(symbol, arguments)
}

const NAMES: [&str; 12] =
    ["rip", "rsp", "rax", "rbx", "rcx", "rdi", "rsi", "r10", "r11", "eflags", "xmm0", "xmm7"];

fn registers(debugger: &Debugger) -> [RegisterValue; 12] {
    let thread = debugger.main_thread().unwrap();
    NAMES.map(|name| thread.register(name).unwrap())
}

#[test]
fn functions_are_called_with_their_arguments_and_nothing_else_changes() {
    let debugger = at_work();
    let before = registers(&debugger);
    assert_eq!(call(&debugger, "add", &[2, 3]).unwrap(), 5);
    let weights: Vec<u64> = (1..=9).collect();
    assert_eq!(call(&debugger, "weigh", &weights).unwrap(), (1..=9).map(|n| n * n).sum::<u64>());
    // A function that uses vector registers, and whose caller has to have aligned the stack.
    assert_eq!(call(&debugger, "print", &[41]).unwrap(), 41);
    assert_eq!(registers(&debugger), before);
    assert_eq!(finish(&debugger), "printed 41.00\nworked\n");
}

#[test]
fn strings_of_the_program_can_be_measured() {
    let debugger = at_work();
    let text = address(&debugger, "text");
    assert_eq!(call(&debugger, "strlen", &[text]).unwrap(), 11);
    assert_eq!(finish(&debugger), "worked\n");
}

#[test]
fn a_breakpoint_in_the_function_calls_back_or_ends_the_call() {
    let debugger = at_work();
    let before = registers(&debugger);
    let counting = debugger.breakpoint_with("add", Action::Count).unwrap();
    assert_eq!(call(&debugger, "add", &[2, 3]).unwrap(), 5);
    assert_eq!(counting.hit_count(), 1);
    let stopping = debugger.breakpoint("weigh").unwrap();
    assert!(matches!(call(&debugger, "weigh", &[0; 9]), Err(Error::CallStopped { .. })));
    assert_eq!((registers(&debugger), stopping.hit_count()), (before, 1));
    assert_eq!(finish(&debugger), "worked\n");
}

#[test]
fn a_fault_in_the_function_ends_the_call_and_not_the_program() {
    let debugger = at_work();
    let before = registers(&debugger);
    let failed = call(&debugger, "strlen", &[16]);
    assert!(matches!(failed, Err(Error::CallFault { signal: Signal::SEGV, .. })), "{failed:?}");
    assert!(matches!(call(&debugger, "text", &[]), Err(Error::CallFault { .. })), "no code");
    assert_eq!(registers(&debugger), before);
    assert_eq!(finish(&debugger), "worked\n");
}

#[test]
fn the_programs_end_in_the_function_is_told() {
    let debugger = at_work();
    assert!(matches!(call(&debugger, "_exit", &[7]), Err(Error::Died { .. })));
    debugger.wait_timeout(common::PATIENCE).unwrap();
    assert_eq!(debugger.exit_code().unwrap(), Some(7));
}

#[test]
fn calls_work_at_signals_and_behind_system_calls() {
    let debugger = Debugger::builder("/bin/bash").args(["-c", "kill -TERM $$"]).run().unwrap();
    let catcher = debugger.catch_signal(CatcherSpec::stop(Some(Signal(15)))).unwrap();
    let kill = Debugger::syscall_number("kill").unwrap();
    debugger.handle_syscall(SyscallSpec::stop(Some(kill))).unwrap();
    let thread = debugger.main_thread().unwrap();
    let abs = debugger.resolve_symbol("abs", &FileScope::File("libc".into())).unwrap().address;
    let minus_seven = (-7_i64).cast_unsigned();
    cont(&debugger);
    assert!(matches!(thread.call(abs, &[minus_seven]), Err(Error::Unsupported(_))), "before a call");
    cont(&debugger);
    // The signal comes as soon as the thread goes on: into the call.
    let before = registers(&debugger);
    assert!(matches!(thread.call(abs, &[minus_seven]), Err(Error::CallStopped { .. })));
    assert!(catcher.hit_on(&thread).unwrap());
    assert_eq!((registers(&debugger), thread.signal().unwrap()), (before, Some(Signal(15))));
    assert_eq!(thread.call(abs, &[minus_seven]).unwrap() as u32, 7);
    cont(&debugger);
    assert_eq!(debugger.death().unwrap(), Some(libdebug::Death::Killed(Signal(15))));
    assert_eq!(catcher.hit_count(), 1);
}

#[test]
fn callbacks_may_call() {
    let debugger = Debugger::builder(program("callee")).run().unwrap();
    let add = address(&debugger, "add");
    let action = Action::call(move |thread, _| match thread.call(add, &[20, 22])? {
        42 => Ok(()),
        other => Err(format!("{other}").into()),
    });
    let breakpoint = debugger.breakpoint_with("work", action).unwrap();
    assert_eq!((finish(&debugger).as_str(), breakpoint.hit_count()), ("worked\n", 1));
}
