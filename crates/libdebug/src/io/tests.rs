//! Real programs on the other end: a shell, free or under trace.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libdebug_kernel::{
    Bell, Event, Interest, Latch, Options, Ptrace, Signal, SpawnSpec, Stop, Wait as Awaited, signal_mask,
    wait_ready,
};

use super::*;
use Output::{Stderr, Stdout};
use receive::{Attempt, Source};

/// Far more than anything here takes: only a hang gets there.
const LONG: Duration = Duration::from_secs(60);

/// A shell that nobody traces.
struct Free {
    child: Child,
    io: ProcessIo,
    never: Latch,
}

impl Free {
    fn run(script: &str) -> Self {
        let (ends, io) = open(Stdio::Piped).unwrap();
        let Ends::Streams([stdin, stdout, stderr]) = ends.0 else { unreachable!() };
        let child =
            Command::new("sh").args(["-c", script]).stdin(stdin).stdout(stdout).stderr(stderr).spawn();
        Self { child: child.unwrap(), io: io.unwrap(), never: Latch::new().unwrap() }
    }

    fn wait(&self, time: Duration) -> Wait<'_> {
        let deadline = Some(Instant::now() + time);
        Wait { deadline, stopped: &self.never, state: &|| ProcessState::Running, check: None }
    }

    fn until(&self, until: Until<'_>) -> Result<Vec<u8>, IoError> {
        self.io.recv_until(Stdout, until, &self.wait(LONG))
    }

    fn line(&self) -> String {
        String::from_utf8(self.io.recv_line(Stdout, 1, true, &self.wait(LONG)).unwrap()).unwrap()
    }
}

impl Drop for Free {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A shell under trace: it stands still at every SIGSTOP that it sends to itself, until `resume`.
struct Traced {
    io: ProcessIo,
    stopped: Arc<Latch>,
    dead: Arc<AtomicBool>,
    commands: Sender<()>,
    tracer: JoinHandle<()>,
}

impl Traced {
    fn run(stdio: Stdio, script: &str) -> Self {
        let (ends, io) = open(stdio).unwrap();
        let stopped = Arc::new(Latch::new().unwrap());
        let dead = Arc::new(AtomicBool::new(false));
        let (commands, resumes) = mpsc::channel();
        let script = CString::new(script).unwrap();
        let tracer = thread::spawn({
            let (stopped, dead) = (Arc::clone(&stopped), Arc::clone(&dead));
            move || trace(&script, ends, &stopped, &dead, &resumes)
        });
        Self { io: io.unwrap(), stopped, dead, commands, tracer }
    }

    fn resume(&self) {
        self.commands.send(()).unwrap();
    }

    fn state(&self) -> ProcessState {
        match (self.stopped.is_set(), self.dead.load(Ordering::Acquire)) {
            (true, true) => ProcessState::Dead,
            (true, false) => ProcessState::Stopped { events: "SIGSTOP".to_owned() },
            (false, _) => ProcessState::Running,
        }
    }

    /// `act` with a wait for this process.
    fn waiting<T>(&self, act: impl FnOnce(&ProcessIo, &Wait<'_>) -> T) -> T {
        let state = || self.state();
        let deadline = Some(Instant::now() + LONG);
        act(&self.io, &Wait { deadline, stopped: &self.stopped, state: &state, check: None })
    }

    fn await_stop(&self) {
        wait_ready::<KernelError>(&[(self.stopped.as_fd(), Interest::Read)], None, None).unwrap();
    }
}

fn trace(
    script: &CString,
    ends: ChildEnds,
    stopped: &Latch,
    dead: &AtomicBool,
    resumes: &mpsc::Receiver<()>,
) {
    let (ptrace, _bell) = (Ptrace::for_this_thread(), Bell::for_this_thread());
    let spawned = ptrace.spawn(&SpawnSpec {
        path: c"/bin/sh",
        argv: &[c"sh".to_owned(), c"-c".to_owned(), script.clone()],
        env: &[],
        directory: None,
        aslr: true,
        stdio: ends.plan(),
        mask: &signal_mask(),
        options: Options::DEBUGGER.exit_kill(true),
    });
    let pid = spawned.unwrap().pid;
    drop(ends.started(pid));
    ptrace.cont(pid.leader(), None).unwrap();
    loop {
        match ptrace.wait_for(pid.leader()).unwrap() {
            Awaited::Tracee(_, Event::Stopped(Stop::Signal(Signal::STOP))) => {
                stopped.set();
                resumes.recv().unwrap();
                stopped.clear();
            }
            Awaited::Tracee(_, Event::Stopped(_)) => {}
            Awaited::Tracee(_, Event::Died(_)) => {
                dead.store(true, Ordering::Release);
                return stopped.set();
            }
            other => panic!("{other:?}"),
        }
        ptrace.cont(pid.leader(), None).unwrap();
    }
}

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
    assert!(matches!(free.until(Until { delimiter: b"", ..twice }), Err(IoError::EmptyDelimiter)));
}

#[test]
fn a_timeout_leaves_what_arrived_for_the_next_receive() {
    let free = Free::run("printf 'no newline'; read end");
    assert!(free.io.can_recv(Stdout, &free.wait(LONG)).unwrap());
    let error = free.io.recv_line(Stdout, 1, true, &free.wait(Duration::from_millis(30))).unwrap_err();
    assert_eq!(error.to_string(), r#"Timeout reached (received so far, and kept: b"no newline")"#);
    let error = free.io.recv_exact(Stdout, 11, &free.wait(Duration::ZERO)).unwrap_err();
    assert!(matches!(error, IoError::Timeout { received } if received == b"no newline"));
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
        if looks.get() > 5 { Err("pressed".into()) } else { Ok(()) }
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
        let mut awaited = vec![(traced.stopped.as_fd(), Interest::Read)];
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
        Ok(())
    };
    let wait = Wait { check: Some(&interfere), ..free.wait(LONG) };
    assert_eq!(free.io.recv_line(Stdout, 1, true, &wait).unwrap(), b"line");
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
