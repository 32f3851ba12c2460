//! Backtraces: at every instruction, through everything that a stack can lead through.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::{cont, interrupt, line, program, within};
use libdebug::{Debugger, Error, Frame, Thread};

fn start(name: &str, arguments: &[&str]) -> (Debugger, Thread) {
    let debugger = Debugger::builder(program(name)).args(arguments).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    (debugger, thread)
}

fn stopped_at(name: &str, arguments: &[&str], symbol: &str) -> (Debugger, Thread) {
    let (debugger, thread) = start(name, arguments);
    debugger.breakpoint(symbol).unwrap();
    cont(&debugger);
    (debugger, thread)
}

fn names(thread: &Thread) -> Vec<String> {
    let name = |frame: Frame| frame.symbol.map_or("?".to_owned(), |(name, _)| name);
    thread.frames().unwrap().into_iter().map(name).collect()
}

fn register(thread: &Thread, name: &str) -> u64 {
    thread.register(name).unwrap().as_u64().unwrap()
}

/// The frame of a function, by what its first instruction finds.
struct Expected {
    cfa: u64,
    caller: Frame,
    preserved: [(&'static str, u64); 6],
}

impl Expected {
    fn at_entry(debugger: &Debugger, thread: &Thread) -> Self {
        let cfa = register(thread, "rsp") + 8;
        let caller = thread.frames().unwrap().swap_remove(1);
        let bytes = debugger.read_memory(cfa - 8, 8).unwrap();
        assert_eq!(caller.pc, u64::from_le_bytes(bytes.try_into().unwrap()));
        let preserved = ["rbx", "rbp", "r12", "r13", "r14", "r15"].map(|name| (name, register(thread, name)));
        Self { cfa, caller, preserved }
    }

    fn is_left(&self, thread: &Thread) -> bool {
        register(thread, "rsp") >= self.cfa
    }

    /// What of the stack is not as it should be.
    fn fault(&self, frames: &[Frame]) -> Option<&'static str> {
        let Some(at) = frames.iter().position(|frame| frame.cfa == Some(self.cfa)) else {
            return Some("no frame");
        };
        let Some(caller) = frames.get(at + 1) else { return Some("no caller") };
        if (caller.pc, caller.cfa) != (self.caller.pc, self.caller.cfa) {
            return Some("another caller");
        }
        self.preserved
            .iter()
            .find(|(name, value)| caller.register(name) != Some(*value))
            .map(|(name, _)| *name)
    }
}

/// Steps from the first instruction of `function` to its end, through all that it calls, and compares the frame's
/// caller, its CFA and what it has preserved at each `stride`th instruction. Answers how many steps that was, and what
/// was wrong.
fn walk_through(
    name: &str,
    arguments: &[&str],
    function: &str,
    stride: usize,
) -> (usize, Vec<(&'static str, Vec<Frame>)>) {
    let (debugger, thread) = stopped_at(name, arguments, function);
    let expected = Expected::at_entry(&debugger, &thread);
    let (mut steps, mut faults) = (0, Vec::new());
    while !expected.is_left(&thread) {
        if steps % stride == 0 {
            let frames = thread.frames().unwrap();
            faults.extend(expected.fault(&frames).map(|fault| (fault, frames)));
        }
        thread.step().unwrap();
        steps += 1;
    }
    debugger.kill().unwrap();
    (steps, faults)
}

/// Starts a program, and stops it in the call of read(2) that it blocks in.
fn stopped_in_read(name: &str) -> (Debugger, Thread) {
    let (debugger, thread) = start(name, &["reading"]);
    debugger.cont().unwrap();
    assert_eq!(line(&debugger), "ready");
    let pid = debugger.pid().unwrap();
    within("the read", move || {
        while libdebug_kernel::proc::system_call(pid.leader()) != Some(0) {
            std::thread::yield_now();
        }
    });
    interrupt(&debugger);
    (debugger, thread)
}

#[test]
fn the_caller_is_known_wherever_a_thread_stands() {
    for name in ["stacks", "stacks-O2", "stacks-static", "stacks_plain"] {
        for (mode, function) in
            [("sort", "sort"), ("busy", "busy"), ("variable", "variable"), ("aligned", "aligned")]
        {
            let stride = if function == "busy" { 7 } else { 1 };
            let (steps, faults) = walk_through(name, &[mode, "3"], function, stride);
            assert!(steps > 50 && faults.is_empty(), "{name} {function}, {steps} steps: {faults:x?}");
        }
    }
}

#[test]
fn the_caller_is_known_while_exceptions_fly() {
    let (steps, faults) = walk_through("thrower-O2", &[], "deep", 11);
    // At its end an unwinder has put the registers of the frame that it goes to in place, over those that were saved.
    let own = |frame: &Frame| matches!(&frame.symbol, Some((name, _)) if name.starts_with("_Unwind_"));
    let (expected, others): (Vec<_>, Vec<_>) =
        faults.into_iter().partition(|(_, frames)| frames.iter().take(2).any(own));
    assert!(steps > 10_000 && expected.len() < 40, "{steps} steps: {expected:x?}");
    assert!(others.is_empty(), "{others:x?}");
}

#[test]
fn the_caller_is_known_in_the_vdso() {
    let (steps, faults) = walk_through("stacks-O2", &["clock"], "clock_read", 1);
    assert!(steps > 10 && faults.is_empty(), "{steps} steps: {faults:x?}");
    let (_debugger, thread) = stopped_at("stacks-O2", &["clock"], "clock_read");
    let in_vdso = |thread: &Thread| {
        let frames = thread.frames().unwrap();
        (frames[0].file.as_deref() == Some("[vdso]")).then_some(frames)
    };
    let frames = (0..2000).find_map(|_| {
        thread.step().unwrap();
        in_vdso(&thread)
    });
    let names: Vec<_> = frames.unwrap().iter().map(ToString::to_string).collect();
    assert!(names[0].starts_with("time+") || names[0].starts_with("__vdso_time+"), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("clock_read+")), "{names:?}");
}

#[test]
fn frames_are_in_the_order_of_the_calls() {
    let (_debugger, thread) = stopped_at("stacks-O2", &["sort", "3"], "stop_here");
    let names = names(&thread);
    assert_eq!(names[..2], ["stop_here", "compare"]);
    let position = |name: &str| names.iter().position(|other| other == name);
    assert!(position("sort").unwrap() < position("main").unwrap(), "{names:?}");
    assert_eq!(names.last().unwrap(), "_start");
    let addresses = thread.backtrace().unwrap();
    assert_eq!(addresses.len(), names.len());
    assert_eq!(addresses[0], thread.pc().unwrap());
    assert_eq!(thread.saved_ip().unwrap(), addresses[1]);
}

#[test]
fn a_recursion_of_any_depth_is_walked() {
    let (_debugger, thread) = stopped_at("stacks-O2", &["descend", "100000"], "stop_here");
    let frames = thread.frames().unwrap();
    let deep = frames.iter().filter(|frame| matches!(&frame.symbol, Some((name, _)) if name == "descend"));
    assert_eq!(deep.count(), 100_001);
    let cfas: BTreeSet<_> = frames.iter().map(|frame| frame.cfa).collect();
    assert_eq!(cfas.len(), frames.len(), "each frame has its own place");
}

#[test]
fn handlers_of_signals_lead_back_to_what_they_have_interrupted() {
    for on_own_stack in ["0", "1"] {
        let (_debugger, thread) = stopped_at("stacks-O2", &["signal", on_own_stack], "stop_here");
        let (frames, names) = (thread.frames().unwrap(), names(&thread));
        let signal = frames.iter().position(|frame| frame.is_signal_frame).unwrap();
        assert!(names[..signal].contains(&"handle".to_owned()), "{names:?}");
        assert!(names[signal + 1..].contains(&"interrupted".to_owned()), "{names:?}");
        assert_eq!(names.last().unwrap(), "_start");
        assert!(frames[signal + 1].register("rax").is_some(), "a signal's frame has all registers");
        assert!(frames[1].register("rax").is_none(), "a function's has not");
    }
}

#[test]
fn the_system_calls_of_the_c_library_are_no_obstacle() {
    for name in ["stacks-O2", "stacks-static"] {
        let (_debugger, thread) = stopped_in_read(name);
        let names = names(&thread);
        assert!(names.contains(&"reading".to_owned()) && names.last().unwrap() == "_start", "{names:?}");
    }
}

#[test]
fn a_stripped_program_has_the_same_frames_without_names() {
    // The second one has frame pointers alone: no table, and no symbol.
    for name in ["stacks-stripped", "stacks_plain-stripped"] {
        let ((_stripped, thread), (_whole, named)) = (stopped_in_read(name), stopped_in_read("stacks"));
        let (frames, expected) = (thread.frames().unwrap(), named.frames().unwrap());
        assert_eq!(frames.len(), expected.len(), "{name}: {frames:x?} {expected:x?}");
        let own = expected.iter().position(|frame| frame.to_string().starts_with("reading")).unwrap();
        assert_eq!(frames[own].symbol, None);
    }
}

#[test]
fn where_no_code_is_the_caller_is_still_known() {
    let (_debugger, thread) = stopped_at("stacks-O2", &["lost"], "lost");
    thread.step_until(0, Some(100)).unwrap();
    assert_eq!(thread.pc().unwrap(), 0);
    let names = names(&thread);
    assert_eq!(names[1], "lost", "{names:?}");
    assert_eq!(names.last().unwrap(), "_start");
}

#[test]
fn every_one_of_many_threads_has_its_own_stack() {
    let (debugger, _) = stopped_at("stacks-O2", &["threads", "32"], "stop_here");
    let threads = debugger.threads();
    assert_eq!(threads.len(), 33);
    for (depth, thread) in threads[1..].iter().enumerate() {
        let names = names(thread);
        let deep = names.iter().filter(|name| *name == "thread_body").count();
        assert_eq!(deep, depth + 1, "{names:?}");
    }
}

#[test]
fn the_outermost_frame_returns_nowhere() {
    let (_debugger, thread) = start("stacks", &["sort"]);
    // At the entry point.
    assert_eq!(thread.backtrace().unwrap(), [thread.pc().unwrap()]);
    assert!(matches!(thread.saved_ip(), Err(Error::NoReturnAddress(_))));
}

#[test]
fn a_second_look_asks_the_kernel_for_the_stack_alone() {
    let (_debugger, thread) = stopped_at("stacks-O2", &["sort", "3"], "stop_here");
    let first = thread.backtrace().unwrap();
    let before = libdebug::tracer_syscalls();
    assert_eq!(thread.backtrace().unwrap(), first);
    // Other tests run beside this one.
    assert!(libdebug::tracer_syscalls() - before < 1_000_000);
}
