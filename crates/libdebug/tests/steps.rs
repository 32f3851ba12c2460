//! Steps over every kind of instruction, and what happens in the middle of them.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{cont, finish, interrupt, line, program, within};
use libdebug::{Action, BreakpointSpec, Debugger, FileScope, StopReason, Thread};

const FUNCTIONS: &[&str] = &[
    "push",
    "endbr",
    "lea_riprel",
    "riprel",
    "riprel_imm",
    "xmm_riprel",
    "jcc",
    "jcc_near",
    "jmp",
    "jmp_reg",
    "jmp_mem",
    "call",
    "call_reg",
    "call_mem_rsp",
    "call_r12",
    "call_riprel",
    "call_next",
    "ret",
    "ret_imm",
    "rep",
    "pushf",
    "popf",
    "syscall",
    "syscall_flags",
    "loop",
    "jrcxz",
    "nop",
    "leave",
    "one_byte",
    "mov_ss",
    "fs",
];

fn address(debugger: &Debugger, symbol: &str) -> u64 {
    debugger.resolve_symbol(symbol, &FileScope::Binary).unwrap().address
}

fn return_address(debugger: &Debugger, thread: &Thread) -> u64 {
    let stack = thread.register("rsp").unwrap().as_u64().unwrap();
    u64::from_le_bytes(debugger.read_memory(stack, 8).unwrap().try_into().unwrap())
}

/// Every pc from the function's first instruction to its return.
fn trace(debugger: &Debugger, thread: &Thread) -> Vec<u64> {
    let (end, mut places) = (return_address(debugger, thread), Vec::new());
    while thread.pc().unwrap() != end {
        places.push(thread.pc().unwrap());
        thread.step().unwrap();
        assert!(places.len() < 1000, "{:x?}", &places[..40]);
    }
    places
}

#[test]
fn stepping_changes_no_result_and_passes_traps_one_instruction_at_a_time() {
    for &name in FUNCTIONS {
        let debugger = Debugger::builder(program("insn")).args(["2", name]).aslr(false).run().unwrap();
        let thread = debugger.main_thread().unwrap();
        let entry = debugger.breakpoint(&format!("fn_{name}")).unwrap();
        cont(&debugger);
        entry.remove().unwrap();
        let plain = trace(&debugger, &thread);
        assert_eq!(finish(&debugger), "ok\n", "{name}, stepped");

        // The same with a trap on every instruction of the function: no step may take two, or none.
        let debugger = Debugger::builder(program("insn")).args(["2", name]).aslr(false).run().unwrap();
        let thread = debugger.main_thread().unwrap();
        debugger.breakpoint(&format!("fn_{name}")).unwrap();
        cont(&debugger);
        // rep repeats its place.
        let places: std::collections::BTreeSet<_> = plain[1..].iter().copied().collect();
        for place in places {
            let spec = BreakpointSpec { action: Action::Count, ..BreakpointSpec::at(place) };
            debugger.set_breakpoint(spec).unwrap();
        }
        // Only a trap of ours can end a step right behind a load of ss.
        let traced = trace(&debugger, &thread);
        assert!(
            traced == plain || name == "mov_ss" && traced.len() <= plain.len() + 1,
            "{name}: {traced:x?}"
        );
        cont(&debugger);
        assert!(!debugger.is_dead(), "{name} is called twice");
        assert_eq!(finish(&debugger), "ok\n", "{name}, stepped over traps");
    }
}

#[test]
fn stepping_into_a_handler_ends_at_its_first_instruction_and_traps_no_one() {
    let debugger = Debugger::builder(program("int3")).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    debugger.breakpoint("own_trap").unwrap();
    cont(&debugger);
    let handler = address(&debugger, "count");
    thread.step_until(handler, Some(20)).unwrap();
    for _ in 0..20 {
        if thread.pc().unwrap() == handler {
            break;
        }
        thread.step().unwrap();
    }
    assert_eq!(thread.pc().unwrap(), handler);
    let mut hits = 1;
    while !debugger.is_dead() {
        cont(&debugger);
        hits += 1;
    }
    assert_eq!((hits, common::output(&debugger).as_str()), (6, "traps=5\n"));
}

#[test]
fn a_program_keeps_its_own_traps() {
    let debugger = Debugger::builder(program("int3")).run().unwrap();
    let breakpoint = debugger.breakpoint_with("own_trap", Action::Count).unwrap();
    assert_eq!(finish(&debugger), "traps=5\n");
    assert_eq!(breakpoint.hit_count(), 5);
}

#[test]
fn step_until_stops_at_the_place_or_the_limit() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    let breakpoint = debugger.breakpoint("counter_function").unwrap();
    cont(&debugger);
    let before = thread.pc().unwrap();
    thread.step_until(0xdead_0000, Some(1)).unwrap();
    let one = thread.pc().unwrap();
    assert_ne!(one, before);
    let end = return_address_of_caller(&debugger, &thread);
    thread.step_until(end, Some(100)).unwrap();
    assert_eq!(thread.pc().unwrap(), end);
    assert_eq!(breakpoint.hit_count(), 1, "what steps pass is no hit");
    assert_eq!(thread.stop_reasons().unwrap(), [StopReason::Step]);
}

/// After `push rbp`.
fn return_address_of_caller(debugger: &Debugger, thread: &Thread) -> u64 {
    let stack = thread.register("rsp").unwrap().as_u64().unwrap();
    u64::from_le_bytes(debugger.read_memory(stack + 8, 8).unwrap().try_into().unwrap())
}

#[test]
fn next_runs_calls_of_every_encoding_whole() {
    for name in ["call", "call_reg", "call_mem_rsp", "call_r12", "call_riprel"] {
        let debugger = Debugger::builder(program("insn")).args(["2", name]).run().unwrap();
        let thread = debugger.main_thread().unwrap();
        let breakpoint = debugger.breakpoint(&format!("bp_{name}")).unwrap();
        cont(&debugger);
        thread.next().unwrap();
        let length = match *name {
            _ if name == "call" => 5,
            _ if name == "call_reg" => 2,
            _ if name == "call_r12" => 3,
            _ if name == "call_mem_rsp" => 4,
            _ => 6,
        };
        assert_eq!(thread.pc().unwrap(), breakpoint.address() + length, "{name}");
        breakpoint.remove().unwrap();
        assert_eq!(finish(&debugger), "ok\n");
    }
}

#[test]
fn next_stops_early_at_a_breakpoint_in_the_call() {
    let debugger = Debugger::builder(program("insn")).args(["1", "call"]).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    debugger.breakpoint("bp_call").unwrap();
    let inner = debugger.breakpoint("plus_one").unwrap();
    cont(&debugger);
    thread.next().unwrap();
    assert_eq!(thread.pc().unwrap(), inner.address());
    assert!(inner.hit_on(&thread).unwrap());
    assert_eq!(finish(&debugger), "ok\n");
}

#[test]
fn interrupt_ends_a_step_over_a_call_that_blocks() {
    let debugger = Debugger::builder(program("blocked")).arg("read").run().unwrap();
    let thread = debugger.main_thread().unwrap();
    debugger.breakpoint("block_in_read").unwrap();
    cont(&debugger);
    let stepping = thread.clone();
    // Runs calls whole until one of them, the read, blocks.
    let walker = std::thread::spawn(move || {
        for _ in 0..200 {
            stepping.next().unwrap();
            if stepping.stop_reasons().unwrap().contains(&StopReason::Interrupted) {
                return;
            }
        }
    });
    let pid = debugger.pid().unwrap();
    within("the read", move || {
        while !libdebug_kernel::proc::activity(pid.leader()).contains("call 0") {
            std::thread::yield_now();
        }
    });
    debugger.interrupt().unwrap();
    within("an interrupted next", move || walker.join().unwrap());
    debugger.kill().unwrap();
}

#[test]
fn a_step_over_a_blocking_system_call_can_be_interrupted_and_is_not_seen() {
    let debugger = Debugger::builder(program("blocked")).arg("pause").run().unwrap();
    let thread = debugger.main_thread().unwrap();
    debugger.cont().unwrap();
    assert_eq!(line(&debugger), "ready");
    let pid = debugger.pid().unwrap();
    within("the pause", move || {
        while !libdebug_kernel::proc::activity(pid.leader()).ends_with("sleeping in system call 34") {
            std::thread::yield_now();
        }
    });
    interrupt(&debugger);
    let stepping = thread.clone();
    let walker = std::thread::spawn(move || stepping.step());
    within("the step", move || {
        while !libdebug_kernel::proc::activity(pid.leader()).ends_with("sleeping in system call 34") {
            std::thread::yield_now();
        }
    });
    debugger.interrupt().unwrap();
    within("an interrupted step", move || walker.join().unwrap()).unwrap();
    debugger.cont().unwrap();
    common::kill(pid, 10);
    debugger.wait_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(debugger.death().unwrap(), Some(libdebug::Death::Exited(0)));
    assert_eq!(common::output(&debugger), "done signalled\n");
}

#[test]
fn steps_of_one_thread_leave_the_others_where_they_are() {
    let debugger = Debugger::builder(program("threads")).args(["4", "50"]).run().unwrap();
    let breakpoint = debugger.breakpoint("hot").unwrap();
    cont(&debugger);
    let threads = debugger.threads();
    let others: Vec<_> = threads.iter().filter(|thread| !breakpoint.hit_on(thread).unwrap()).collect();
    let places: Vec<_> = others.iter().map(|thread| thread.pc().unwrap()).collect();
    let hit = threads.iter().find(|thread| breakpoint.hit_on(thread).unwrap()).unwrap();
    for _ in 0..50 {
        let before = hit.pc().unwrap();
        hit.step().unwrap();
        assert_ne!(hit.pc().unwrap(), before);
    }
    assert_eq!(others.iter().map(|thread| thread.pc().unwrap()).collect::<Vec<_>>(), places);
    breakpoint.remove().unwrap();
    assert!(finish(&debugger).ends_with(" ok\n"));
}

#[test]
fn every_step_executes_an_instruction_whatever_the_threads_were_stopped_by() {
    let debugger = Debugger::builder(program("threads")).args(["8", "300"]).run().unwrap();
    let breakpoint = debugger.breakpoint("hot").unwrap();
    for _ in 0..200 {
        cont(&debugger);
        for thread in debugger.threads().iter().filter(|thread| !thread.is_dead() && !thread.is_zombie()) {
            if breakpoint.hit_on(thread).unwrap() {
                let before = thread.pc().unwrap();
                thread.step().unwrap();
                assert_ne!(thread.pc().unwrap(), before, "{:?}", thread.stop_reasons());
            }
        }
    }
    breakpoint.remove().unwrap();
    assert!(finish(&debugger).ends_with(" ok\n"));
}
