//! Many events at once: signals, children, deaths, in the middle of breakpoints. Nothing is lost, nobody hangs.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{PATIENCE, finish, kill, output, program, within_time};
use libdebug::{Action, CatcherSpec, Debugger, SyscallFilterMode, SyscallHandler, SyscallSpec, Thread};

#[test]
fn children_of_every_kind_run_unharmed_past_our_breakpoints() {
    for action in [Action::Count, Action::call(|_, _| Ok(()))] {
        let debugger = Debugger::builder(program("forker")).arg("200").run().unwrap();
        debugger.breakpoint_with("child_code", action.clone()).unwrap();
        let text = finish(&debugger);
        assert!(text.ends_with("ok\n"), "{action:?}: {text:?}");
        assert_eq!(debugger.exit_code().unwrap(), Some(0));
    }
}

#[test]
fn a_thousand_forks_start_no_thread() {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let debugger = Debugger::builder(program("forker")).arg("1000").run().unwrap();
    debugger.cont().unwrap();
    let during = threads();
    debugger.wait_timeout(PATIENCE).unwrap();
    assert!(debugger.is_dead());
    assert!(threads() <= during, "{} threads, {during} before", threads());
    assert!(output(&debugger).ends_with("ok\n"));
}

#[test]
fn a_kill_from_outside_at_any_moment_is_an_ordinary_end() {
    const KILL: i32 = 9;
    for round in 0..100_u64 {
        let debugger = Debugger::builder(program("threads")).args(["4", "1000000"]).run().unwrap();
        let action = match round % 3 {
            0 => Action::Count,
            1 => Action::call(|thread, _| thread.pc().map(drop).map_err(Into::into)),
            _ => Action::Stop,
        };
        let hits = debugger.breakpoint_with("hot", action).unwrap();
        let pid = debugger.pid().unwrap();
        let watched = hits.clone();
        let killer = std::thread::spawn(move || {
            while watched.hit_count() < round * 7 {
                std::hint::spin_loop();
            }
            kill(pid, KILL);
        });
        while !debugger.is_dead() {
            match debugger.cont() {
                Ok(()) => debugger.wait_timeout(PATIENCE).or_else(death).unwrap(),
                Err(error) => death(error).unwrap(),
            }
        }
        killer.join().unwrap();
        assert_eq!(debugger.death().unwrap(), Some(libdebug::Death::Killed(libdebug::Signal(KILL))));
    }
}

/// A callback that finds its thread dead says so; that is no failure of the debugger's.
fn death(error: libdebug::Error) -> libdebug::Result<()> {
    match error {
        libdebug::Error::Callback(cause) if cause.downcast_ref().is_some_and(libdebug::Error::is_death) => {
            Ok(())
        }
        error if error.is_death() => Ok(()),
        error => Err(error),
    }
}

#[test]
fn leaders_that_exit_first_and_execs_off_the_leader_are_survived() {
    for name in ["leader_exits", "exec_off_leader"] {
        let free = std::process::Command::new(program(name)).output().unwrap();
        for _ in 0..20 {
            let debugger = Debugger::builder(program(name)).run().unwrap();
            assert_eq!(finish(&debugger), String::from_utf8_lossy(&free.stdout), "{name}");
            assert_eq!(debugger.exit_code().unwrap(), free.status.code(), "{name}");
        }
    }
}

#[test]
fn job_control_works_as_without_a_debugger() {
    const STOP: i32 = 19;
    const CONT: i32 = 18;
    let debugger = Debugger::builder(program("echo")).run().unwrap();
    let pid = debugger.pid().unwrap();
    debugger.cont().unwrap();
    common::send(&debugger, "one\n");
    assert_eq!(common::line(&debugger), "echo: one");
    kill(pid, STOP);
    while !matches!(common::state(pid), Some('T' | 't')) {
        std::hint::spin_loop();
    }
    assert!(debugger.is_running(), "a group-stop is the program's own affair");
    kill(pid, CONT);
    common::send(&debugger, "two\n");
    assert_eq!(common::line(&debugger), "echo: two");
    common::send(&debugger, "quit\n");
    debugger.wait_timeout(PATIENCE).unwrap();
    assert_eq!(debugger.exit_code().unwrap(), Some(7));
}

#[test]
fn fifty_thousand_signals_of_ten_kinds_come_through_everything() {
    const SIGNALS: u64 = 50_000;
    for mode in [SyscallFilterMode::Ptrace, SyscallFilterMode::Seccomp] {
        within_time(Duration::from_secs(90), "a storm of signals", move || {
            let path = program("storm");
            let file = std::env::temp_dir().join(format!("libdebug-storm-{}", std::process::id()));
            let (file, signals) = (file.to_string_lossy().into_owned(), SIGNALS.to_string());
            let builder = Debugger::builder(&path).args(["run", &file, &signals]);
            let debugger = builder.syscall_filter(mode).run().unwrap();
            let step = Action::call(|thread, breakpoint| {
                for _ in 0..breakpoint.hit_count() % 3 {
                    thread.step()?;
                }
                Ok(())
            });
            let breakpoint = debugger.breakpoint_with("hot", step).unwrap();
            let look =
                |thread: &Thread, _: &SyscallHandler| thread.syscall_return().map(drop).map_err(Into::into);
            let on_exit = Some(Action::call_at_syscall(look));
            let getppid = Some(Debugger::syscall_number("getppid").unwrap());
            let spec =
                SyscallSpec { number: getppid, on_enter: Some(Action::Count), on_exit, recursive: false };
            let handler = debugger.handle_syscall(spec).unwrap();
            let count = CatcherSpec { signal: None, action: Action::Count, recursive: false };
            let catcher = debugger.catch_signal(count).unwrap();
            debugger.cont().unwrap();
            assert_eq!(common::line(&debugger), "ready");
            let pid = debugger.pid().unwrap().to_string();
            let sender = std::process::Command::new(&path).args(["send", &file, &signals, &pid]).status();
            assert!(sender.unwrap().success());
            std::fs::remove_file(&file).unwrap();
            debugger.wait_timeout(PATIENCE).unwrap();
            assert_eq!(common::output(&debugger), format!("received={SIGNALS} ok\n"));
            assert_eq!(catcher.hit_count(), SIGNALS);
            // Each round of the program is one call of each kind.
            assert_eq!(breakpoint.hit_count(), handler.hit_count());
            assert!(handler.hit_count() >= SIGNALS / 25);
        });
    }
}
