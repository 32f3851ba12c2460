//! System calls and signals in a thread's registers, whatever the architecture calls those.

use std::sync::atomic::Ordering;

use libdebug_arch::x86_64::{Register, RegisterValue, register};
use libdebug_kernel::SignalInfo;

use crate::error::{Error, Result};
use crate::handler::HandlerId;
use crate::mailbox::lock;
use crate::session::StopReason;
use crate::symbols::FileScope;
use crate::syscall::SyscallSide;
use crate::thread::Thread;
use crate::tracer::Command;

const ARGUMENTS: [&Register; 6] =
    [named("rdi"), named("rsi"), named("rdx"), named("r10"), named("r8"), named("r9")];
const PENDING: &Register = named("orig_rax");
const RESULT: &Register = named("rax");

/// No system call: what the kernel shows as the number outside of them.
const NONE: u64 = u64::MAX;

const fn named(name: &str) -> &'static Register {
    match register(name) {
        Some(register) => register,
        None => panic!("evaluated at compile time"),
    }
}

impl Thread {
    /// The number of the system call that the thread is in, or would make next if it stands at an instruction
    /// that makes one.
    ///
    /// # Errors
    /// As [`Thread::register`].
    pub fn syscall_number(&self) -> Result<u64> {
        self.number_of(self.number_register()?)
    }

    /// Changes the number of the system call that the thread is about to make.
    ///
    /// # Errors
    /// As [`Thread::set_register`].
    pub fn set_syscall_number(&self, number: u64) -> Result<()> {
        self.write(self.number_register()?, RegisterValue::U64(number))
    }

    /// The register that the kernel takes the number from next: inside a call it is too late for rax.
    fn number_register(&self) -> Result<&'static Register> {
        let inside = self.side()?.is_some() || self.number_of(PENDING)? != NONE;
        Ok(if inside && !self.stands_at_syscall()? { PENDING } else { RESULT })
    }

    fn stands_at_syscall(&self) -> Result<bool> {
        if self.side()?.is_some() {
            return Ok(false);
        }
        const SYSCALL: [u8; 2] = [0x0f, 0x05];
        let code = self.debugger().read_memory(self.pc()?, SYSCALL.len());
        Ok(code.is_ok_and(|code| code == SYSCALL))
    }

    /// The value of the call's argument `index`, 0 to 5.
    ///
    /// # Errors
    /// [`Error::NoSuchArgument`], and as [`Thread::register`].
    pub fn syscall_argument(&self, index: usize) -> Result<u64> {
        self.number_of(argument(index)?)
    }

    /// Changes the call's argument `index`, 0 to 5.
    ///
    /// # Errors
    /// [`Error::NoSuchArgument`], and as [`Thread::set_register`].
    pub fn set_syscall_argument(&self, index: usize, value: u64) -> Result<()> {
        self.write(argument(index)?, RegisterValue::U64(value))
    }

    /// What the call has returned: a negative errno on failure, -ENOSYS before the kernel has executed it.
    ///
    /// # Errors
    /// As [`Thread::register`].
    pub fn syscall_return(&self) -> Result<i64> {
        Ok(self.number_of(RESULT)?.cast_signed())
    }

    /// Changes what the call has returned.
    ///
    /// # Errors
    /// As [`Thread::set_register`].
    pub fn set_syscall_return(&self, value: i64) -> Result<()> {
        self.write(RESULT, RegisterValue::U64(value.cast_unsigned()))
    }

    fn number_of(&self, register: &'static Register) -> Result<u64> {
        Ok(self.read(register)?.as_u64().unwrap_or(0))
    }

    /// Whether it is stopped before or behind a system call; `None` when it is in no syscall-stop.
    ///
    /// # Errors
    /// As [`Debugger::wait`](crate::Debugger::wait): the process is waited for.
    pub fn side(&self) -> Result<Option<SyscallSide>> {
        self.settle()?;
        Ok(lock(&self.cell().stop).side)
    }

    pub(crate) fn side_of(&self, id: HandlerId) -> Result<Option<SyscallSide>> {
        let reasons = self.stop_reasons()?;
        let side = |reason: &StopReason| match *reason {
            StopReason::SyscallEnter(of) if of == id => Some(SyscallSide::Enter),
            StopReason::SyscallExit(of) if of == id => Some(SyscallSide::Exit),
            _ => None,
        };
        Ok(reasons.iter().find_map(side))
    }

    /// What the kernel tells of the signal that the thread is stopped at (sigaction(2)): who has sent it, the
    /// address of a fault. `None` when it is stopped at none.
    ///
    /// # Errors
    /// [`Error::Died`], and as [`Thread::register`].
    pub fn signal_info(&self) -> Result<Option<SignalInfo>> {
        self.settle()?;
        if self.is_dead() || self.is_zombie() {
            return Err(Error::Died { tid: self.tid(), how: self.death() });
        }
        if !self.is_at_signal() {
            return Ok(None);
        }
        self.debugger().ask(|answer| Command::SignalInfo(self.tid(), answer))?
    }

    /// A trap that the debugger has caused is no signal of the program's.
    fn is_at_signal(&self) -> bool {
        let stop = lock(&self.cell().stop);
        let is_signal = |reason: &StopReason| matches!(reason, StopReason::Signal(_) | StopReason::Caught(_));
        stop.deliver.is_some() || stop.reasons.iter().any(is_signal)
    }

    /// Has the thread make a system call, and answers what the kernel did: a negative errno on failure. The thread
    /// stays where it is; all its registers are as they were.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use libdebug::Debugger;
    /// let debugger = Debugger::builder("/bin/true").run()?;
    /// let thread = debugger.main_thread()?;
    /// let getpid = Debugger::syscall_number("getpid")?;
    /// assert_eq!(Some(thread.invoke_syscall(getpid, &[])?), debugger.pid().map(|pid| pid.0.into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchArgument`] for more than six arguments; [`Error::Died`], also when the call ends the thread;
    /// [`Error::Unsupported`] where the thread can execute nothing; those of
    /// [`Debugger::wait`](crate::Debugger::wait).
    pub fn invoke_syscall(&self, number: u64, arguments: &[u64]) -> Result<i64> {
        self.settle()?;
        if arguments.len() > ARGUMENTS.len() {
            return Err(Error::NoSuchArgument(arguments.len() - 1));
        }
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        let tid = self.tid();
        let result =
            self.debugger().ask(|answer| Command::InvokeSyscall { tid, number, arguments: all, answer })?;
        self.forget_maps();
        result
    }

    /// Has the thread call `function` of the program, with integers and pointers as arguments, and answers what it
    /// returns in rax. All threads run meanwhile; afterwards this one is where it was, with the registers that it had.
    /// Handlers and callbacks of what happens in the function run; what stops the process ends the call.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use libdebug::{Debugger, FileScope};
    /// let debugger = Debugger::builder("/bin/true").run()?;
    /// let abs = debugger.resolve_symbol("abs", &FileScope::File("libc".into()))?.address;
    /// assert_eq!(debugger.main_thread()?.call(abs, &[(-7_i64).cast_unsigned()])? as u32, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::CallFault`], [`Error::CallStopped`], [`Error::Died`] when the process ends in the function;
    /// [`Error::Unsupported`] in the middle of a system call; those of [`Debugger::wait`](crate::Debugger::wait).
    pub fn call(&self, function: u64, arguments: &[u64]) -> Result<u64> {
        let (tid, arguments) = (self.tid(), arguments.to_vec());
        self.debugger().ask_to_run(|answer| Command::CallFunction { tid, function, arguments, answer })?
    }

    /// As [`Thread::call`], of the function called `symbol`; where libc chooses among several by what the CPU can do,
    /// the program is asked first which one it is.
    ///
    /// # Errors
    /// As [`Thread::call`] and [`Debugger::resolve_symbol`](crate::Debugger::resolve_symbol).
    pub fn call_symbol(&self, symbol: &str, arguments: &[u64]) -> Result<u64> {
        let resolved = self.debugger().resolve_symbol(symbol, &FileScope::Hybrid)?;
        let function = if resolved.indirect { self.call(resolved.address, &[])? } else { resolved.address };
        self.call(function, arguments)
    }

    /// A call may have changed them.
    fn forget_maps(&self) {
        if let Some(session) = self.session() {
            session.stops.fetch_add(1, Ordering::AcqRel);
        }
    }
}

fn argument(index: usize) -> Result<&'static Register> {
    ARGUMENTS.get(index).copied().ok_or(Error::NoSuchArgument(index))
}
