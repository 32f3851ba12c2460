//! Which function has called which: the stacks that instructions are counted by.
//!
//! A call that has not returned is known by where its return address lies: it is over once the stack pointer is above. In
//! blocks, a thread goes on by itself where it stays in a function, and comes out where it may leave one.

use libdebug_arch::InstructionKind;
use libdebug_arch::x86_64::index;
use libdebug_kernel::{Pid, Ptrace, proc};

use super::counter::{Counter, Steps};
use super::names::CountBy;
use super::stacks::CallTree;
use super::translate::{Left, Trap};
use crate::follow::Tracee;

/// Where an instruction goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Flow {
    /// On, or within its function, or into another one's place.
    #[default]
    On,
    Call,
    Return,
    /// To an address that was computed: any of these.
    Anywhere,
}

impl Flow {
    /// Of a decoded instruction; `target` is where a direct branch goes.
    pub(super) fn of(kind: InstructionKind, target: Option<u64>) -> Self {
        match kind {
            InstructionKind::Call => Self::Call,
            InstructionKind::Return => Self::Return,
            InstructionKind::Branch if target.is_none() => Self::Anywhere,
            _ => Self::On,
        }
    }
}

/// A place that a thread has come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) stack: u64,
    /// Its function's name.
    pub(super) name: u32,
    /// The function begins there.
    pub(super) is_start: bool,
}

impl Steps {
    /// Follows the thread to where an instruction has led it.
    pub(super) fn arrive(&mut self, flow: Flow, arrival: Arrival) {
        match flow {
            Flow::On => {}
            Flow::Call => self.calls.call(arrival.stack),
            Flow::Return => drop(self.calls.leave(arrival.stack)),
            Flow::Anywhere => {
                if self.calls.leave(arrival.stack) {
                    return;
                }
                // A function that is entered by a jump has its caller's return address on top of the stack; one that is
                // left for another one by a jump has taken its own frame away.
                let is_elsewhere = arrival.is_start || Some(arrival.name) != self.calls.function();
                if is_elsewhere && self.calls.is_within(arrival.stack) {
                    self.calls.call(arrival.stack);
                }
            }
        }
    }
}

impl Counter {
    pub(super) fn counts_stacks(&self) -> bool {
        self.options.by == Some(CountBy::Stack)
    }

    /// All stacks, and what was counted in each.
    pub(super) fn stacks(&self) -> Vec<(Vec<String>, u64)> {
        let texts = self.names.texts();
        let text = |number: u32| texts.get(number as usize).cloned().unwrap_or_default();
        let of = |(names, count): (Vec<u32>, u64)| (names.into_iter().map(text).collect(), count);
        self.tree.stacks().map(of).collect()
    }

    /// A thread begins, or has another program.
    pub(super) fn begin_stack(&mut self, tracee: &mut Tracee<Steps>) {
        if self.counts_stacks() {
            let program = self.names.number(&program_name(tracee.process));
            tracee.data.calls.begin(&mut self.tree, program);
        }
    }

    pub(super) fn count_in_stack(tree: &mut CallTree, data: &mut Steps, count: u64) {
        data.calls.count(tree, data.code.name, count);
    }

    /// A step has led a thread to `pc`.
    pub(super) fn follow_step(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>, pc: u64) {
        let flow = tracee.data.code.flow;
        if self.counts_stacks() && flow != Flow::On {
            self.arrive(ptrace, tracee, flow, pc);
        }
    }

    /// A thread is at the beginning of a signal's handler, or has come back from one.
    pub(super) fn follow_signal(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>, flow: Flow) {
        if self.counts_stacks() {
            let pc = ptrace.general_register(tracee.tid, index::RIP).unwrap_or(0);
            self.arrive(ptrace, tracee, flow, pc);
        }
    }

    fn arrive(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Steps>, flow: Flow, pc: u64) {
        let Ok(stack) = ptrace.general_register(tracee.tid, index::RSP) else { return };
        let arrival = self.arrival(tracee.process, pc, stack);
        tracee.data.arrive(flow, arrival);
    }

    fn arrival(&mut self, process: Pid, pc: u64, stack: u64) -> Arrival {
        let by = self.options.by;
        let (spaces, names) = (&mut self.spaces, &mut self.names);
        let space = spaces.entry(process).or_insert_with(|| super::space::Space::new(process));
        let code = space.code_at(pc, by, names);
        Arrival { stack, name: code.name, is_start: code.is_start }
    }

    /// A thread goes into the blocks at `pc`: all that it executes there is of one function.
    pub(super) fn note_entry(&mut self, tracee: &mut Tracee<Steps>, pc: u64) {
        if self.counts_stacks() {
            tracee.data.entered = self.arrival(tracee.process, pc, 0).name;
        }
    }

    /// A thread has come out of the blocks, where it has executed `count` instructions.
    pub(super) fn follow_out(&mut self, tracee: &mut Tracee<Steps>, left: &Left, count: u64) {
        if !self.counts_stacks() {
            return;
        }
        let entered = tracee.data.entered;
        tracee.data.calls.count(&mut self.tree, entered, count);
        let (Some(pc), Some(stack)) = (tracee.data.ride.pc(), tracee.data.ride.stack()) else { return };
        let flow = match (left.trap, left.last) {
            (Some(Trap::Lookup(_)), _) => Flow::Anywhere,
            (Some(Trap::At(_)), Some(last)) => {
                self.spaces.get_mut(&tracee.process).map_or(Flow::On, |space| space.flow_at(last))
            }
            _ => return,
        };
        let arrival = self.arrival(tracee.process, pc, stack);
        if flow != Flow::On || arrival.name != entered {
            tracee.data.ride.keep_trap();
        }
        tracee.data.arrive(flow, arrival);
    }
}

fn program_name(process: Pid) -> String {
    let path = proc::executable(process).unwrap_or_default();
    path.file_name().map_or_else(|| "[unknown]".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: u32 = 1;
    const LEAF: u32 = 2;

    fn to(stack: u64, name: u32, is_start: bool) -> Arrival {
        Arrival { stack, name, is_start }
    }

    /// A thread of `MAIN`, whose return address lies at 0x1000.
    fn in_main(tree: &mut CallTree) -> Steps {
        let mut data = Steps::default();
        data.calls.begin(tree, 0);
        data.calls.call(0x1000);
        data.calls.count(tree, MAIN, 1);
        data
    }

    #[test]
    fn what_an_indirect_branch_was_shows_where_it_has_led() {
        for (arrival, depth, what) in [
            (to(0xf00, LEAF, true), 2, "a call"),
            (to(0xf00, MAIN, true), 2, "a recursion"),
            (to(0xf00, MAIN, false), 1, "a branch within the function"),
            (to(0x1000, LEAF, true), 1, "a jump that leaves the function"),
            (to(0x1008, LEAF, false), 0, "a return"),
        ] {
            let mut tree = CallTree::default();
            let mut data = in_main(&mut tree);
            data.arrive(Flow::Anywhere, arrival);
            assert_eq!(data.calls.depth(), depth, "{what}");
        }
    }
}
