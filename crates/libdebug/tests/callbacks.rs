//! What callbacks may do, and what happens when they fail.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{PATIENCE, cont, finish, output, program, within};
use libdebug::{Action, BreakpointSpec, Debugger, Error, FileScope, StopReason};

#[test]
fn an_error_stops_the_process_and_comes_out_of_the_wait() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let action = Action::call(
        |_, breakpoint| {
            if breakpoint.hit_count() == 3 { Err("the third".into()) } else { Ok(()) }
        },
    );
    let breakpoint = debugger.breakpoint_with("counter_function", action).unwrap();
    debugger.cont().unwrap();
    match debugger.wait_timeout(PATIENCE) {
        Err(Error::Callback(error)) => assert_eq!(error.to_string(), "the third"),
        other => panic!("{other:?}"),
    }
    let thread = debugger.main_thread().unwrap();
    assert_eq!(thread.pc().unwrap(), breakpoint.address());
    assert!(thread.stop_reasons().unwrap().contains(&StopReason::Callback));
    assert!(finish(&debugger).starts_with("basic: counter=45"));
    assert_eq!(breakpoint.hit_count(), 10);
}

#[test]
fn seventy_four_errors_are_seventy_four_errors() {
    let debugger = Debugger::builder(program("threads")).args(["1", "74"]).run().unwrap();
    debugger.breakpoint_with("hot", Action::call(|_, _| Err("again".into()))).unwrap();
    let mut errors = 0;
    loop {
        debugger.cont().unwrap();
        match debugger.wait_timeout(PATIENCE) {
            Err(Error::Callback(_)) => errors += 1,
            Ok(()) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(debugger.is_dead());
    assert_eq!((errors, output(&debugger).as_str()), (74, "total=8177 ok\n"));
}

#[test]
fn a_panic_is_an_error_and_the_debugger_lives_on() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let action = Action::call(|_, breakpoint| {
        assert_ne!(breakpoint.hit_count(), 2, "on purpose");
        Ok(())
    });
    let breakpoint = debugger.breakpoint_with("counter_function", action).unwrap();
    debugger.cont().unwrap();
    match debugger.wait_timeout(PATIENCE) {
        Err(Error::Callback(error)) => assert!(error.to_string().contains("on purpose"), "{error}"),
        other => panic!("{other:?}"),
    }
    assert!(finish(&debugger).starts_with("basic: counter=45"));
    assert_eq!(breakpoint.hit_count(), 10);
    debugger.run(&Debugger::builder(program("basic")).launch()).unwrap();
    finish(&debugger);
}

#[test]
fn callbacks_set_and_remove_breakpoints_and_see_memory_and_registers() {
    let debugger = Debugger::builder(program("insn")).args(["50", "call"]).run().unwrap();
    let inner_hits = Arc::new(AtomicU64::new(0));
    let hits = Arc::clone(&inner_hits);
    let slot = Arc::new(Mutex::new(None));
    let own = Arc::clone(&slot);
    let action = Action::call(move |thread, breakpoint| {
        let debugger = thread.debugger();
        let hits = Arc::clone(&hits);
        if let Some(old) = own.lock().unwrap().take() {
            let old: libdebug::Breakpoint = old;
            old.remove()?;
        }
        let code = debugger.read_memory(breakpoint.address(), 1)?;
        if code[0] == 0xcc {
            return Err("the trap shows".into());
        }
        if breakpoint.hit_count() % 2 == 0 {
            let address = debugger.resolve_symbol("plus_one", &FileScope::Binary)?.address;
            let count = Action::call(move |_, _| {
                hits.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            let spec = BreakpointSpec { action: count, ..BreakpointSpec::at(address) };
            *own.lock().unwrap() = Some(debugger.set_breakpoint(spec)?);
        }
        Ok(())
    });
    let outer = debugger.breakpoint_with("bp_call", action).unwrap();
    assert_eq!(finish(&debugger), "ok\n");
    assert_eq!((outer.hit_count(), inner_hits.load(Ordering::Relaxed)), (50, 25));
}

#[test]
fn callbacks_step_in_every_way() {
    for how in 0..4 {
        let debugger = Debugger::builder(program("insn")).args(["40", "call"]).run().unwrap();
        let action = Action::call(move |thread, breakpoint| {
            let behind = breakpoint.address() + 5;
            match how {
                0 => {
                    thread.step()?;
                    thread.step()?;
                }
                1 => thread.next()?,
                2 => thread.step_until(behind, Some(20))?,
                _ => return Ok(thread.set_pc(breakpoint.address())?),
            }
            let pc = thread.pc()?;
            if (how == 0) == (pc == behind) {
                return Err(format!("{how}: at {pc:#x}").into());
            }
            Ok(())
        });
        let breakpoint = debugger.breakpoint_with("bp_call", action).unwrap();
        assert_eq!(finish(&debugger), "ok\n", "{how}");
        assert_eq!(breakpoint.hit_count(), 40);
    }
}

#[test]
fn a_breakpoint_that_is_run_into_by_next_in_a_callback_has_its_say() {
    let debugger = Debugger::builder(program("insn")).args(["10", "call"]).run().unwrap();
    let inner = debugger.breakpoint("plus_one").unwrap();
    let outer = debugger.breakpoint_with("bp_call", Action::call(|thread, _| Ok(thread.next()?))).unwrap();
    let mut stops = 0;
    while !debugger.is_dead() {
        cont(&debugger);
        stops += 1;
    }
    assert_eq!((stops, inner.hit_count(), outer.hit_count()), (11, 10, 10));
    assert_eq!(output(&debugger), "ok\n");
}

#[test]
fn stops_of_other_threads_are_not_lost_in_a_callbacks_steps() {
    let debugger = Debugger::builder(program("threads")).args(["8", "100"]).run().unwrap();
    let stepping = debugger.breakpoint_with("hot", Action::call(|thread, _| Ok(thread.step()?))).unwrap();
    let address = stepping.address();
    let stop = debugger.set_breakpoint(BreakpointSpec::at(address)).unwrap();
    let mut told = 0;
    while !debugger.is_dead() {
        cont(&debugger);
        told += debugger.threads().iter().filter(|thread| stop.hit_on(thread).unwrap()).count();
    }
    assert_eq!((stepping.hit_count(), stop.hit_count(), told), (800, 800, 800));
    assert!(output(&debugger).ends_with(" ok\n"));
}

#[test]
fn what_resumes_or_ends_the_process_is_refused_in_callbacks() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let action = Action::call(|thread, _| {
        let debugger = thread.debugger();
        let launch = Debugger::builder("/bin/true").launch();
        for refused in
            [debugger.cont(), debugger.wait(), debugger.kill(), debugger.detach(), debugger.run(&launch)]
        {
            if !matches!(refused, Err(Error::InCallback(_))) {
                return Err(format!("{refused:?}").into());
            }
        }
        Ok(())
    });
    let breakpoint = debugger.breakpoint_with("counter_function", action).unwrap();
    finish(&debugger);
    assert_eq!(breakpoint.hit_count(), 10);
}

#[test]
fn an_interrupt_in_a_callback_keeps_the_process_stopped() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let action =
        Action::call(
            |thread, breakpoint| {
                if breakpoint.hit_count() == 4 { Ok(thread.debugger().interrupt()?) } else { Ok(()) }
            },
        );
    let breakpoint = debugger.breakpoint_with("counter_function", action).unwrap();
    cont(&debugger);
    assert_eq!((debugger.is_dead(), breakpoint.hit_count()), (false, 4));
    assert_eq!(debugger.main_thread().unwrap().pc().unwrap(), breakpoint.address());
    finish(&debugger);
}

#[test]
fn the_last_handle_may_go_in_a_callback() {
    within("a debugger that is dropped in its own callback", || {
        let slot: Arc<Mutex<Option<Debugger>>> = Arc::default();
        let own = Arc::clone(&slot);
        let (told, dropped) = std::sync::mpsc::channel();
        let told = Mutex::new(told);
        let debugger = Debugger::builder(program("basic")).run().unwrap();
        let pid = debugger.pid().unwrap();
        debugger
            .breakpoint_with(
                "counter_function",
                Action::call(move |_, _| {
                    // Waits until the other thread has put it there.
                    while own.lock().unwrap().is_none() {
                        std::thread::yield_now();
                    }
                    drop(own.lock().unwrap().take());
                    told.lock().unwrap().send(()).unwrap();
                    Ok(())
                }),
            )
            .unwrap();
        debugger.cont().unwrap();
        *slot.lock().unwrap() = Some(debugger);
        dropped.recv().unwrap();
        while common::state(pid).is_some() {
            std::thread::yield_now();
        }
    });
}

#[test]
fn disabling_itself_takes_effect_at_once() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let action =
        Action::call(
            |_, breakpoint| {
                if breakpoint.hit_count() == 5 { Ok(breakpoint.set_enabled(false)?) } else { Ok(()) }
            },
        );
    let breakpoint = debugger.breakpoint_with("counter_function", action).unwrap();
    finish(&debugger);
    assert_eq!((breakpoint.hit_count(), breakpoint.is_enabled()), (5, false));
}

#[test]
fn an_action_changed_in_a_callback_holds_from_the_next_hit_on() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let action = Action::call(|_, breakpoint| {
        if breakpoint.hit_count() == 5 {
            breakpoint.set_action(Action::Stop);
        }
        Ok(())
    });
    let breakpoint = debugger.breakpoint_with("counter_function", action).unwrap();
    for hit in 6..=10 {
        cont(&debugger);
        assert_eq!(breakpoint.hit_count(), hit);
    }
    finish(&debugger);
}
