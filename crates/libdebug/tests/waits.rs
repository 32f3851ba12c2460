//! What ends a wait: a stop, an interrupt, a timeout, the host.
#![allow(clippy::unwrap_used)]

mod common;

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use common::{PATIENCE, cont, finish, interrupt, program, within};
use libdebug::{Action, BoxError, Debugger, Error, Host, IoError, ProcessState, StopReason};

/// A host that can be told to end its waits, as Python is by Ctrl-C. A signal would end the wait in the kernel; the
/// tests have none to send, so this host's waits look around by themselves.
#[derive(Default)]
struct ImpatientHost(AtomicBool);

impl Host for ImpatientHost {
    fn check(&self) -> Result<(), BoxError> {
        if self.0.swap(false, Ordering::AcqRel) { Err("Ctrl-C".into()) } else { Ok(()) }
    }

    fn has_check(&self) -> bool {
        true
    }
}

#[test]
fn a_timeout_tells_what_each_thread_is_doing() {
    for (how, wanted) in [("read", "sleeping in read"), ("pause", "sleeping in pause")] {
        let debugger = Debugger::builder(program("blocked")).arg(how).run().unwrap();
        debugger.cont().unwrap();
        common::line(&debugger);
        let begun = Instant::now();
        let error = debugger.wait_timeout(Duration::from_millis(100)).unwrap_err();
        assert!(begun.elapsed() >= Duration::from_millis(100) && begun.elapsed() < Duration::from_secs(5));
        let text = error.to_string();
        assert!(matches!(error, Error::Timeout { .. }));
        assert!(text.contains(wanted) && text.contains(&debugger.pid().unwrap().to_string()), "{text}");
        interrupt(&debugger);
        assert_eq!(debugger.main_thread().unwrap().stop_reasons().unwrap(), [StopReason::Interrupted]);
    }
}

#[test]
fn a_timeout_names_the_signal_of_a_group_stop_and_what_ends_it() {
    let debugger = Debugger::builder("/bin/sh").args(["-c", "kill -STOP $$; exit 3"]).run().unwrap();
    let pid = debugger.pid().unwrap();
    debugger.cont().unwrap();
    let mut text = String::new();
    // The shell has to come there first.
    while !text.contains("stopped by SIGSTOP") {
        text = debugger.wait_timeout(Duration::from_millis(50)).unwrap_err().to_string();
        assert!(debugger.is_running(), "{text}");
    }
    assert!(text.ends_with(&format!("thread {pid} is stopped by SIGSTOP, and goes on at SIGCONT")), "{text}");
    common::kill(pid, 18);
    debugger.wait_timeout(PATIENCE).unwrap();
    assert_eq!(debugger.exit_code().unwrap(), Some(3));
}

/// Why nothing more comes to be received, in words.
fn stops(debugger: &Debugger) -> String {
    let state = debugger.with_io(None, |_, wait| Ok((wait.state)())).unwrap();
    let ProcessState::Stopped { events } = state else { panic!("{state:?}") };
    events.replace(&debugger.pid().unwrap().to_string(), "N")
}

#[test]
fn a_stop_is_told_by_what_its_user_has_set() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    assert_eq!(
        stops(&debugger),
        "thread N stopped at its start, and nothing has let it go on since (`cont`)"
    );
    let breakpoint = debugger.breakpoint("main").unwrap();
    cont(&debugger);
    assert_eq!(stops(&debugger), "thread N stopped at a breakpoint (main)");
    debugger.main_thread().unwrap().step().unwrap();
    assert_eq!(stops(&debugger), "thread N stopped after a step");
    breakpoint.set_enabled(false).unwrap();
    debugger.breakpoint_with("counter_function", Action::call(|_, _| Err("no".into()))).unwrap();
    debugger.cont().unwrap();
    assert!(matches!(debugger.wait(), Err(Error::Callback(_))));
    let both = "at a breakpoint (counter_function) and because a callback failed or asked for it";
    assert_eq!(stops(&debugger), format!("thread N stopped {both}"));
}

#[test]
fn an_interrupt_stops_a_program_in_whatever_it_does() {
    for name in ["sleeper", "spinner"] {
        let debugger = Debugger::builder(program(name)).run().unwrap();
        for _ in 0..100 {
            debugger.cont().unwrap();
            interrupt(&debugger);
            assert!(!debugger.is_dead());
            debugger.main_thread().unwrap().pc().unwrap();
        }
    }
}

#[test]
fn an_interrupt_is_never_lost_in_a_storm_of_callbacks() {
    for threads in ["1", "4"] {
        for action in [Action::Count, Action::call(|_, _| Ok(()))] {
            let debugger = Debugger::builder(program("threads")).args([threads, "10000000"]).run().unwrap();
            let breakpoint = debugger.breakpoint_with("hot", action).unwrap();
            for round in 0..200 {
                let before = breakpoint.hit_count();
                debugger.cont().unwrap();
                while round % 2 == 0 && breakpoint.hit_count() == before {
                    std::thread::yield_now();
                }
                interrupt(&debugger);
                assert!(!debugger.is_dead());
            }
        }
    }
}

#[test]
fn interrupts_from_many_threads_at_once_are_one_stop() {
    let debugger = Debugger::builder(program("threads")).args(["2", "10000000"]).run().unwrap();
    debugger.breakpoint_with("hot", Action::Count).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let others: Vec<_> = (0..3)
        .map(|_| {
            let (debugger, done) = (debugger.clone(), Arc::clone(&done));
            std::thread::spawn(move || {
                while !done.load(Ordering::Acquire) {
                    debugger.interrupt().unwrap();
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    for _ in 0..300 {
        debugger.cont().unwrap();
        debugger.wait_timeout(PATIENCE).unwrap();
        debugger.main_thread().unwrap().pc().unwrap();
    }
    done.store(true, Ordering::Release);
    others.into_iter().for_each(|other| other.join().unwrap());
}

#[test]
fn an_interrupt_of_a_stopped_process_changes_nothing() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    debugger.interrupt().unwrap();
    debugger.wait_timeout(PATIENCE).unwrap();
    assert!(finish(&debugger).starts_with("basic:"));
}

#[test]
fn the_host_ends_a_wait_and_the_debugger_is_as_good_as_before() {
    let host = Arc::new(ImpatientHost::default());
    let debugger = Debugger::with_host(Arc::clone(&host) as Arc<dyn Host>).unwrap();
    debugger.run(&Debugger::builder(program("blocked")).arg("read").launch()).unwrap();
    debugger.cont().unwrap();
    for _ in 0..3 {
        host.0.store(true, Ordering::Release);
        let begun = Instant::now();
        let waiting = debugger.clone();
        let error = within("a wait that the host ends", move || waiting.wait().unwrap_err());
        assert!(matches!(&error, Error::Interrupted(cause) if cause.to_string() == "Ctrl-C"), "{error:?}");
        assert!(begun.elapsed() < Duration::from_millis(500));
        assert!(debugger.is_running());
    }
    interrupt(&debugger);
    debugger.main_thread().unwrap().pc().unwrap();
    debugger.cont().unwrap();
    common::send(&debugger, "works\n");
    debugger.wait_timeout(PATIENCE).unwrap();
    assert_eq!(common::output(&debugger), "ready\ndone works\n");
}

/// A host that is told to end its waits while they last, by another of its threads.
struct HostWithAlarm {
    pressed: libdebug_kernel::Latch,
    alarms: AtomicUsize,
}

impl Host for HostWithAlarm {
    fn check(&self) -> Result<(), BoxError> {
        let pressed = self.pressed.is_set();
        self.pressed.clear();
        if pressed { Err("Ctrl-C".into()) } else { Ok(()) }
    }

    fn has_check(&self) -> bool {
        true
    }

    fn alarm(&self) -> Option<Box<dyn AsFd + '_>> {
        self.alarms.fetch_add(1, Ordering::AcqRel);
        Some(Box::new(self.pressed.watch().unwrap()))
    }
}

#[test]
fn the_hosts_alarm_ends_a_wait_that_sleeps() {
    let (pressed, alarms) = (libdebug_kernel::Latch::new(), AtomicUsize::new(0));
    let host = Arc::new(HostWithAlarm { pressed, alarms });
    let debugger = Debugger::with_host(Arc::clone(&host) as Arc<dyn Host>).unwrap();
    debugger.run(&Debugger::builder(program("sleeper")).launch()).unwrap();
    debugger.cont().unwrap();
    type Waiting = fn(&Debugger) -> libdebug::Result<()>;
    let waits: [Waiting; 2] = [Debugger::wait, |debugger| {
        debugger.with_io(None, |io, wait| io.recv_line(libdebug::Output::Stderr, 1, true, wait)).map(drop)
    }];
    for wait in waits {
        let (waiting, before) = (debugger.clone(), host.alarms.load(Ordering::Acquire));
        let waiter = std::thread::spawn(move || wait(&waiting).unwrap_err());
        while host.alarms.load(Ordering::Acquire) == before {
            std::thread::yield_now();
        }
        host.pressed.set();
        let error = within("a wait that an alarm ends", move || waiter.join().unwrap());
        assert!(matches!(error, Error::Interrupted(_) | Error::Io(IoError::Interrupted(_))), "{error:?}");
    }
}

#[test]
fn the_host_ends_a_start_that_takes_for_ever() {
    let host = Arc::new(ImpatientHost::default());
    let debugger = Debugger::with_host(Arc::clone(&host) as Arc<dyn Host>).unwrap();
    host.0.store(true, Ordering::Release);
    let launch = Debugger::builder(program("basic")).launch();
    // Either the start was quicker, or it was given up whole.
    match debugger.run(&launch) {
        Ok(()) | Err(Error::Interrupted(_)) => {}
        Err(error) => panic!("{error}"),
    }
    host.0.store(false, Ordering::Release);
    debugger.run(&launch).unwrap();
    finish(&debugger);
}

#[test]
fn a_request_waits_for_the_stop_or_makes_it() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let breakpoint = debugger.breakpoint("counter_function").unwrap();
    debugger.cont().unwrap();
    // No wait in between: the request waits.
    assert_eq!(debugger.main_thread().unwrap().pc().unwrap(), breakpoint.address());
    drop(debugger);
    let debugger = Debugger::builder(program("sleeper")).run().unwrap();
    debugger.set_auto_interrupt(true);
    for _ in 0..50 {
        debugger.cont().unwrap();
        let thread = debugger.main_thread().unwrap();
        within("a request that interrupts", move || thread.pc().unwrap());
        debugger.cont().unwrap();
        let waiting = debugger.clone();
        within("a look that interrupts", move || waiting.settled().unwrap());
    }
}

#[test]
fn waiting_for_a_stopped_process_returns_at_once() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    for _ in 0..3 {
        debugger.wait().unwrap();
    }
    cont(&debugger);
    debugger.wait().unwrap();
}

/// A debugger whose program stands in a callback, which ends when the sender goes.
fn in_a_callback(host: &Arc<ImpatientHost>, kill_on_exit: bool) -> (Debugger, mpsc::Sender<()>) {
    let debugger = Debugger::with_host(Arc::clone(host) as Arc<dyn Host>).unwrap();
    debugger.run(&Debugger::builder(program("basic")).kill_on_exit(kill_on_exit).launch()).unwrap();
    let (begun, begins) = mpsc::channel();
    let (go_on, ends) = mpsc::channel::<()>();
    let ends = Mutex::new(ends);
    let action = Action::call(move |_, _| {
        begun.send(())?;
        let _ = ends.lock().unwrap().recv();
        Ok(())
    });
    debugger.breakpoint_with("main", action).unwrap();
    debugger.cont().unwrap();
    begins.recv_timeout(PATIENCE).unwrap();
    (debugger, go_on)
}

#[test]
fn the_host_ends_what_waits_for_a_callback_and_the_debugger_is_as_good_as_before() {
    type Request = fn(&Debugger) -> libdebug::Result<()>;
    let requests: [Request; 4] =
        [Debugger::terminate, Debugger::kill, Debugger::detach, |debugger| debugger.set_kill_on_exit(false)];
    for request in requests {
        let host = Arc::new(ImpatientHost::default());
        let (debugger, go_on) = in_a_callback(&host, true);
        for _ in 0..2 {
            host.0.store(true, Ordering::Release);
            let asking = debugger.clone();
            let asked = within("a request that the host ends", move || request(&asking));
            assert!(matches!(asked, Err(Error::Interrupted(_))), "{asked:?}");
        }
        drop(go_on);
        interrupt(&debugger);
        if !debugger.is_dead() {
            debugger.breakpoint("counter_function").unwrap();
            debugger.main_thread().unwrap().pc().unwrap();
            cont(&debugger);
        }
        let pid = debugger.pid().unwrap();
        drop(debugger);
        assert!(common::state(pid).is_none(), "what was taken back is not done later");
    }
}

#[test]
fn an_abandoned_debugger_waits_for_no_callback() {
    for kill_on_exit in [true, false] {
        let host = Arc::new(ImpatientHost::default());
        let (debugger, go_on) = in_a_callback(&host, kill_on_exit);
        let (pid, io) = (debugger.pid().unwrap(), debugger.io().unwrap());
        within("to abandon a debugger", move || {
            debugger.abandon();
            drop(debugger);
        });
        // In its exit event, if it was killed: the kernel waits for the tracer thread there.
        within("the exit event", move || {
            while common::state(pid) != Some('t') {
                std::thread::yield_now();
            }
        });
        drop(go_on);
        let never = libdebug_kernel::Latch::new();
        let wait = libdebug::Wait {
            deadline: Some(Instant::now() + PATIENCE),
            stopped: &never,
            state: &|| libdebug::ProcessState::Running,
            check: None,
        };
        let text = String::from_utf8(io.recv_all(libdebug::Output::Stdout, &wait).unwrap()).unwrap();
        assert_eq!(text.starts_with("basic:"), !kill_on_exit, "{text:?}");
    }
}
