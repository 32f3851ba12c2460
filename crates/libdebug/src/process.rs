//! One thread group as the tracer thread knows it, and the threads in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_arch::Isa;
use libdebug_kernel::{Bell, Death, Options, Pid, Ptrace, Signal, SignalInfo, Tid};

use crate::acceleration::Filters;
use crate::breakpoint::BreakpointCell;
use crate::displaced::Displaced;
use crate::handler::HandlerId;
use crate::handover::Away;
use crate::mailbox::lock;
use crate::placement::Placement;
use crate::roll::Roll;
use crate::session::{Phase, Session, Shared, StopReason, ThreadCell, write};
use crate::signal::Signals;
use crate::site::{HardwareSlots, Sites};
use crate::syscall::{Entry, SyscallCell, Syscalls};

/// Whether a thread may be asked anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// It may run user code.
    Running,
    /// In a ptrace-stop.
    Stopped,
    /// Past its exit event: only its death is still to come, which for a leader may be long after.
    Exiting,
}

/// One tracee.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) cell: Arc<ThreadCell>,
    pub(crate) run: Run,
    /// A trap at this address has been reported, or is not to be: the next resume passes it.
    pub(crate) passed: Option<u64>,
    /// In a group-stop, which a resume must not end.
    pub(crate) group_stopped: bool,
    /// In a signal-delivery-stop: a resume can deliver a signal directly.
    pub(crate) at_signal: bool,
    /// The pending signal is a fault of the instruction at the pc, not something that came from outside.
    pub(crate) at_fault: bool,
    pub(crate) stepping: bool,
    /// It was stepped by us once. A `popf` under a step can leave the trap flag set behind the kernel's back, so
    /// that a trap that nobody asked for is not the program's for certain any more.
    pub(crate) was_stepped: bool,
    /// Suspended until this vfork child executes a program or ends. It stays in the stop of the vfork as long:
    /// let go, it would wait in the kernel where no interrupt reaches it.
    pub(crate) held: Option<Tid>,
    /// Signals that came while none could be delivered, in the middle of the debugger's own steps: sent again
    /// when the thread next runs freely.
    pub(crate) deferred: Vec<KeptSignal>,
    /// Signals that were sent again, with what their delivery has to show.
    pub(crate) requeued: VecDeque<KeptSignal>,
    /// The catcher of the pending signal has run, or is not to run.
    pub(crate) caught: bool,
    /// The handlers that are to hear of the exit of the system call that the thread is in.
    pub(crate) entered: Vec<Arc<SyscallCell>>,
    /// The observer is to hear of it too.
    pub(crate) observed: bool,
}

/// A signal that was taken from a thread, to be sent again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeptSignal {
    pub(crate) signal: Signal,
    pub(crate) info: Option<SignalInfo>,
    /// Its catcher has run already.
    pub(crate) caught: bool,
}

impl Thread {
    pub(crate) fn new(tid: Tid, run: Run) -> Self {
        Self {
            cell: Arc::new(ThreadCell::new(tid)),
            run,
            passed: None,
            group_stopped: false,
            at_signal: false,
            at_fault: false,
            stepping: false,
            was_stepped: false,
            held: None,
            deferred: Vec::new(),
            requeued: VecDeque::new(),
            caught: false,
            entered: Vec::new(),
            observed: false,
        }
    }

    pub(crate) fn add_reason(&self, reason: StopReason) {
        lock(&self.cell.stop).reasons.push(reason);
    }
}

/// What happened to a thread that somebody wants to be told of.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// It came to a breakpoint.
    Hit(Tid, Arc<BreakpointCell>),
    /// A signal is about to be delivered to it that somebody catches.
    Caught(Tid),
    /// It is about to make this system call, which somebody handles.
    SyscallEnter(Tid, Entry),
    /// It comes from a system call that somebody handles.
    SyscallExit(Tid),
    /// It has executed another program, and stands at that one's first instruction.
    Executed(Tid),
    /// It came to the address that the tracer itself waits for.
    Arrived(Tid),
    /// The last thread ended.
    Ended,
    /// All threads that could run are parked.
    Standstill,
    /// The kernel refused something that an event called for.
    Failed,
}

/// The process under debug. Every method runs on the tracer thread.
pub(crate) struct Process {
    pub(crate) ptrace: Ptrace,
    pub(crate) isa: Isa,
    pub(crate) shared: Arc<Shared>,
    pub(crate) session: Arc<Session>,
    pub(crate) threads: BTreeMap<Tid, Thread>,
    /// While set, a thread that stops stays stopped.
    pub(crate) frozen: bool,
    pub(crate) happenings: VecDeque<Happening>,
    pub(crate) sites: Sites,
    pub(crate) hardware: HardwareSlots,
    pub(crate) breakpoints: BTreeMap<HandlerId, Arc<BreakpointCell>>,
    pub(crate) displaced: Displaced,
    pub(crate) syscalls: Syscalls,
    pub(crate) filters: Filters,
    pub(crate) signals: Signals,
    /// Which tracee of the thread is whose.
    pub(crate) roll: Rc<Roll>,
    /// Vfork children: not under debug, but they run in our memory, with our traps, until they execute.
    pub(crate) guests: BTreeSet<Tid>,
    pub(crate) options: Options,
    /// It has asked to be traced by its parent, as far as it knows.
    pub(crate) traced_by_parent: bool,
    /// The thread that calls a function for a user.
    pub(crate) calling: Option<Tid>,
    /// What has ended that call, and where the fault was.
    pub(crate) call_fault: Option<(Signal, u64)>,
    /// Another thread of the host has started it, and will wait for its end.
    pub(crate) promised: bool,
    /// Every breakpoint only counts: nobody is going to look at registers at a hit.
    pub(crate) only_native: bool,
    pub(crate) placement: Placement,
    /// What is kept of it while another debugger has it.
    pub(crate) away: Option<Away>,
    /// A SIGCONT of ours is on its way to it.
    pub(crate) drops_cont: bool,
}

impl Process {
    pub(crate) fn new(shared: Arc<Shared>, roll: Rc<Roll>, session: Arc<Session>, options: Options) -> Self {
        roll.begin(session.pid, shared.id);
        Self {
            ptrace: Ptrace::for_this_thread(),
            isa: Isa::X86_64,
            session,
            threads: BTreeMap::new(),
            frozen: true,
            happenings: VecDeque::new(),
            sites: Sites::default(),
            hardware: HardwareSlots::default(),
            breakpoints: BTreeMap::new(),
            displaced: Displaced::default(),
            syscalls: Syscalls::default(),
            filters: Filters::default(),
            signals: Signals::default(),
            roll,
            guests: BTreeSet::new(),
            options,
            traced_by_parent: false,
            calling: None,
            call_fault: None,
            promised: false,
            only_native: true,
            placement: Placement::new(&shared),
            away: None,
            drops_cont: false,
            shared,
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.session.pid
    }

    pub(crate) fn is_held(&self, tid: Tid) -> bool {
        self.threads.get(&tid).is_some_and(|thread| thread.held.is_some())
    }

    /// Takes a thread in, visible to users from now on.
    pub(crate) fn adopt(&mut self, tid: Tid, run: Run) {
        let thread = Thread::new(tid, run);
        write(&self.session.threads).push(Arc::clone(&thread.cell));
        self.roll.enlist(tid, self.shared.id);
        self.threads.insert(tid, thread);
    }

    /// A leader that had exited before we came: users see it, but nothing will be heard of it.
    pub(crate) fn adopt_zombie(&mut self, tid: Tid) {
        let thread = Thread::new(tid, Run::Exiting);
        thread.cell.zombie.store(true, Ordering::Release);
        write(&self.session.threads).push(thread.cell);
    }

    pub(crate) fn any_running(&self) -> bool {
        self.threads.values().any(|thread| thread.run == Run::Running)
    }

    /// Nothing of the process will run any more, and its death is all that it has to tell.
    fn is_ending(&self) -> bool {
        !self.threads.is_empty() && self.threads.values().all(|thread| thread.run == Run::Exiting)
    }

    /// The tids of the threads in a ptrace-stop.
    pub(crate) fn stopped_tids(&self) -> Vec<Tid> {
        self.threads.iter().filter(|(_, thread)| thread.run == Run::Stopped).map(|(tid, _)| *tid).collect()
    }

    /// Those of them that go on when the process does.
    pub(crate) fn unparked_tids(&self) -> Vec<Tid> {
        let free = |(tid, thread): (&Tid, &Thread)| {
            (thread.run == Run::Stopped && !thread.cell.is_parked()).then_some(*tid)
        };
        self.threads.iter().filter_map(free).collect()
    }

    /// A thread ended. The last one ends the process.
    pub(crate) fn bury(&mut self, tid: Tid, death: Option<Death>) {
        let Some(thread) = self.threads.remove(&tid) else { return };
        thread.cell.set_death(death);
        thread.cell.zombie.store(false, Ordering::Release);
        thread.cell.set_parked(false);
        self.note_standstill();
        if tid != self.pid().leader() {
            self.roll.strike(tid);
        }
        if self.threads.is_empty() {
            self.roll.end(self.shared.id);
            for child in self.roll.orphans() {
                // What it shares with nobody it has a right to: a debugger, where users want one.
                let _ = self.part_with(child);
            }
            self.session.set_phase(Phase::Dead);
            self.session.close_memory();
            self.shared.expect_stops(false);
            // The terminal that it had been lent comes back.
            lock(&self.shared.foreground).take();
            self.happenings.push_back(Happening::Ended);
        }
    }

    /// Tells users' threads that everything is stopped, or has ended.
    pub(crate) fn publish(&mut self) {
        self.unpark_all();
        self.shared.interrupt.store(false, Ordering::Release);
        self.placement.handed_over();
        self.session.stops.fetch_add(1, Ordering::AcqRel);
        self.session.set_phase(Phase::Stopped);
        // Before the user knows: on one CPU the user's next request comes before we get any further.
        self.shared.link.mailbox.free();
        self.shared.stopped.set();
    }

    pub(crate) fn note_signal(&self, tid: Tid, shown: Option<Signal>, deliver: Option<Signal>) {
        if let Some(thread) = self.threads.get(&tid) {
            let mut stop = lock(&thread.cell.stop);
            stop.signal = shown;
            stop.deliver = deliver;
        }
    }

    /// A request has found a thread gone, as SIGKILL makes all of them at once: waits until they have died.
    pub(crate) fn await_deaths(&mut self, bell: &Bell) {
        while self.poll_once(bell) {}
        for tid in self.stopped_tids() {
            if self.ptrace.event_message(tid).is_err()
                && let Some(thread) = self.threads.get_mut(&tid)
            {
                thread.run = Run::Running;
            }
        }
        self.freeze(bell);
    }

    /// Stops every thread and waits until they all are: whatever else they report meanwhile is kept.
    pub(crate) fn freeze(&mut self, bell: &Bell) {
        self.frozen = true;
        self.drain(bell);
        let running: Vec<_> = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.run == Run::Running)
            .map(|(tid, _)| *tid)
            .collect();
        for tid in running {
            // A thread that is gone reports its death to the wait below.
            let _ = self.ptrace.interrupt(tid);
        }
        while self.any_running() || self.is_ending() {
            self.wait_once(bell);
        }
    }
}
