//! A shell on the other end, free or under trace.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libdebug_kernel::{
    Bell, Event, Interest, KernelError, Latch, Options, Ptrace, Signal, SpawnSpec, Stop, Wait as Awaited,
    signal_mask, wait_ready,
};

use super::super::Output::Stdout;
use super::super::{ChildEnds, Ends, IoError, ProcessIo, ProcessState, Stdio, Until, Wait, open};

/// Far more than anything here takes: only a hang gets there.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// A shell that nobody traces.
pub(super) struct Free {
    pub(super) child: Child,
    pub(super) io: ProcessIo,
    pub(super) never: Latch,
}

impl Free {
    pub(super) fn run(script: &str) -> Self {
        let (ends, io) = open(Stdio::Piped).unwrap();
        let Ends::Streams([stdin, stdout, stderr]) = ends.0 else { unreachable!() };
        let child =
            Command::new("sh").args(["-c", script]).stdin(stdin).stdout(stdout).stderr(stderr).spawn();
        Self { child: child.unwrap(), io: io.unwrap(), never: Latch::new() }
    }

    pub(super) fn wait(&self, time: Duration) -> Wait<'_> {
        let deadline = Some(Instant::now() + time);
        Wait { deadline, stopped: &self.never, state: &|| ProcessState::Running, check: None }
    }

    pub(super) fn until(&self, until: Until<'_>) -> Result<Vec<u8>, IoError> {
        self.io.recv_until(Stdout, until, &self.wait(LONG))
    }

    pub(super) fn line(&self) -> String {
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
pub(super) struct Traced {
    pub(super) io: ProcessIo,
    pub(super) stopped: Arc<Latch>,
    dead: Arc<AtomicBool>,
    commands: Sender<()>,
    pub(super) tracer: JoinHandle<()>,
}

impl Traced {
    pub(super) fn run(stdio: Stdio, script: &str) -> Self {
        let (ends, io) = open(stdio).unwrap();
        let stopped = Arc::new(Latch::new());
        let dead = Arc::new(AtomicBool::new(false));
        let (commands, resumes) = mpsc::channel();
        let script = CString::new(script).unwrap();
        let tracer = thread::spawn({
            let (stopped, dead) = (Arc::clone(&stopped), Arc::clone(&dead));
            move || trace(&script, ends, &stopped, &dead, &resumes)
        });
        Self { io: io.unwrap(), stopped, dead, commands, tracer }
    }

    pub(super) fn resume(&self) {
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
    pub(super) fn waiting<T>(&self, act: impl FnOnce(&ProcessIo, &Wait<'_>) -> T) -> T {
        let state = || self.state();
        let deadline = Some(Instant::now() + LONG);
        act(&self.io, &Wait { deadline, stopped: &self.stopped, state: &state, check: None })
    }

    pub(super) fn await_stop(&self) {
        let stopped = self.stopped.watch().unwrap();
        wait_ready::<KernelError>(&[(stopped.as_fd(), Interest::Read)], None, None).unwrap();
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
        filter: None,
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
