//! What the tests on real processes share.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use libdebug::{Debugger, Output, Pid, Signal};

/// The fixture program called `name`, built on demand (see tests/fixtures).
pub fn program(name: &str) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/build.py");
    let output = Command::new("python3").arg(script).arg(name).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// Long enough for anything that is not a hang, on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `body`, and fails instead of hanging: for what takes no timeout of its own.
pub fn within<T: Send + 'static>(what: &str, body: impl FnOnce() -> T + Send + 'static) -> T {
    within_time(PATIENCE, what, body)
}

/// As [`within`], for what takes long.
pub fn within_time<T: Send + 'static>(
    patience: Duration,
    what: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, result) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let value = body();
        let _ = done.send(());
        value
    });
    if let Err(mpsc::RecvTimeoutError::Timeout) = result.recv_timeout(patience) {
        panic!("{what} hangs");
    }
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Everything that the process has written to standard output until it ended.
pub fn output(debugger: &Debugger) -> String {
    let bytes = debugger.with_io(Some(PATIENCE), |io, wait| io.recv_all(Output::Stdout, wait)).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The next line of the running process, without its end.
pub fn line(debugger: &Debugger) -> String {
    let bytes =
        debugger.with_io(Some(PATIENCE), |io, wait| io.recv_line(Output::Stdout, 1, true, wait)).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Gives the process something to read.
pub fn send(debugger: &Debugger, text: &str) {
    debugger.with_io(Some(PATIENCE), |io, wait| io.send(text.as_bytes(), wait)).unwrap();
}

/// Lets the process go on until it stops or ends.
pub fn cont(debugger: &Debugger) {
    debugger.cont().unwrap();
    debugger.wait_timeout(PATIENCE).unwrap();
}

/// Stops the running process.
pub fn interrupt(debugger: &Debugger) {
    debugger.interrupt().unwrap();
    debugger.wait_timeout(PATIENCE).unwrap();
}

/// Lets the process run to its end and answers its standard output.
pub fn finish(debugger: &Debugger) -> String {
    cont(debugger);
    assert!(debugger.is_dead(), "stopped instead: {debugger:?}");
    output(debugger)
}

/// Sends a signal to a whole process, from outside of any debugger.
pub fn kill(pid: Pid, signal: i32) {
    let _ = libdebug_kernel::signal_process(pid, Signal(signal));
}

/// The kernel's letter for what a process is doing; `None` when there is no such process.
pub fn state(pid: Pid) -> Option<char> {
    libdebug_kernel::proc::status(pid.leader()).ok().map(|status| status.state)
}

/// The tracer of a process, 0 without one.
pub fn tracer(pid: Pid) -> i32 {
    libdebug_kernel::proc::status(pid.leader()).unwrap().tracer.0
}

/// A program that was started without a debugger.
pub struct Free {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Free {
    /// Starts a fixture.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(program(name)).args(arguments))
    }

    /// Starts a command.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// Its pid.
    pub fn pid(&self) -> Pid {
        Pid(self.child.id().cast_signed())
    }

    /// Its next line, without the end.
    pub fn line(&mut self) -> String {
        let mut text = String::new();
        self.stdout.read_line(&mut text).unwrap();
        text.trim_end().to_owned()
    }

    /// Gives it something to read.
    pub fn send(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// The rest of its output, once it has ended, and its exit code.
    pub fn finish(mut self) -> (String, Option<i32>) {
        drop(self.child.stdin.take());
        within("a program that was let go", move || {
            let mut text = String::new();
            self.stdout.read_to_string(&mut text).unwrap();
            (text, self.child.wait().unwrap().code())
        })
    }
}
