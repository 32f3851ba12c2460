//! Syscall-stops and deliveries of signals: whom they concern, and what that asks of the tracer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_arch::x86_64::index;
use libdebug_kernel::{AUDIT_ARCH_X86_64, Bell, Signal, SyscallCall, SyscallInfo, Tid};

use crate::error::Result;
use crate::mailbox::lock;
use crate::process::{Happening, Process};
use crate::syscall::{Entry, SyscallCell, SyscallSide, native_number};

/// The registers that hold a system call's arguments (System V ABI for AMD64, A.2.1).
pub(crate) const ARGUMENTS: [usize; 6] =
    [index::RDI, index::RSI, index::RDX, index::R10, index::R8, index::R9];

/// The number that skips a call.
pub(crate) const NO_CALL: u64 = u64::MAX;

/// What an enter or exit asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concern {
    Nobody,
    /// Counting, at most: the thread goes on at once.
    Native,
    /// A user's code, or a stop.
    User,
}

impl Process {
    /// Whether syscall-stops of `tid` are wanted when it goes on.
    pub(crate) fn wants_syscalls(&self, tid: Tid) -> bool {
        let inside = |thread: &crate::process::Thread| !thread.entered.is_empty() || thread.observed;
        self.syscalls.are_wanted(&self.filters, tid)
            || self.is_disguised()
            || self.threads.get(&tid).is_some_and(inside)
    }

    fn is_disguised(&self) -> bool {
        self.shared.escape_antidebug.load(Ordering::Acquire)
    }

    /// Enter and exit are told apart by the kernel's own record.
    pub(crate) fn on_syscall_stop(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        match self.ptrace.syscall_info(tid)? {
            SyscallInfo::Enter(call) => self.on_syscall_enter(tid, Entry { call, filtered: false }, bell),
            SyscallInfo::Seccomp { call, .. } => {
                self.on_syscall_enter(tid, Entry { call, filtered: true }, bell)
            }
            SyscallInfo::Exit { .. } => self.on_syscall_exit(tid, bell),
            SyscallInfo::Outside => self.go_on(tid, bell),
        }
    }

    /// Where a user's code is going to look at the registers, they tell of the call too: one request instead of two.
    pub(crate) fn on_seccomp_stop(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        let call = if self.syscalls.call_users() { self.call_in_registers(tid)? } else { None };
        match call {
            Some(call) => self.on_syscall_enter(tid, Entry { call, filtered: true }, bell),
            None => self.on_syscall_stop(tid, bell),
        }
    }

    /// The call that our own filter has stopped `tid` at: it stops calls of 64-bit programs only, whose registers the
    /// kernel has not touched yet. `None` for a call that it does not filter.
    fn call_in_registers(&mut self, tid: Tid) -> Result<Option<SyscallCall>> {
        const USER_CS: u64 = 0x33;
        self.load_general(tid)?;
        let Some(thread) = self.threads.get(&tid) else { return Ok(None) };
        let registers = lock(&thread.cell.registers);
        let Some(general) = registers.general().map(|general| &general.0) else { return Ok(None) };
        let (number, arguments) = (general[index::ORIG_RAX], ARGUMENTS.map(|register| general[register]));
        let is_ours = general[index::CS] == USER_CS && self.filters.covers(number);
        Ok(is_ours.then_some(SyscallCall { audit_arch: AUDIT_ARCH_X86_64, number, arguments }))
    }

    fn note_side(&self, tid: Tid, side: SyscallSide) {
        if let Some(thread) = self.threads.get(&tid) {
            lock(&thread.cell.stop).side = Some(side);
        }
    }

    fn on_syscall_enter(&mut self, tid: Tid, entry: Entry, bell: &Bell) -> Result<()> {
        self.note_side(tid, SyscallSide::Enter);
        let number = native_number(&entry.call);
        let handler = self.syscalls.handler_for(number, tid);
        let observed = self.syscalls.observes(number);
        match self.threads.get_mut(&tid) {
            Some(thread) => {
                thread.entered.clear();
                thread.observed = false;
            }
            None => return Ok(()),
        }
        match &handler {
            Some(cell) if !observed && cell.is_native(SyscallSide::Enter) => {
                self.answer_call(tid, cell)?;
                match handler {
                    Some(cell) if entry.is_all(&cell) => cell.life.count_hit(),
                    handler => self.note_entered(tid, handler),
                }
                self.go_on(tid, bell)
            }
            None if !observed => self.go_on(tid, bell),
            _ => {
                self.happenings.push_back(Happening::SyscallEnter(tid, entry));
                Ok(())
            }
        }
    }

    fn note_entered(&mut self, tid: Tid, handler: Option<Arc<SyscallCell>>) {
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.entered.extend(handler);
        }
    }

    /// Has the kernel skip the call that `tid` is about to make, if its handler answers it: a number that no call has
    /// leaves the result as it is then (seccomp(2), `SECCOMP_RET_TRACE`; the same holds for a syscall-enter-stop).
    fn answer_call(&self, tid: Tid, cell: &SyscallCell) -> Result<()> {
        let Some(value) = cell.answer() else { return Ok(()) };
        self.ptrace.set_general_register(tid, index::ORIG_RAX, NO_CALL)?;
        Ok(self.ptrace.set_general_register(tid, index::RAX, value.cast_unsigned())?)
    }

    fn on_syscall_exit(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        self.note_side(tid, SyscallSide::Exit);
        if self.is_disguised() {
            self.disguise(tid)?;
        }
        match self.exit_concern(tid) {
            Concern::User => {
                self.happenings.push_back(Happening::SyscallExit(tid));
                Ok(())
            }
            Concern::Native => {
                if let Some(thread) = self.threads.get_mut(&tid) {
                    let entered = std::mem::take(&mut thread.entered);
                    entered
                        .iter()
                        .filter(|cell| cell.life.is_enabled())
                        .for_each(|cell| cell.life.count_hit());
                }
                self.go_on(tid, bell)
            }
            Concern::Nobody => self.go_on(tid, bell),
        }
    }

    fn exit_concern(&self, tid: Tid) -> Concern {
        match self.threads.get(&tid) {
            Some(thread) if thread.observed => Concern::User,
            Some(thread) if thread.entered.is_empty() => Concern::Nobody,
            Some(thread) if thread.entered.iter().all(|cell| cell.is_native(SyscallSide::Exit)) => {
                Concern::Native
            }
            Some(_) => Concern::User,
            None => Concern::Nobody,
        }
    }

    /// A step from a syscall-enter-stop executes the call, without an exit-stop.
    pub(crate) fn exit_by_step(&mut self, tid: Tid) {
        if self.exit_concern(tid) != Concern::Nobody {
            self.happenings.push_back(Happening::SyscallExit(tid));
        }
    }

    /// Gives the signal that `tid` is about to get to who catches it. Answers whether the thread is to wait for
    /// that.
    pub(crate) fn offer_to_catcher(&mut self, tid: Tid, signal: Signal) -> bool {
        let catcher = self.signals.catcher_for(signal, tid);
        let Some(thread) = self.threads.get_mut(&tid) else { return false };
        let catcher = catcher.filter(|_| !thread.caught);
        let native = catcher.as_ref().is_none_or(|cell| cell.is_native());
        if native {
            thread.caught = true;
            catcher.iter().for_each(|cell| cell.life.count_hit());
            let mut stop = lock(&thread.cell.stop);
            stop.deliver = self.signals.unblocked(stop.deliver);
            return false;
        }
        self.happenings.push_back(Happening::Caught(tid));
        true
    }
}
