//! Debug registers: breakpoints without traps, and watchpoints.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{cont, finish, output, program};
use libdebug::{
    Access, Action, Breakpoint, BreakpointError, BreakpointKind, BreakpointSpec, Debugger, Error, FileScope,
};

fn set(
    debugger: &Debugger,
    symbol: &str,
    access: Access,
    length: u8,
    action: Action,
) -> Result<Breakpoint, Error> {
    let address = debugger.resolve_symbol(symbol, &FileScope::Binary)?.address;
    let kind = BreakpointKind::Hardware { access, length };
    debugger.set_breakpoint(BreakpointSpec { kind, action, ..BreakpointSpec::at(address) })
}

#[test]
fn every_action_counts_every_execution_in_threads_that_start_later_too() {
    for how in ["count", "call", "stop"] {
        let debugger = Debugger::builder(program("threads")).args(["8", "200"]).run().unwrap();
        let calls = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&calls);
        let action = match how {
            "count" => Action::Count,
            "stop" => Action::Stop,
            _ => Action::call(move |thread, breakpoint| {
                assert_eq!(thread.pc()?, breakpoint.address());
                counter.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }),
        };
        let breakpoint = set(&debugger, "hot", Access::Execute, 1, action).unwrap();
        let mut told = 0;
        while !debugger.is_dead() {
            cont(&debugger);
            told += debugger.threads().iter().filter(|thread| breakpoint.hit_on(thread).unwrap()).count();
        }
        assert_eq!(breakpoint.hit_count(), 1600, "{how}");
        assert_eq!(calls.load(Ordering::Relaxed), if how == "call" { 1600 } else { 0 });
        assert_eq!(told, if how == "stop" { 1600 } else { 0 }, "{how}");
        assert!(output(&debugger).ends_with(" ok\n"));
    }
}

#[test]
fn watchpoints_count_what_they_watch() {
    for (access, wanted) in [(Access::Write, 10), (Access::ReadWrite, 21)] {
        for stop in [false, true] {
            let debugger = Debugger::builder(program("basic-O2")).run().unwrap();
            let action = if stop { Action::Stop } else { Action::Count };
            let watch = set(&debugger, "counter", access, 4, action).unwrap();
            while !debugger.is_dead() {
                cont(&debugger);
            }
            // `counter += step` and `return counter` are one or two reads, the printing is one more.
            let hits = watch.hit_count();
            assert!(hits == 10 || (access == Access::ReadWrite && hits > 10 && hits <= wanted), "{hits}");
            assert!(output(&debugger).starts_with("basic: counter=45"));
        }
    }
}

#[test]
fn a_watchpoint_stops_behind_the_write() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let watch = set(&debugger, "counter", Access::Write, 4, Action::Stop).unwrap();
    let mut sum = 0;
    for step in 0..10 {
        cont(&debugger);
        sum += step;
        let value = debugger.read_memory(watch.address(), 4).unwrap();
        assert_eq!(u32::from_le_bytes(value.try_into().unwrap()), sum);
        assert!(watch.hit_on(&debugger.main_thread().unwrap()).unwrap());
    }
    finish(&debugger);
}

#[test]
fn there_are_four_and_removing_one_makes_room() {
    let debugger = Debugger::builder(program("insn")).args(["100", "call"]).run().unwrap();
    let symbols = ["fn_call", "bp_call", "plus_one", "main"];
    let all: Vec<_> = symbols
        .iter()
        .map(|symbol| set(&debugger, symbol, Access::Execute, 1, Action::Count).unwrap())
        .collect();
    match set(&debugger, "puts", Access::Execute, 1, Action::Count)
        .or_else(|_| set(&debugger, "insn_pid", Access::Write, 4, Action::Count))
    {
        Err(Error::Breakpoint(error)) => assert_eq!(error, BreakpointError::NoFreeRegister),
        other => panic!("{other:?}"),
    }
    all[3].remove().unwrap();
    let fifth = set(&debugger, "insn_pid", Access::Write, 4, Action::Count).unwrap();
    all[2].set_enabled(false).unwrap();
    all[2].set_enabled(true).unwrap();
    assert_eq!(finish(&debugger), "ok\n");
    let hits: Vec<_> = all.iter().map(Breakpoint::hit_count).collect();
    // bp_call is where fn_call is.
    assert_eq!(hits, [100, 100, 100, 0]);
    assert_eq!(fifth.hit_count(), 1);
}

#[test]
fn what_the_processor_cannot_watch_is_refused() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let table = debugger.resolve_symbol("table", &FileScope::Binary).unwrap().address;
    for (address, access, length) in [
        (table + 1, Access::Write, 2),
        (table + 2, Access::Write, 4),
        (table + 4, Access::ReadWrite, 8),
        (table, Access::Write, 3),
        (table, Access::Write, 0),
        (table, Access::Execute, 2),
        (0xffff_8000_0000_0000, Access::Write, 8),
    ] {
        let kind = BreakpointKind::Hardware { access, length };
        match debugger.set_breakpoint(BreakpointSpec { kind, ..BreakpointSpec::at(address) }) {
            Err(Error::Breakpoint(BreakpointError::Hardware { .. })) => {}
            other => panic!("{address:#x} {access:?} {length}: {other:?}"),
        }
    }
    // None of them took a register.
    for offset in [0, 8, 16, 24] {
        let kind = BreakpointKind::Hardware { access: Access::Write, length: 8 };
        debugger.set_breakpoint(BreakpointSpec { kind, ..BreakpointSpec::at(table + offset) }).unwrap();
    }
    assert!(finish(&debugger).starts_with("basic: counter=45"));
}

#[test]
fn software_and_hardware_at_one_place_both_count() {
    let debugger = Debugger::builder(program("threads")).args(["4", "100"]).run().unwrap();
    let soft = debugger.breakpoint_with("hot", Action::Count).unwrap();
    let hard = set(&debugger, "hot", Access::Execute, 1, Action::Count).unwrap();
    assert!(finish(&debugger).ends_with(" ok\n"));
    assert_eq!((soft.hit_count(), hard.hit_count()), (400, 400));
}

#[test]
fn steps_pass_hardware_breakpoints_one_instruction_at_a_time() {
    let debugger = Debugger::builder(program("insn")).args(["2", "push"]).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    let entry = set(&debugger, "fn_push", Access::Execute, 1, Action::Stop).unwrap();
    cont(&debugger);
    let next = debugger.set_breakpoint(BreakpointSpec {
        kind: BreakpointKind::Hardware { access: Access::Execute, length: 1 },
        action: Action::Count,
        ..BreakpointSpec::at(entry.address() + 1)
    });
    let next = next.unwrap();
    thread.step().unwrap();
    assert_eq!(thread.pc().unwrap(), entry.address() + 1);
    thread.step().unwrap();
    assert_eq!(thread.pc().unwrap(), entry.address() + 4, "mov rbp, rsp was executed");
    assert!(next.hit_count() <= 1);
    cont(&debugger);
    assert_eq!(entry.hit_count(), 2);
    assert_eq!(finish(&debugger), "ok\n");
}

#[test]
fn a_watchpoint_tells_the_old_and_the_new_value() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let address = debugger.resolve_symbol("counter", &libdebug::FileScope::Hybrid).unwrap().address;
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let spec = BreakpointSpec {
        kind: BreakpointKind::Hardware { access: Access::Write, length: 4 },
        action: Action::call(move |_, watchpoint| {
            noted.lock().unwrap().push((watchpoint.old_value(), watchpoint.new_value()));
            Ok(())
        }),
        ..BreakpointSpec::at(address)
    };
    let watchpoint = debugger.set_breakpoint(spec).unwrap();
    assert_eq!((watchpoint.old_value(), watchpoint.new_value()), (None, Some(0)));
    assert!(finish(&debugger).starts_with("basic: counter="));
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 9, "{seen:?}");
    assert_eq!(seen[0].0, Some(0));
    for pair in seen.windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "what was new is old at the next hit");
    }
    let execution = debugger.set_breakpoint(BreakpointSpec::at(address));
    assert!(execution.is_err(), "dead");
}

#[test]
fn a_thread_that_was_moved_where_it_stopped_goes_on_there() {
    let debugger = Debugger::builder(program("basic-O2")).run().unwrap();
    let breakpoint = set(&debugger, "counter_function", Access::Execute, 1, Action::Stop).unwrap();
    cont(&debugger);
    let thread = debugger.main_thread().unwrap();
    assert!(breakpoint.hit_on(&thread).unwrap());
    let caller = thread.saved_ip().unwrap();
    let stack = thread.register("rsp").unwrap().as_u64().unwrap();
    thread.set_register("rsp", libdebug::RegisterValue::U64(stack + 8)).unwrap();
    thread.set_pc(caller).unwrap();
    breakpoint.remove().unwrap();
    thread.step().unwrap();
    let distance = thread.pc().unwrap().wrapping_sub(caller);
    assert!((1..16).contains(&distance), "{distance:#x}");
}
