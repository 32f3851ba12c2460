//! Programs that are killed, or end, at every point of what a debugger does to them.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{PATIENCE, cont, kill, program, state, within, within_time};
use libdebug::{Action, BreakpointSpec, Death, Debugger, Error, Signal};

const KILLED: Option<Death> = Some(Death::Killed(Signal::KILL));

/// Kills the process from another thread, after about as much work as `delay` says.
fn kill_after(debugger: &Debugger, delay: u64) -> std::thread::JoinHandle<()> {
    let pid = debugger.pid().unwrap();
    std::thread::spawn(move || {
        for _ in 0..delay {
            std::hint::black_box(state(pid));
        }
        kill(pid, 9);
    })
}

/// Whatever was being done when the process died may fail, with the news of its death and nothing else.
fn tolerate<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if error.is_death() => None,
        Err(Error::BadAddress { .. }) => None,
        Err(error) => panic!("{error:?}"),
    }
}

fn expect_killed(debugger: &Debugger, what: &str) {
    while !debugger.is_dead() {
        tolerate(debugger.cont());
        debugger.wait_timeout(PATIENCE).unwrap();
    }
    assert_eq!(debugger.death().unwrap(), KILLED, "{what}");
    assert!(debugger.threads().iter().all(libdebug::Thread::is_dead), "{what}");
}

#[test]
fn a_kill_in_the_middle_of_a_storm_of_hits_is_a_death_and_no_hang() {
    within_time(Duration::from_secs(200), "a kill in a storm", || {
        for round in 0..120 {
            let action = match round % 3 {
                0 => Action::Count,
                1 => Action::call(|thread, _| {
                    let _ = thread.pc();
                    Ok(())
                }),
                _ => Action::Stop,
            };
            let debugger = Debugger::builder(program_threads()).args(["8", "1000000"]).run().unwrap();
            debugger.breakpoint_with("hot", action).unwrap();
            let killer = kill_after(&debugger, 10 + round * 7);
            while !debugger.is_dead() {
                tolerate(debugger.cont());
                debugger.wait_timeout(PATIENCE).unwrap();
            }
            killer.join().unwrap();
            expect_killed(&debugger, "storm");
        }
    });
}

fn program_threads() -> std::path::PathBuf {
    program("threads")
}

#[test]
fn a_kill_in_the_middle_of_steps_is_a_death_and_no_hang() {
    within_time(Duration::from_secs(200), "a kill in steps", || {
        for round in 0..100 {
            let debugger = Debugger::builder(program("spinner")).arg("60").run().unwrap();
            debugger.breakpoint("spin_until").unwrap();
            cont(&debugger);
            let thread = debugger.main_thread().unwrap();
            let killer = kill_after(&debugger, round);
            while !debugger.is_dead() {
                let stepped = match round % 3 {
                    0 => thread.step(),
                    1 => thread.next(),
                    _ => thread.step_until(1, Some(100)),
                };
                if tolerate(stepped).is_none() {
                    break;
                }
            }
            killer.join().unwrap();
            expect_killed(&debugger, "steps");
        }
    });
}

#[test]
fn a_kill_of_a_stopped_process_is_told_by_whatever_comes_next() {
    for round in 0..12 {
        within("what comes after a kill", move || {
            let debugger = Debugger::builder(program("threads")).args(["4", "100"]).run().unwrap();
            let breakpoint = debugger.breakpoint("hot").unwrap();
            cont(&debugger);
            let threads = debugger.threads();
            let hit = threads.iter().find(|thread| breakpoint.hit_on(thread).unwrap()).unwrap();
            let pid = debugger.pid().unwrap();
            kill(pid, 9);
            match round {
                0 => drop(tolerate(debugger.cont())),
                1 => drop(tolerate(hit.step())),
                2 => drop(tolerate(hit.next())),
                3 => drop(tolerate(hit.step_until(1, Some(3)))),
                4 => drop(tolerate(threads[0].register("xmm0"))),
                5 => drop(tolerate(hit.set_register("rax", libdebug::RegisterValue::U64(1)))),
                6 => drop(tolerate(debugger.read_memory(breakpoint.address(), 4))),
                7 => drop(tolerate(debugger.write_memory(breakpoint.address(), b"x"))),
                8 => match debugger.set_breakpoint(BreakpointSpec::at(breakpoint.address() + 1)) {
                    Ok(_) | Err(Error::Breakpoint(_) | Error::Died { .. }) => {}
                    Err(error) => panic!("{error}"),
                },
                9 => drop(tolerate(breakpoint.remove())),
                10 => {
                    tolerate(debugger.detach());
                    return;
                }
                _ => {
                    debugger.kill().unwrap();
                    assert_eq!(debugger.death().unwrap(), KILLED);
                    return;
                }
            }
            expect_killed(&debugger, &format!("round {round}"));
        });
    }
}

#[test]
fn after_its_end_a_process_answers_what_is_known_and_refuses_the_rest() {
    let debugger = Debugger::builder(program("basic")).arg("7").run().unwrap();
    let thread = debugger.main_thread().unwrap();
    common::finish(&debugger);
    assert_eq!(debugger.exit_code().unwrap(), Some(7));
    assert!(thread.pc().is_ok(), "registers of the end can be read");
    assert!(matches!(debugger.cont(), Err(Error::Died { .. })));
    assert!(matches!(thread.step(), Err(Error::Died { .. })));
    assert!(matches!(thread.set_register("rax", libdebug::RegisterValue::U64(1)), Err(Error::Died { .. })));
    assert!(debugger.read_memory(0x1000, 1).is_err());
    assert!(debugger.write_memory(0x1000, b"x").is_err());
    assert!(debugger.breakpoint("main").is_err());
    debugger.interrupt().unwrap();
    debugger.wait_timeout(PATIENCE).unwrap();
    debugger.kill().unwrap();
    assert!(matches!(debugger.kill(), Err(Error::NoProcess)));
    assert!(matches!(debugger.wait(), Err(Error::NoProcess)));
}

#[test]
fn before_any_run_everything_says_so() {
    let debugger = Debugger::new().unwrap();
    assert!(matches!(debugger.cont(), Err(Error::NoProcess)));
    assert!(matches!(debugger.wait(), Err(Error::NoProcess)));
    assert!(matches!(debugger.interrupt(), Err(Error::NoProcess)));
    assert!(matches!(debugger.detach(), Err(Error::NoProcess)));
    assert!(matches!(debugger.kill(), Err(Error::NoProcess)));
    assert!(matches!(debugger.read_memory(0, 1), Err(Error::NoProcess)));
    assert!(matches!(debugger.breakpoint("main"), Err(Error::NoProcess)));
    assert!(matches!(debugger.main_thread(), Err(Error::NoProcess)));
    assert!(debugger.threads().is_empty() && debugger.pid().is_none());
    debugger.terminate().unwrap();
    assert!(matches!(debugger.run(&Debugger::builder("/bin/true").launch()), Err(Error::Terminated)));
    debugger.terminate().unwrap();
}

#[test]
fn a_kill_inside_a_callback_ends_it_and_the_process() {
    within("a kill in a callback", || {
        let debugger = Debugger::builder(program("threads")).args(["4", "1000"]).run().unwrap();
        let pid = debugger.pid().unwrap();
        let calls = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&calls);
        let action = Action::call(move |thread, _| {
            if counter.fetch_add(1, Ordering::Relaxed) == 20 {
                kill(pid, 9);
                let _ = thread.step();
                let _ = thread.register("xmm0");
                let _ = thread.debugger().read_memory(0x1000, 4);
            }
            Ok(())
        });
        debugger.breakpoint_with("hot", action).unwrap();
        cont(&debugger);
        expect_killed(&debugger, "callback");
        assert!(calls.load(Ordering::Relaxed) >= 21);
    });
}

#[test]
fn dropping_a_debugger_in_any_state_ends_its_process() {
    for round in 0..60 {
        let debugger = Debugger::builder(program("threads")).args(["8", "1000000"]).run().unwrap();
        let pid = debugger.pid().unwrap();
        let action = if round % 2 == 0 { Action::Count } else { Action::call(|_, _| Ok(())) };
        let breakpoint = debugger.breakpoint_with("hot", action).unwrap();
        if round % 5 > 0 {
            debugger.cont().unwrap();
        }
        while round % 5 > 1 && breakpoint.hit_count() < round {
            std::thread::yield_now();
        }
        if round % 5 == 4 {
            common::interrupt(&debugger);
        }
        drop(breakpoint);
        within("the drop of a debugger", move || drop(debugger));
        assert_eq!(state(pid), None, "round {round}: reaped");
    }
}
