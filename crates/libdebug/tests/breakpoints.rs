//! Breakpoints on real processes.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{PATIENCE, finish, output, program};
use libdebug::{Action, BreakpointKind, BreakpointSpec, Debugger, FileScope};

#[test]
fn a_program_runs_to_its_end() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let text = finish(&debugger);
    assert!(!text.is_empty());
    assert_eq!(debugger.exit_code().unwrap(), Some(0));
}

#[test]
fn synchronous_hits_stop_at_the_address() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let breakpoint = debugger.breakpoint("counter_function").unwrap();
    let thread = debugger.main_thread().unwrap();
    for hit in 1..=10 {
        debugger.cont().unwrap();
        debugger.wait_timeout(PATIENCE).unwrap();
        assert_eq!(thread.pc().unwrap(), breakpoint.address());
        assert_eq!(breakpoint.hit_count(), hit);
        assert!(breakpoint.hit_on(&thread).unwrap());
    }
    finish(&debugger);
    assert_eq!(breakpoint.hit_count(), 10);
}

#[test]
fn callbacks_see_every_hit_and_the_program_goes_on() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&seen);
    let action = Action::call(move |thread, breakpoint| {
        assert_eq!(thread.pc()?, breakpoint.address());
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let breakpoint = debugger.breakpoint_with("counter_function", action).unwrap();
    finish(&debugger);
    assert_eq!((seen.load(Ordering::Relaxed), breakpoint.hit_count()), (10, 10));
}

#[test]
fn counting_costs_four_tracer_system_calls_a_hit() {
    let debugger = Debugger::builder(program("threads-O2")).args(["1", "10000"]).run().unwrap();
    let breakpoint = debugger.breakpoint_with("hot", Action::Count).unwrap();
    let before = libdebug::tracer_syscalls();
    finish(&debugger);
    assert_eq!(breakpoint.hit_count(), 10_000);
    let each = (libdebug::tracer_syscalls() - before) as f64 / 10_000.0;
    println!("{each} system calls per hit");
}

#[test]
fn thirty_two_threads_hit_one_breakpoint_exactly() {
    for action in ["count", "call", "stop"] {
        let debugger = Debugger::builder(program("threads")).args(["32", "1000"]).run().unwrap();
        let calls = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&calls);
        let breakpoint = debugger
            .breakpoint_with(
                "hot",
                match action {
                    "count" => Action::Count,
                    "stop" => Action::Stop,
                    _ => Action::call(move |_, _| {
                        counter.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    }),
                },
            )
            .unwrap();
        let mut stops = 0;
        while !debugger.is_dead() {
            debugger.cont().unwrap();
            debugger.wait_timeout(PATIENCE).unwrap();
            stops += 1;
        }
        assert_eq!(breakpoint.hit_count(), 32_000, "{action}, {stops} stops");
        if action == "call" {
            assert_eq!(calls.load(Ordering::Relaxed), 32_000);
        }
        assert!(output(&debugger).contains("total="));
        assert_eq!(debugger.exit_code().unwrap(), Some(0));
    }
}

#[test]
fn every_kind_of_instruction_can_be_passed() {
    let text = {
        let debugger = Debugger::builder(program("insn")).run().unwrap();
        finish(&debugger)
    };
    let names = [
        "bp_push",
        "bp_riprel",
        "bp_jcc",
        "bp_jmp",
        "bp_call",
        "bp_call_reg",
        "bp_call_mem_rsp",
        "bp_call_r12",
        "bp_ret",
        "bp_rep",
        "bp_pushf",
        "bp_syscall",
        "bp_loop",
        "bp_jrcxz",
        "bp_nop",
        "bp_leave",
    ];
    for name in names {
        let debugger = Debugger::builder(program("insn")).run().unwrap();
        let address = match debugger.resolve_symbol(name, &FileScope::Binary) {
            Ok(found) => found.address,
            Err(error) => panic!("{error}"),
        };
        let spec = BreakpointSpec { action: Action::Count, ..BreakpointSpec::at(address) };
        assert_eq!(spec.kind, BreakpointKind::Software);
        let breakpoint = debugger.set_breakpoint(spec).unwrap();
        assert_eq!(finish(&debugger), text, "{name}");
        assert!(breakpoint.hit_count() >= 100, "{name}: {}", breakpoint.hit_count());
    }
}
