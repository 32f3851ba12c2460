//! System calls that the tracee makes on the debugger's behalf.

use libdebug_arch::x86_64::index;
use libdebug_kernel::{Event, Signal, SignalInfo, Stop, Tid, Wait};

use crate::error::{Error, Result};
use crate::process::{KeptSignal, Process};
use crate::syscall_stop::ARGUMENTS;

pub(crate) const SYSCALL: [u8; 2] = [0x0f, 0x05];

impl Process {
    /// Makes the stopped thread `tid` execute system call `number`, and puts its registers back. Answers what
    /// the kernel did: a negative errno on failure.
    ///
    /// An interrupted system call of its own is not disturbed: what the kernel restarts it by (orig_rax, rax)
    /// is put back too.
    pub(crate) fn inject_syscall(&mut self, tid: Tid, number: u64, arguments: [u64; 6]) -> Result<i64> {
        let gadget = self.syscall_gadget()?;
        let saved = self.ptrace.general_registers(tid)?;
        self.ptrace.set_general_registers(tid, &syscall_registers(saved, gadget, number, arguments))?;
        let value = self.step_through(tid, gadget, &saved)?;
        self.ptrace.set_general_registers(tid, &saved)?;
        Ok(value)
    }

    /// Steps `tid`, which stands at `gadget`, until it is behind it. Signals wait.
    fn step_through(&mut self, tid: Tid, gadget: u64, saved: &[u64; index::COUNT]) -> Result<i64> {
        loop {
            self.ptrace.step(tid, None)?;
            match self.ptrace.wait_for(tid)? {
                Wait::Tracee(_, Event::Stopped(stop)) if stop != Stop::Signal(Signal::TRAP) => {
                    self.on_stop_in_call(tid, stop, saved)?;
                }
                Wait::Tracee(_, Event::Stopped(_)) => {
                    let registers = self.ptrace.general_registers(tid)?;
                    if registers[index::RIP] == gadget + SYSCALL.len() as u64 {
                        return Ok(registers[index::RAX].cast_signed());
                    }
                }
                Wait::Tracee(_, Event::Died(death)) => {
                    self.bury(tid, Some(death));
                    return Err(Error::Died { tid, how: Some(death) });
                }
                Wait::NoTracees | Wait::Rung | Wait::Interrupted => {
                    return Err(Error::Died { tid, how: None });
                }
            }
        }
    }

    /// Keeps `signal`, whose delivery is being suppressed, for later.
    pub(crate) fn defer(&mut self, tid: Tid, signal: Signal) {
        let info = self.ptrace.signal_info(tid).ok();
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.deferred.push(KeptSignal { signal, info, caught: thread.caught });
        }
    }

    /// Sends the deferred signals again, to arrive as soon as the thread runs. rt_tgsigqueueinfo(2) would keep
    /// the siginfo but refuses those that the kernel made; so the siginfo is put back at the signal's delivery.
    pub(crate) fn resend_deferred(&mut self, tid: Tid) {
        let pid = self.pid();
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        for kept in std::mem::take(&mut thread.deferred) {
            let sent = libdebug_kernel::signal_thread(pid, tid, kept.signal);
            thread.requeued.extend(sent.is_ok().then_some(kept));
        }
    }

    /// The siginfo of a signal that was requeued comes back with it. Real-time signals that others have queued
    /// before ours came back are passed ahead of, so that all keep their order.
    pub(crate) fn restore_signal(&mut self, tid: Tid, signal: Signal) {
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        thread.caught = false;
        let Some(place) = thread.requeued.iter().position(|kept| kept.signal == signal) else { return };
        let Some(kept) = thread.requeued.remove(place) else { return };
        let found = self.ptrace.signal_info(tid).ok();
        let overtaken = found.filter(|found| signal >= REAL_TIME && !is_own(found));
        thread.requeued.extend(overtaken.map(|info| KeptSignal { signal, info: Some(info), caught: false }));
        thread.caught = kept.caught;
        if let Some(info) = kept.info {
            let _ = self.ptrace.set_signal_info(tid, &info);
        }
    }

    /// The address of a `syscall` instruction: the vDSO's as a rule, else any in executable memory, so that the
    /// program's text is not touched.
    pub(crate) fn syscall_gadget(&mut self) -> Result<u64> {
        if let Some(gadget) = self.displaced.gadget {
            return Ok(gadget);
        }
        let maps = self.session.maps()?;
        let (vdso, others): (Vec<_>, Vec<_>) =
            maps.iter().filter(|map| map.is_executable()).partition(|map| map.path == "[vdso]");
        let found = vdso.into_iter().chain(others).find_map(|map| self.find_syscall(map.start, map.end));
        self.displaced.gadget = found;
        found.ok_or(Error::Unsupported("the process has no syscall instruction to make a system call with"))
    }

    fn find_syscall(&self, start: u64, end: u64) -> Option<u64> {
        const MOST: u64 = 4 << 20;
        let mut code = vec![0; (end - start).min(MOST) as usize];
        let length = self.session.memory().read(start, &mut code);
        code.truncate(length);
        code.windows(SYSCALL.len()).position(|window| window == SYSCALL).map(|offset| start + offset as u64)
    }

    /// Maps `size` bytes, readable and executable, at `address` exactly.
    pub(crate) fn inject_mmap(&mut self, tid: Tid, address: u64, size: u64) -> Result<bool> {
        const MMAP: u64 = 9;
        const READ_EXECUTE: u64 = 1 | 4;
        const PRIVATE_ANONYMOUS_FIXED_NOREPLACE: u64 = 0x02 | 0x20 | 0x10_0000;
        let arguments = [address, size, READ_EXECUTE, PRIVATE_ANONYMOUS_FIXED_NOREPLACE, u64::MAX, 0];
        Ok(self.inject_syscall(tid, MMAP, arguments)? == address.cast_signed())
    }
}

/// Signals from here on queue up; of the others one of each kind waits at most (signal(7)).
const REAL_TIME: Signal = Signal(32);

/// Whether tgkill of this process has sent it.
fn is_own(info: &SignalInfo) -> bool {
    const SI_TKILL: i32 = -6;
    info.code() == SI_TKILL && info.sender() == std::process::id().cast_signed()
}

/// The registers of a thread about to execute `syscall` at `gadget`; no system call is pending (orig_rax).
pub(crate) fn syscall_registers(
    saved: [u64; 27],
    gadget: u64,
    number: u64,
    arguments: [u64; 6],
) -> [u64; 27] {
    let mut registers = saved;
    for (register, argument) in ARGUMENTS.into_iter().zip(arguments) {
        registers[register] = argument;
    }
    registers[index::RIP] = gadget;
    registers[index::RAX] = number;
    registers[index::ORIG_RAX] = u64::MAX;
    registers
}
