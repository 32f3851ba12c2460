//! Costs that are exact on every machine: the tracer's system calls. Counted for the whole process, so what is
//! measured runs alone: one test.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cont, finish, program, within};
use libdebug::{Action, BreakpointSpec, Debugger, StartAt, tracer_syscalls};

#[test]
fn costs() {
    hits_cost_the_same_whatever_else_there_is();
    a_bulk_read_is_one_call();
    what_was_read_is_not_read_again();
    a_start_and_an_end_cost_a_fixed_number_of_calls();
    descriptors_are_given_back();
}

fn calls<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = tracer_syscalls();
    let result = work();
    (tracer_syscalls() - before, result)
}

/// The tracer's system calls for each hit of `symbol`, beside so many other breakpoints.
fn per_hit(launch: (&str, [&str; 2]), symbol: &str, action: &Action, others: u64) -> f64 {
    let (name, arguments) = launch;
    let debugger = Debugger::builder(program(name)).args(arguments).run().unwrap();
    let breakpoint = debugger.breakpoint_with(symbol, action.clone()).unwrap();
    // In the entry code, which is behind us: they cost only what having them costs.
    let start = debugger.main_thread().unwrap().pc().unwrap();
    for number in 0..others {
        let spec = BreakpointSpec { action: Action::Count, ..BreakpointSpec::at(start + number % 32) };
        debugger.set_breakpoint(spec).unwrap();
    }
    let (calls, ()) = calls(|| {
        while !debugger.is_dead() {
            cont(&debugger);
        }
    });
    assert!(breakpoint.hit_count() >= 2000);
    calls as f64 / breakpoint.hit_count() as f64
}

fn hits_cost_the_same_whatever_else_there_is() {
    let single = |action: &Action, others| per_hit(("insn", ["2000", "push"]), "fn_push", action, others);
    let call = Action::call(|thread, _| thread.pc().map(drop).map_err(Into::into));
    let each = [&Action::Count, &call, &Action::Stop].map(|action| single(action, 0));
    println!("system calls a hit: {each:.2?} counted, with a callback, with a stop");
    assert!(each.iter().all(|&calls| calls < 4.2), "{each:?}");
    let crowded = single(&Action::Count, 200);
    assert!(crowded < each[0] + 0.2, "{crowded} among 200 others");
    let many = |threads, action| per_hit(("threads-O2", [threads, "2000"]), "hot", action, 0);
    let threads = ["1", "16"].map(|threads| many(threads, &Action::Count));
    println!("counted, with one thread and with 16: {threads:.2?}");
    assert!(threads[1] < threads[0] + 0.5, "{threads:?}");
}

fn a_bulk_read_is_one_call() {
    let debugger = Debugger::builder(program("heap")).run().unwrap();
    let breakpoint = debugger.breakpoint("filled").unwrap();
    cont(&debugger);
    let start = debugger.main_thread().unwrap().register("rdi").unwrap().as_u64().unwrap();
    debugger.maps().unwrap();
    let (calls, data) = calls(|| debugger.read_memory(start, 64 << 20).unwrap());
    assert_eq!((calls, data.len()), (1, 64 << 20));
    assert!(data.iter().enumerate().step_by(4099).all(|(at, &byte)| byte == (at >> 12) as u8));
    breakpoint.remove().unwrap();
    finish(&debugger);
}

fn what_was_read_is_not_read_again() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    debugger.breakpoint("counter_function").unwrap();
    cont(&debugger);
    let thread = debugger.main_thread().unwrap();
    let (first, _) = calls(|| (thread.register("rax").unwrap(), thread.register("xmm0").unwrap()));
    assert!(first <= 2, "{first}");
    let all = || ["rbx", "r15", "eax", "xmm1", "st3"].map(|name| thread.register(name).unwrap());
    let (again, _) = calls(|| (0..100).for_each(|_| assert_eq!(all().len(), 5)));
    assert_eq!(again, 0);
    let (writes, ()) = calls(|| thread.set_register("rbx", thread.register("rbx").unwrap()).unwrap());
    assert_eq!(writes, 0, "written back at resume");
}

fn a_start_and_an_end_cost_a_fixed_number_of_calls() {
    let debugger = Debugger::new().unwrap();
    for (start_at, most) in [(StartAt::FirstInstruction, 60), (StartAt::EntryPoint, 70)] {
        let launch = Debugger::builder(program("basic")).start_at(start_at).launch();
        debugger.run(&launch).unwrap();
        debugger.kill().unwrap();
        let (calls, ()) = calls(|| {
            debugger.run(&launch).unwrap();
            debugger.kill().unwrap();
        });
        println!("system calls for run and kill, {start_at:?}: {calls}");
        assert!(calls <= most, "{start_at:?}: {calls}");
    }
}

fn descriptors_are_given_back() {
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let launch = Debugger::builder(program("tiny")).launch();
    let round = |detach: bool| {
        let debugger = Debugger::new().unwrap();
        debugger.run(&launch).unwrap();
        if detach { debugger.detach().unwrap() } else { debugger.kill().unwrap() }
    };
    round(true);
    round(false);
    let before = count();
    for number in 0..400 {
        round(number % 2 == 0);
    }
    let debugger = Debugger::new().unwrap();
    for _ in 0..100 {
        debugger.run(&launch).unwrap();
    }
    drop(debugger);
    // The last tracer thread gives its own back while it ends.
    within("200 runs with a kill, 200 with a detach, 100 on one debugger", move || {
        while count() > before {
            std::thread::yield_now();
        }
    });
}
