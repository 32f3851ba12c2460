//! Beginnings and ends: run, attach, detach, kill.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_kernel::{
    Bell, Event, KernelError, Options, Pid, ProcessMemory, Ptrace, Signal, SignalMask, SpawnSpec, Stop, Tid,
    Wait, proc, signal_process,
};

use crate::error::{Error, Result};
use crate::io::ChildEnds;
use crate::mailbox::lock;
use crate::process::{Happening, Process, Run};
use crate::refusal::AttachRefusal;
use crate::roll::Roll;
use crate::session::{Phase, Session, Shared, StopReason, write};
use crate::site::Owner;
use crate::stop::has_executed_trap;

/// Everything that the tracer thread needs to start a program.
#[derive(Debug)]
pub(crate) struct LaunchSpec {
    pub(crate) path: PathBuf,
    pub(crate) path_c: CString,
    pub(crate) argv: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) directory: Option<CString>,
    pub(crate) aslr: bool,
    pub(crate) to_entry_point: bool,
    pub(crate) kill_on_exit: bool,
    pub(crate) ends: ChildEnds,
    pub(crate) mask: SignalMask,
}

impl Process {
    /// Starts a program; it stands at its entry point, or at its very first instruction.
    pub(crate) fn launch(
        shared: &Arc<Shared>,
        roll: &Rc<Roll>,
        spec: LaunchSpec,
        bell: &Bell,
    ) -> Result<Self> {
        let ptrace = Ptrace::for_this_thread();
        let options = Options::DEBUGGER.exit_kill(spec.kill_on_exit);
        let spawned = ptrace.spawn(&SpawnSpec {
            path: &spec.path_c,
            argv: &spec.argv,
            env: &spec.env,
            directory: spec.directory.as_deref(),
            aslr: spec.aslr,
            stdio: spec.ends.plan(),
            mask: &spec.mask,
            options,
            filter: None,
        });
        let pid = spawned.map_err(|error| spawn_error(&spec, error))?.pid;
        // The program has its own copies of the descriptors: ours would keep its streams from ending.
        *lock(&shared.foreground) = spec.ends.started(pid);
        let memory = ProcessMemory::open(pid).inspect_err(|_| end_stray(ptrace, pid))?;
        check_width(pid, &spec.path).inspect_err(|_| end_stray(ptrace, pid))?;
        let mut process = Self::around(shared, roll, pid, memory, options);
        process.adopt(pid.leader(), Run::Stopped);
        let started =
            if spec.to_entry_point { process.run_to_entry_point(bell) } else { process.leave_exec(bell) };
        if let Err(error) = started {
            process.kill(bell)?;
            return Err(error);
        }
        if !spec.kill_on_exit {
            process.disarm(bell)?;
        }
        process.note_started();
        Ok(process)
    }

    fn around(
        shared: &Arc<Shared>,
        roll: &Rc<Roll>,
        pid: Pid,
        memory: ProcessMemory,
        options: Options,
    ) -> Self {
        Self::new(Arc::clone(shared), Rc::clone(roll), Arc::new(Session::new(pid, memory)), options)
    }

    pub(crate) fn note_started(&mut self) {
        for tid in self.stopped_tids() {
            self.note_signal(tid, Some(Signal::TRAP), None);
            if let Some(thread) = self.threads.get(&tid) {
                thread.add_reason(StopReason::Started);
            }
        }
    }

    /// The kernel tells the entry point (AT_ENTRY), wherever the program was loaded and whatever interprets
    /// it. Initializers of libraries run before it, threads and forks of theirs included.
    fn run_to_entry_point(&mut self, bell: &Bell) -> Result<()> {
        let leader = self.pid().leader();
        let Some(entry) = proc::auxiliary(self.pid(), proc::auxiliary_key::ENTRY)? else { return Ok(()) };
        if self.shown_pc(leader)? == entry {
            return self.leave_exec(bell);
        }
        self.insert_site(entry, Owner::Tracer)?;
        self.thaw(bell)?;
        while self.happenings.is_empty() && !self.shared.interrupt.load(Ordering::Acquire) {
            self.wait_once(bell);
        }
        self.freeze(bell);
        // Nobody has set a breakpoint yet: what happened is this arrival, or the end.
        self.happenings.retain(|happening| matches!(happening, Happening::Ended));
        self.remove_site(entry, &Owner::Tracer);
        Ok(())
    }

    /// From the exec event, which is in the middle of execve, to the program's first instruction.
    pub(crate) fn leave_exec(&mut self, bell: &Bell) -> Result<()> {
        let leader = self.pid().leader();
        self.leave_call(leader)?;
        self.await_thread(leader, bell);
        Ok(())
    }

    /// Attaches to every thread of `pid`, also while it is creating and losing threads; all are stopped then.
    pub(crate) fn attach(
        shared: &Arc<Shared>,
        roll: &Rc<Roll>,
        pid: Pid,
        kill_on_exit: bool,
        bell: &Bell,
    ) -> Result<Self> {
        let options = Options::DEBUGGER.exit_kill(kill_on_exit);
        let ptrace = Ptrace::for_this_thread();
        // Any of its threads may stand for the process.
        let pid = proc::status(pid.leader()).map_err(|_| Error::NoSuchProcess(pid))?.process;
        let mut tids = BTreeSet::new();
        if let Err(error) = seize_all(ptrace, pid, options, &mut tids) {
            release_all(ptrace, tids);
            return Err(error);
        }
        // The address space of a leader that has exited is to be had from another thread.
        let others = tids.iter().filter(|&&tid| tid != pid.leader()).map(|tid| Pid(tid.0));
        let Some(memory) = [pid].into_iter().chain(others).find_map(|pid| ProcessMemory::open(pid).ok())
        else {
            release_all(ptrace, tids);
            return Err(Error::NoSuchProcess(pid));
        };
        let mut process = Self::around(shared, roll, pid, memory, options);
        let own = Pid(std::process::id().cast_signed());
        process.promised = proc::status(pid.leader()).is_ok_and(|status| status.parent == own);
        if !tids.contains(&pid.leader()) {
            process.adopt_zombie(pid.leader());
        }
        // The leader comes first, which after a wrap of the kernel's numbers need not be the lowest.
        let (leader, others): (Vec<_>, Vec<_>) = tids.into_iter().partition(|&tid| tid == pid.leader());
        leader.into_iter().chain(others).for_each(|tid| process.adopt(tid, Run::Running));
        process.freeze(bell);
        process.happenings.clear();
        process.note_started();
        Ok(process)
    }

    /// Leaves the process as it was: no trap, no debug register, no changed affinity, no thread inside a stub.
    pub(crate) fn detach(&mut self, bell: &Bell) -> Result<()> {
        if self.filters.are_installed() {
            return Err(Error::Filtered(
                "kill it, or choose the mode `ptrace` where it is to be detached from",
            ));
        }
        self.freeze(bell);
        self.withdraw(bell)?;
        for tid in self.stopped_tids() {
            if let Some(signal) = self.prepare(tid, None)? {
                let _ = self.ptrace.detach(tid, signal);
                self.threads.remove(&tid);
            }
        }
        self.session.detached.store(true, Ordering::Release);
        self.close();
        Ok(())
    }

    /// Takes everything of ours out of a stopped process.
    pub(crate) fn withdraw(&mut self, bell: &Bell) -> Result<()> {
        for tid in self.stopped_tids() {
            self.leave_stub(tid, bell)?;
        }
        self.release_guests();
        self.remove_all_sites();
        self.clear_hardware();
        self.placement.part();
        self.shared.interrupt.store(false, Ordering::Release);
        Ok(())
    }

    /// Whoever runs in the program's memory and has not executed another program is let go too.
    fn release_guests(&mut self) {
        for tid in std::mem::take(&mut self.guests) {
            if let Some(stop) = interrupted(self.ptrace, tid) {
                let trapped = stop == Stop::Signal(Signal::TRAP) && self.back_to_site(tid);
                let signal = if trapped { None } else { delivered(stop) };
                let _ = self.ptrace.detach(tid, signal);
            }
        }
    }

    /// Moves a tracee that has just executed one of our traps to the instruction there. Answers whether it has.
    fn back_to_site(&self, tid: Tid) -> bool {
        let index = libdebug_arch::x86_64::index::RIP;
        let Ok(pc) = self.ptrace.general_register(tid, index) else { return false };
        let site = self.isa.breakpoint_address(pc);
        self.sites.get(site).is_some() && self.ptrace.set_general_register(tid, index, site).is_ok()
    }

    /// A thread in the middle of a stub executes the rest of it.
    fn leave_stub(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        self.shown_pc(tid)?;
        let Some(thread) = self.threads.get(&tid) else { return Ok(()) };
        let raw = lock(&thread.cell.registers).real_pc();
        match raw.and_then(|raw| self.displaced.place(raw)) {
            Some(place) if place.midway => self.step(tid, bell).map(drop),
            Some(place) => {
                lock(&thread.cell.registers).show_pc(place.pc, None);
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(crate) fn remove_all_sites(&mut self) {
        for address in self.sites.addresses() {
            if let Some(original) = self.sites.get(address).map(|site| site.original) {
                self.unpatch(address, original);
            }
        }
        self.sites.clear();
    }

    /// Kills the process and waits until every thread of it is gone.
    pub(crate) fn kill(&mut self, bell: &Bell) -> Result<()> {
        self.kill_away();
        for tid in self.stopped_tids() {
            // What the registers were stays readable; a thread that is gone already has none.
            let _ = self.load_all(tid);
        }
        for &guest in &self.guests {
            // Its program ends here, and with it whoever runs in its memory.
            let _ = signal_process(Pid(guest.0), Signal::KILL);
        }
        if !self.threads.is_empty() {
            match signal_process(self.pid(), Signal::KILL) {
                Ok(()) | Err(KernelError::Gone { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.await_end(bell);
        self.close();
        Ok(())
    }

    /// SIGKILL ends every ptrace-stop but the exit event, which reports once more.
    fn await_end(&mut self, bell: &Bell) {
        self.threads.values_mut().for_each(|thread| thread.run = Run::Exiting);
        while !self.threads.is_empty() || !self.guests.is_empty() {
            match self.ptrace.wait(bell) {
                Ok(Wait::Tracee(tid, Event::Died(death))) if self.roll.owner(tid) == Some(self.shared.id) => {
                    self.guests.remove(&tid);
                    self.bury(tid, Some(death));
                }
                Ok(Wait::Tracee(tid, Event::Stopped(Stop::Exit)))
                    if self.roll.owner(tid) == Some(self.shared.id) =>
                {
                    // One that is gone already is told of next.
                    let _ = self.on_exit(tid);
                }
                // A stop that was reported before the signal took effect.
                Ok(Wait::Tracee(tid, _)) if self.roll.owner(tid) == Some(self.shared.id) => {}
                Ok(Wait::Tracee(tid, event)) => self.roll.put_by(self.ptrace, tid, event),
                Ok(Wait::Rung) => bell.answer(),
                Ok(Wait::Interrupted) => {}
                Ok(Wait::NoTracees) | Err(_) => break,
            }
        }
    }

    /// Ends the session for its users.
    pub(crate) fn close(&mut self) {
        self.placement.part();
        lock(&self.shared.foreground).take();
        let cells: Vec<_> = self.session.threads.read().map(|threads| threads.clone()).unwrap_or_default();
        if !self.session.detached.load(Ordering::Acquire) {
            cells.iter().filter(|cell| cell.death().is_none()).for_each(|cell| cell.set_death(None));
        }
        write(&self.session.traps).clear();
        self.session.closed.store(true, Ordering::Release);
        self.session.set_phase(Phase::Dead);
        self.roll.end(self.shared.id);
        self.breakpoints.clear();
        self.happenings.clear();
    }

    /// PTRACE_O_EXITKILL, on or off, in every stopped thread.
    pub(crate) fn set_kill_on_exit(&mut self, on: bool, bell: &Bell) -> Result<()> {
        self.options = self.options.exit_kill(on);
        for tid in self.stopped_tids() {
            let _ = self.ptrace.set_options(tid, self.options);
        }
        if on { Ok(()) } else { self.disarm(bell) }
    }

    /// A host that is killed leaves a thread that stands at our trap with the trap's signal, and dies of it what
    /// is to live on. So it is moved to the instruction, and to a stop that leaves nothing behind.
    fn disarm(&mut self, bell: &Bell) -> Result<()> {
        for tid in self.stopped_tids() {
            self.shown_pc(tid)?;
            let Some(thread) = self.threads.get(&tid) else { continue };
            if thread.at_signal && lock(&thread.cell.stop).deliver.is_none() {
                lock(&thread.cell.registers).flush(self.ptrace, tid, None)?;
                self.leave_call(tid)?;
                self.await_thread(tid, bell);
            }
        }
        Ok(())
    }
}

/// What became of an attempt to seize one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seized {
    Now,
    /// By the kernel: a seized thread created it.
    Already,
    /// It ended meanwhile, or is a leader that has exited.
    Gone,
}

/// Seizes every thread of `pid`, again and again until a look at the list brings nothing new: a thread that is
/// not seized yet may be creating others.
pub(crate) fn seize_all(
    ptrace: Ptrace,
    pid: Pid,
    options: Options,
    seized: &mut BTreeSet<Tid>,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    loop {
        let tasks = proc::tasks(pid).map_err(|_| Error::NoSuchProcess(pid))?;
        let new: Vec<_> = tasks.into_iter().filter(|&tid| seen.insert(tid)).collect();
        if new.is_empty() {
            break;
        }
        for tid in new {
            if seize_one(ptrace, pid, tid, options)? != Seized::Gone {
                seized.insert(tid);
            }
        }
    }
    if seized.is_empty() { Err(Error::NoSuchProcess(pid)) } else { Ok(()) }
}

/// Lets go of running tracees: only a stopped one can be detached.
pub(crate) fn release_all(ptrace: Ptrace, tids: impl IntoIterator<Item = Tid>) {
    for tid in tids {
        if let Some(stop) = interrupted(ptrace, tid) {
            let _ = ptrace.detach(tid, delivered(stop));
        }
    }
}

/// Ends a process that was started and cannot be debugged.
/// Registers, stacks and calls are those of 64-bit programs.
pub(crate) fn check_width(pid: Pid, path: &Path) -> Result<()> {
    if proc::is_64_bit(pid) == Some(false) {
        return Err(Error::Narrow(path.to_owned()));
    }
    Ok(())
}

pub(crate) fn end_stray(ptrace: Ptrace, pid: Pid) {
    let _ = signal_process(pid, Signal::KILL);
    while let Ok(Wait::Tracee(tid, Event::Stopped(_))) = ptrace.wait_for(pid.leader()) {
        let _ = ptrace.cont(tid, None);
    }
}

/// The stop that a running tracee comes to; `None` when it dies instead. One that has just executed a trap is
/// taken to that trap's signal.
fn interrupted(ptrace: Ptrace, tid: Tid) -> Option<Stop> {
    ptrace.interrupt(tid).ok()?;
    loop {
        match ptrace.wait_for(tid) {
            Ok(Wait::Tracee(_, Event::Stopped(Stop::Event))) if has_executed_trap(ptrace, tid) => {
                ptrace.cont(tid, None).ok()?;
            }
            Ok(Wait::Tracee(_, Event::Stopped(stop))) => return Some(stop),
            _ => return None,
        }
    }
}

/// The signal that a tracee in `stop` is about to get.
fn delivered(stop: Stop) -> Option<Signal> {
    match stop {
        Stop::Signal(signal) => Some(signal),
        _ => None,
    }
}

fn seize_one(ptrace: Ptrace, pid: Pid, tid: Tid, options: Options) -> Result<Seized> {
    let error = match ptrace.seize(tid, options) {
        Ok(()) => return Ok(Seized::Now),
        Err(KernelError::Gone { .. }) => return Ok(Seized::Gone),
        Err(error) => error,
    };
    match proc::status(tid) {
        Err(_) => Ok(Seized::Gone),
        Ok(status) if matches!(status.state, 'Z' | 'X') => Ok(Seized::Gone),
        Ok(status) if ptrace.is_own(status.tracer) => Ok(Seized::Already),
        Ok(status) => Err(attach_error(pid, status.tracer, error)),
    }
}

pub(crate) fn attach_error(pid: Pid, tracer: Tid, error: KernelError) -> Error {
    match error {
        KernelError::Denied { .. } => Error::AttachDenied { pid, refusal: AttachRefusal::of(pid, tracer) },
        error => error.into(),
    }
}

pub(crate) fn spawn_error(spec: &LaunchSpec, error: KernelError) -> Error {
    let (KernelError::Denied { call, .. }
    | KernelError::Gone { call, .. }
    | KernelError::Failed { call, .. }) = error;
    let errno = match error {
        // execve(2) and chdir(2) say EACCES, where ptrace says EPERM.
        KernelError::Denied { call: "execve" | "chdir", .. } => libdebug_kernel::Errno::ACCESS,
        error => error.errno(),
    };
    Error::Spawn { path: spec.path.clone(), call, errno }
}
