//! One debugger on the tracer thread: the closed set of commands, and how each is carried out.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_kernel::{Bell, Event, Pid, Signal, SignalInfo, Tid};

use crate::breakpoint::{BreakpointCell, BreakpointSpec};
use crate::end::Whom;
use crate::error::{Error, Result};
use crate::handler::HandlerId;
use crate::inherit::Handlers;
use crate::instruction_trace::{Steps, TracedInstructions};
use crate::launch::LaunchSpec;
use crate::mailbox::{Responder, lock};
use crate::process::{Process, Run};
use crate::roll::Roll;
use crate::session::{Session, Shared};
use crate::signal::{CatcherCell, CatcherSpec};
use crate::step_out::WayOut;
use crate::syscall::{SyscallCell, SyscallObserver, SyscallSpec};

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
    HandOver(Responder<Result<()>>),
    TakeBack(Responder<Result<()>>),
    Kill(Responder<Result<()>>),
    /// Lets all threads go on that are not parked.
    Cont,
    /// Stops one thread while the others run.
    Park(Tid, Responder<Result<()>>),
    Unpark(Tid, Responder<Result<()>>),
    Step(Tid),
    StepUntil {
        tid: Tid,
        address: u64,
        limit: Option<u64>,
    },
    TakeSteps {
        tid: Tid,
        steps: Box<Steps>,
        answer: Responder<TracedInstructions>,
    },
    Next(Tid),
    Leave(Tid, WayOut),
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
    HandleSyscall(Box<SyscallSpec>, Responder<Result<Arc<SyscallCell>>>),
    CatchSignal(Box<CatcherSpec>, Responder<Result<Arc<CatcherCell>>>),
    Handlers(Responder<Option<Handlers>>),
    RemoveHandler(HandlerId, Responder<Result<()>>),
    BlockSignals(BTreeSet<Signal>, Responder<Result<()>>),
    ObserveSyscalls(Option<SyscallObserver>, Responder<Result<()>>),
    SignalInfo(Tid, Responder<Result<Option<SignalInfo>>>),
    CallFunction {
        tid: Tid,
        function: u64,
        arguments: Vec<u64>,
        answer: Responder<Result<u64>>,
    },
    InvokeSyscall {
        tid: Tid,
        number: u64,
        arguments: [u64; 6],
        answer: Responder<Result<i64>>,
    },
    /// Ends the debugger, and the process with it unless that is to live on; with the last one the thread.
    Terminate {
        whom: Whom,
        answer: Responder<()>,
    },
}

/// The tracer thread's own side of one debugger.
pub(crate) struct Tracer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) bell: Rc<Bell>,
    pub(crate) roll: Rc<Roll>,
    pub(crate) process: RefCell<Option<Process>>,
    next_id: Cell<u64>,
    /// How many callbacks are being run, one inside the other's steps.
    pub(crate) callbacks: Cell<u32>,
    /// Something that wants the process to stay stopped was handled in the middle of a callback.
    pub(crate) stop_wanted: Cell<bool>,
}

impl Tracer {
    pub(crate) fn new(shared: Arc<Shared>, bell: Rc<Bell>, roll: Rc<Roll>, process: Option<Process>) -> Self {
        let (next_id, callbacks, stop_wanted) = (Cell::new(0), Cell::new(0), Cell::new(false));
        Self { shared, bell, roll, process: RefCell::new(process), next_id, callbacks, stop_wanted }
    }

    pub(crate) fn end(&self) {
        let mut process = self.process.borrow_mut();
        if let Some(process) = process.as_mut() {
            let ended = if self.shared.kill_on_exit.load(Ordering::Acquire) {
                Process::kill
            } else {
                Process::detach
            };
            let _ = ended(process, &self.bell);
            self.roll.let_linger(std::mem::take(&mut process.threads).into_keys());
        }
        *process = None;
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.borrow().as_ref().is_some_and(|process| !process.frozen)
    }

    /// Whether there is something to do without another wait: a user wants a stop, or events have come while another
    /// process's were waited for.
    pub(crate) fn is_called(&self) -> bool {
        self.shared.interrupt.load(Ordering::Acquire) || self.roll.has_events_of(self.shared.id)
    }

    pub(crate) fn answer_call(&self) {
        let event = self.roll.take_of(self.shared.id);
        self.after(|process, bell| {
            if let Some((tid, event)) = event {
                process.on_event(tid, event, bell);
            }
        });
    }

    pub(crate) fn take_event(&self, tid: Tid, event: Event) {
        self.after(|process, bell| process.take_event(tid, event, bell));
    }

    /// The kernel says that there are no tracees any more.
    pub(crate) fn lost_all(&self) {
        self.after(|process, _| process.bury_all());
    }

    /// All that follows from an event.
    pub(crate) fn after(&self, act: impl FnOnce(&mut Process, &Bell)) {
        if let Some(process) = self.process.borrow_mut().as_mut() {
            act(process, &self.bell);
            if process.happenings.is_empty() && !self.shared.interrupt.load(Ordering::Acquire) {
                return;
            }
            self.shared.link.mailbox.awake();
            process.freeze(&self.bell);
        }
        self.attend();
    }

    /// Tells users' threads that the process is stopped; in the middle of a callback it is not, to them.
    pub(crate) fn publish(&self, process: &mut Process) {
        if self.callbacks.get() == 0 {
            process.publish();
        }
    }

    /// Carries out one command; also called by callbacks, on this thread.
    pub(crate) fn execute(&self, command: Command) {
        match command {
            Command::Launch(spec, answer) => answer.send(self.launch(*spec)),
            Command::Attach { pid, kill_on_exit, answer } => answer.send(self.attach(pid, kill_on_exit)),
            Command::Detach(answer) => answer.send(self.finish(|process, bell| process.detach(bell))),
            Command::HandOver(answer) => answer.send(self.hand_over()),
            Command::TakeBack(answer) => answer.send(self.take_back()),
            Command::Kill(answer) => answer.send(self.finish(|process, bell| process.kill(bell))),
            Command::Cont => self.cont(),
            Command::Park(tid, answer) => answer.send(self.park(tid)),
            Command::Unpark(tid, answer) => answer.send(self.unpark(tid)),
            Command::Step(tid) => self.step(tid, |process, bell| process.step(tid, bell).map(drop)),
            Command::StepUntil { tid, address, limit } => {
                self.step(tid, |process, bell| process.step_until(tid, address, limit, bell));
            }
            Command::TakeSteps { tid, mut steps, answer } => {
                self.step(tid, |process, bell| process.count_steps(tid, &mut steps, bell));
                answer.send(steps.traced());
            }
            Command::Next(tid) => self.next(tid),
            Command::Leave(tid, way) => self.leave(tid, way),
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
            Command::HandleSyscall(spec, answer) => answer.send(self.handle_syscall(*spec)),
            Command::CatchSignal(spec, answer) => answer.send(self.catch_signal(*spec)),
            Command::Handlers(answer) => {
                answer.send(self.process.borrow().as_ref().map(Process::handlers));
            }
            Command::RemoveHandler(id, answer) => answer.send(self.remove_handler(id)),
            Command::BlockSignals(signals, answer) => {
                answer.send(self.change(|process| process.signals.blocked = signals));
            }
            Command::ObserveSyscalls(observer, answer) => {
                answer.send(self.change(|process| process.syscalls.observer = observer));
            }
            Command::SignalInfo(tid, answer) => answer.send(self.paused(|process| process.signal_info(tid))),
            Command::CallFunction { tid, function, arguments, answer } => {
                answer.send(self.call_function(tid, function, &arguments));
            }
            Command::InvokeSyscall { tid, number, arguments, answer } => {
                answer.send(self.invoke(tid, number, arguments));
            }
            // Only the loop ends the thread.
            Command::Terminate { answer, .. } => drop(answer),
        }
    }

    fn launch(&self, spec: LaunchSpec) -> Result<Arc<Session>> {
        self.shared.kill_on_exit.store(spec.kill_on_exit, Ordering::Release);
        self.begun(Process::launch(&self.shared, &self.roll, spec, &self.bell))
    }

    fn attach(&self, pid: Pid, kill_on_exit: bool) -> Result<Arc<Session>> {
        self.shared.kill_on_exit.store(kill_on_exit, Ordering::Release);
        self.begun(Process::attach(&self.shared, &self.roll, pid, kill_on_exit, &self.bell))
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
            self.roll.let_linger(left.into_keys());
            self.shared.stopped.set();
        }
        ended
    }

    fn cont(&self) {
        self.go(|process, bell| {
            process.thaw(bell)?;
            process.note_standstill();
            Ok(())
        });
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

    fn change(&self, change: impl FnOnce(&mut Process)) -> Result<()> {
        self.paused(|process| {
            change(process);
            Ok(())
        })
    }

    fn set_breakpoint(&self, spec: BreakpointSpec) -> Result<Arc<BreakpointCell>> {
        let cell = Arc::new(BreakpointCell::new(self.next_handler(), spec));
        self.paused(|process| process.insert_breakpoint(&cell))?;
        Ok(cell)
    }

    fn enable(&self, cell: &Arc<BreakpointCell>, on: bool, forget: bool) -> Result<()> {
        self.paused(|process| {
            process.enable_breakpoint(cell, on)?;
            if forget {
                process.breakpoints.remove(&cell.life.id);
            }
            Ok(())
        })
    }

    fn next_handler(&self) -> HandlerId {
        self.next_id.set(self.next_id.get() + 1);
        HandlerId(self.next_id.get())
    }

    fn handle_syscall(&self, spec: SyscallSpec) -> Result<Arc<SyscallCell>> {
        let cell = Arc::new(SyscallCell::new(self.next_handler(), spec));
        let filter = cell.number.filter(|_| self.shared.filters_syscalls.load(Ordering::Acquire));
        self.paused(|process| {
            if let Some(number) = filter {
                process.accelerate(number, &self.bell)?;
            }
            process.syscalls.add(Arc::clone(&cell));
            Ok(())
        })?;
        Ok(cell)
    }

    fn catch_signal(&self, spec: CatcherSpec) -> Result<Arc<CatcherCell>> {
        let cell = Arc::new(CatcherCell::new(self.next_handler(), spec));
        self.change(|process| process.signals.add(Arc::clone(&cell)))?;
        Ok(cell)
    }

    fn remove_handler(&self, id: HandlerId) -> Result<()> {
        self.change(|process| {
            process.syscalls.remove(id);
            process.signals.remove(id);
        })
    }

    fn invoke(&self, tid: Tid, number: u64, arguments: [u64; 6]) -> Result<i64> {
        let mut slot = self.process.borrow_mut();
        let process = slot.as_mut().ok_or(Error::NoProcess)?;
        let result = process.invoke_syscall(tid, number, arguments, &self.bell);
        if result.as_ref().is_err_and(Error::is_death) {
            process.await_deaths(&self.bell);
        }
        drop(slot);
        // An end that it has brought about is known at once; in a callback, at the callback's end.
        if !self.in_callback() {
            self.handle_happenings();
        }
        result
    }

    pub(crate) fn load_registers(&self, tid: Tid, extended: bool) -> Result<()> {
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
