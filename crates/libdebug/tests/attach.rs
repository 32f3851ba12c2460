//! Attaching to live programs, and letting them go.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Free, cont, interrupt, kill, program, state, tracer, within, within_time};
use libdebug::{Action, Debugger, Error, Pid, StopReason};

fn attach(pid: Pid) -> Debugger {
    Debugger::builder("").attach(pid).unwrap()
}

#[test]
fn two_hundred_attaches_to_a_program_that_starts_and_ends_threads() {
    let mut free = Free::start("churn", &[]);
    assert_eq!(free.line(), "ready");
    let pid = free.pid();
    within_time(Duration::from_secs(200), "an attach to churning threads", move || {
        let debugger = Debugger::new().unwrap();
        for round in 0..200 {
            debugger.attach(pid, false).unwrap();
            assert!(debugger.threads().len() >= 5, "the leader and four that start others");
            if round % 3 == 0 {
                let breakpoint = debugger.breakpoint_with("churned", Action::Count).unwrap();
                debugger.cont().unwrap();
                let hot = move || {
                    while breakpoint.hit_count() < 20 {
                        std::thread::yield_now();
                    }
                };
                within("a hit", hot);
                interrupt(&debugger);
            }
            debugger.detach().unwrap();
            assert_eq!(tracer(pid), 0);
        }
    });
    free.send("\n");
    let (text, code) = free.finish();
    assert!(text.starts_with("threads=") && text.ends_with(" ok\n"), "{text}");
    assert_eq!(code, Some(0));
}

#[test]
fn two_hundred_attaches_to_a_blocked_program_are_not_seen_by_it() {
    for (how, wanted) in
        [("read", "done hello\n"), ("pause", "done signalled\n"), ("busy", "done signalled\n")]
    {
        let mut free = Free::start("blocked", &[how]);
        assert_eq!(free.line(), "ready");
        let pid = free.pid();
        within_time(Duration::from_secs(120), "an attach to a blocked program", move || {
            for round in 0..200 {
                let debugger = attach(pid);
                assert_eq!(debugger.main_thread().unwrap().stop_reasons().unwrap(), [StopReason::Started]);
                if round % 2 == 0 {
                    debugger.cont().unwrap();
                    interrupt(&debugger);
                }
                debugger.detach().unwrap();
            }
        });
        if how == "read" {
            free.send("hello\n");
        } else {
            kill(pid, 10);
        }
        assert_eq!(free.finish(), (wanted.to_owned(), Some(0)), "{how}");
    }
}

#[test]
fn two_hundred_attaches_to_a_sleeping_program_do_not_shorten_its_sleep() {
    let mut free = Free::start("blocked", &["nanosleep", "5000"]);
    assert_eq!(free.line(), "ready");
    let pid = free.pid();
    within("an attach to a sleeping program", move || {
        for _ in 0..200 {
            attach(pid).detach().unwrap();
        }
    });
    assert_eq!(free.finish(), ("done slept\n".to_owned(), Some(0)));
}

#[test]
fn functions_called_in_a_thread_that_sleeps_do_not_end_its_sleep() {
    let mut free = Free::start("blocked", &["nanosleep", "2000"]);
    assert_eq!(free.line(), "ready");
    let pid = free.pid();
    within("calls in a sleeping program", move || {
        for _ in 0..20 {
            let debugger = attach(pid);
            let own = debugger.main_thread().unwrap().call_symbol("getpid", &[]).unwrap();
            assert_eq!(own, u64::from(pid.0.unsigned_abs()));
            debugger.detach().unwrap();
        }
    });
    assert_eq!(free.finish(), ("done slept\n".to_owned(), Some(0)));
}

#[test]
fn attaching_to_nobody_is_an_error_at_once() {
    within("an attach to nobody", || {
        // Above the largest pid there can be (PID_MAX_LIMIT).
        for pid in [Pid(5_000_000), Pid(0), Pid(-1)] {
            match Debugger::builder("").attach(pid) {
                Err(Error::NoSuchProcess(who)) => assert_eq!(who, pid),
                other => panic!("{other:?}"),
            }
        }
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid(child.id().cast_signed());
        while state(pid) != Some('Z') {
            std::thread::yield_now();
        }
        assert!(matches!(Debugger::builder("").attach(pid), Err(Error::NoSuchProcess(_))), "a zombie");
        child.wait().unwrap();
    });
}

#[test]
fn a_process_has_one_tracer_and_the_second_is_told_who() {
    let mut free = Free::start("blocked", &["read"]);
    free.line();
    let first = attach(free.pid());
    match Debugger::builder("").attach(free.pid()) {
        Err(error @ Error::AttachDenied { .. }) => {
            assert!(error.to_string().contains(&tracer(free.pid()).to_string()), "{error}");
        }
        other => panic!("{other:?}"),
    }
    first.detach().unwrap();
    free.send("still here\n");
    assert_eq!(free.finish().0, "done still here\n");
}

#[test]
fn an_own_thread_cannot_be_attached_to() {
    let own = Pid(std::process::id().cast_signed());
    assert!(matches!(Debugger::builder("").attach(own), Err(Error::AttachDenied { .. })));
}

#[test]
fn a_thread_stands_for_its_process() {
    let mut free = Free::start("churn", &[]);
    free.line();
    let pid = free.pid();
    let other =
        libdebug_kernel::proc::tasks(pid).unwrap().into_iter().find(|&tid| tid != pid.leader()).unwrap();
    let debugger = attach(Pid(other.0));
    assert_eq!(debugger.pid(), Some(pid));
    assert_eq!(debugger.main_thread().unwrap().tid(), pid.leader());
    debugger.detach().unwrap();
    free.send("\n");
    assert!(free.finish().0.ends_with(" ok\n"));
}

#[test]
fn detaching_leaves_the_code_as_it_was() {
    let mut free = Free::start("selfcheck", &[]);
    let sum = free.line();
    let pid = free.pid();
    let debugger = attach(pid);
    let maps = debugger.maps().unwrap().len();
    let breakpoint = debugger.breakpoint("hot").unwrap();
    debugger.cont().unwrap();
    free.send("\n");
    debugger.wait_timeout(common::PATIENCE).unwrap();
    assert_eq!(breakpoint.hit_count(), 1);
    debugger.detach().unwrap();
    assert!(matches!(debugger.cont(), Err(Error::NoProcess)));
    assert!(matches!(debugger.main_thread().unwrap().pc(), Err(Error::NoProcess)));
    // The checksum was taken before the call that hit.
    free.line();
    free.send("\n");
    assert_eq!(free.line(), sum);
    assert_eq!(libdebug_kernel::proc::maps(pid).unwrap().len(), maps, "no page of ours stays");
    assert_eq!(free.finish().1, Some(0));
}

#[test]
fn detaching_in_the_middle_of_everything_changes_no_result() {
    // While threads are at traps, in stubs, in signals' deliveries and in steps.
    let path = program("threads");
    let mut let_go = 0;
    for round in 0..60 {
        let debugger = Debugger::builder(&path).args(["8", "2000"]).run().unwrap();
        let breakpoint = debugger.breakpoint_with("hot", Action::Count).unwrap();
        debugger.cont().unwrap();
        let hits = breakpoint.clone();
        within("hits", move || {
            while hits.hit_count() < 100 * round {
                std::thread::yield_now();
            }
        });
        interrupt(&debugger);
        if round % 2 == 0 && !debugger.is_dead() {
            // A step of a thread that waits for another in the kernel would wait too: the others are stopped.
            let maps = debugger.maps().unwrap();
            let own = |pc| maps.iter().any(|map| map.contains(pc) && Path::new(&map.path) == path);
            for thread in debugger.threads().iter().filter(|thread| !thread.is_zombie() && !thread.is_dead())
            {
                if own(thread.pc().unwrap()) {
                    thread.step().unwrap();
                }
            }
        }
        // On a busy machine it may have come to its end before the interrupt.
        if !debugger.is_dead() {
            let pid = debugger.pid().unwrap();
            debugger.detach().unwrap();
            within("the program that was let go", move || {
                while state(pid).is_some_and(|state| state != 'Z') {
                    std::thread::yield_now();
                }
            });
            let_go += 1;
        }
        let text = common::output(&debugger);
        assert!(text.ends_with(" ok\n"), "round {round}: {text:?}");
    }
    assert!(let_go > 0, "all programs ended before they could be let go");
}

#[test]
fn a_breakpoint_that_is_removed_at_an_interrupt_kills_nobody() {
    // An interrupt can come between the trap that a thread has executed and the signal of that. Optimised, the
    // function begins with an instruction of several bytes: nobody can stand behind the first of them.
    let debugger = Debugger::builder(program("threads-O2")).args(["8", "20000"]).run().unwrap();
    for _ in 0..2000 {
        let breakpoint = debugger.breakpoint_with("hot", Action::Count).unwrap();
        debugger.cont().unwrap();
        interrupt(&debugger);
        if debugger.is_dead() {
            break;
        }
        let threads = debugger.threads();
        for thread in threads.iter().filter(|thread| !thread.is_zombie() && !thread.is_dead()) {
            let pc = thread.pc().unwrap();
            assert_ne!(pc, breakpoint.address() + 1, "{thread:?} stands inside an instruction");
        }
        breakpoint.remove().unwrap();
    }
    let text = if debugger.is_dead() { common::output(&debugger) } else { common::finish(&debugger) };
    assert!(text.ends_with(" ok\n"), "{text:?}");
}

#[test]
fn detaching_right_after_a_step_or_a_hit_kills_nobody() {
    for steps in 0..4 {
        let mut free = Free::start("selfcheck", &[]);
        let sum = free.line();
        let debugger = attach(free.pid());
        let breakpoint = debugger.breakpoint("hot").unwrap();
        debugger.cont().unwrap();
        free.send("\n");
        debugger.wait_timeout(common::PATIENCE).unwrap();
        assert_eq!(breakpoint.hit_count(), 1);
        for _ in 0..steps {
            debugger.main_thread().unwrap().step().unwrap();
        }
        debugger.detach().unwrap();
        free.line();
        free.send("\n");
        assert_eq!(free.line(), sum);
        assert_eq!(free.finish().1, Some(0));
    }
}

#[test]
fn a_step_that_has_not_ended_when_its_program_is_let_go_kills_nobody() {
    for (how, call, wanted) in [("pause", 34, "done signalled\n"), ("read", 0, "done hello\n")] {
        for round in 0..20 {
            let mut free = Free::start("blocked", &[how]);
            assert_eq!(free.line(), "ready");
            let pid = free.pid();
            let asleep = move || {
                let wanted = format!("sleeping in system call {call}");
                while !libdebug_kernel::proc::activity(pid.leader()).ends_with(&wanted) {
                    std::thread::yield_now();
                }
            };
            within("the system call", asleep);
            let debugger = Debugger::builder("").kill_on_exit(false).attach(pid).unwrap();
            let thread = debugger.main_thread().unwrap();
            let stepping = thread.clone();
            let walker = std::thread::spawn(move || stepping.step());
            within("a step over the system call", asleep);
            if round % 2 == 0 {
                debugger.interrupt().unwrap();
                within("an interrupted step", move || walker.join().unwrap()).unwrap();
                debugger.detach().unwrap();
            } else {
                // Whoever holds the last handle lets the program go, in the middle of another thread's step.
                debugger.interrupt().unwrap();
                drop((debugger, thread));
                let _ = within("a step whose debugger goes", move || walker.join().unwrap());
            }
            within("the end of the trace", move || {
                while tracer(pid) != 0 {
                    std::thread::yield_now();
                }
            });
            if how == "read" {
                free.send("hello\n")
            } else {
                kill(pid, 10)
            }
            assert_eq!(free.finish(), (wanted.to_owned(), Some(0)), "{how}, round {round}");
        }
    }
}

#[test]
fn a_stopped_process_stays_stopped_and_goes_on_when_it_is_told_to() {
    let mut free = Free::start("blocked", &["read"]);
    free.line();
    let pid = free.pid();
    kill(pid, 19);
    within("SIGSTOP", move || {
        while state(pid) != Some('T') {
            std::thread::yield_now();
        }
    });
    let debugger = attach(pid);
    debugger.cont().unwrap();
    within("a group-stop", move || {
        while state(pid) != Some('t') && state(pid) != Some('T') {
            std::thread::yield_now();
        }
    });
    interrupt(&debugger);
    debugger.detach().unwrap();
    within("a group-stop", move || {
        while state(pid) != Some('T') {
            std::thread::yield_now();
        }
    });
    let debugger = attach(pid);
    debugger.cont().unwrap();
    kill(pid, 18);
    free.send("goes on\n");
    debugger.wait_timeout(common::PATIENCE).unwrap();
    assert!(debugger.is_dead());
    assert_eq!(free.finish(), ("done goes on\n".to_owned(), Some(0)));
}

#[test]
fn job_control_works_under_the_debugger() {
    let debugger = Debugger::builder(program("threads")).args(["4", "100000"]).run().unwrap();
    let pid = debugger.pid().unwrap();
    let breakpoint = debugger.breakpoint_with("hot", Action::Count).unwrap();
    debugger.cont().unwrap();
    for round in 1..20 {
        let hits = breakpoint.clone();
        within("hits", move || {
            while hits.hit_count() < round * 500 {
                std::thread::yield_now();
            }
        });
        kill(pid, 19);
        let stopped = move || {
            let tasks = libdebug_kernel::proc::tasks(pid).unwrap();
            tasks.iter().all(|&tid| {
                libdebug_kernel::proc::status(tid).is_ok_and(|status| matches!(status.state, 't' | 'T' | 'Z'))
            })
        };
        within("SIGSTOP under the debugger", move || {
            while !stopped() {
                std::thread::yield_now();
            }
        });
        if round % 3 == 0 {
            interrupt(&debugger);
            debugger.cont().unwrap();
        }
        kill(pid, 18);
    }
    breakpoint.set_action(Action::Stop);
    debugger.wait_timeout(common::PATIENCE).unwrap();
    breakpoint.remove().unwrap();
    cont(&debugger);
    assert!(common::output(&debugger).ends_with(" ok\n"));
}

#[test]
fn many_short_lives_leak_no_descriptor() {
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let launch = Debugger::builder(program("tiny")).launch();
    let mut before = 0;
    for round in 0..201 {
        let debugger = Debugger::new().unwrap();
        debugger.run(&launch).unwrap();
        if round % 2 == 0 {
            debugger.kill().unwrap()
        } else {
            debugger.detach().unwrap()
        }
        debugger.terminate().unwrap();
        drop(debugger);
        if round == 0 {
            before = count();
        }
    }
    // Other tests of this program open and close theirs meanwhile.
    assert!(count() < before + 100, "{} descriptors, {before} before", count());
}
