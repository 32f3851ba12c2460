//! The end of a function: the right frame's, by either way, and what stops a thread before.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};

use common::{cont, finish, program};
use libdebug::{
    Access, Action, BreakpointKind, BreakpointSpec, Debugger, Error, FileScope, Finish, StopReason, Thread,
};

const WAYS: [Finish; 2] = [Finish::Backtrace, Finish::Steps];

fn stopped_at(arguments: &[&str], symbol: &str) -> (Debugger, Thread) {
    let debugger = Debugger::builder(program("stacks-O2")).args(arguments).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    let breakpoint = debugger.breakpoint(symbol).unwrap();
    cont(&debugger);
    assert!(breakpoint.hit_on(&thread).unwrap());
    breakpoint.remove().unwrap();
    (debugger, thread)
}

fn stack(thread: &Thread) -> u64 {
    thread.register("rsp").unwrap().as_u64().unwrap()
}

fn address(debugger: &Debugger, symbol: &str) -> u64 {
    debugger.resolve_symbol(symbol, &FileScope::Binary).unwrap().address
}

#[test]
fn in_a_recursion_it_is_this_frames_end() {
    for way in WAYS {
        let debugger = Debugger::builder(program("stacks-O2")).args(["descend", "9"]).run().unwrap();
        let thread = debugger.main_thread().unwrap();
        let breakpoint = debugger.breakpoint("descend").unwrap();
        for _ in 0..4 {
            cont(&debugger);
        }
        breakpoint.remove().unwrap();
        let frames = thread.frames().unwrap();
        thread.finish(way).unwrap();
        assert_eq!(thread.pc().unwrap(), frames[1].pc, "{way:?}");
        assert_eq!(
            Some(stack(&thread)),
            frames[0].cfa,
            "{way:?}: the frames of the inner calls are not meant"
        );
        assert_eq!(thread.stop_reasons().unwrap(), [StopReason::Step]);
        assert_eq!(finish(&debugger), "46\n");
    }
}

#[test]
fn next_in_a_recursion_stays_in_its_frame() {
    let (debugger, thread) = stopped_at(&["descend", "9"], "descend");
    let frame = thread.frames().unwrap().swap_remove(1);
    // Over the inner call, and to the return.
    for _ in 0..40 {
        thread.next().unwrap();
        if thread.pc().unwrap() == frame.pc {
            break;
        }
        assert_eq!(thread.frames().unwrap()[1].cfa, frame.cfa);
    }
    assert_eq!(thread.pc().unwrap(), frame.pc);
    assert_eq!(finish(&debugger), "46\n");
}

#[test]
fn a_breakpoint_on_the_way_stops_it_and_counts_once() {
    for way in WAYS {
        for kind in
            [BreakpointKind::Software, BreakpointKind::Hardware { access: Access::Execute, length: 1 }]
        {
            let (debugger, thread) = stopped_at(&["descend", "9"], "descend");
            let caller = thread.saved_ip().unwrap();
            let spec = BreakpointSpec { kind, ..BreakpointSpec::at(address(&debugger, "stop_here")) };
            let breakpoint = debugger.set_breakpoint(spec).unwrap();
            thread.finish(way).unwrap();
            assert_eq!(thread.pc().unwrap(), breakpoint.address(), "{way:?} {kind:?}");
            assert!(breakpoint.hit_on(&thread).unwrap(), "{way:?} {kind:?}");
            assert_eq!(breakpoint.hit_count(), 1, "{way:?} {kind:?}");
            thread.finish(way).unwrap();
            assert_ne!(thread.pc().unwrap(), caller);
            assert!(!breakpoint.hit_on(&thread).unwrap(), "{way:?} {kind:?}");
            assert_eq!(finish(&debugger), "46\n");
            assert_eq!(breakpoint.hit_count(), 1, "{way:?} {kind:?}");
        }
    }
}

#[test]
fn a_disabled_breakpoint_stops_nothing() {
    for way in WAYS {
        let (debugger, thread) = stopped_at(&["descend", "9"], "descend");
        let caller = thread.saved_ip().unwrap();
        let breakpoint = debugger.breakpoint("stop_here").unwrap();
        breakpoint.set_enabled(false).unwrap();
        thread.finish(way).unwrap();
        assert_eq!((thread.pc().unwrap(), breakpoint.hit_count()), (caller, 0), "{way:?}");
    }
}

#[test]
fn a_breakpoint_at_the_return_address_is_hit_and_the_function_is_left() {
    for way in WAYS {
        let (debugger, thread) = stopped_at(&["sort", "3"], "sort");
        let caller = thread.saved_ip().unwrap();
        let breakpoint = debugger.set_breakpoint(BreakpointSpec::at(caller)).unwrap();
        thread.finish(way).unwrap();
        assert_eq!(thread.pc().unwrap(), caller);
        assert_eq!((breakpoint.hit_count(), breakpoint.hit_on(&thread).unwrap()), (1, true), "{way:?}");
        cont(&debugger);
        assert!(debugger.is_dead() && breakpoint.hit_count() == 1, "{way:?}");
    }
}

#[test]
fn what_only_counts_on_the_way_is_counted() {
    for way in WAYS {
        let (debugger, thread) = stopped_at(&["sort", "3"], "sort");
        let caller = thread.saved_ip().unwrap();
        let counted = debugger.breakpoint_with("stop_here", Action::Count).unwrap();
        thread.finish(way).unwrap();
        assert_eq!(thread.pc().unwrap(), caller);
        assert!(counted.hit_count() >= 8, "{way:?}: {}", counted.hit_count());
    }
}

#[test]
fn in_a_callback_the_function_is_left_and_the_program_goes_on() {
    for way in WAYS {
        let debugger = Debugger::builder(program("stacks-O2")).args(["sort", "3"]).run().unwrap();
        let places = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&places);
        let callback = move |thread: &Thread| -> Result<(), Error> {
            let caller = thread.saved_ip()?;
            thread.finish(way)?;
            seen.lock().unwrap().push((caller, thread.pc()?, thread.backtrace()?.len()));
            Ok(())
        };
        debugger.breakpoint_with("stop_here", Action::call(move |thread, _| Ok(callback(thread)?))).unwrap();
        let ended = finish(&debugger);
        assert!(ended.ends_with('\n'));
        let places = places.lock().unwrap();
        assert!(places.len() >= 8, "{way:?}");
        assert!(places.iter().all(|(caller, pc, depth)| caller == pc && *depth > 4), "{way:?}: {places:x?}");
    }
}

#[test]
fn a_signals_handler_is_left_for_what_it_has_interrupted() {
    for own_stack in ["0", "1"] {
        for way in WAYS {
            let (_debugger, thread) = stopped_at(&["signal", own_stack], "handle");
            let frames = thread.frames().unwrap();
            thread.finish(way).unwrap();
            assert_eq!(thread.pc().unwrap(), frames[1].pc);
            assert!(thread.frames().unwrap()[0].is_signal_frame);
            thread.finish(Finish::Backtrace).unwrap();
            assert_eq!(thread.pc().unwrap(), frames[2].pc, "{frames:x?}");
        }
    }
}

#[test]
fn the_outermost_frame_has_no_end_to_run_to() {
    let debugger = Debugger::builder(program("stacks-O2")).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    assert!(matches!(thread.finish(Finish::Backtrace), Err(Error::NoReturnAddress(_))));
}

#[test]
fn steps_to_a_place_pass_whatever_is_on_the_way() {
    for limit in [None, Some(1_000_000)] {
        let (debugger, thread) = stopped_at(&["descend", "20"], "descend");
        let end = thread.saved_ip().unwrap();
        let software = debugger.breakpoint("stop_here").unwrap();
        let hardware = BreakpointKind::Hardware { access: Access::Execute, length: 1 };
        let entry = BreakpointSpec { kind: hardware, ..BreakpointSpec::at(address(&debugger, "descend")) };
        let entry = debugger.set_breakpoint(entry).unwrap();
        let watch = BreakpointKind::Hardware { access: Access::Write, length: 8 };
        let watch = BreakpointSpec { kind: watch, ..BreakpointSpec::at(stack(&thread) - 16) };
        let watch = debugger.set_breakpoint(watch).unwrap();
        thread.step_until(end, limit).unwrap();
        assert_eq!(thread.pc().unwrap(), end, "{limit:?}");
        assert_eq!((software.hit_count(), entry.hit_count(), watch.hit_count()), (0, 0, 0), "{limit:?}");
        for breakpoint in [software, entry, watch] {
            breakpoint.remove().unwrap();
        }
        assert_eq!(finish(&debugger), "211\n");
    }
}

#[test]
fn a_place_inside_of_an_instruction_is_never_come_to_and_changes_nothing() {
    let (debugger, thread) = stopped_at(&["sort", "3"], "sort");
    // Of a call: its first byte, where a trap would be another instruction's.
    let call = debugger.main_thread().unwrap().saved_ip().unwrap() - 4;
    thread.step_until(call, None).unwrap();
    assert!(debugger.is_dead());
    let undisturbed = Debugger::builder(program("stacks-O2")).args(["sort", "3"]).run().unwrap();
    assert_eq!(common::output(&debugger), finish(&undisturbed));
}

#[test]
fn a_place_that_the_thread_is_at_is_come_to_again() {
    let (debugger, thread) = stopped_at(&["descend", "9"], "descend");
    let (place, before) = (thread.pc().unwrap(), stack(&thread));
    thread.step_until(place, None).unwrap();
    assert_eq!(thread.pc().unwrap(), place);
    assert!(stack(&thread) < before, "one level deeper");
    // With a breakpoint of a user's there, too, which is not counted and hit neither now nor when it goes on.
    let breakpoint = debugger.breakpoint("descend").unwrap();
    thread.step_until(place, None).unwrap();
    assert_eq!((thread.pc().unwrap(), breakpoint.hit_count()), (place, 0));
    cont(&debugger);
    assert_eq!(breakpoint.hit_count(), 1);
}
