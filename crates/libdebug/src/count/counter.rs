//! What counts as an instruction.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libdebug_arch::x86_64::{StepKind, TRAP_FLAG, index};
use libdebug_kernel::{Death, Pid, Ptrace, Signal, Stop, Tid};

use super::CountOptions;
use super::flow::Flow;
use super::names::{CountBy, Names, syscall_name};
use super::range::{self, Inside};
use super::report::{Count, CountEnd, ThreadCount};
use super::space::{Code, Space};
use super::stacks::{CallTree, Calls};
use super::translate::{Ride, Translator};
use super::translated::translator;
use crate::error::{Error, Result};
use crate::follow::{Control, Pair, Tracee, Watch, Way};

/// `si_code` of a SIGTRAP (sigaction(2), and the kernel's own).
mod trap {
    /// At the exit of a system call that was stepped over; `int1` too.
    pub(super) const CALL: i32 = 1; // TRAP_BRKPT
    /// The CPU's trap behind an instruction.
    pub(super) const STEP: i32 = 2; // TRAP_TRACE
    /// A debug register.
    pub(super) const HARDWARE: i32 = 4; // TRAP_HWBKPT
    /// The kernel has set up a signal handler's frame: nothing of the handler is executed yet.
    pub(super) const HANDLER: i32 = 5; // SIGTRAP, by ptrace_notify
    /// `int3`.
    pub(super) const INTERRUPT: i32 = 0x80; // SI_KERNEL
}

/// What is kept of one thread.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    pub(super) count: u64,
    /// Where it was when it went on, and what is there.
    pub(super) at: u64,
    pub(super) code: Code,
    /// What it was in the middle of is not of ours to count: it has begun there, or was attached to.
    pub(super) fresh: bool,
    /// Its next trap may be something else than a step's.
    pub(super) doubtful: bool,
    /// The system call that it is about to make, where that is of interest.
    pub(super) number: u64,
    /// Instructions since the last system call.
    pub(super) since: u64,
    pub(super) inside: Inside,
    pub(super) ride: Ride,
    /// The name of the function that it went into the blocks in.
    pub(super) entered: u32,
    pub(super) calls: Calls,
    /// It has just come out of the blocks that count themselves.
    pub(super) is_out: bool,
    /// That was by a trap of ours.
    pub(super) is_trap: bool,
    /// The instruction that it is at is to be stepped, whatever it is.
    pub(super) steps_once: bool,
    /// It executes nothing any more.
    pub(super) is_ending: bool,
}

/// What a stop of SIGTRAP was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Executed,
    /// Executed, and it was a system call.
    Called,
    /// Executed, and the signal is the program's.
    Raised,
    /// Nothing was executed: the thread is at the beginning of a signal's handler.
    Handler,
    /// Nothing was executed.
    Nothing,
    /// The thread is at the address that is waited for.
    Arrived,
    /// The signal is somebody else's.
    Foreign,
}

#[derive(Debug)]
pub(crate) struct Counter {
    pub(super) options: CountOptions,
    pub(super) control: Arc<Control>,
    pub(super) total: u64,
    pub(super) spaces: HashMap<Pid, Space>,
    /// Where each process's function begins, once that is known.
    starts: HashMap<Pid, u64>,
    pub(super) names: Names,
    pub(super) tree: CallTree,
    threads: Vec<ThreadCount>,
    failure: Option<Error>,
    is_found: bool,
    /// The first thread begins in the middle of an execve(2), and is told of that next.
    awaits_exec: bool,
    /// Those that count themselves, if any do.
    pub(super) translator: Option<Translator>,
}

/// System calls after which the program can have other code.
const MAPPING: [u64; 5] = [9, 10, 11, 25, 329]; // mmap, mprotect, munmap, mremap, pkey_mprotect
/// System calls after which a thread can block other signals: rt_sigprocmask, rt_sigreturn.
const MASKING: [u64; 2] = [14, 15];
const SIGRETURN: u64 = 15;
/// sched_setaffinity, sched_getaffinity
const PLACING: [u64; 2] = [203, 204];

impl Counter {
    pub(super) fn new(options: CountOptions, control: Arc<Control>, awaits_exec: bool) -> Self {
        let translator = translator(&options, awaits_exec);
        Self {
            translator,
            options,
            control,
            total: 0,
            spaces: HashMap::new(),
            starts: HashMap::new(),
            names: Names::default(),
            tree: CallTree::default(),
            threads: Vec::new(),
            failure: None,
            is_found: false,
            awaits_exec,
        }
    }

    pub(super) fn report(mut self, death: Option<Death>, told: bool, elapsed: Duration) -> Result<Count> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let end = match (self.options.limit, told) {
            (Some(limit), _) if self.total >= limit => CountEnd::Limit,
            (_, true) => CountEnd::Stopped,
            _ => CountEnd::Finished,
        };
        if self.options.by == Some(CountBy::Thread) {
            for thread in &self.threads {
                let number = self.names.number(&format!("{}/{}", thread.process, thread.thread));
                self.names.add(number, thread.instructions);
            }
        }
        let stacks = if self.counts_stacks() { self.stacks() } else { Vec::new() };
        let groups = self.names.sorted();
        Ok(Count { instructions: self.total, threads: self.threads, groups, stacks, death, end, elapsed })
    }

    pub(super) fn space(&mut self, process: Pid) -> &mut Space {
        self.spaces.entry(process).or_insert_with(|| Space::new(process))
    }

    /// Notes what the thread is about to execute.
    pub(super) fn look(&mut self, tracee: &mut Tracee<Steps>, pc: u64) {
        let space = self.spaces.entry(tracee.process).or_insert_with(|| Space::new(tracee.process));
        tracee.data.at = pc;
        tracee.data.code = space.code_at(pc, self.options.by, &mut self.names);
    }

    fn add(&mut self, data: &mut Steps, count: u64) {
        let left = self.options.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.total));
        let count = count.min(left);
        self.total += count;
        data.count += count;
        data.since += count;
        self.names.add(data.code.name, if self.counts_by_code() { count } else { 0 });
        if self.counts_stacks() {
            Self::count_in_stack(&mut self.tree, data, count);
        }
        self.control.total.store(self.total, Ordering::Relaxed);
    }

    fn counts_by_code(&self) -> bool {
        matches!(self.options.by, Some(CountBy::Function | CountBy::Module | CountBy::Mnemonic))
    }

    fn meaning(&self, ptrace: Ptrace, tid: Tid, data: &Steps, pc: u64) -> Meaning {
        let is_certain = data.code.kind == StepKind::Plain
            && pc != data.at
            && !data.fresh
            && !data.doubtful
            && data.inside == Inside::Everywhere;
        if is_certain {
            return Meaning::Executed;
        }
        let Ok(info) = ptrace.signal_info(tid) else { return Meaning::Nothing };
        match (info.code(), data.code.kind) {
            (trap::CALL, StepKind::Interrupts) | (trap::INTERRUPT, _) => Meaning::Raised,
            (trap::CALL, _) if data.fresh => Meaning::Nothing,
            (trap::STEP | trap::CALL, _) if data.inside == Inside::Outside => Meaning::Foreign,
            (trap::CALL, _) => Meaning::Called,
            (trap::STEP, _) => Meaning::Executed,
            (trap::HARDWARE, _) => Meaning::Arrived,
            (trap::HANDLER, _) => Meaning::Handler,
            _ => Meaning::Foreign,
        }
    }

    fn on_executed(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>) {
        let kind = tracee.data.code.kind;
        self.add(&mut tracee.data, if kind == StepKind::Shadows { 2 } else { 1 });
        if kind == StepKind::PushesFlags {
            self.hide_pushed_flag(ptrace, tracee);
        }
    }

    fn on_call(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>) {
        self.add(&mut tracee.data, 1);
        hide_saved_flag(ptrace, tracee.tid);
        if MASKING.contains(&tracee.data.number) {
            let_trap_through(ptrace, tracee.tid);
        }
        if tracee.data.number == SIGRETURN {
            self.follow_signal(ptrace, tracee, Flow::Return);
        }
        if MAPPING.contains(&tracee.data.number) || tracee.data.code.is_legacy {
            self.space(tracee.process).forget();
        }
        self.after_call(ptrace, tracee);
        self.end_stretch(tracee);
    }

    /// What led to a system call counts for it.
    fn end_stretch(&mut self, tracee: &mut Tracee<Steps>) {
        if self.options.by == Some(CountBy::Syscall) {
            let number = self.names.number(&syscall_name(tracee.data.number));
            self.names.add(number, tracee.data.since);
            tracee.data.since = 0;
        }
    }

    fn hide_pushed_flag(&mut self, ptrace: Ptrace, tracee: &Tracee<Steps>) {
        let Ok(stack) = ptrace.general_register(tracee.tid, index::RSP) else { return };
        let memory = self.space(tracee.process).memory();
        let mut byte = [0];
        if memory.read(stack + 1, &mut byte) == 1 {
            memory.write(stack + 1, &[byte[0] & !((TRAP_FLAG >> 8) as u8)]);
        }
    }

    /// The thread is at the program's entry point, or at the function.
    fn on_arrival(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>) {
        match self.starts.get(&tracee.process) {
            None => self.find_function(ptrace, tracee),
            Some(_) if tracee.data.inside == Inside::Outside => {
                let memory = self.space(tracee.process).memory();
                tracee.data.inside = range::entered(ptrace, tracee.tid, memory);
            }
            Some(_) => {}
        }
    }

    fn find_function(&mut self, ptrace: Ptrace, tracee: &Tracee<Steps>) {
        let Some(symbol) = self.options.range.clone() else { return };
        let maps = Arc::clone(self.space(tracee.process).maps());
        match range::find(&maps, tracee.process, &symbol) {
            Ok(start) => {
                self.is_found = true;
                self.starts.insert(tracee.process, start);
                range::wait_at(ptrace, tracee.tid, start);
            }
            // Of a tree of programs not all have the function.
            Err(_) if self.is_found => range::withdraw(ptrace, tracee.tid),
            Err(error) => self.failure = Some(error),
        }
    }

    fn on_trap(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>) -> Option<Signal> {
        let Ok(pc) = ptrace.general_register(tracee.tid, index::RIP) else { return None };
        let meaning = self.meaning(ptrace, tracee.tid, &tracee.data, pc);
        (tracee.data.fresh, tracee.data.doubtful) = (false, false);
        match meaning {
            Meaning::Called => self.on_call(ptrace, tracee),
            Meaning::Executed | Meaning::Raised => {
                self.on_executed(ptrace, tracee);
                self.follow_step(ptrace, tracee, pc);
            }
            Meaning::Arrived => self.on_arrival(ptrace, tracee),
            Meaning::Handler => {
                let_trap_through(ptrace, tracee.tid);
                self.follow_signal(ptrace, tracee, Flow::Call);
            }
            Meaning::Nothing | Meaning::Foreign => {}
        }
        let stack = || ptrace.general_register(tracee.tid, index::RSP).unwrap_or(0);
        if tracee.data.inside.has_left(pc, stack) {
            tracee.data.inside = Inside::Outside;
        }
        self.look(tracee, pc);
        // The next trap may be that of the handler's beginning.
        tracee.data.doubtful = matches!(meaning, Meaning::Raised | Meaning::Foreign);
        tracee.data.doubtful.then_some(Signal::TRAP)
    }
}

/// Where SIGTRAP is blocked, the kernel answers a step's trap by resetting the program's handler of it (force_sig). A
/// handler's mask is put back at its end in any case.
fn let_trap_through(ptrace: Ptrace, tid: Tid) {
    // One that is gone needs none.
    let _ = ptrace.unblock_signal(tid, Signal::TRAP);
}

/// `syscall` leaves the flags in r11, and the step's among them.
fn hide_saved_flag(ptrace: Ptrace, tid: Tid) {
    if let Ok(flags) = ptrace.general_register(tid, index::R11)
        && flags & TRAP_FLAG != 0
    {
        let _ = ptrace.set_general_register(tid, index::R11, flags & !TRAP_FLAG);
    }
}

/// Whether a call that `code` makes is one that does not return: exit(2) or exit_group(2), of 64 or of 32 bits.
fn is_exit(code: [u8; 2], number: u64) -> bool {
    match code {
        [0xcd, 0x80] => matches!(number, 1 | 252),
        _ => matches!(number, 60 | 231),
    }
}

impl Watch for Counter {
    type Data = Steps;

    fn begins(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>) {
        tracee.data.fresh = true;
        self.begin_stack(tracee);
        if let Ok(pc) = ptrace.general_register(tracee.tid, index::RIP) {
            self.look(tracee, pc);
        }
        // A new thread has its creator's registers.
        hide_saved_flag(ptrace, tracee.tid);
        let_trap_through(ptrace, tracee.tid);
        if let Some(translator) = &mut self.translator {
            translator.adopt(tracee.process);
        }
        if self.options.range.is_some() {
            tracee.data.inside = Inside::Outside;
            match self.starts.get(&tracee.process) {
                Some(&start) => range::wait_at(ptrace, tracee.tid, start),
                None if self.awaits_exec => self.awaits_exec = false,
                None => self.find_function(ptrace, tracee),
            }
        }
    }

    fn way(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>, pair: &mut Pair) -> Way {
        if tracee.data.inside == Inside::Outside {
            return Way::Run;
        }
        if self.go_inside(ptrace, tracee) {
            pair.rejoin(tracee.tid);
            return Way::Run;
        }
        if tracee.data.code.kind == StepKind::Syscall {
            tracee.data.number = ptrace.general_register(tracee.tid, index::RAX).unwrap_or(0);
            self.before_call(tracee);
            if PLACING.contains(&tracee.data.number) {
                pair.show_own_set();
                return Way::Step;
            }
        }
        pair.rejoin(tracee.tid);
        Way::Step
    }

    fn stopping(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>, stop: Stop) {
        self.come_out(ptrace, tracee, stop);
    }

    fn glance<'a>(&mut self, tracees: impl Iterator<Item = &'a Tracee<Steps>>) {
        self.look_at_all(tracees);
    }

    fn signalled(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>, signal: Signal) -> Option<Signal> {
        if self.is_ours(ptrace, tracee, signal) {
            return None;
        }
        if signal == Signal::TRAP {
            return self.on_trap(ptrace, tracee);
        }
        // The next trap may be the handler's beginning.
        tracee.data.doubtful = true;
        Some(signal)
    }

    fn executed(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>) {
        self.spaces.remove(&tracee.process);
        self.leave_program(tracee);
        self.begin_stack(tracee);
        self.starts.remove(&tracee.process);
        if self.options.range.is_some() {
            tracee.data.inside = Inside::Outside;
            if let Some(entry) = range::entry_point(tracee.process) {
                range::wait_at(ptrace, tracee.tid, entry);
            }
        }
    }

    fn exiting(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>) {
        let number = ptrace.general_register(tracee.tid, index::ORIG_RAX).unwrap_or(u64::MAX);
        let mut code = [0; 2];
        self.space(tracee.process).memory().read(tracee.data.at, &mut code);
        let is_call = tracee.data.code.kind == StepKind::Syscall;
        if is_call && is_exit(code, number) && tracee.data.inside != Inside::Outside {
            self.add(&mut tracee.data, 1);
            tracee.data.number = number;
            self.end_stretch(tracee);
        }
        self.harvest(tracee);
        tracee.data.is_ending = true;
    }

    fn died(&mut self, mut tracee: Tracee<Steps>, _death: Death) {
        self.bury(&mut tracee);
        let Tracee { tid: thread, process, data } = tracee;
        if self.options.by == Some(CountBy::Syscall) && data.since > 0 {
            let number = self.names.number("(no further call)");
            self.names.add(number, data.since);
        }
        self.threads.push(ThreadCount { process, thread, instructions: data.count });
    }

    fn released(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>) {
        if self.options.range.is_some() {
            range::withdraw(ptrace, tracee.tid);
        }
        self.leave_alone(ptrace, tracee);
        let data = std::mem::take(&mut tracee.data);
        self.died(Tracee { tid: tracee.tid, process: tracee.process, data }, Death::Exited(0));
    }

    fn is_over(&self) -> bool {
        self.failure.is_some() || self.options.limit.is_some_and(|limit| self.total >= limit)
    }
}
