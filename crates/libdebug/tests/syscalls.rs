//! Handlers of system calls, on real programs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{cont, finish, interrupt, program};
use libdebug::{
    Action, Debugger, Error, SyscallEvent, SyscallFilter, SyscallFilterMode, SyscallHandler, SyscallObserver,
    SyscallSide, SyscallSpec, Thread,
};

fn number(name: &str) -> u64 {
    Debugger::syscall_number(name).unwrap()
}

fn counting(name: &str) -> SyscallSpec {
    let (on_enter, on_exit) = (Some(Action::Count), Some(Action::Count));
    SyscallSpec { number: Some(number(name)), on_enter, on_exit, ..SyscallSpec::default() }
}

fn echo() -> Debugger {
    Debugger::builder("/bin/echo").arg("hello").run().unwrap()
}

#[test]
fn a_synchronous_handler_stops_before_and_behind() {
    let debugger = echo();
    let handler = debugger.handle_syscall(SyscallSpec::stop(Some(number("write")))).unwrap();
    let thread = debugger.main_thread().unwrap();
    cont(&debugger);
    assert_eq!(handler.side_hit_on(&thread).unwrap(), Some(SyscallSide::Enter));
    assert_eq!((thread.syscall_number().unwrap(), thread.syscall_argument(2).unwrap()), (1, 6));
    assert_eq!((thread.syscall_return().unwrap(), handler.hit_count()), (-38, 0));
    cont(&debugger);
    assert_eq!(handler.side_hit_on(&thread).unwrap(), Some(SyscallSide::Exit));
    assert_eq!((thread.syscall_return().unwrap(), handler.hit_count()), (6, 1));
    assert_eq!(finish(&debugger), "hello\n");
    assert_eq!(handler.side_hit_on(&thread).unwrap(), None);
}

#[test]
fn a_call_can_be_changed_and_its_result_too() {
    let debugger = echo();
    let shorten = |thread: &Thread, _: &SyscallHandler| Ok(thread.set_syscall_argument(2, 4)?);
    let lie = |thread: &Thread, _: &SyscallHandler| {
        assert_eq!(thread.syscall_return()?, 4);
        Ok(thread.set_syscall_return(6)?)
    };
    let (on_enter, on_exit) = (Some(Action::call_at_syscall(shorten)), Some(Action::call_at_syscall(lie)));
    let spec = SyscallSpec { number: Some(number("write")), on_enter, on_exit, ..SyscallSpec::default() };
    let handler = debugger.handle_syscall(spec).unwrap();
    assert_eq!(finish(&debugger), "hell");
    assert_eq!(handler.hit_count(), 1);
}

#[test]
fn hijacking_reaches_the_new_calls_handler_only_if_recursive() {
    for recursive in [true, false] {
        let debugger = echo();
        let (write, getpid) = (number("write"), number("getpid"));
        let hijack = debugger.hijack_syscall(Some(write), getpid, [None; 6], recursive).unwrap();
        let other = debugger.handle_syscall(counting("getpid")).unwrap();
        finish(&debugger);
        assert_eq!((hijack.hit_count() > 0, other.hit_count() > 0), (true, recursive));
    }
}

#[test]
fn a_hijacking_loop_is_an_error_of_the_next_wait() {
    let debugger = echo();
    let (write, getpid) = (number("write"), number("getpid"));
    debugger.hijack_syscall(Some(write), getpid, [None; 6], true).unwrap();
    debugger.hijack_syscall(Some(getpid), write, [None; 6], true).unwrap();
    debugger.cont().unwrap();
    assert!(matches!(debugger.wait_timeout(common::PATIENCE), Err(Error::HijackLoop(_))));
    assert!(matches!(debugger.hijack_syscall(Some(1), 1, [None; 6], true), Err(Error::SelfHijack(_))));
}

#[test]
fn a_handler_that_disables_itself_counts_at_the_entry() {
    let debugger = echo();
    let off = |_: &Thread, handler: &SyscallHandler| Ok(handler.set_enabled(false)?);
    let never = |_: &Thread, _: &SyscallHandler| Err("not to be called".into());
    let (on_enter, on_exit) = (Some(Action::call_at_syscall(off)), Some(Action::call_at_syscall(never)));
    let handler = debugger
        .handle_syscall(SyscallSpec { number: None, on_enter, on_exit, ..SyscallSpec::default() })
        .unwrap();
    assert_eq!((finish(&debugger).as_str(), handler.hit_count()), ("hello\n", 1));
}

/// Notes what each thread has entered, and counts exits that do not belong to the entry before.
#[derive(Clone, Default)]
struct Pairs {
    open: Arc<Mutex<BTreeMap<i32, u64>>>,
    wrong: Arc<AtomicU64>,
}

impl Pairs {
    fn check(&self, right: bool) {
        self.wrong.fetch_add(u64::from(!right), Ordering::Relaxed);
    }

    fn enter(self) -> Action<SyscallHandler> {
        Action::call_at_syscall(move |thread: &Thread, _: &SyscallHandler| {
            let argument = thread.syscall_argument(0)?;
            self.check(self.open.lock().unwrap().insert(thread.tid().0, argument).is_none());
            Ok(())
        })
    }

    fn exit(self) -> Action<SyscallHandler> {
        Action::call_at_syscall(move |thread: &Thread, _: &SyscallHandler| {
            let argument = thread.syscall_argument(0)?;
            self.check(self.open.lock().unwrap().remove(&thread.tid().0) == Some(argument));
            Ok(())
        })
    }
}

#[test]
fn every_enter_has_the_exit_of_its_own_thread() {
    for mode in [SyscallFilterMode::Ptrace, SyscallFilterMode::Seccomp] {
        check_pairs(mode);
    }
}

fn check_pairs(mode: SyscallFilterMode) {
    let builder = Debugger::builder(program("syscall_threads")).args(["64", "300"]);
    let debugger = builder.syscall_filter(mode).run().unwrap();
    let pairs = Pairs::default();
    let (on_enter, on_exit) = (Some(pairs.clone().enter()), Some(pairs.clone().exit()));
    let spec =
        SyscallSpec { number: Some(number("getpriority")), on_enter, on_exit, ..SyscallSpec::default() };
    let handler = debugger.handle_syscall(spec).unwrap();
    let others = debugger.handle_syscall(counting("getppid")).unwrap();
    assert!(finish(&debugger).ends_with(" ok\n"));
    assert_eq!((handler.hit_count(), others.hit_count()), (64 * 300, 64 * 300));
    assert_eq!((pairs.wrong.load(Ordering::Relaxed), pairs.open.lock().unwrap().len()), (0, 0));
}

#[test]
fn an_observer_hears_of_every_call_in_order() {
    let debugger = echo();
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let filter = SyscallFilter { only: vec![number("write"), number("getpid")], except: Vec::new() };
    let observe = Arc::new(move |_: &Thread, event: &SyscallEvent| {
        seen.lock().unwrap().push(*event);
        Ok(())
    });
    debugger.observe_syscalls(Some(SyscallObserver { filter, observe })).unwrap();
    debugger.hijack_syscall(Some(number("write")), number("getpid"), [None; 6], false).unwrap();
    finish(&debugger);
    let events = events.lock().unwrap();
    let SyscallEvent::Enter { before, after, called, replaces } = events[0] else { panic!("{events:?}") };
    assert_eq!((before.number, after.number, called, replaces), (1, 39, true, false));
    assert!(matches!(events[1], SyscallEvent::Enter { before, replaces: true, .. } if before.number == 39));
    assert!(matches!(events[2], SyscallEvent::Exit { before, .. } if before > 0));
}

#[test]
fn a_step_over_a_handled_call_is_its_exit() {
    let debugger = echo();
    let handler = debugger.handle_syscall(SyscallSpec::stop(Some(number("write")))).unwrap();
    let thread = debugger.main_thread().unwrap();
    cont(&debugger);
    thread.step().unwrap();
    assert_eq!((thread.syscall_return().unwrap(), handler.hit_count()), (6, 1));
    assert_eq!(finish(&debugger), "hello\n");
}

/// The thread makes a call, and nobody could tell.
fn check_invocation(debugger: &Debugger, thread: &Thread) {
    const NAMES: [&str; 8] = ["rip", "rax", "orig_rax", "rcx", "r11", "rdi", "rsp", "eflags"];
    let before = NAMES.map(|name| thread.register(name).unwrap());
    let pid = i64::from(debugger.pid().unwrap().0);
    assert_eq!(thread.invoke_syscall(number("getpid"), &[]).unwrap(), pid);
    assert_eq!(NAMES.map(|name| thread.register(name).unwrap()), before);
}

#[test]
fn calls_are_invoked_at_every_kind_of_stop() {
    let debugger = echo();
    let thread = debugger.main_thread().unwrap();
    check_invocation(&debugger, &thread);
    debugger.handle_syscall(SyscallSpec::stop(Some(number("write")))).unwrap();
    for side in [SyscallSide::Enter, SyscallSide::Exit] {
        cont(&debugger);
        assert_eq!(thread.side().unwrap(), Some(side));
        check_invocation(&debugger, &thread);
        check_invocation(&debugger, &thread);
    }
    assert_eq!(thread.invoke_syscall(number("close"), &[9999]).unwrap(), -9, "EBADF");
    assert!(matches!(thread.invoke_syscall(0, &[0; 7]), Err(Error::NoSuchArgument(6))));
    thread.step().unwrap();
    check_invocation(&debugger, &thread);
    assert_eq!(finish(&debugger), "hello\n");
}

#[test]
fn a_read_that_was_interrupted_for_a_call_goes_on() {
    let debugger = Debugger::builder(program("blocked")).arg("read").run().unwrap();
    debugger.cont().unwrap();
    common::line(&debugger);
    interrupt(&debugger);
    let thread = debugger.main_thread().unwrap();
    let call = |name, arguments: &[u64]| thread.invoke_syscall(number(name), arguments).unwrap();
    let page = call("mmap", &[0, 4096, 3, 0x22, u64::MAX, 0]).cast_unsigned();
    assert!(page < 1 << 47, "{page:#x}");
    debugger.write_memory(page, b"/etc/passwd\0").unwrap();
    let file = call("open", &[page, 0, 0]).cast_unsigned();
    assert!((3..100).contains(&file), "{file}");
    assert_eq!(call("read", &[file, page, 4]), 4);
    assert_eq!(debugger.read_memory(page, 4).unwrap(), b"root");
    assert_eq!((call("close", &[file]), call("munmap", &[page, 4096])), (0, 0));
    debugger.cont().unwrap();
    common::send(&debugger, "goes on\n");
    debugger.wait_timeout(common::PATIENCE).unwrap();
    assert_eq!(common::output(&debugger), "done goes on\n");
}

#[test]
fn processes_made_by_an_invoked_call_are_sane() {
    for call in ["fork", "vfork"] {
        let debugger = echo();
        let thread = debugger.main_thread().unwrap();
        let child = thread.invoke_syscall(number(call), &[]).unwrap();
        assert!(child > 0, "{child}");
        debugger.cont().unwrap();
        // Both run on from where they were; which one is first nobody knows.
        assert_eq!([common::line(&debugger), common::line(&debugger)], ["hello", "hello"], "{call}");
        debugger.wait_timeout(common::PATIENCE).unwrap();
        assert_eq!(debugger.exit_code().unwrap(), Some(0));
    }
}

#[test]
fn a_program_that_looks_for_a_debugger_finds_none() {
    let path = program("antidebug");
    let debugger = Debugger::builder(&path).run().unwrap();
    assert_eq!(finish(&debugger), "first=-1 second=-1 hidden=0\n");
    let debugger = Debugger::builder(&path).escape_antidebug(true).run().unwrap();
    assert_eq!(finish(&debugger), "first=0 second=-1 hidden=1\n");
}

#[test]
fn a_filter_stops_at_handled_calls_only() {
    let builder = Debugger::builder(program("syscall_threads")).args(["4", "5000"]);
    let debugger = builder.syscall_filter(SyscallFilterMode::Seccomp).run().unwrap();
    let handler = debugger.handle_syscall(counting("exit_group")).unwrap();
    let before = libdebug::tracer_syscalls();
    let stop = debugger.handle_syscall(SyscallSpec::stop(Some(number("exit_group")))).unwrap();
    cont(&debugger);
    assert!(stop.side_hit_on(&debugger.main_thread().unwrap()).unwrap().is_some());
    // 40,000 system calls were made.
    assert!(libdebug::tracer_syscalls() - before < 2000, "{}", libdebug::tracer_syscalls() - before);
    assert!(matches!(debugger.detach(), Err(Error::Filtered(_))));
    assert!(finish(&debugger).ends_with(" ok\n"));
    assert_eq!(handler.hit_count(), 0, "the newer handler is asked");
}

#[test]
fn children_of_a_filtered_program_inherit_it_unharmed() {
    let script = "kill -0 $$; (kill -0 $$; exit 3); exit $?";
    let builder = Debugger::builder("/bin/bash").arg("-c").arg(script);
    let debugger = builder.syscall_filter(SyscallFilterMode::Seccomp).run().unwrap();
    let handler = debugger.handle_syscall(counting("kill")).unwrap();
    debugger.cont().unwrap();
    let child = debugger.wait_child(Some(common::PATIENCE)).unwrap().unwrap();
    let in_child = child.handle_syscall(counting("kill")).unwrap();
    cont(&child);
    assert_eq!((child.exit_code().unwrap(), in_child.hit_count()), (Some(3), 1));
    debugger.wait_timeout(common::PATIENCE).unwrap();
    assert_eq!((debugger.exit_code().unwrap(), handler.hit_count()), (Some(3), 1));
}

#[test]
fn execve_is_entered_and_left_by_one_thread_under_two_numbers() {
    let debugger = Debugger::builder(program("exec_off_leader")).run().unwrap();
    let exec = debugger.handle_syscall(counting("execve")).unwrap();
    let (on_enter, on_exit) = (Some(Action::Count), Some(Action::Count));
    let all = SyscallSpec { number: None, on_enter, on_exit, ..SyscallSpec::default() };
    let all = debugger.handle_syscall(all).unwrap();
    assert_eq!(finish(&debugger), "ok\n");
    assert_eq!(exec.hit_count(), 1);
    assert!(all.hit_count() > 10, "handlers outlive the program that they were set in");
}

#[test]
fn whoever_asks_for_it_is_told_of_a_new_program_before_it_runs() {
    let debugger = Debugger::builder(program("exec_off_leader")).run().unwrap();
    let old = debugger.breakpoint_with("after_exec", Action::Count).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let found = Arc::clone(&told);
    debugger.on_exec(Some(Arc::new(move |thread: &Thread| {
        let breakpoint = thread.debugger().breakpoint_with("after_exec", Action::Count)?;
        found.lock().unwrap().push(breakpoint);
        Ok(())
    })));
    assert_eq!(finish(&debugger), "ok\n");
    let told = told.lock().unwrap();
    assert_eq!((told.len(), told[0].hit_count()), (1, 1));
    assert_eq!((old.hit_count(), old.is_enabled()), (0, false));
}

#[test]
fn the_end_that_an_invoked_call_brings_about_is_known_at_once() {
    for threads in ["1", "8"] {
        let debugger = Debugger::builder(program("threads")).args([threads, "10"]).run().unwrap();
        debugger.breakpoint("hot").unwrap();
        cont(&debugger);
        let thread = debugger.main_thread().unwrap();
        let ended = thread.invoke_syscall(number("exit_group"), &[5]);
        assert!(matches!(ended, Err(Error::Died { .. })), "{ended:?}");
        assert_eq!((debugger.is_dead(), debugger.exit_code().unwrap()), (true, Some(5)));
        assert!(matches!(debugger.cont(), Err(Error::Died { .. })));
    }
}

#[test]
fn six_hundred_thousand_handled_calls_of_64_threads_are_counted_exactly() {
    for mode in [SyscallFilterMode::Ptrace, SyscallFilterMode::Seccomp] {
        common::within_time(std::time::Duration::from_secs(300), "counting", move || {
            let builder = Debugger::builder(program("syscall_threads")).args(["64", "10000"]);
            let debugger = builder.syscall_filter(mode).run().unwrap();
            let handler = debugger.handle_syscall(counting("getpriority")).unwrap();
            debugger.cont().unwrap();
            debugger.wait().unwrap();
            assert_eq!(common::output(&debugger), "calls=640000 ok\n");
            assert_eq!(handler.hit_count(), 640_000, "{mode:?}");
        });
    }
}

#[test]
fn a_handler_has_nothing_to_do_with_a_stop_inside_its_call() {
    let debugger = Debugger::builder(program("blocked")).arg("read").run().unwrap();
    let handler = debugger.handle_syscall(counting("read")).unwrap();
    let all = debugger.handle_syscall(SyscallSpec { number: None, ..counting("read") }).unwrap();
    debugger.cont().unwrap();
    common::line(&debugger);
    let before = handler.hit_count();
    for _ in 0..20 {
        interrupt(&debugger);
        let thread = debugger.main_thread().unwrap();
        assert_eq!(handler.side_hit_on(&thread).unwrap(), None);
        assert_eq!(all.side_hit_on(&thread).unwrap(), None);
        debugger.cont().unwrap();
    }
    common::send(&debugger, "goes on\n");
    debugger.wait_timeout(common::PATIENCE).unwrap();
    assert_eq!(common::output(&debugger), "done goes on\n");
    // However often the call was interrupted and made again, each time it was left.
    assert!(handler.hit_count() > before);
}

#[test]
fn a_process_made_by_an_invoked_clone3_is_sane() {
    const SIZE: u64 = 64;
    const SIGCHLD: u64 = 17;
    let debugger = echo();
    let thread = debugger.main_thread().unwrap();
    let call = |name, arguments: &[u64]| thread.invoke_syscall(number(name), arguments).unwrap();
    let page = call("mmap", &[0, 4096, 3, 0x22, u64::MAX, 0]).cast_unsigned();
    // struct clone_args (clone(2)): flags, pidfd, child_tid, parent_tid, exit_signal, and nothing more.
    let arguments: Vec<u8> =
        [0, 0, 0, 0, SIGCHLD, 0, 0, 0].iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
    debugger.write_memory(page, &arguments).unwrap();
    debugger.set_follows_children(true);
    let pid = call("clone3", &[page, SIZE]);
    let child = debugger.children().pop().unwrap();
    assert_eq!(i64::from(child.pid().unwrap().0), pid);
    let of_child = child.main_thread().unwrap();
    assert_eq!(of_child.pc().unwrap(), thread.pc().unwrap());
    assert_eq!(of_child.register("rsp").unwrap(), thread.register("rsp").unwrap());
    cont(&child);
    assert_eq!(child.exit_code().unwrap(), Some(0));
    cont(&debugger);
    assert_eq!(
        (debugger.exit_code().unwrap(), common::output(&debugger).as_str()),
        (Some(0), "hello\nhello\n")
    );
}

#[test]
fn a_filter_can_be_set_in_the_middle_of_a_call() {
    // A handler that is set at another call's entry has the program make calls of its own there.
    let debugger =
        Debugger::builder("/bin/echo").arg("hello").syscall_filter(SyscallFilterMode::Seccomp).run().unwrap();
    let later = Arc::new(Mutex::new(None));
    let set = Arc::clone(&later);
    let on_enter = Action::call_at_syscall(move |thread: &Thread, _: &SyscallHandler| {
        *set.lock().unwrap() = Some(thread.debugger().handle_syscall(counting("close"))?);
        Ok(())
    });
    let number = Some(number("write"));
    debugger
        .handle_syscall(SyscallSpec {
            number,
            on_enter: Some(on_enter),
            on_exit: None,
            ..SyscallSpec::default()
        })
        .unwrap();
    assert_eq!(finish(&debugger), "hello\n");
    assert!(later.lock().unwrap().as_ref().unwrap().hit_count() > 0);
}

#[test]
fn calls_are_invoked_at_the_stops_of_a_filter_too() {
    let builder = Debugger::builder("/bin/echo").arg("hello");
    let debugger = builder.syscall_filter(SyscallFilterMode::Seccomp).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    for name in ["write", "getpid"] {
        debugger.handle_syscall(SyscallSpec::stop(Some(number(name)))).unwrap();
    }
    for side in [SyscallSide::Enter, SyscallSide::Exit] {
        cont(&debugger);
        assert_eq!(thread.side().unwrap(), Some(side));
        check_invocation(&debugger, &thread);
    }
    assert_eq!(finish(&debugger), "hello\n");
}

#[test]
fn an_answered_call_is_never_made() {
    for mode in [SyscallFilterMode::Ptrace, SyscallFilterMode::Seccomp] {
        let debugger = Debugger::builder(program("syscall_threads")).args(["4", "200"]).run().unwrap();
        debugger.set_syscall_filter(mode);
        // getppid never fails, and the fixture exits with 1 when it does.
        let handler = debugger.answer_syscall(Some(number("getppid")), -13).unwrap();
        let kept = debugger.handle_syscall(SyscallSpec::stop(Some(number("exit_group")))).unwrap();
        cont(&debugger);
        assert_eq!(handler.hit_count(), 800, "{mode:?}");
        assert_eq!((handler.answer(), kept.answer()), (Some(-13), None));
        cont(&debugger);
        assert_eq!(debugger.exit_code().unwrap(), Some(1), "{mode:?}");
    }
}

#[test]
fn a_call_can_be_answered_and_observed() {
    let debugger = Debugger::builder(program("syscall_threads")).args(["2", "50"]).run().unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let filter = SyscallFilter { only: vec![number("getppid")], except: Vec::new() };
    let observe = Arc::new(move |_: &Thread, event: &SyscallEvent| {
        seen.lock().unwrap().push(*event);
        Ok(())
    });
    debugger.observe_syscalls(Some(SyscallObserver { filter, observe })).unwrap();
    let enters = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&enters);
    let on_enter = Action::call_at_syscall(move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let answer = SyscallSpec::answer(Some(number("getppid")), 77);
    let handler = debugger.handle_syscall(SyscallSpec { on_enter: Some(on_enter), ..answer }).unwrap();
    finish(&debugger);
    assert_eq!((handler.hit_count(), enters.load(Ordering::Relaxed)), (100, 100));
    let calls = calls.lock().unwrap();
    let returned = |event: &&SyscallEvent| matches!(event, SyscallEvent::Exit { before: 77, after: 77, .. });
    let made = |event: &&SyscallEvent| matches!(event, SyscallEvent::Enter { before, after, .. } if before.number == after.number);
    assert_eq!((calls.iter().filter(made).count(), calls.iter().filter(returned).count()), (100, 100));
}
