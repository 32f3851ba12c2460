//! Programs that count themselves, seen from Rust.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use libdebug::{Count, CountBy, CountEnd, CountOptions, Counting, Launch, Pid};

fn counted(program: &str, options: &CountOptions) -> Count {
    let mut launch = Launch::new(common::program(program));
    launch.aslr = false;
    Counting::start(&launch, options).unwrap().wait().unwrap()
}

fn by_thread(count: &Count) -> Vec<u64> {
    let mut counts: Vec<_> = count.threads.iter().map(|thread| thread.instructions).collect();
    counts.sort_unstable();
    counts
}

#[test]
fn a_program_counts_itself_as_steps_count_it() {
    for by in [None, Some(CountBy::Function), Some(CountBy::Mnemonic)] {
        let itself = CountOptions { by, ..CountOptions::default() };
        let stepped = CountOptions { single_step: true, ..itself.clone() };
        for program in ["count_rep", "count_calls", "count_threads", "hello-static"] {
            let (one, other) = (counted(program, &itself), counted(program, &stepped));
            assert_eq!(by_thread(&one), by_thread(&other), "{program} by {by:?}");
            assert_eq!((one.groups, one.death), (other.groups, other.death), "{program} by {by:?}");
        }
    }
}

#[test]
fn how_far_it_is_shows_while_nothing_stops() {
    let counting =
        Counting::start(&Launch::new(common::program("spinner")), &CountOptions::default()).unwrap();
    let (pid, watcher) = (counting.pid(), counting.watcher());
    let seen = watcher.clone();
    common::within("the count of a loop without system calls", move || {
        while seen.instructions() < 20_000_000 {
            std::thread::yield_now();
        }
    });
    watcher.stop();
    let count = counting.wait().unwrap();
    assert_eq!(count.end, CountEnd::Stopped);
    assert!(count.instructions >= 20_000_000);
    assert_ne!(pid, Pid(0));
}
