//! What becomes of the program when its debugger's host ends, and of the host's own children meanwhile.
//!
//! The hosts are this test program itself, started again with a role to play. A host and its program share a
//! pipe; its end tells that all of them are gone, without anybody having to ask again and again.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use common::{PATIENCE, interrupt, program, state, within};
use libdebug::{Action, Debugger, Pid};

const ROLE: &str = "LIBDEBUG_TEST_ROLE";

/// Starts a host that plays `role`.
fn host(role: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "play_a_role", "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::piped()).spawn().unwrap()
}

/// The pid that the host tells of, and the rest of what it and its program write.
fn program_of(child: &mut Child) -> (Pid, BufReader<std::process::ChildStdout>) {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    within("a host's start", move || {
        let mut line = String::new();
        while !line.starts_with("pid ") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "the host ended early");
        }
        (Pid(line[4..].trim().parse().unwrap()), output)
    })
}

/// Waits until nobody holds the pipe any more.
fn gone(mut output: BufReader<std::process::ChildStdout>, mut child: Child) -> ExitStatus {
    within("the end of a host and its program", move || {
        output.read_to_end(&mut Vec::new()).unwrap();
        child.wait().unwrap()
    })
}

/// Not a test by itself: what the hosts do.
#[test]
fn play_a_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let words: Vec<_> = role.split(' ').collect();
    match words[0] {
        "spawn" => host_of_a_program(&words[1..]),
        "idle" => host_that_waits(words[1]),
        "resident" => host_of_size(words[1].parse().unwrap()),
        _ => unreachable!(),
    }
}

fn host_of_a_program(words: &[&str]) {
    let [keep, when, how] = words else { unreachable!() };
    let debugger = Debugger::builder(program("spinner"))
        .arg("60")
        .stdio(libdebug::Stdio::Inherit)
        .kill_on_exit(*keep == "kill")
        .run()
        .unwrap();
    if *keep == "kill" {
        debugger.breakpoint_with("spin_until", Action::Count).unwrap();
    }
    if *when == "running" {
        debugger.cont().unwrap();
    }
    println!("\npid {}", debugger.pid().unwrap());
    match *how {
        "drop" => drop(debugger),
        "panic" => panic!("on purpose"),
        "exit" => std::process::exit(0),
        _ => {
            // SIGKILL or SIGTERM is on its way.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            loop {
                std::thread::park();
            }
        }
    }
    std::process::exit(0);
}

#[test]
fn no_program_outlives_its_host() {
    for how in ["drop", "panic", "exit", "SIGKILL", "SIGTERM"] {
        for when in ["stopped", "running"] {
            let mut child = host(&format!("spawn kill {when} {how}"));
            let (pid, output) = program_of(&mut child);
            match how {
                "SIGKILL" => child.kill().unwrap(),
                "SIGTERM" => common::kill(Pid(child.id().cast_signed()), 15),
                _ => {}
            }
            gone(output, child);
            within("the end of the program", move || {
                while state(pid).is_some_and(|state| state != 'Z') {
                    std::thread::yield_now();
                }
            });
        }
    }
}

#[test]
fn a_program_that_is_to_live_on_does() {
    for how in ["drop", "panic", "exit", "SIGKILL", "SIGTERM"] {
        for when in ["stopped", "running"] {
            let mut child = host(&format!("spawn keep {when} {how}"));
            let (pid, output) = program_of(&mut child);
            match how {
                "SIGKILL" => child.kill().unwrap(),
                "SIGTERM" => common::kill(Pid(child.id().cast_signed()), 15),
                _ => {}
            }
            within("the end of a host", move || child.wait().unwrap());
            within("a program that lives on", move || {
                while state(pid) != Some('R') {
                    std::thread::yield_now();
                }
            });
            assert_eq!(common::tracer(pid), 0, "{how} {when}");
            common::kill(pid, 9);
            drop(output);
        }
    }
}

#[test]
fn a_dropped_debugger_that_keeps_its_program_takes_its_breakpoints_along() {
    let debugger =
        Debugger::builder(program("threads")).args(["4", "20000"]).kill_on_exit(false).run().unwrap();
    let breakpoint = debugger.breakpoint_with("hot", Action::Count).unwrap();
    let io = debugger.io().unwrap();
    debugger.cont().unwrap();
    while breakpoint.hit_count() < 500 {
        std::thread::yield_now();
    }
    drop((debugger, breakpoint));
    let never = libdebug_kernel::Latch::new();
    let wait = libdebug::Wait {
        deadline: Some(Instant::now() + PATIENCE),
        stopped: &never,
        state: &|| libdebug::ProcessState::Running,
        check: None,
    };
    let text = io.recv_all(libdebug::Output::Stdout, &wait).unwrap();
    assert!(String::from_utf8(text).unwrap().ends_with(" ok\n"));
}

#[test]
fn what_is_to_happen_at_the_end_can_be_changed_while_the_program_runs() {
    let debugger = Debugger::builder(program("spinner")).arg("60").run().unwrap();
    let pid = debugger.pid().unwrap();
    debugger.cont().unwrap();
    debugger.set_kill_on_exit(false).unwrap();
    drop(debugger);
    assert!(matches!(state(pid), Some('R')));
    let debugger = Debugger::builder("").kill_on_exit(false).attach(pid).unwrap();
    debugger.set_kill_on_exit(true).unwrap();
    drop(debugger);
    // What was let go is a child of this process like any other, and its to reap.
    within("the end of the program", move || {
        while !matches!(state(pid), Some('Z') | None) {
            std::thread::yield_now();
        }
    });
}

#[test]
fn children_of_the_host_stay_its_own_while_a_debugger_waits() {
    let debugger = Debugger::builder(program("sleeper")).run().unwrap();
    debugger.cont().unwrap();
    for code in 0..50 {
        let mut child = Command::new("sh").args(["-c", &format!("exit {code}")]).spawn().unwrap();
        let pid = Pid(child.id().cast_signed());
        within("a child's end", move || {
            while state(pid) != Some('Z') {
                std::thread::yield_now();
            }
        });
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
    interrupt(&debugger);
}

#[test]
fn a_child_of_the_host_that_was_attached_to_can_be_reaped_by_it() {
    for round in 0..20 {
        let mut child =
            Command::new(program("echo")).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let debugger = Debugger::builder("").attach(Pid(child.id().cast_signed())).unwrap();
        if round % 2 == 0 {
            debugger.cont().unwrap();
            drop(child.stdin.take());
            debugger.wait_timeout(PATIENCE).unwrap();
            assert_eq!(debugger.exit_code().unwrap(), Some(0));
            assert_eq!(child.wait().unwrap().code(), Some(0));
        } else {
            debugger.kill().unwrap();
            let status = child.wait().unwrap();
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        }
    }
}

/// User and system time of this process, in clock ticks.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn host_that_waits(name: &str) {
    let debugger = Debugger::builder(program(name)).arg("60").run().unwrap();
    // What the start costs is not what the wait costs.
    debugger.cont().unwrap();
    let before = ticks();
    let begun = Instant::now();
    debugger.wait_timeout(Duration::from_secs(5)).unwrap_err();
    assert!(begun.elapsed() >= Duration::from_secs(5));
    // Without clock_gettime(CLOCK_PROCESS_CPUTIME_ID) at hand: in ticks of 10 ms.
    println!("\nticks {}", ticks() - before);
    std::process::exit(0);
}

#[test]
fn waiting_five_seconds_costs_less_than_twenty_milliseconds() {
    let hosts = ["sleeper", "spinner"].map(|name| host(&format!("idle {name}")));
    for child in hosts {
        let output = within("a host that waits", move || child.wait_with_output().unwrap());
        let text = String::from_utf8(output.stdout).unwrap();
        let ticks = text.lines().find_map(|line| line.strip_prefix("ticks ")).unwrap();
        assert!(ticks.parse::<u64>().unwrap() < 2, "{ticks} ticks of 10 ms");
    }
}

fn host_of_size(megabytes: usize) {
    // Written to, so that it is there.
    let resident = vec![1_u8; megabytes << 20];
    let launch = Debugger::builder(program("tiny")).launch();
    let debugger = Debugger::new().unwrap();
    let mut line = String::new();
    let mut times = Vec::new();
    // A round for each line, so that hosts of different sizes can take turns.
    println!("\nready");
    while std::io::stdin().read_line(&mut line).unwrap() > 0 {
        for _ in 0..5 {
            let begun = Instant::now();
            debugger.run(&launch).unwrap();
            times.push(begun.elapsed());
            debugger.kill().unwrap();
        }
        println!("round");
    }
    times.sort();
    assert_eq!(resident[resident.len() / 2], 1);
    // One of the quickest: what other programs do to the rest says nothing of this one's size.
    println!("\nstart {}", times[2].as_nanos());
    std::process::exit(0);
}

#[test]
fn a_big_host_starts_programs_as_fast_as_a_small_one() {
    let mut hosts = ["resident 40", "resident 4096"].map(|role| {
        let mut child = host(role);
        let output = BufReader::new(child.stdout.take().unwrap());
        (child, output)
    });
    let await_line = |output: &mut BufReader<std::process::ChildStdout>, wanted: &str| {
        let mut line = String::new();
        while line.trim() != wanted {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0);
        }
    };
    hosts.iter_mut().for_each(|(_, output)| await_line(output, "ready"));
    for _ in 0..100 {
        for (child, output) in &mut hosts {
            std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"\n").unwrap();
            await_line(output, "round");
        }
    }
    let starts = hosts.map(|(mut child, mut output)| {
        drop(child.stdin.take());
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        child.wait().unwrap();
        text.lines().find_map(|line| line.strip_prefix("start ")).unwrap().parse::<f64>().unwrap()
    });
    println!("start: {} us small, {} us big", starts[0] / 1e3, starts[1] / 1e3);
    assert!(starts[1] < starts[0] * 1.2, "{starts:?} ns");
}
