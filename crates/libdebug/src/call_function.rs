//! Functions of the program that a user has a thread call, with everything put back behind them.

use libdebug_arch::x86_64::index;
use libdebug_kernel::{Signal, Tid, proc};

use crate::attend::note_interrupted;
use crate::error::{Error, Result};
use crate::mailbox::lock;
use crate::process::{KeptSignal, Process, Run};
use crate::registers::RegisterCache;
use crate::syscall::SyscallSide;
use crate::tracer::Tracer;

/// The registers of the first six integer arguments (System V ABI for AMD64, 3.2.3).
const ARGUMENTS: [usize; 6] = [index::RDI, index::RSI, index::RDX, index::RCX, index::R8, index::R9];
/// What a leaf function may use below its stack pointer (3.2.2).
const RED_ZONE: u64 = 128;
const DIRECTION_FLAG: u64 = 0x400;

/// What a thread goes back to behind a call.
pub(crate) struct Before {
    registers: RegisterCache,
    passed: Option<u64>,
    /// The signal that it was about to get.
    pending: Option<KeptSignal>,
    shown: Option<Signal>,
}

/// Where the call's frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    /// The stack pointer as the function finds it: the return address is there, and nothing below is in use.
    stack: u64,
    /// Arguments from the seventh on, right above the return address.
    on_stack: usize,
}

/// The stack is aligned to 16 bytes where the return address was pushed (3.2.2).
fn frame(stack: u64, arguments: usize) -> Frame {
    let on_stack = arguments.saturating_sub(ARGUMENTS.len());
    let end = (stack - RED_ZONE - 8 * on_stack as u64) & !15;
    Frame { stack: end - 8, on_stack }
}

/// The registers of a thread that has just been called into `function`.
fn registers_for_call(
    before: &[u64; index::COUNT],
    function: u64,
    arguments: &[u64],
    stack: u64,
) -> [u64; index::COUNT] {
    let mut registers = *before;
    for (register, &argument) in ARGUMENTS.into_iter().zip(arguments) {
        registers[register] = argument;
    }
    // The number of vector registers in use, for functions with a variable number of arguments.
    registers[index::RAX] = 0;
    registers[index::EFLAGS] &= !DIRECTION_FLAG;
    registers[index::ORIG_RAX] = u64::MAX;
    registers[index::RSP] = stack;
    registers[index::RIP] = function;
    registers
}

impl Tracer {
    /// Has `tid` call `function`; all threads run meanwhile, as the function may wait for one. Answers what it has
    /// returned in rax.
    pub(crate) fn call_function(&self, tid: Tid, function: u64, arguments: &[u64]) -> Result<u64> {
        let result = self.make_call(tid, function, arguments);
        match self.process.borrow_mut().as_mut() {
            Some(process) => {
                note_interrupted(process);
                self.publish(process);
            }
            None => self.shared.stopped.set(),
        }
        result
    }

    fn make_call(&self, tid: Tid, function: u64, arguments: &[u64]) -> Result<u64> {
        let (before, back, stack) = self.with(|process| process.begin_call(tid, function, arguments))?;
        let went = self.with(|process| process.begin_run_to(back, &self.bell));
        let arrived = went.is_ok() && self.run_until(tid, back, Some(stack + 8));
        let fault = self.with(|process| Ok(process.call_fault.take())).ok().flatten();
        let result = self.with(|process| process.end_call(tid, before));
        match (went.and(result), fault) {
            (Err(error), _) => Err(error),
            (Ok(_), Some((signal, address))) => Err(Error::CallFault { signal, address }),
            (Ok(value), None) if arrived => Ok(value),
            (Ok(_), None) => Err(Error::CallStopped { function }),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Process) -> Result<T>) -> Result<T> {
        act(self.process.borrow_mut().as_mut().ok_or(Error::NoProcess)?)
    }
}

impl Process {
    /// Answers what to put back, the address that the function returns to, and its stack pointer.
    fn begin_call(&mut self, tid: Tid, function: u64, arguments: &[u64]) -> Result<(Before, u64, u64)> {
        let thread = self.threads.get(&tid).filter(|thread| thread.run == Run::Stopped);
        let thread = thread.ok_or(Error::Died { tid, how: None })?;
        if thread.held.is_some() || thread.group_stopped {
            return Err(Error::Unsupported("a thread that is suspended can call nothing"));
        }
        if lock(&thread.cell.stop).side == Some(SyscallSide::Enter) {
            return Err(Error::Unsupported(
                "a thread in the middle of a system call can call nothing: step first",
            ));
        }
        let back = proc::auxiliary(self.session.inhabited(), proc::auxiliary_key::ENTRY)?;
        let back = back.ok_or(Error::Unsupported("the process has no entry point to return to"))?;
        self.load_all(tid)?;
        let before = self.set_aside(tid)?;
        let general = before.registers.general().map(|general| general.0).unwrap_or_default();
        let frame = frame(general[index::RSP], arguments.len());
        self.push_frame(frame, back, arguments)?;
        self.calling = Some(tid);
        if let Some(thread) = self.threads.get_mut(&tid) {
            let registers = registers_for_call(&general, function, arguments, frame.stack);
            lock(&thread.cell.registers).replace_general(registers);
            thread.passed = None;
        }
        Ok((before, back, frame.stack))
    }

    fn push_frame(&self, frame: Frame, back: u64, arguments: &[u64]) -> Result<()> {
        let stacked = arguments.iter().skip(arguments.len() - frame.on_stack);
        let block: Vec<u8> = [back].iter().chain(stacked).flat_map(|word| word.to_le_bytes()).collect();
        let done = self.session.memory().write(frame.stack, &block);
        if done == block.len() {
            return Ok(());
        }
        let (operation, pid, size) = ("write", self.pid(), block.len());
        Err(Error::BadAddress { operation, pid, address: frame.stack, size, done })
    }

    /// What the thread is to be again, a signal that it is about to get included.
    fn set_aside(&mut self, tid: Tid) -> Result<Before> {
        let info = self.signal_info(tid)?;
        let thread = self.threads.get(&tid).ok_or(Error::Died { tid, how: None })?;
        let mut stop = lock(&thread.cell.stop);
        let pending = stop.deliver.take().map(|signal| KeptSignal {
            signal,
            info: info.filter(|info| info.signal() == signal),
            caught: thread.caught,
        });
        let registers = lock(&thread.cell.registers).clone();
        Ok(Before { registers, passed: thread.passed, pending, shown: stop.signal })
    }

    /// Puts everything back. Answers what was returned.
    fn end_call(&mut self, tid: Tid, before: Before) -> Result<u64> {
        self.calling = None;
        self.load_general(tid)?;
        let thread = self.threads.get_mut(&tid).ok_or(Error::Died { tid, how: None })?;
        let mut registers = lock(&thread.cell.registers);
        let value = registers.general().map_or(0, |general| general.0[index::RAX]);
        registers.restore(before.registers);
        thread.passed = before.passed;
        thread.deferred.extend(before.pending);
        let mut stop = lock(&thread.cell.stop);
        if stop.deliver.is_none() {
            stop.signal = before.shown;
        }
        Ok(value)
    }

    /// A fault inside a called function would end the program: it ends the call instead.
    pub(crate) fn fault_in_call(&mut self, tid: Tid, signal: Signal) -> Result<bool> {
        if self.calling != Some(tid) {
            return Ok(false);
        }
        let info = self.ptrace.signal_info(tid)?;
        let fault = crate::stop::is_fault(info.signal(), info.code());
        if fault {
            self.call_fault = Some((signal, info.address()));
            self.note_signal(tid, Some(signal), None);
        }
        Ok(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_is_aligned_at_the_return_address_and_the_red_zone_left_alone() {
        for stack in 0x7000..0x7040 {
            for arguments in 0..10 {
                let frame = frame(stack, arguments);
                assert_eq!((frame.stack + 8) % 16, 0);
                assert_eq!(frame.on_stack, arguments.saturating_sub(6));
                let end = frame.stack + 8 + 8 * frame.on_stack as u64;
                assert!(end <= stack - RED_ZONE && stack - end < RED_ZONE + 24);
            }
        }
    }

    #[test]
    fn arguments_go_where_functions_expect_them() {
        let registers = registers_for_call(&[7; index::COUNT], 0x1000, &[1, 2, 3, 4, 5, 6, 9], 0x2000);
        assert_eq!(ARGUMENTS.map(|register| registers[register]), [1, 2, 3, 4, 5, 6]);
        assert_eq!((registers[index::RIP], registers[index::RSP]), (0x1000, 0x2000));
        assert_eq!((registers[index::RAX], registers[index::RBX]), (0, 7));
    }
}
