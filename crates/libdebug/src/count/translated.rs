//! What of a program counts itself: threads go in and come out, and what was executed in between is added.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_arch::x86_64::{StepKind, index};
use libdebug_kernel::{Ptrace, Signal, Stop, Tid};

use super::CountOptions;
use super::counter::{Counter, Steps};
use super::names::{CountBy, function_name, module_name};
use super::range::Inside;
use super::space::{Space, mnemonic};
use super::translate::{Batch, Kind, Registers, Translator};
use crate::follow::Tracee;

/// System calls that execute another program.
const EXECUTING: [u64; 2] = [59, 322]; // execve, execveat

/// So close to a limit a thread is stepped: further than any block goes.
const CLOSE: u64 = 256;

/// Who makes programs count themselves, if that is to be; `starts` says that they are counted from their beginning. A range
/// is kept by single steps, and so is the limit of a process that is attached to: its threads all run already.
pub(super) fn translator(options: &CountOptions, starts: bool) -> Option<Translator> {
    let is_limited = options.limit.is_some();
    let steps = options.single_step || options.range.is_some() || is_limited && !starts;
    let is_followed = options.by == Some(CountBy::Stack);
    (!steps).then(|| Translator::new(Kind { by_slot: has_names(options.by), is_limited, is_followed }))
}

/// Whether each instruction counts for a name.
fn has_names(by: Option<CountBy>) -> bool {
    matches!(by, Some(CountBy::Function | CountBy::Module | CountBy::Mnemonic))
}

impl Counter {
    /// Has a thread go on in blocks that count themselves, if it is at an ordinary instruction. Otherwise it is where the
    /// program has it, and what is there was looked at.
    pub(super) fn go_inside(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>) -> bool {
        let pc = tracee.data.ride.pc().unwrap_or(tracee.data.at);
        let is_in = self.is_ordinary(tracee) && self.enter(ptrace, tracee);
        if is_in {
            self.note_entry(tracee, pc);
            tracee.data.code = super::space::Code::default();
            return true;
        }
        let pc = tracee.data.ride.pc();
        tracee.data.ride.settle(ptrace, tracee.tid);
        if let Some(pc) = pc {
            self.look(tracee, pc);
        }
        false
    }

    fn is_ordinary(&self, tracee: &Tracee<Steps>) -> bool {
        let data = &tracee.data;
        let can_be = matches!(data.code.kind, StepKind::Plain | StepKind::Repeats | StepKind::PushesFlags);
        let is_known = data.ride.pc().is_none();
        !data.fresh
            && !data.doubtful
            && !data.steps_once
            && !data.is_ending
            && data.inside == Inside::Everywhere
            && (can_be || !is_known)
    }

    fn enter(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>) -> bool {
        let left = self.options.limit.map(|limit| limit.saturating_sub(self.total));
        let Some(translator) = &mut self.translator else { return false };
        if left.is_some_and(|left| left < CLOSE || !translator.is_alone()) {
            return false;
        }
        let (spaces, names) = (&mut self.spaces, &mut self.names);
        let process = tracee.process;
        let pc = tracee.data.ride.pc().unwrap_or(tracee.data.at);
        let mut maps = || Arc::clone(spaces.entry(process).or_insert_with(|| Space::new(process)).maps());
        let is_by_mnemonic = self.options.by == Some(CountBy::Mnemonic);
        let mut name = |code: &[u8], pc| is_by_mnemonic.then(|| names.number(&mnemonic(code, pc)));
        let (thread, ride) = ((tracee.tid, process), &mut tracee.data.ride);
        ride.left = left;
        translator.enter(ptrace, thread, pc, ride, &mut maps, &mut name)
    }

    /// Takes a thread that was inside out, whatever has stopped it.
    pub(super) fn come_out(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>, stop: Stop) {
        (tracee.data.is_out, tracee.data.is_trap) = (false, false);
        if !tracee.data.ride.is_inside {
            return;
        }
        let Some(translator) = &self.translator else { return };
        let Some(out) = translator.leave(ptrace, tracee.tid, &mut tracee.data.ride) else { return };
        self.add_executed(&mut tracee.data, out.executed);
        self.follow_out(tracee, &out.left, out.executed);
        if let Some((batch, place)) = &out.left.inside {
            self.correct(batch, place.number, place.done, place.counts_rest, place.owed_slot);
        }
        if out.is_trap && stop == Stop::Signal(Signal::TRAP) {
            tracee.data.is_trap = true;
            return;
        }
        tracee.data.is_out = true;
        tracee.data.ride.awaits_trap |= out.is_trap;
        let pc = tracee.data.ride.pc().unwrap_or(0);
        tracee.data.ride.settle(ptrace, tracee.tid);
        self.look(tracee, pc);
    }

    /// Whether a signal is nobody's business but ours: a trap, or a fault in a block, which is going to be one of the
    /// program's own instruction.
    pub(super) fn is_ours(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>, signal: Signal) -> bool {
        let data = &mut tracee.data;
        data.steps_once = false;
        if data.is_trap {
            return true;
        }
        if signal == Signal::TRAP && data.ride.awaits_trap {
            data.ride.awaits_trap = false;
            return code_of_signal(ptrace, tracee.tid) == Some(SI_KERNEL);
        }
        if data.is_out && is_fault(signal, || code_of_signal(ptrace, tracee.tid)) {
            data.steps_once = true;
            return true;
        }
        // A trap that is none of ours has been sent.
        data.doubtful |= data.is_out;
        false
    }

    fn add_executed(&mut self, data: &mut Steps, count: u64) {
        self.total += count;
        data.count += count;
        data.since += count;
        self.control.total.store(self.total, Ordering::Relaxed);
    }

    /// What of a block is in its slot, and was not executed; or the other way round.
    fn correct(&mut self, batch: &Batch, number: usize, done: usize, counts_rest: bool, owed: u64) {
        if !has_names(self.options.by) {
            return;
        }
        for name in self.names_of(batch, number).into_iter().skip(if counts_rest { done } else { usize::MAX })
        {
            self.names.take_off(name, 1);
        }
        if owed > 0 {
            for name in self.names_of(batch, number).into_iter().take(1) {
                self.names.add(name, owed);
            }
        }
    }

    fn names_of(&mut self, batch: &Batch, number: usize) -> Vec<u32> {
        let sources = Arc::default();
        match self.options.by {
            Some(CountBy::Mnemonic) => batch.names_of(number).to_vec(),
            Some(CountBy::Function) => {
                let name = |pc| self.names.number(&function_name(&batch.maps, &sources, pc));
                batch.addresses(number).map(name).collect()
            }
            _ => {
                let name = |pc| self.names.number(&module_name(&batch.maps, pc));
                batch.addresses(number).map(name).collect()
            }
        }
    }

    /// Adds what a thread has executed to the names that it counts for.
    pub(super) fn harvest(&mut self, tracee: &Tracee<Steps>) {
        if !has_names(self.options.by) {
            return;
        }
        let Some(translator) = &self.translator else { return };
        for (batch, number, count) in translator.harvest(&tracee.data.ride) {
            for name in self.names_of(&batch, number) {
                self.names.add(name, count);
            }
        }
    }

    /// How far all of them are, also those that run.
    pub(super) fn look_at_all<'a>(&self, tracees: impl Iterator<Item = &'a Tracee<Steps>>) {
        let Some(translator) = &self.translator else { return };
        let unseen: u64 = tracees.map(|tracee| translator.unseen(&tracee.data.ride)).sum();
        self.control.total.store(self.total + unseen, Ordering::Relaxed);
    }

    /// A thread is about to make a system call.
    pub(super) fn before_call(&mut self, tracee: &Tracee<Steps>) {
        if EXECUTING.contains(&tracee.data.number) {
            self.harvest(tracee);
        }
    }

    /// After a system call the program may have other code.
    pub(super) fn after_call(&mut self, ptrace: Ptrace, tracee: &Tracee<Steps>) {
        let Some(translator) = &mut self.translator else { return };
        let (number, is_legacy) = (tracee.data.number, tracee.data.code.is_legacy);
        if !is_legacy && !CHANGING.contains(&number) {
            return;
        }
        let Ok(registers) = ptrace.general_registers(tracee.tid) else { return };
        if turns_shadow_stack_on(number, &registers) {
            translator.never(tracee.process);
        }
        for range in changed(number, is_legacy, &registers) {
            translator.code_changed(tracee.process, range);
        }
    }

    /// The process has another program.
    pub(super) fn leave_program(&mut self, tracee: &mut Tracee<Steps>) {
        if let Some(translator) = &mut self.translator {
            translator.give_back(&mut tracee.data.ride);
            translator.forget(tracee.process);
        }
    }

    /// A thread has ended. One that was inside has not told so before: what shows of it is added.
    pub(super) fn bury(&mut self, tracee: &mut Tracee<Steps>) {
        let Some(translator) = &self.translator else { return };
        let unseen = translator.unseen(&tracee.data.ride);
        if tracee.data.ride.is_inside {
            self.harvest(tracee);
            self.add_executed(&mut tracee.data, unseen);
        }
        if let Some(translator) = &mut self.translator {
            translator.bury(tracee.process, &mut tracee.data.ride);
        }
    }

    /// A thread is let go: it is as if nothing had been.
    pub(super) fn leave_alone(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>) {
        tracee.data.ride.settle(ptrace, tracee.tid);
        self.harvest(tracee);
        let maps = Arc::clone(self.space(tracee.process).maps());
        if let Some(translator) = &mut self.translator {
            translator.remove(ptrace, (tracee.tid, tracee.process), &maps);
        }
    }
}

const SI_KERNEL: i32 = 0x80;

fn code_of_signal(ptrace: Ptrace, tid: Tid) -> Option<i32> {
    ptrace.signal_info(tid).ok().map(|info| info.code())
}

/// Whether a signal is the thread's own instruction's doing.
fn is_fault(signal: Signal, code: impl FnOnce() -> Option<i32>) -> bool {
    const BUS_MCEERR_AO: i32 = 5; // memory failure somewhere else
    const SIGBUS: i32 = 7;
    const FAULTS: [i32; 4] = [4, SIGBUS, 8, 11]; // SIGILL, SIGBUS, SIGFPE, SIGSEGV
    FAULTS.contains(&signal.0)
        && code().is_some_and(|code| code > 0 && !(signal.0 == SIGBUS && code == BUS_MCEERR_AO))
}

/// mmap, mprotect, munmap, mremap, madvise, shmat, arch_prctl, remap_file_pages, pkey_mprotect
const CHANGING: [u64; 9] = [9, 10, 11, 25, 28, 30, 158, 216, 329];

/// Whether a call was ARCH_SHSTK_ENABLE.
fn turns_shadow_stack_on(number: u64, registers: &Registers) -> bool {
    const ARCH_SHSTK_ENABLE: u64 = 0x5001;
    number == 158 && registers[index::RDI] == ARCH_SHSTK_ENABLE
}

/// Where a call that was made has changed what is mapped, in up to two places. Its arguments are still in the registers.
fn changed(number: u64, is_legacy: bool, registers: &Registers) -> [Range<u64>; 2] {
    const NOWHERE: Range<u64> = 0..0;
    const EVERYWHERE: Range<u64> = 0..u64::MAX;
    let [first, second, third] = [index::RDI, index::RSI, index::RDX].map(|register| registers[register]);
    let result = registers[index::RAX];
    let of = |start: u64, size: u64| start..start.saturating_add(size);
    match number {
        _ if is_legacy => [EVERYWHERE, NOWHERE],
        9 if result < 1 << 47 => [of(result, second), NOWHERE],
        30 if result < 1 << 47 => [EVERYWHERE, NOWHERE],
        25 if result < 1 << 47 => [of(first, second), of(result, third)],
        10 | 11 | 28 | 216 | 329 => [of(first, second), NOWHERE],
        _ => [NOWHERE, NOWHERE],
    }
}
