//! System calls that a user has a thread make, at any stop, with everything put back behind them.

use libdebug_arch::x86_64::index;
use libdebug_kernel::{Bell, Event, Signal, SignalInfo, Stop, SyscallInfo, Tid, Wait};

use crate::call::{SYSCALL, syscall_registers};
use crate::error::{Error, Result};
use crate::mailbox::lock;
use crate::process::{Process, Run};
use crate::syscall::{SyscallSide, native_number};
use crate::syscall_stop::ARGUMENTS;

const FORK: u64 = 57;
const VFORK: u64 = 58;

/// In what stop a thread is asked to make a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// In no system call of its own, or behind it: it can execute one anywhere.
    Free,
    /// Before one of its own, which is put off.
    Enter,
    /// The same, after a seccomp filter had its say.
    Seccomp,
}

impl Process {
    /// What the kernel tells of the signal that `tid` is stopped at.
    pub(crate) fn signal_info(&self, tid: Tid) -> Result<Option<SignalInfo>> {
        let thread = self.threads.get(&tid).filter(|thread| thread.run == Run::Stopped);
        match thread {
            Some(thread) if thread.at_signal => Ok(Some(self.ptrace.signal_info(tid)?)),
            Some(_) => Ok(None),
            None => Err(Error::Died { tid, how: None }),
        }
    }

    /// Has the stopped thread `tid` make a system call. All its registers are as they were then, and so are the
    /// system call that it is in, and the signal that it is about to get.
    pub(crate) fn invoke_syscall(
        &mut self,
        tid: Tid,
        number: u64,
        arguments: [u64; 6],
        bell: &Bell,
    ) -> Result<i64> {
        let thread = self.threads.get(&tid).filter(|thread| thread.run == Run::Stopped);
        let thread = thread.ok_or(Error::Died { tid, how: None })?;
        if thread.held.is_some() {
            return Err(Error::Unsupported("a thread that waits for its vfork child can execute nothing"));
        }
        let (at_signal, group_stopped) = (thread.at_signal, thread.group_stopped);
        // A process that the call makes begins where users see this thread.
        self.shown_pc(tid)?;
        self.flush_thread(tid)?;
        let info = if at_signal { self.ptrace.signal_info(tid).ok() } else { None };
        // A vfork child would run the program's own code in the memory of its parent, which waits for it.
        let number = if number == VFORK { FORK } else { number };
        let result = match self.within(tid)? {
            Within::Free => self.inject_syscall(tid, number, arguments),
            within => self.invoke_in_place(tid, within, number, arguments),
        };
        if let Some(info) = info {
            let _ = self.ptrace.set_signal_info(tid, &info);
        }
        if group_stopped {
            self.stop_with_group(tid, bell)?;
        }
        result
    }

    fn within(&self, tid: Tid) -> Result<Within> {
        const FOREIGN: &str = "a system call of another convention than the program's cannot be replaced";
        let side = self.threads.get(&tid).and_then(|thread| lock(&thread.cell.stop).side);
        if side != Some(SyscallSide::Enter) {
            return Ok(Within::Free);
        }
        match self.ptrace.syscall_info(tid)? {
            SyscallInfo::Enter(call) | SyscallInfo::Seccomp { call, .. }
                if native_number(&call) == u64::MAX =>
            {
                Err(Error::Unsupported(FOREIGN))
            }
            SyscallInfo::Enter(_) => Ok(Within::Enter),
            SyscallInfo::Seccomp { .. } => Ok(Within::Seccomp),
            SyscallInfo::Exit { .. } | SyscallInfo::Outside => Ok(Within::Free),
        }
    }

    /// At an enter-stop the kernel is about to execute a call: it executes another one. Then the thread makes its
    /// own again, as far as the enter-stop that it was in.
    fn invoke_in_place(&mut self, tid: Tid, within: Within, number: u64, arguments: [u64; 6]) -> Result<i64> {
        let gadget = self.syscall_gadget()?;
        let saved = self.ptrace.general_registers(tid)?;
        let mut registers = saved;
        for (register, argument) in ARGUMENTS.into_iter().zip(arguments) {
            registers[register] = argument;
        }
        registers[index::ORIG_RAX] = number;
        // Where a restart goes back from: there may be a trap at the program's own instruction.
        registers[index::RIP] = gadget + SYSCALL.len() as u64;
        self.ptrace.set_general_registers(tid, &registers)?;
        let value = self.run_to_exit(tid, &saved)?;
        let own = ARGUMENTS.map(|register| saved[register]);
        let again = syscall_registers(saved, gadget, saved[index::ORIG_RAX], own);
        self.ptrace.set_general_registers(tid, &again)?;
        self.run_to_enter(tid, within)?;
        self.ptrace.set_general_registers(tid, &saved)?;
        Ok(value)
    }

    fn run_to_exit(&mut self, tid: Tid, saved: &[u64; index::COUNT]) -> Result<i64> {
        loop {
            let stop = self.next_stop(tid, saved)?;
            if let (Stop::Syscall, SyscallInfo::Exit { value, .. }) = (stop, self.ptrace.syscall_info(tid)?)
                && !is_restart(value)
            {
                return Ok(value);
            }
        }
    }

    fn run_to_enter(&mut self, tid: Tid, within: Within) -> Result<()> {
        let saved = self.ptrace.general_registers(tid)?;
        loop {
            self.next_stop(tid, &saved)?;
            match self.ptrace.syscall_info(tid)? {
                SyscallInfo::Enter(_) if within == Within::Enter => return Ok(()),
                SyscallInfo::Seccomp { .. } => return Ok(()),
                _ => {}
            }
        }
    }

    /// The next stop on the way through a system call. Signals wait; what the call creates is taken in.
    fn next_stop(&mut self, tid: Tid, saved: &[u64; index::COUNT]) -> Result<Stop> {
        self.ptrace.syscall(tid, None)?;
        match self.ptrace.wait_for(tid)? {
            Wait::Tracee(_, Event::Stopped(stop)) => {
                self.on_stop_in_call(tid, stop, saved)?;
                Ok(stop)
            }
            Wait::Tracee(_, Event::Died(death)) => {
                self.bury(tid, Some(death));
                Err(Error::Died { tid, how: Some(death) })
            }
            Wait::NoTracees | Wait::Rung | Wait::Interrupted => Err(Error::Died { tid, how: None }),
        }
    }

    /// A stop that comes in the middle of a call that the debugger makes.
    pub(crate) fn on_stop_in_call(
        &mut self,
        tid: Tid,
        stop: Stop,
        saved: &[u64; index::COUNT],
    ) -> Result<()> {
        match stop {
            Stop::Signal(signal) if signal != Signal::TRAP => {
                self.restore_signal(tid, signal);
                self.defer(tid, signal);
                Ok(())
            }
            Stop::Clone | Stop::Fork | Stop::Vfork => self.take_in_child(tid, saved),
            Stop::Exit => {
                self.on_exit(tid)?;
                Err(Error::Died { tid, how: None })
            }
            _ => Ok(()),
        }
    }

    /// What a call of the debugger's creates goes on where the program stands, and not behind the call; on the
    /// stack and with the thread pointer that the call gave it.
    fn take_in_child(&mut self, parent: Tid, saved: &[u64; index::COUNT]) -> Result<()> {
        let Some(child) = self.await_newborn(parent)? else { return Ok(()) };
        let creator = self.ptrace.general_registers(parent)?;
        let own = self.ptrace.general_registers(child)?;
        let mut registers = *saved;
        for kept in [index::RSP, index::FS_BASE] {
            if own[kept] != creator[kept] {
                registers[kept] = own[kept];
            }
        }
        self.ptrace.set_general_registers(child, &registers)?;
        self.take_in(parent, child)
    }

    /// Back into the group-stop that an executed instruction has ended: while the group is stopped, an interrupt
    /// shows that stop.
    fn stop_with_group(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        self.leave_call(tid)?;
        self.await_thread(tid, bell);
        Ok(())
    }
}

/// Whether an interrupted call is about to be restarted (ERESTARTSYS and its like).
fn is_restart(value: i64) -> bool {
    matches!(value, -514..=-512 | -516)
}
