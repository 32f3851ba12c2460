//! Real programs on the other end.

mod programs;
mod stops;

use std::os::fd::AsFd;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use super::*;
use Output::{Stderr, Stdout};
use programs::{Free, LONG};

#[test]
fn a_receive_waits_for_the_first_byte_only_and_keeps_the_rest() {
    let free = Free::run("printf 'abcdef'; read end");
    let wait = free.wait(LONG);
    let mut received = free.io.recv(Stdout, 4096, &wait).unwrap();
    received.extend(free.io.recv_exact(Stdout, 6 - received.len(), &wait).unwrap());
    assert_eq!(received, b"abcdef");
    free.io.unrecv(Stdout, b"xyz");
    assert_eq!(free.io.recv(Stdout, 2, &wait).unwrap(), b"xy");
    assert_eq!(free.io.recv(Stdout, 0, &wait).unwrap(), b"");
    assert_eq!(free.io.recv(Stdout, 4096, &wait).unwrap(), b"z");
    assert!(!free.io.can_recv(Stdout, &free.wait(Duration::ZERO)).unwrap());
}

#[test]
fn occurrences_are_counted_and_dropped_each() {
    let free = Free::run("printf 'a::b::c\\none\\ntwo\\nthree\\n'; read end");
    let twice = Until { occurrences: 2, drop: true, ..Until::first(b"::") };
    assert_eq!(free.until(twice).unwrap(), b"ab");
    assert_eq!(free.until(Until::first(b"\n")).unwrap(), b"c\n");
    assert_eq!(free.io.recv_line(Stdout, 2, true, &free.wait(LONG)).unwrap(), b"onetwo");
    assert_eq!(free.io.recv_line(Stdout, 1, false, &free.wait(LONG)).unwrap(), b"three\n");
    assert!(matches!(free.until(Until { occurrences: 0, ..twice }), Err(IoError::InvalidCount)));
    assert_eq!(free.until(Until { delimiter: b"", ..twice }).unwrap(), b"");
}

#[test]
fn a_timeout_leaves_what_arrived_for_the_next_receive() {
    let free = Free::run("printf 'no newline'; read end");
    assert!(free.io.can_recv(Stdout, &free.wait(LONG)).unwrap());
    let error = free.io.recv_line(Stdout, 1, true, &free.wait(Duration::from_millis(30))).unwrap_err();
    assert_eq!(error.to_string(), r#"Timeout reached (received so far, and kept: b"no newline")"#);
    let error = free.io.recv_exact(Stdout, 11, &free.wait(Duration::ZERO)).unwrap_err();
    assert!(matches!(error, IoError::Timeout { received, .. } if received == b"no newline"));
    assert_eq!(free.io.recv(Stdout, 4096, &free.wait(Duration::ZERO)).unwrap(), b"no newline");
}

#[test]
fn the_deadline_and_the_check_end_a_receive_from_a_program_that_never_pauses() {
    let free = Free::run("while :; do echo y; done");
    let error =
        free.io.recv_until(Stdout, Until::first(b"n"), &free.wait(Duration::from_millis(50))).unwrap_err();
    assert!(matches!(error, IoError::Timeout { .. }), "{error}");
    let looks = std::cell::Cell::new(0);
    let check = || {
        looks.set(looks.get() + 1);
        if looks.get() > 5 { Err("pressed".into()) } else { Ok(None) }
    };
    let wait = Wait { check: Some(&check), ..free.wait(LONG) };
    let error = free.io.recv_until(Stdout, Until::first(b"n"), &wait).unwrap_err();
    assert_eq!(error.to_string(), "interrupted: pressed");
}

#[test]
fn output_and_errors_are_two_terminals_that_pass_bytes_unchanged() {
    let free = Free::run(
        "[ -t 0 ] || [ ! -t 1 ] || [ ! -t 2 ] || printf 'a\\r\\n\\004\\003b'; echo oops >&2; read end",
    );
    assert_eq!(free.io.recv_exact(Stdout, 6, &free.wait(LONG)).unwrap(), b"a\r\n\x04\x03b");
    assert_eq!(free.io.recv_line(Stderr, 1, false, &free.wait(LONG)).unwrap(), b"oops\n");
    assert!(!free.io.is_terminal());
}

#[test]
fn the_end_of_the_stream_comes_after_its_last_bytes() {
    let free = Free::run("printf 'last'; exec >&-; read end");
    let error = free.io.recv_line(Stdout, 1, true, &free.wait(LONG)).unwrap_err();
    assert!(
        error.to_string().starts_with("Broken stdout pipe. Is the child process still alive?"),
        "{error}"
    );
    assert_eq!(free.io.recv(Stdout, 4096, &free.wait(LONG)).unwrap(), b"last");
    let error = free.io.recv(Stdout, 4096, &free.wait(LONG)).unwrap_err();
    assert_eq!(error.to_string(), "Broken stdout pipe. Is the child process still alive?");
    assert_eq!(free.io.recv_all(Stdout, &free.wait(LONG)).unwrap(), b"");
}

#[test]
fn what_is_sent_is_read() {
    let free = Free::run("read line; echo \"<$line>\"; read end");
    assert_eq!(free.io.send(b"hello\n", &free.wait(LONG)).unwrap(), 6);
    assert_eq!(free.line(), "<hello>");
    assert_eq!(free.io.send(b"", &free.wait(LONG)).unwrap(), 0);
}

#[test]
fn more_than_a_pipe_holds_goes_through_while_the_program_reads() {
    let free = Free::run("wc -c; read end");
    let data = vec![b'x'; 1 << 20];
    assert_eq!(free.io.send(&data, &free.wait(LONG)).unwrap(), data.len());
    free.io.close_stdin(&free.wait(LONG)).unwrap();
    assert_eq!(free.line().trim(), "1048576");
    assert!(matches!(free.io.send(b"x", &free.wait(LONG)), Err(IoError::NoStdin)));
    assert!(matches!(free.io.close_stdin(&free.wait(LONG)), Err(IoError::NoStdin)));
}

#[test]
fn a_full_pipe_ends_a_send_at_the_deadline() {
    let free = Free::run("while :; do echo running; done");
    let error = free.io.send(&vec![0; 1 << 20], &free.wait(Duration::from_millis(30))).unwrap_err();
    assert!(matches!(error, IoError::SendTimeout { sent: 65536, size: 1_048_576 }), "{error}");
}

#[test]
fn a_closed_input_is_an_error_value() {
    let free = Free::run("exec <&-; echo closed; while :; do :; done");
    assert_eq!(free.line(), "closed");
    let error = free.io.send(b"x", &free.wait(LONG)).unwrap_err();
    assert_eq!(error.to_string(), "Broken pipe. Is the child process still running?");
}

#[test]
fn a_selection_tells_of_each_thing_there_is() {
    let free = Free::run("echo out; echo err >&2; read go; exec >&- 2>&-; read end");
    let (host, mut typed) = std::io::pipe().unwrap();
    let watch = Watch { input: Some(host.as_fd()), stop: true, room: false };
    let see = |watch: &Watch<'_>| free.io.select(watch, &free.wait(LONG)).unwrap();
    assert!(see(&Watch { room: true, ..Watch::default() }).room);
    assert_eq!(free.line(), "out");
    assert_eq!(see(&watch), Seen { stderr: true, ..Seen::default() });
    assert_eq!(free.io.recv_line(Stderr, 1, true, &free.wait(LONG)).unwrap(), b"err");
    assert_eq!(free.io.select(&watch, &free.wait(Duration::ZERO)).unwrap(), Seen::default());
    std::io::Write::write_all(&mut typed, b"x").unwrap();
    assert_eq!(see(&watch), Seen { input: true, ..Seen::default() });
    free.never.set();
    assert_eq!(see(&watch), Seen { input: true, stopped: true, ..Seen::default() });
    free.never.clear();
    assert_eq!(free.io.try_send(b"\n").unwrap(), 1);
    for stream in [Stdout, Stderr] {
        free.io.select(&Watch::default(), &free.wait(LONG)).unwrap();
        assert!(matches!(free.io.recv(stream, 1, &free.wait(LONG)), Err(IoError::Broken { .. })));
    }
    assert_eq!(free.io.select(&Watch::default(), &free.wait(Duration::ZERO)).unwrap(), Seen::default());
    free.io.close();
    assert!(matches!(free.io.select(&watch, &free.wait(LONG)), Err(IoError::NoOutput(Stdout))));
}

#[test]
fn closing_ends_the_waits_of_other_threads() {
    let free = Free::run("read end");
    let together = Barrier::new(2);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            together.wait();
            free.io.recv(Stdout, 1, &free.wait(LONG))
        });
        together.wait();
        free.io.close();
        let error = waiting.join().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "No stdout pipe of the child process");
    });
    assert!(matches!(free.io.send(b"x", &free.wait(LONG)), Err(IoError::NoStdin)));
    free.io.close();
}

#[test]
fn one_thread_receives_while_another_sends() {
    let free = Free::run("exec cat");
    let data: Vec<u8> = (0..1 << 20).map(|at: u32| at.to_le_bytes()[1]).collect();
    thread::scope(|scope| {
        let echoed = scope.spawn(|| free.io.recv_exact(Stdout, data.len(), &free.wait(LONG)));
        free.io.send(&data, &free.wait(LONG)).unwrap();
        assert!(echoed.join().unwrap().unwrap() == data);
    });
}

#[test]
fn a_descendant_of_a_dead_program_is_still_heard() {
    let mut free = Free::run("exec 3<&0; { read go; echo \"late $go\"; read end; } <&3 & exit 0");
    free.child.wait().unwrap();
    free.never.set();
    let state = || ProcessState::Dead;
    free.io.send(b"words\n", &Wait { state: &state, ..free.wait(LONG) }).unwrap();
    let line = free.io.recv_line(Stdout, 1, true, &Wait { state: &state, ..free.wait(LONG) });
    assert_eq!(line.unwrap(), b"late words");
    free.io.close();
}

/// The unlucky moment of another kind: another thread reads the line between our vain look and our sleep.
#[test]
fn what_another_thread_reads_ahead_wakes_a_receiver() {
    let free = Free::run("read go; echo line; read end");
    let once = std::cell::Cell::new(false);
    let interfere = || {
        if !once.replace(true) {
            free.io.send(b"\n", &free.wait(LONG))?;
            assert!(free.io.can_recv(Stdout, &free.wait(LONG))?);
        }
        Ok(None)
    };
    let wait = Wait { check: Some(&interfere), ..free.wait(LONG) };
    assert_eq!(free.io.recv_line(Stdout, 1, true, &wait).unwrap(), b"line");
}
