//! System calls that nobody handles, at native speed: a seccomp filter stops the program at the others only.
//!
//! A filter stays for ever, and without a tracer a call that it wants traced fails with ENOSYS (seccomp(2),
//! `SECCOMP_RET_TRACE`). So this is for programs that do not outlive their debugger; their children, which inherit the
//! filter, are followed in any case.

use std::collections::BTreeSet;

use libdebug_kernel::{AUDIT_ARCH_X86_64, Bell, Tid, trace_filter};

use crate::error::{Error, Result};
use crate::process::Process;

/// How system calls that somebody handles are told from the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SyscallFilterMode {
    /// As [`SyscallFilterMode::Ptrace`]: a program can be let go at any time, which nobody knows beforehand, and a
    /// filter would break it then.
    #[default]
    Auto,
    /// By a filter in the program: calls that nobody handles cost nothing. The program cannot be detached from any
    /// more, and ends with the debugger.
    Seccomp,
    /// By stopping at every call.
    Ptrace,
}

/// The calls that a process is filtered for.
#[derive(Debug, Default, Clone)]
pub(crate) struct Filters {
    numbers: BTreeSet<u64>,
    /// How many filters that has taken.
    pub(crate) installed: u32,
}

impl Filters {
    pub(crate) fn are_installed(&self) -> bool {
        self.installed > 0
    }

    pub(crate) fn covers(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }
}

const PRCTL: u64 = 157;
const MMAP: u64 = 9;
const MUNMAP: u64 = 11;
const SECCOMP: u64 = 317;
const EACCES: i64 = -13;

const PAGE: u64 = 4096;

impl Process {
    /// Has the program filtered for `number`, in all threads. Nothing to do where it is.
    pub(crate) fn accelerate(&mut self, number: u64, bell: &Bell) -> Result<()> {
        let Ok(narrow) = u32::try_from(number) else { return Ok(()) };
        if self.filters.covers(number) {
            return Ok(());
        }
        self.options = self.options.seccomp();
        for tid in self.stopped_tids() {
            // One that is dead needs none.
            let _ = self.ptrace.set_options(tid, self.options);
        }
        let tid = self.stopped_tids().first().copied().ok_or(Error::NoProcess)?;
        let program = trace_filter(AUDIT_ARCH_X86_64, &[narrow]);
        self.with_page(tid, bell, |process, page| process.install(tid, page, &program, bell))?;
        self.filters.numbers.insert(number);
        self.filters.installed += 1;
        Ok(())
    }

    /// Lends the program a page while `act` runs.
    fn with_page(
        &mut self,
        tid: Tid,
        bell: &Bell,
        act: impl FnOnce(&mut Self, u64) -> Result<()>,
    ) -> Result<()> {
        const READ_WRITE: u64 = 1 | 2;
        const PRIVATE_ANONYMOUS: u64 = 0x02 | 0x20;
        let page =
            self.invoke_syscall(tid, MMAP, [0, PAGE, READ_WRITE, PRIVATE_ANONYMOUS, u64::MAX, 0], bell)?;
        let Ok(page) = u64::try_from(page) else {
            return Err(Error::Unsupported("the program has no memory for a system call filter"));
        };
        let result = act(self, page);
        self.invoke_syscall(tid, MUNMAP, [page, PAGE, 0, 0, 0, 0], bell)?;
        result
    }

    /// `struct sock_fprog`, with the program right behind it; then seccomp(2), for all threads at once.
    fn install(&mut self, tid: Tid, page: u64, program: &[u8], bell: &Bell) -> Result<()> {
        const HEADER: u64 = 16;
        let mut block = Vec::with_capacity(HEADER as usize + program.len());
        block.extend_from_slice(&((program.len() / 8) as u64).to_le_bytes());
        block.extend_from_slice(&(page + HEADER).to_le_bytes());
        block.extend_from_slice(program);
        self.session.memory().write(page, &block);
        let installed = match self.call_seccomp(tid, page, bell)? {
            EACCES => {
                self.give_up_privileges(tid, bell)?;
                self.call_seccomp(tid, page, bell)?
            }
            result => result,
        };
        if installed == 0 { Ok(()) } else { Err(Error::Filter(installed)) }
    }

    fn call_seccomp(&mut self, tid: Tid, page: u64, bell: &Bell) -> Result<i64> {
        const SET_MODE_FILTER: u64 = 1;
        const FLAG_TSYNC: u64 = 1;
        self.invoke_syscall(tid, SECCOMP, [SET_MODE_FILTER, FLAG_TSYNC, page, 0, 0, 0], bell)
    }

    /// Without CAP_SYS_ADMIN only a program that can gain no privileges may have a filter. It could not before, with a
    /// tracer that has no privileges either (execve(2)).
    fn give_up_privileges(&mut self, tid: Tid, bell: &Bell) -> Result<()> {
        const SET_NO_NEW_PRIVS: u64 = 38;
        self.invoke_syscall(tid, PRCTL, [SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0], bell).map(drop)
    }
}
