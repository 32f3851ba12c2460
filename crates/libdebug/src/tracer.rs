//! The tracer thread: the closed set of commands, and the loop that serves them and the kernel's events.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_kernel::{Bell, Event, Pid, Ptrace, Tid, Wait};

use crate::breakpoint::{Action, Breakpoint, BreakpointCell, BreakpointId, BreakpointSpec};
use crate::debugger::Debugger;
use crate::error::{BoxError, Error, Result};
use crate::launch::LaunchSpec;
use crate::mailbox::{Responder, lock};
use crate::process::{Happening, Process, Run};
use crate::session::{Phase, Session, Shared, StopReason, ThreadCell};
use crate::thread::Thread;

/// Everything that a user's thread can ask of the tracer thread.
#[derive(Debug)]
pub(crate) enum Command {
    Launch(Box<LaunchSpec>, Responder<Result<Arc<Session>>>),
    Attach {
        pid: Pid,
        kill_on_exit: bool,
        answer: Responder<Result<Arc<Session>>>,
    },
    Detach(Responder<Result<()>>),
    Kill(Responder<Result<()>>),
    Cont,
    Step(Tid),
    StepUntil {
        tid: Tid,
        address: u64,
        limit: Option<u64>,
    },
    Next(Tid),
    SetBreakpoint(Box<BreakpointSpec>, Responder<Result<Arc<BreakpointCell>>>),
    RemoveBreakpoint(Arc<BreakpointCell>, Responder<Result<()>>),
    EnableBreakpoint(Arc<BreakpointCell>, bool, Responder<Result<()>>),
    LoadRegisters {
        tid: Tid,
        extended: bool,
        answer: Responder<Result<()>>,
    },
    WriteMemory {
        address: u64,
        data: Vec<u8>,
        words: bool,
        answer: Responder<usize>,
    },
    PeekMemory {
        address: u64,
        size: usize,
        answer: Responder<Vec<u8>>,
    },
    SetKillOnExit(bool, Responder<()>),
    /// Ends the thread, and the process with it unless that is to live on.
    Terminate(Responder<()>),
}

/// The tracer thread's own side of one debugger.
pub(crate) struct Tracer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) bell: Bell,
    pub(crate) process: RefCell<Option<Process>>,
    next_id: Cell<u64>,
    /// How many callbacks are being run, one inside the other's steps.
    callbacks: Cell<u32>,
    /// Something that wants the process to stay stopped was handled in the middle of a callback.
    stop_wanted: Cell<bool>,
    /// Threads of processes that were let go, on their way out.
    lingering: RefCell<BTreeSet<Tid>>,
}

thread_local! {
    /// The tracer that this thread is, so that a callback's requests need no hand-over.
    static CURRENT: RefCell<Option<Rc<Tracer>>> = const { RefCell::new(None) };
}

/// The tracer of `shared` if the calling thread is it: a callback is running.
pub(crate) fn current(shared: &Arc<Shared>) -> Option<Rc<Tracer>> {
    CURRENT.with_borrow(|tracer| tracer.clone().filter(|tracer| Arc::ptr_eq(&tracer.shared, shared)))
}

/// The whole life of a tracer thread.
pub(crate) fn run(shared: &Arc<Shared>) {
    let (bell, doorbell) = Bell::for_this_thread();
    shared.mailbox.connect(doorbell);
    let tracer = Rc::new(Tracer {
        shared: Arc::clone(shared),
        bell,
        process: RefCell::new(None),
        next_id: Cell::new(0),
        callbacks: Cell::new(0),
        stop_wanted: Cell::new(false),
        lingering: RefCell::new(BTreeSet::new()),
    });
    CURRENT.set(Some(Rc::clone(&tracer)));
    let _farewell = Farewell(Arc::clone(shared));
    tracer.serve();
}

/// Whatever ends the tracer thread, nobody is left waiting for it.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        CURRENT.set(None);
        if let Some(session) = self.0.session() {
            session.closed.store(true, Ordering::Release);
            session.set_phase(Phase::Dead);
        }
        self.0.mailbox.close();
        self.0.stopped.set();
    }
}

impl Tracer {
    fn serve(&self) {
        loop {
            let command = if self.is_running() || self.has_lingering() {
                self.shared.mailbox.take_or_wait()
            } else {
                self.shared.mailbox.free();
                self.shared.rally.await_turn(|| self.shared.mailbox.has_command());
                Some(self.shared.mailbox.take_or_sleep())
            };
            match command {
                Some(Command::Terminate(answer)) => {
                    self.end();
                    return answer.send(());
                }
                Some(command) => self.execute(command),
                None => self.turn(),
            }
        }
    }

    fn end(&self) {
        let mut process = self.process.borrow_mut();
        if let Some(process) = process.as_mut() {
            let ended = if self.shared.kill_on_exit.load(Ordering::Acquire) {
                Process::kill
            } else {
                Process::detach
            };
            let _ = ended(process, &self.bell);
        }
        *process = None;
    }

    /// Nobody runs but threads that were on their way out when their process was let go. They stay ours until they
    /// are dead, and their process does not end for its own parent before we have heard of that.
    fn await_lingering(&self) {
        let ptrace = Ptrace::for_this_thread();
        let mut lingering = self.lingering.borrow_mut();
        match ptrace.wait(&self.bell) {
            Ok(Wait::Tracee(tid, Event::Died(_))) => drop(lingering.remove(&tid)),
            Ok(Wait::Tracee(tid, Event::Stopped(_))) => drop(ptrace.cont(tid, None)),
            Ok(Wait::Rung) => self.bell.answer(),
            Ok(Wait::Interrupted) => {}
            Ok(Wait::NoTracees) | Err(_) => lingering.clear(),
        }
    }

    fn has_lingering(&self) -> bool {
        self.process.borrow().is_none() && !self.lingering.borrow().is_empty()
    }

    fn is_running(&self) -> bool {
        self.process.borrow().as_ref().is_some_and(|process| !process.frozen)
    }

    /// Tells users' threads that the process is stopped; in the middle of a callback it is not, to them.
    pub(crate) fn publish(&self, process: &mut Process) {
        if self.callbacks.get() == 0 {
            process.publish();
        }
    }

    /// One wait, and all that follows from it.
    fn turn(&self) {
        if !self.is_running() {
            return self.await_lingering();
        }
        if let Some(process) = self.process.borrow_mut().as_mut() {
            if !self.shared.interrupt.load(Ordering::Acquire) {
                process.wait_once(&self.bell);
            }
            if process.happenings.is_empty() && !self.shared.interrupt.load(Ordering::Acquire) {
                return;
            }
            self.shared.mailbox.awake();
            process.freeze(&self.bell);
        }
        self.attend();
    }

    /// Everything is stopped: runs the handlers of what happened, and then lets the process go on or tells the
    /// user that it has stopped.
    fn attend(&self) {
        loop {
            let stop = self.handle_happenings();
            let mut process = self.process.borrow_mut();
            let Some(process) = process.as_mut() else { return };
            if stop || self.shared.interrupt.load(Ordering::Acquire) {
                note_interrupted(process);
                return process.publish();
            }
            if self.thaw_failed(process) {
                return process.publish();
            }
            // An instruction that was executed on the way may have set something off.
            match (process.happenings.is_empty(), process.frozen) {
                (true, false) => return,
                (true, true) => return process.publish(),
                (false, _) => {}
            }
        }
    }

    pub(crate) fn in_callback(&self) -> bool {
        self.callbacks.get() > 0
    }

    /// What should stop the process in the middle of a callback does so at the callback's end.
    pub(crate) fn note_stop_wanted(&self, stop: bool) {
        if stop && self.in_callback() {
            self.stop_wanted.set(true);
        }
    }

    /// Answers whether somebody wants the process to stay stopped. The state is not borrowed while a callback
    /// runs: the callback may ask for anything.
    pub(crate) fn handle_happenings(&self) -> bool {
        let mut stop = false;
        while let Some(happening) = self.next_happening() {
            stop |= match happening {
                Happening::Hit(tid, cell) => self.handle_hit(tid, &cell),
                Happening::Arrived(_) | Happening::Ended | Happening::Failed => true,
            };
            stop |= !self.in_callback() && self.stop_wanted.take();
        }
        stop
    }

    fn next_happening(&self) -> Option<Happening> {
        self.process.borrow_mut().as_mut()?.happenings.pop_front()
    }

    fn handle_hit(&self, tid: Tid, cell: &Arc<BreakpointCell>) -> bool {
        if !cell.is_enabled() {
            return false;
        }
        cell.count_hit();
        let Some(thread) = self.note_hit(tid, cell) else { return false };
        match cell.action() {
            Action::Stop => true,
            Action::Count => false,
            Action::Call(callback) => {
                let debugger = Debugger::from_shared(&self.shared);
                let thread = Thread::new(debugger.clone(), thread, self.session());
                let breakpoint = Breakpoint { cell: Arc::clone(cell), debugger };
                self.callbacks.set(self.callbacks.get() + 1);
                self.shared.mailbox.awake();
                // What unwinds here would end the tracer thread, and the process with it.
                let result = catch_unwind(AssertUnwindSafe(|| callback(&thread, &breakpoint)));
                let result = result.unwrap_or_else(|panic| Err(panic_message(&*panic).into()));
                self.callbacks.set(self.callbacks.get() - 1);
                self.callback_ended(tid, result)
            }
        }
    }

    fn note_hit(&self, tid: Tid, cell: &BreakpointCell) -> Option<Arc<ThreadCell>> {
        let process = self.process.borrow();
        let thread = process.as_ref()?.threads.get(&tid)?;
        thread.add_reason(StopReason::Breakpoint(cell.id));
        Some(Arc::clone(&thread.cell))
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.process.borrow().as_ref().map(|process| Arc::clone(&process.session))
    }

    fn callback_ended(&self, tid: Tid, result: std::result::Result<(), BoxError>) -> bool {
        let Err(error) = result else { return false };
        self.shared.fail(error);
        if let Some(thread) = self.process.borrow().as_ref().and_then(|process| process.threads.get(&tid)) {
            thread.add_reason(StopReason::Callback);
        }
        true
    }

    /// Carries out one command; also called by callbacks, on this thread.
    pub(crate) fn execute(&self, command: Command) {
        match command {
            Command::Launch(spec, answer) => answer.send(self.launch(*spec)),
            Command::Attach { pid, kill_on_exit, answer } => answer.send(self.attach(pid, kill_on_exit)),
            Command::Detach(answer) => answer.send(self.finish(|process, bell| process.detach(bell))),
            Command::Kill(answer) => answer.send(self.finish(|process, bell| process.kill(bell))),
            Command::Cont => self.cont(),
            Command::Step(tid) => self.step(tid, |process, bell| process.step(tid, bell).map(drop)),
            Command::StepUntil { tid, address, limit } => {
                self.step(tid, |process, bell| process.step_until(tid, address, limit, bell));
            }
            Command::Next(tid) => self.next(tid),
            Command::SetBreakpoint(spec, answer) => answer.send(self.set_breakpoint(*spec)),
            Command::RemoveBreakpoint(cell, answer) => answer.send(self.enable(&cell, false, true)),
            Command::EnableBreakpoint(cell, on, answer) => answer.send(self.enable(&cell, on, false)),
            Command::LoadRegisters { tid, extended, answer } => {
                answer.send(self.load_registers(tid, extended))
            }
            Command::WriteMemory { address, data, words, answer } => {
                answer.send(self.write_memory(address, &data, words));
            }
            Command::PeekMemory { address, size, answer } => answer.send(self.peek_memory(address, size)),
            Command::SetKillOnExit(on, answer) => {
                self.set_kill_on_exit(on);
                answer.send(());
            }
            // Only the loop ends the thread.
            Command::Terminate(answer) => drop(answer),
        }
    }

    fn launch(&self, spec: LaunchSpec) -> Result<Arc<Session>> {
        self.shared.kill_on_exit.store(spec.kill_on_exit, Ordering::Release);
        self.begun(Process::launch(&self.shared, spec, &self.bell))
    }

    fn attach(&self, pid: Pid, kill_on_exit: bool) -> Result<Arc<Session>> {
        self.shared.kill_on_exit.store(kill_on_exit, Ordering::Release);
        self.begun(Process::attach(&self.shared, pid, kill_on_exit, &self.bell))
    }

    /// A new session, or none: in either case whoever waits for the outcome can stop waiting.
    fn begun(&self, process: Result<Process>) -> Result<Arc<Session>> {
        let begun = process.and_then(|process| self.begin(process));
        self.shared.stopped.set();
        begun
    }

    fn begin(&self, mut process: Process) -> Result<Arc<Session>> {
        let session = Arc::clone(&process.session);
        self.shared.set_session(Some(Arc::clone(&session)));
        process.publish();
        *self.process.borrow_mut() = Some(process);
        Ok(session)
    }

    fn finish(&self, end: impl FnOnce(&mut Process, &Bell) -> Result<()>) -> Result<()> {
        let mut process = self.process.borrow_mut();
        let ended = end(process.as_mut().ok_or(Error::NoProcess)?, &self.bell);
        if ended.is_ok() {
            let left = process.take().map(|process| process.threads).unwrap_or_default();
            self.lingering.borrow_mut().extend(left.into_keys());
            self.shared.stopped.set();
        }
        ended
    }

    fn cont(&self) {
        self.go(|process, bell| process.thaw(bell));
        let set_off = self.process.borrow().as_ref().is_some_and(|process| !process.happenings.is_empty());
        if set_off {
            self.attend();
        }
    }

    /// Answers whether the process is on its way; if not, its users are told that it is not.
    pub(crate) fn go(&self, go: impl FnOnce(&mut Process, &Bell) -> Result<()>) -> bool {
        let mut process = self.process.borrow_mut();
        let Some(process) = process.as_mut() else {
            self.shared.stopped.set();
            return false;
        };
        let gone = go(process, &self.bell);
        let went = self.note_outcome(process, gone);
        if !went {
            self.publish(process);
        }
        went
    }

    /// Answers whether it went well. A thread that was killed in its stop is no failure: its death is awaited.
    pub(crate) fn note_outcome(&self, process: &mut Process, outcome: Result<()>) -> bool {
        match outcome {
            Ok(()) => return true,
            Err(error) if error.is_death() => process.await_deaths(&self.bell),
            Err(error) => self.shared.fail(Box::new(error)),
        }
        false
    }

    /// Runs `act` on the process with all threads stopped, and lets them go on if they were running.
    fn paused<T>(&self, act: impl FnOnce(&mut Process) -> Result<T>) -> Result<T> {
        let mut slot = self.process.borrow_mut();
        let process = slot.as_mut().ok_or(Error::NoProcess)?;
        if process.frozen {
            return act(process);
        }
        process.freeze(&self.bell);
        let result = act(process);
        drop(slot);
        self.attend();
        result
    }

    fn set_breakpoint(&self, spec: BreakpointSpec) -> Result<Arc<BreakpointCell>> {
        self.next_id.set(self.next_id.get() + 1);
        let cell = Arc::new(BreakpointCell::new(BreakpointId(self.next_id.get()), spec));
        self.paused(|process| process.insert_breakpoint(&cell))?;
        Ok(cell)
    }

    fn enable(&self, cell: &Arc<BreakpointCell>, on: bool, forget: bool) -> Result<()> {
        self.paused(|process| {
            process.enable_breakpoint(cell, on)?;
            if forget {
                process.breakpoints.remove(&cell.id);
            }
            Ok(())
        })
    }

    fn load_registers(&self, tid: Tid, extended: bool) -> Result<()> {
        let mut process = self.process.borrow_mut();
        let process = process.as_mut().ok_or(Error::NoProcess)?;
        let thread = process.threads.get(&tid).filter(|thread| thread.run == Run::Stopped);
        let cell = thread.map(|thread| Arc::clone(&thread.cell)).ok_or(Error::Died { tid, how: None })?;
        process.load_general(tid)?;
        if extended {
            lock(&cell.registers).load_extended(process.ptrace, tid)?;
        }
        Ok(())
    }

    fn write_memory(&self, address: u64, data: &[u8], words: bool) -> usize {
        self.paused(|process| Ok(process.write_memory(address, data, words))).unwrap_or(0)
    }

    fn peek_memory(&self, address: u64, size: usize) -> Vec<u8> {
        self.paused(|process| Ok(process.peek_memory(address, size))).unwrap_or_default()
    }

    fn set_kill_on_exit(&self, on: bool) {
        self.shared.kill_on_exit.store(on, Ordering::Release);
        // Without a process there is nothing to tell the kernel yet.
        let _ = self.paused(|process| process.set_kill_on_exit(on, &self.bell));
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the callback panicked: {}", text.unwrap_or("with a value that is no text"))
}

/// The threads that stopped for no reason of their own.
pub(crate) fn note_interrupted(process: &Process) {
    for thread in process.threads.values() {
        let mut stop = lock(&thread.cell.stop);
        if stop.reasons.is_empty() {
            let reason = stop.deliver.map_or(StopReason::Interrupted, StopReason::Signal);
            stop.reasons.push(reason);
        }
    }
}
