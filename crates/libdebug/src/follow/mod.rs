//! A whole tree of processes, each thread at its own pace: what counting and tracing have in common.
//!
//! In contrast to a [`Debugger`](crate::Debugger) nobody is shown a stop here: each event of a thread is told to a
//! [`Watch`], and the thread goes on at once, all others run meanwhile. So a thread of its own does all of it, and
//! what users hold is the way to end it.

mod control;
mod pair;
mod space;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use libdebug_kernel::{
    Bell, Death, Event, KernelError, Options, Pid, Ptrace, Signal, SpawnSpec, StdioPlan, Stop, Tid, Wait,
    proc, signal_process,
};

use crate::error::{Error, Result};
use crate::launch::{LaunchSpec, end_stray, seize_all, spawn_error};
use crate::stop::has_executed_trap;

use control::Outcome;
pub(crate) use control::{Control, Running, begin};
pub(crate) use pair::Pair;
pub(crate) use space::FollowedSpace;

/// How a thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By one instruction.
    Step,
    /// To the next entry or exit of a system call.
    Syscall,
    /// To whatever stops it.
    Run,
}

/// A thread that is followed.
#[derive(Debug)]
pub(crate) struct Tracee<D> {
    pub(crate) tid: Tid,
    pub(crate) process: Pid,
    /// What the watch keeps of it.
    pub(crate) data: D,
}

/// Who is told of events.
pub(crate) trait Watch: Send + 'static {
    /// What is kept of each thread.
    type Data: Default;

    /// A thread's first stop: the one that it begins with, or where it was attached to.
    fn begins(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Self::Data>);
    /// A thread has stopped: what is said of every stop, before anything else.
    fn stopping(&mut self, _ptrace: Ptrace, _tracee: &mut Tracee<Self::Data>, _stop: Stop) {}
    /// Somebody wants to know how far it is, while all of them may run.
    fn glance<'a>(&mut self, _tracees: impl Iterator<Item = &'a Tracee<Self::Data>>) {}
    /// How a thread goes on from this stop.
    fn way(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Self::Data>, pair: &mut Pair) -> Way;
    /// A signal is about to be delivered; the answer is what is delivered.
    fn signalled(
        &mut self,
        ptrace: Ptrace,
        tracee: &mut Tracee<Self::Data>,
        signal: Signal,
    ) -> Option<Signal>;
    /// The thread stands still with its process, under job control.
    fn stopped(&mut self, _tracee: &mut Tracee<Self::Data>, _signal: Signal) {}
    /// A syscall-stop or seccomp-stop.
    fn called(&mut self, _ptrace: Ptrace, _tracee: &mut Tracee<Self::Data>) {}
    /// Another program replaced the process's.
    fn executed(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Self::Data>);
    /// A thread has created a process or thread.
    fn created(&mut self, _tracee: &mut Tracee<Self::Data>, _new: Tid) {}
    /// A thread is about to exit.
    fn exiting(&mut self, _ptrace: Ptrace, _tracee: &mut Tracee<Self::Data>) {}
    /// A thread has ended.
    fn died(&mut self, tracee: Tracee<Self::Data>, death: Death);
    /// A thread is let go.
    fn released(&mut self, _ptrace: Ptrace, _tracee: &mut Tracee<Self::Data>) {}
    /// Whether nothing more is to be seen.
    fn is_over(&self) -> bool {
        false
    }
}

/// What is followed from its beginning, or from now on.
#[derive(Debug)]
pub(crate) enum Target {
    Program { spec: Box<LaunchSpec>, filter: Option<Vec<u8>> },
    Process(Pid),
}

/// How following ends before the processes do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    NotYet,
    /// Everything that was started is killed.
    Killing,
    /// Everything that was attached to is let go.
    Releasing,
}

struct Follower<W: Watch> {
    ptrace: Ptrace,
    watch: W,
    tracees: HashMap<Tid, Tracee<W::Data>>,
    pair: Pair,
    started: bool,
    leader: Pid,
    status: Option<Death>,
    ending: Ending,
}

impl<W: Watch> Follower<W> {
    fn start(ptrace: Ptrace, target: Target, watch: W, pair: Pair) -> Result<Self> {
        let started = matches!(target, Target::Program { .. });
        let options = Options::DEBUGGER.exit_kill(started);
        let (tracees, ending) = (HashMap::new(), Ending::NotYet);
        let mut new = Self { ptrace, watch, tracees, pair, started, leader: Pid(0), status: None, ending };
        match target {
            Target::Program { spec, filter } => new.spawn(&spec, options, filter.as_deref())?,
            Target::Process(pid) => new.attach(pid, options)?,
        }
        Ok(new)
    }

    fn spawn(&mut self, spec: &LaunchSpec, options: Options, filter: Option<&[u8]>) -> Result<()> {
        let options = if filter.is_some() { options.seccomp() } else { options };
        let spawned = self.ptrace.spawn(&SpawnSpec {
            path: &spec.path_c,
            argv: &spec.argv,
            env: &spec.env,
            directory: spec.directory.as_deref(),
            aslr: spec.aslr,
            stdio: StdioPlan::Shared,
            mask: &spec.mask,
            options,
            filter,
        });
        self.leader = spawned.map_err(|error| spawn_error(spec, error))?.pid;
        let tid = self.leader.leader();
        self.adopt(tid);
        if !self.tracees.contains_key(&tid) {
            end_stray(self.ptrace, self.leader);
            return Err(Error::NoSuchProcess(self.leader));
        }
        self.on_exec(tid);
        Ok(())
    }

    fn attach(&mut self, pid: Pid, options: Options) -> Result<()> {
        self.leader = proc::status(pid.leader()).map_err(|_| Error::NoSuchProcess(pid))?.process;
        let mut tids = BTreeSet::new();
        let seized = seize_all(self.ptrace, self.leader, options, &mut tids);
        if seized.is_err() {
            crate::launch::release_all(self.ptrace, tids);
            return seized;
        }
        for tid in tids {
            // One that is gone tells so.
            let _ = self.ptrace.interrupt(tid);
        }
        Ok(())
    }

    /// Until nothing is left to follow. Answers how the first process ended, if it has.
    fn run(mut self, bell: &Bell, control: &Control) -> Outcome<W> {
        loop {
            match self.ptrace.wait(bell)? {
                Wait::Tracee(tid, event) => self.on_event(tid, event),
                Wait::Rung => {
                    bell.answer();
                    self.watch.glance(self.tracees.values());
                }
                Wait::Interrupted => {}
                Wait::NoTracees => break,
            }
            if self.ending == Ending::NotYet && (self.watch.is_over() || control.is_told_to_end()) {
                self.end();
            }
        }
        self.pair.part();
        Ok((self.watch, self.status))
    }

    fn end(&mut self) {
        self.ending = if self.started { Ending::Killing } else { Ending::Releasing };
        self.pair.part();
        let processes: BTreeSet<_> = self.tracees.values().map(|tracee| tracee.process).collect();
        if self.started {
            for process in processes {
                let _ = signal_process(process, Signal::KILL);
            }
        } else {
            for &tid in self.tracees.keys() {
                let _ = self.ptrace.interrupt(tid);
            }
        }
    }

    fn on_event(&mut self, tid: Tid, event: Event) {
        match event {
            Event::Died(death) => self.on_death(tid, death),
            Event::Stopped(stop) => {
                if !self.tracees.contains_key(&tid) {
                    self.adopt(tid);
                }
                self.on_stop(tid, stop);
            }
        }
    }

    fn adopt(&mut self, tid: Tid) {
        // What died right here tells so next.
        let Ok(status) = proc::status(tid) else { return };
        let mut tracee = Tracee { tid, process: status.process, data: W::Data::default() };
        self.watch.begins(self.ptrace, &mut tracee);
        self.tracees.insert(tid, tracee);
        self.pair.note_threads(tid, self.tracees.len());
        if self.ending == Ending::Killing {
            let _ = signal_process(status.process, Signal::KILL);
        }
    }

    fn on_death(&mut self, tid: Tid, death: Death) {
        if tid == self.leader.leader() {
            self.status = Some(death);
        }
        if let Some(tracee) = self.tracees.remove(&tid) {
            self.watch.died(tracee, death);
            self.pair.forget(tid);
        }
    }

    fn on_stop(&mut self, tid: Tid, stop: Stop) {
        let mut deliver = None;
        if stop == Stop::Exec {
            self.on_exec(tid);
        }
        let Some(tracee) = self.tracees.get_mut(&tid) else {
            let _ = self.ptrace.cont(tid, None);
            return;
        };
        self.watch.stopping(self.ptrace, tracee, stop);
        match stop {
            Stop::Signal(signal) => deliver = self.watch.signalled(self.ptrace, tracee, signal),
            Stop::Syscall | Stop::Seccomp => self.watch.called(self.ptrace, tracee),
            Stop::Fork | Stop::Vfork | Stop::Clone => {
                let new = self.ptrace.event_message(tid).unwrap_or(0);
                self.watch.created(tracee, Tid(new as i32));
            }
            Stop::Exit => self.watch.exiting(self.ptrace, tracee),
            Stop::Group(signal) if self.ending == Ending::NotYet => {
                self.watch.stopped(tracee, signal);
                let _ = self.ptrace.listen(tid);
                return;
            }
            Stop::Group(_) | Stop::Event | Stop::Exec | Stop::VforkDone => {}
        }
        // One that was killed in its stop tells so next.
        let _ = self.go(tid, deliver);
    }

    fn go(&mut self, tid: Tid, deliver: Option<Signal>) -> std::result::Result<(), KernelError> {
        let Some(tracee) = self.tracees.get_mut(&tid) else { return Ok(()) };
        match self.ending {
            Ending::Killing => return self.ptrace.cont(tid, None),
            // A step into a system call that blocks ends when the call is interrupted: the trap would kill the program.
            Ending::Releasing if has_executed_trap(self.ptrace, tid) => {
                return self.ptrace.cont(tid, deliver);
            }
            Ending::Releasing => {
                self.watch.released(self.ptrace, tracee);
                self.tracees.remove(&tid);
                return self.ptrace.detach(tid, deliver);
            }
            Ending::NotYet => {}
        }
        match self.watch.way(self.ptrace, tracee, &mut self.pair) {
            Way::Step => self.ptrace.step(tid, deliver),
            Way::Syscall => self.ptrace.syscall(tid, deliver),
            Way::Run => self.ptrace.cont(tid, deliver),
        }
    }

    /// An execve(2) by another thread than the leader gives that thread the leader's tid; all others are gone.
    fn on_exec(&mut self, tid: Tid) {
        let former = self.ptrace.event_message(tid).map_or(tid, |former| Tid(former as i32));
        if former != tid
            && let Some(mut tracee) = self.tracees.remove(&former)
        {
            tracee.tid = tid;
            if let Some(leader) = self.tracees.insert(tid, tracee) {
                self.watch.died(leader, Death::Exited(0));
            }
        }
        if let Some(tracee) = self.tracees.get_mut(&tid) {
            self.watch.executed(self.ptrace, tracee);
        }
    }
}

impl<W: Watch> Follower<W> {
    /// Sets a program that was started off, from its exec event.
    fn set_off(&mut self) {
        if self.started {
            let _ = self.go(self.leader.leader(), None);
        }
    }
}

/// All of it, on the calling thread, which is the tracer from here on.
fn follow<W: Watch>(
    target: Target,
    watch: W,
    pair: Pair,
    control: &Arc<Control>,
    begun: impl FnOnce(Result<Pid>),
) -> Option<Outcome<W>> {
    let (bell, doorbell) = Bell::for_this_thread();
    control.install(doorbell);
    match Follower::start(Ptrace::for_this_thread(), target, watch, pair) {
        Ok(mut follower) => {
            begun(Ok(follower.leader));
            follower.set_off();
            Some(follower.run(&bell, control))
        }
        Err(error) => {
            begun(Err(error));
            None
        }
    }
}
