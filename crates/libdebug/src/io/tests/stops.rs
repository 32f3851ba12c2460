//! The stop or the end of a program races with what it wrote before.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use libdebug_kernel::{Interest, KernelError, wait_ready};

use super::super::Output::{Stderr, Stdout};
use super::super::receive::{Attempt, Source};
use super::super::{IoError, ProcessState, Stdio, Until, Wait};
use super::programs::Traced;

/// What was written right before a stop is received before the stop is told, however the two race.
#[test]
fn no_line_is_lost_to_a_stop() {
    const ROUNDS: usize = 4000;
    let traced = Traced::run(
        Stdio::Piped,
        "kill -STOP $$; i=0; while [ $i -lt 4000 ]; do echo $i; kill -STOP $$; i=$((i+1)); done",
    );
    traced.await_stop();
    for round in 0..ROUNDS {
        traced.stopped.clear();
        traced.resume();
        let line = traced.waiting(|io, wait| io.recv_line(Stdout, 1, true, wait));
        assert_eq!(line.unwrap(), round.to_string().into_bytes());
        let error = traced.waiting(|io, wait| io.recv_line(Stdout, 1, true, wait)).unwrap_err();
        assert!(matches!(error, IoError::Stopped { .. }), "{error}");
        traced.await_stop();
    }
    traced.resume();
    traced.tracer.join().unwrap();
}

/// The unlucky moment itself: the process writes and stops after the read and before the verdict.
#[test]
fn a_stop_right_after_a_vain_read_hides_no_line() {
    let traced = Traced::run(Stdio::Piped, "kill -STOP $$; echo late; kill -STOP $$");
    traced.await_stop();
    traced.stopped.clear();
    let mut vain = false;
    let line = traced.waiting(|io, wait| {
        io.receive(Stdout, wait, |inbox| {
            let source = inbox.fill(5)?;
            if !std::mem::replace(&mut vain, true) {
                traced.resume();
                traced.await_stop();
            }
            Ok(match source {
                Source::Empty => Attempt::Lacking(source),
                _ => Attempt::Done(inbox.take(5)),
            })
        })
    });
    assert_eq!(line.unwrap(), b"late\n");
    traced.resume();
    traced.tracer.join().unwrap();
}

#[test]
fn nothing_of_a_long_output_is_lost_to_a_stop() {
    let traced = Traced::run(
        Stdio::Piped,
        "s=0123456789abcdef; s=$s$s$s$s$s$s$s$s; s=$s$s$s$s$s$s$s$s; s=$s$s$s$s$s$s$s$s; s=$s$s$s$s$s$s; kill -STOP $$
         i=0; while [ $i -lt 300 ]; do printf %s $s; kill -STOP $$; i=$((i+1)); done",
    );
    traced.await_stop();
    for _ in 0..300 {
        traced.stopped.clear();
        traced.resume();
        let all = traced.waiting(|io, wait| io.recv_all(Stdout, wait)).unwrap();
        assert_eq!(all.len(), 16 * 8 * 8 * 8 * 6);
        traced.await_stop();
    }
    traced.resume();
    traced.tracer.join().unwrap();
}

#[test]
fn a_stop_ends_the_wait_at_once_and_loses_nothing() {
    let traced = Traced::run(Stdio::Piped, "printf part; kill -STOP $$; echo ial; read end");
    let began = Instant::now();
    let error = traced.waiting(|io, wait| io.recv_line(Stdout, 1, true, wait)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Receive until error. The debugged process has stopped due to the following event(s). SIGSTOP \
         (received so far, and kept: b\"part\")"
    );
    let optional = Until { optional: true, ..Until::first(b"\n") };
    assert_eq!(traced.waiting(|io, wait| io.recv_until(Stdout, optional, wait)).unwrap(), b"");
    assert!(began.elapsed() < Duration::from_secs(2));
    traced.stopped.clear();
    traced.resume();
    assert_eq!(traced.waiting(|io, wait| io.recv_line(Stdout, 1, true, wait)).unwrap(), b"partial");
    traced.waiting(|io, wait| io.send(b"\n", wait)).unwrap();
    traced.tracer.join().unwrap();
}

#[test]
fn a_send_that_a_stopped_process_cannot_read_says_so() {
    let traced = Traced::run(Stdio::Piped, "kill -STOP $$; read end");
    traced.await_stop();
    assert_eq!(traced.waiting(|io, wait| io.send(b"kept\n", wait)).unwrap(), 5);
    let error = traced.waiting(|io, wait| io.send(&vec![0; 1 << 17], wait)).unwrap_err();
    assert!(error.to_string().contains("the process is stopped. SIGSTOP"), "{error}");
    traced.resume();
    traced.tracer.join().unwrap();
}

#[test]
fn the_last_words_of_a_dead_program_are_received() {
    for stdio in [Stdio::Piped, Stdio::Terminal] {
        for _ in 0..300 {
            let traced = Traced::run(stdio, "printf 'last words'");
            assert_eq!(traced.waiting(|io, wait| io.recv_exact(Stdout, 10, wait)).unwrap(), b"last words");
            let error = traced.waiting(|io, wait| io.recv(Stdout, 1, wait)).unwrap_err();
            assert!(matches!(error, IoError::Broken { .. }), "{error}");
            traced.tracer.join().unwrap();
        }
    }
}

/// More than a terminal hands over at once: the kernel keeps the rest beyond the death.
#[test]
fn a_dead_program_leaves_its_output_to_be_received() {
    for stdio in [Stdio::Piped, Stdio::Terminal] {
        let traced = Traced::run(
            stdio,
            "s=0123456789abcdef; s=$s$s$s$s$s$s$s$s; s=$s$s$s$s$s$s$s$s; printf %s $s$s$s$s$s$s$s$s$s$s",
        );
        traced.await_stop();
        traced.tracer.join().unwrap();
        let state = || ProcessState::Dead;
        let wait = Wait { deadline: None, stopped: &traced.stopped, state: &state, check: None };
        assert_eq!(traced.io.recv_all(Stdout, &wait).unwrap().len(), 16 * 8 * 8 * 10, "{stdio:?}");
    }
}

/// Whoever waits for a stop reads ahead, so a program that writes more than a terminal holds gets to its stop.
#[test]
fn reading_ahead_lets_a_talkative_program_get_on() {
    let traced =
        Traced::run(Stdio::Piped, "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; kill -STOP $$");
    while !traced.stopped.is_set() {
        let sources = traced.io.sources();
        let stopped = traced.stopped.watch().unwrap();
        let mut awaited = vec![(stopped.as_fd(), Interest::Read)];
        awaited.extend(sources.iter().map(|source| (source.as_fd(), Interest::Read)));
        wait_ready::<KernelError>(&awaited, None, None).unwrap();
        traced.io.absorb().unwrap();
    }
    let lines = traced.waiting(|io, wait| io.recv_line(Stdout, 20000, false, wait)).unwrap();
    assert!(lines.ends_with(b"\n19998\n19999\n"));
    traced.resume();
    traced.tracer.join().unwrap();
    traced.io.absorb().unwrap();
    assert!(traced.io.sources().is_empty(), "ended streams would make every wait return at once");
}

#[test]
fn a_terminal_is_cooked_controlling_and_one_for_all_streams() {
    let traced = Traced::run(
        Stdio::Terminal,
        "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo yes >/dev/tty; echo both >&2; read a; echo \"<$a>\"; read b || echo end",
    );
    let line = || traced.waiting(|io, wait| io.recv_line(Stdout, 1, false, wait)).unwrap();
    assert_eq!(line(), b"yes\r\n");
    assert_eq!(line(), b"both\r\n");
    traced.waiting(|io, wait| io.send(b"helo\x7flo\n", wait)).unwrap();
    let echoed = String::from_utf8(line()).unwrap();
    assert!(echoed.starts_with("helo"), "{echoed:?}");
    assert_eq!(line(), b"<hello>\r\n");
    traced.waiting(|io, wait| io.close_stdin(wait)).unwrap();
    assert_eq!(line(), b"end\r\n");
    let error = traced.waiting(|io, wait| io.recv(Stderr, 1, wait)).unwrap_err();
    assert_eq!(error.to_string(), "No stderr pipe of the child process");
    assert!(traced.io.is_terminal());
    traced.tracer.join().unwrap();
}
