//! System calls that a thread makes for us, between two instructions of its own.

use libdebug_arch::x86_64::index;
use libdebug_kernel::proc::{self, Map};
use libdebug_kernel::{Event, KernelError, Pid, ProcessMemory, Ptrace, Signal, Stop, Tid, Wait};

use super::batch::Registers;
use crate::call::{SYSCALL, syscall_registers};
use crate::displaced::is_sandboxed;

/// A stopped thread that can make calls.
#[derive(Clone, Copy)]
pub(crate) struct Stopped<'a> {
    pub(crate) ptrace: Ptrace,
    pub(crate) tid: Tid,
    pub(crate) process: Pid,
    /// As the program has them. They are what it has afterwards too.
    pub(crate) registers: &'a Registers,
}

const MMAP: u64 = 9;
const MUNMAP: u64 = 11;

/// What may be done with pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    ReadExecute,
    ReadWrite,
}

impl Stopped<'_> {
    /// Maps pages at `address`, and nowhere else. Answers whether it did.
    pub(super) fn map(
        &self,
        maps: &[Map],
        memory: &ProcessMemory,
        address: u64,
        size: u64,
        access: Access,
    ) -> bool {
        const PRIVATE_ANONYMOUS_NORESERVE_FIXED_NOREPLACE: u64 = 0x02 | 0x20 | 0x4000 | 0x10_0000;
        let protection = match access {
            Access::ReadExecute => 1 | 4,
            Access::ReadWrite => 1 | 2,
        };
        let flags = PRIVATE_ANONYMOUS_NORESERVE_FIXED_NOREPLACE;
        let arguments = [address, size, protection, flags, u64::MAX, 0];
        match self.call(maps, memory, MMAP, arguments) {
            Some(mapped) if mapped == address => true,
            // A kernel before 4.17 takes the address for a wish.
            Some(mapped) if mapped < 1 << 47 => {
                self.unmap(maps, memory, mapped, size);
                false
            }
            _ => false,
        }
    }

    pub(super) fn unmap(&self, maps: &[Map], memory: &ProcessMemory, address: u64, size: u64) {
        self.call(maps, memory, MUNMAP, [address, size, 0, 0, 0, 0]);
    }

    /// What the kernel answered; `None` when the call could not be made.
    fn call(&self, maps: &[Map], memory: &ProcessMemory, number: u64, arguments: [u64; 6]) -> Option<u64> {
        if is_sandboxed(self.tid, 0) {
            return None;
        }
        let gadget = gadget(maps, memory)?;
        let blocked = self.ptrace.blocked_signals(self.tid).ok()?;
        self.ptrace.set_blocked_signals(self.tid, !(1 << (Signal::TRAP.0 - 1))).ok()?;
        let registers = syscall_registers(*self.registers, gadget, number, arguments);
        let answer = self.ptrace.set_general_registers(self.tid, &registers).and_then(|()| self.step(gadget));
        self.ptrace.set_general_registers(self.tid, self.registers).ok()?;
        self.ptrace.set_blocked_signals(self.tid, blocked).ok()?;
        answer.ok().flatten()
    }

    fn step(&self, gadget: u64) -> Result<Option<u64>, KernelError> {
        loop {
            self.ptrace.step(self.tid, None)?;
            match self.ptrace.wait_for(self.tid)? {
                // It is about to end: whoever waits for it next hears of that.
                Wait::Tracee(_, Event::Stopped(Stop::Exit)) => return Ok(None),
                Wait::Tracee(_, Event::Stopped(Stop::Signal(Signal::TRAP))) => {
                    let registers = self.ptrace.general_registers(self.tid)?;
                    if registers[index::RIP] == gadget + SYSCALL.len() as u64 {
                        return Ok(Some(registers[index::RAX]));
                    }
                }
                Wait::Tracee(_, Event::Stopped(_)) => {}
                _ => return Ok(None),
            }
        }
    }
}

/// The address of a `syscall` instruction: the vDSO's as a rule.
fn gadget(maps: &[Map], memory: &ProcessMemory) -> Option<u64> {
    let executable = || maps.iter().filter(|map| map.is_executable() && map.start < 1 << 47);
    let vdso = executable().filter(|map| map.path == "[vdso]");
    vdso.chain(executable()).find_map(|map| {
        let mut code = vec![0; (map.end - map.start).min(4 << 20) as usize];
        let length = memory.read(map.start, &mut code);
        let found = code[..length].windows(SYSCALL.len()).position(|window| window == SYSCALL)?;
        Some(map.start + found as u64)
    })
}

/// Whether the process keeps return addresses in a second place too (CET), where ours would be missing.
pub(super) fn has_shadow_stack(tid: Tid) -> bool {
    proc::has_shadow_stack(tid).unwrap_or(false)
}
