//! A storm of signals in the middle of everything else. In a program of its own: a test beside it counts threads.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{PATIENCE, program, within_time};
use libdebug::{Action, CatcherSpec, Debugger, SyscallFilterMode, SyscallHandler, SyscallSpec, Thread};

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
            let spec = SyscallSpec {
                number: getppid,
                on_enter: Some(Action::Count),
                on_exit,
                ..SyscallSpec::default()
            };
            let handler = debugger.handle_syscall(spec).unwrap();
            let count = CatcherSpec { action: Action::Count, ..CatcherSpec::stop(None) };
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
