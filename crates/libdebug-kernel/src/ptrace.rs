//! ptrace(2) requests, one method each, on a token that stays in its thread.

use std::marker::PhantomData;
use std::ptr;

use crate::count::count;
use crate::error::{KernelError, Result};
use crate::ids::{Errno, Signal, Tid};
use crate::syscall_info::WORDS;

/// The right to make ptrace requests: the kernel binds a tracee to the *thread* that attached, so the token is
/// neither `Send` nor `Sync`.
#[derive(Debug, Clone, Copy)]
pub struct Ptrace(PhantomData<*const ()>);

/// PTRACE_SETOPTIONS flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options(i32);

impl Options {
    /// Everything a debugger needs to hear of, and syscall stops that can be told from SIGTRAP.
    pub const DEBUGGER: Self = Self(
        libc::PTRACE_O_TRACESYSGOOD
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACEVFORKDONE
            | libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_TRACEEXIT,
    );

    /// As they are, and with seccomp-stops (PTRACE_O_TRACESECCOMP).
    #[must_use]
    pub const fn seccomp(self) -> Self {
        Self(self.0 | libc::PTRACE_O_TRACESECCOMP)
    }

    /// With or without PTRACE_O_EXITKILL: the kernel kills the tracee when its tracer thread ends, however it
    /// ends.
    #[must_use]
    pub const fn exit_kill(self, on: bool) -> Self {
        match on {
            true => Self(self.0 | libc::PTRACE_O_EXITKILL),
            false => Self(self.0 & !libc::PTRACE_O_EXITKILL),
        }
    }
}

/// What PTRACE_GETSIGINFO tells of a signal-delivery-stop (see sigaction(2)).
#[derive(Clone, Copy)]
pub struct SignalInfo(libc::siginfo_t);

// SAFETY: what looks like pointers in it are addresses in the tracee; nothing here dereferences them.
unsafe impl Send for SignalInfo {}
// SAFETY: as for `Send`; and nothing in it changes behind a shared reference.
unsafe impl Sync for SignalInfo {}

impl SignalInfo {
    /// `si_signo`.
    pub fn signal(&self) -> Signal {
        Signal(self.0.si_signo)
    }

    /// `si_code`: who sent it and why.
    pub fn code(&self) -> i32 {
        self.0.si_code
    }

    /// `si_uid`, meaningful for signals sent by a process.
    pub fn user(&self) -> u32 {
        // SAFETY: as in `sender`.
        unsafe { self.0.si_uid() }
    }

    /// `si_value` as a number, meaningful for signals that were queued (sigqueue(3)).
    pub fn value(&self) -> u64 {
        // SAFETY: as in `sender`; the pointer is only turned into a number.
        unsafe { self.0.si_value().sival_ptr as u64 }
    }

    /// `si_status`, meaningful for SIGCHLD.
    pub fn status(&self) -> i32 {
        // SAFETY: as in `sender`.
        unsafe { self.0.si_status() }
    }

    /// `si_pid`, meaningful for signals sent by a process.
    pub fn sender(&self) -> i32 {
        // SAFETY: every byte of siginfo_t's union is initialized by the kernel, and any value is a valid i32.
        unsafe { self.0.si_pid() }
    }

    /// `si_addr`, meaningful for faults.
    pub fn address(&self) -> u64 {
        // SAFETY: as in `sender`; the pointer is only turned into a number.
        unsafe { self.0.si_addr() as u64 }
    }
}

impl std::fmt::Debug for SignalInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignalInfo").field("signal", &self.signal()).field("code", &self.code()).finish()
    }
}

const NT_PRSTATUS: usize = 1;
const NT_X86_XSTATE: usize = 0x202;

impl Ptrace {
    /// The token of the calling thread.
    pub fn for_this_thread() -> Self {
        Self(PhantomData)
    }

    /// The calling thread, as tracees see their tracer.
    pub fn own_tid(self) -> Tid {
        // SAFETY: gettid has no preconditions.
        Tid(unsafe { libc::gettid() })
    }

    /// Whether `tracer`, as /proc/TID/status names one, is the calling thread.
    pub fn is_own(self, tracer: Tid) -> bool {
        tracer == self.own_tid()
    }

    /// PTRACE_SEIZE: attaches without stopping. Threads and children that `tid` creates are seized too when
    /// `options` say so.
    ///
    /// # Errors
    /// [`KernelError::Denied`] without the right, [`KernelError::Gone`] when there is no such thread.
    pub fn seize(self, tid: Tid, options: Options) -> Result<()> {
        self.request(libc::PTRACE_SEIZE, "PTRACE_SEIZE", tid, 0, options.0 as usize)
    }

    /// PTRACE_INTERRUPT: stops a running tracee; it reports an event-stop, or another stop that came first.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died.
    pub fn interrupt(self, tid: Tid) -> Result<()> {
        self.request(libc::PTRACE_INTERRUPT, "PTRACE_INTERRUPT", tid, 0, 0)
    }

    /// PTRACE_CONT, delivering `signal` where the stop was a signal-delivery-stop.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died.
    pub fn cont(self, tid: Tid, signal: Option<Signal>) -> Result<()> {
        self.request(libc::PTRACE_CONT, "PTRACE_CONT", tid, 0, number(signal))
    }

    /// PTRACE_SINGLESTEP.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died.
    pub fn step(self, tid: Tid, signal: Option<Signal>) -> Result<()> {
        self.request(libc::PTRACE_SINGLESTEP, "PTRACE_SINGLESTEP", tid, 0, number(signal))
    }

    /// PTRACE_SYSCALL: as [`cont`](Self::cont), and stops at the next entry to or exit from a system call.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died.
    pub fn syscall(self, tid: Tid, signal: Option<Signal>) -> Result<()> {
        self.request(libc::PTRACE_SYSCALL, "PTRACE_SYSCALL", tid, 0, number(signal))
    }

    /// PTRACE_LISTEN: lets a group-stopped tracee stay stopped and yet report what happens to it.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died, [`KernelError::Failed`] when it is in no group-stop.
    pub fn listen(self, tid: Tid) -> Result<()> {
        self.request(libc::PTRACE_LISTEN, "PTRACE_LISTEN", tid, 0, 0)
    }

    /// PTRACE_DETACH: restarts the tracee, delivering `signal`.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died.
    pub fn detach(self, tid: Tid, signal: Option<Signal>) -> Result<()> {
        self.request(libc::PTRACE_DETACH, "PTRACE_DETACH", tid, 0, number(signal))
    }

    /// PTRACE_SETOPTIONS on a stopped tracee.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died or runs.
    pub fn set_options(self, tid: Tid, options: Options) -> Result<()> {
        self.request(libc::PTRACE_SETOPTIONS, "PTRACE_SETOPTIONS", tid, 0, options.0 as usize)
    }

    /// PTRACE_GETEVENTMSG: the new thread's or child's tid, the exit status, or the former tid, by the event.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died.
    pub fn event_message(self, tid: Tid) -> Result<u64> {
        let mut message: libc::c_ulong = 0;
        let data = (&raw mut message) as usize;
        self.request(libc::PTRACE_GETEVENTMSG, "PTRACE_GETEVENTMSG", tid, 0, data)?;
        Ok(message)
    }

    /// PTRACE_GETSIGINFO of the signal at a signal-delivery-stop.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died, [`KernelError::Failed`] (`EINVAL`) in a group-stop.
    pub fn signal_info(self, tid: Tid) -> Result<SignalInfo> {
        // SAFETY: siginfo_t is plain data; all zeros is a valid value.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        self.request(libc::PTRACE_GETSIGINFO, "PTRACE_GETSIGINFO", tid, 0, (&raw mut info) as usize)?;
        Ok(SignalInfo(info))
    }

    /// Whether a signal as `wanted` describes it is in the queue of the stopped thread itself
    /// (PTRACE_PEEKSIGINFO).
    pub fn is_pending(self, tid: Tid, wanted: impl Fn(&SignalInfo) -> bool) -> bool {
        const AT_ONCE: usize = 16;
        // SAFETY: siginfo_t is plain data; all zeros is a valid value.
        let mut found: [libc::siginfo_t; AT_ONCE] = unsafe { std::mem::zeroed() };
        let mut range = libc::ptrace_peeksiginfo_args { off: 0, flags: 0, nr: AT_ONCE as i32 };
        loop {
            let (address, data) = ((&raw const range) as usize, found.as_mut_ptr() as usize);
            let count = self.raw(libc::PTRACE_PEEKSIGINFO, "PTRACE_PEEKSIGINFO", tid, address, data);
            let count = usize::try_from(count.unwrap_or(0)).unwrap_or(0).min(AT_ONCE);
            if found[..count].iter().any(|info| wanted(&SignalInfo(*info))) {
                return true;
            }
            if count < AT_ONCE {
                return false;
            }
            range.off += AT_ONCE as u64;
        }
    }

    /// PTRACE_SETSIGINFO at a signal-delivery-stop.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died.
    pub fn set_signal_info(self, tid: Tid, info: &SignalInfo) -> Result<()> {
        self.request(libc::PTRACE_SETSIGINFO, "PTRACE_SETSIGINFO", tid, 0, ptr::from_ref(&info.0) as usize)
    }

    /// Takes `signal` out of the signals that a stopped tracee blocks (PTRACE_GETSIGMASK, PTRACE_SETSIGMASK).
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died or runs.
    pub fn unblock_signal(self, tid: Tid, signal: Signal) -> Result<()> {
        let mask = self.blocked_signals(tid)?;
        let bit = 1_u64.checked_shl(signal.0.wrapping_sub(1).cast_unsigned()).unwrap_or(0);
        if mask & bit == 0 {
            return Ok(());
        }
        self.set_blocked_signals(tid, mask & !bit)
    }

    /// The signals that a stopped tracee blocks, the lowest bit for signal 1 (PTRACE_GETSIGMASK).
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died or runs.
    pub fn blocked_signals(self, tid: Tid) -> Result<u64> {
        const GET_MASK: u32 = 0x420a;
        let mut mask: u64 = 0;
        let size = size_of_val(&mask);
        self.request(GET_MASK, "PTRACE_GETSIGMASK", tid, size, (&raw mut mask) as usize)?;
        Ok(mask)
    }

    /// Sets the signals that a stopped tracee blocks (PTRACE_SETSIGMASK).
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died or runs.
    pub fn set_blocked_signals(self, tid: Tid, mask: u64) -> Result<()> {
        const SET_MASK: u32 = 0x420b;
        self.request(SET_MASK, "PTRACE_SETSIGMASK", tid, size_of_val(&mask), (&raw const mask) as usize)
    }

    pub(crate) fn syscall_info_words(self, tid: Tid, words: &mut [u64; WORDS]) -> Result<()> {
        const GET_SYSCALL_INFO: u32 = 0x420e;
        let (size, data) = (size_of_val(words), words.as_mut_ptr() as usize);
        self.request(GET_SYSCALL_INFO, "PTRACE_GET_SYSCALL_INFO", tid, size, data)
    }

    /// The general registers, in the order of `struct user_regs_struct`, 64 bits each.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died or runs.
    pub fn general_registers(self, tid: Tid) -> Result<[u64; 27]> {
        let mut registers = [0; 27];
        let mut block = io_vec(&mut registers);
        self.request(
            libc::PTRACE_GETREGSET,
            "PTRACE_GETREGSET",
            tid,
            NT_PRSTATUS,
            (&raw mut block) as usize,
        )?;
        Ok(registers)
    }

    /// Writes the general registers.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died or runs; [`KernelError::Failed`] for values the kernel refuses
    /// (a segment selector with the wrong privilege, a base outside user space).
    pub fn set_general_registers(self, tid: Tid, registers: &[u64; 27]) -> Result<()> {
        let mut copy = *registers;
        let mut block = io_vec(&mut copy);
        self.request(libc::PTRACE_SETREGSET, "PTRACE_SETREGSET", tid, NT_PRSTATUS, (&raw mut block) as usize)
    }

    /// One word of the general registers, by its index in `struct user_regs_struct`: cheaper than all.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died or runs.
    pub fn general_register(self, tid: Tid, index: usize) -> Result<u64> {
        self.peek(libc::PTRACE_PEEKUSER, "PTRACE_PEEKUSER", tid, (index * 8) as u64)
    }

    /// Writes one word of the general registers.
    ///
    /// # Errors
    /// As [`Ptrace::set_general_registers`].
    pub fn set_general_register(self, tid: Tid, index: usize, value: u64) -> Result<()> {
        self.request(libc::PTRACE_POKEUSER, "PTRACE_POKEUSER", tid, index * 8, value as usize)
    }

    /// The XSAVE area in the standard format of NT_X86_XSTATE, into `area`; the part that the kernel filled
    /// stays in it.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died or runs.
    pub fn extended_registers(self, tid: Tid, area: &mut Vec<u8>, size: usize) -> Result<()> {
        area.resize(size, 0);
        let mut block = libc::iovec { iov_base: area.as_mut_ptr().cast(), iov_len: area.len() };
        let data = (&raw mut block) as usize;
        self.request(libc::PTRACE_GETREGSET, "PTRACE_GETREGSET", tid, NT_X86_XSTATE, data)?;
        area.truncate(block.iov_len);
        Ok(())
    }

    /// Writes the XSAVE area.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died or runs; [`KernelError::Failed`] for an area the CPU cannot load.
    pub fn set_extended_registers(self, tid: Tid, area: &[u8]) -> Result<()> {
        let mut block = libc::iovec { iov_base: area.as_ptr().cast_mut().cast(), iov_len: area.len() };
        let data = (&raw mut block) as usize;
        self.request(libc::PTRACE_SETREGSET, "PTRACE_SETREGSET", tid, NT_X86_XSTATE, data)
    }

    /// Debug register `index`, 0 to 7.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died or runs.
    pub fn debug_register(self, tid: Tid, index: usize) -> Result<u64> {
        self.peek(libc::PTRACE_PEEKUSER, "PTRACE_PEEKUSER", tid, debug_register_offset(index) as u64)
    }

    /// Writes debug register `index`.
    ///
    /// # Errors
    /// [`KernelError::Gone`] when it died or runs; [`KernelError::Failed`] for what the kernel refuses: an
    /// address in its own half, a combination it cannot set.
    pub fn set_debug_register(self, tid: Tid, index: usize, value: u64) -> Result<()> {
        let offset = debug_register_offset(index);
        self.request(libc::PTRACE_POKEUSER, "PTRACE_POKEUSER", tid, offset, value as usize)
    }

    /// The 8 bytes at `address`, by PTRACE_PEEKDATA, whatever the page's permissions.
    ///
    /// # Errors
    /// [`KernelError::Failed`] (`EIO`) for an unmapped address.
    pub fn peek_data(self, tid: Tid, address: u64) -> Result<u64> {
        self.peek(libc::PTRACE_PEEKDATA, "PTRACE_PEEKDATA", tid, address)
    }

    /// Writes 8 bytes by PTRACE_POKEDATA.
    ///
    /// # Errors
    /// [`KernelError::Failed`] (`EIO`) for an unmapped address.
    pub fn poke_data(self, tid: Tid, address: u64, value: u64) -> Result<()> {
        self.request(libc::PTRACE_POKEDATA, "PTRACE_POKEDATA", tid, address as usize, value as usize)
    }

    fn request(self, request: u32, call: &'static str, tid: Tid, address: usize, data: usize) -> Result<()> {
        self.raw(request, call, tid, address, data).map(drop)
    }

    fn raw(self, request: u32, call: &'static str, tid: Tid, address: usize, data: usize) -> Result<i64> {
        count();
        // SAFETY: `address` and `data` are numbers, or point to live blocks of the size that the request reads
        // or writes: each caller in this file passes one of the latter where the request takes a pointer.
        let result = unsafe { libc::ptrace(request, tid.0, address, data) };
        match result {
            -1 => Err(KernelError::new(call, tid, Errno::last())),
            value => Ok(value),
        }
    }

    /// A PEEK request through the system call itself, which stores the word at `data`: libc's wrapper returns
    /// it, and cannot tell -1 from an error without clearing errno first.
    fn peek(self, request: u32, call: &'static str, tid: Tid, address: u64) -> Result<u64> {
        count();
        let mut word: u64 = 0;
        // SAFETY: the kernel writes one word to `word` on success.
        let result = unsafe { libc::syscall(libc::SYS_ptrace, request, tid.0, address, &raw mut word) };
        match result {
            -1 => Err(KernelError::new(call, tid, Errno::last())),
            _ => Ok(word),
        }
    }
}

fn number(signal: Option<Signal>) -> usize {
    signal.map_or(0, |signal| signal.0 as usize)
}

fn io_vec(registers: &mut [u64; 27]) -> libc::iovec {
    libc::iovec { iov_base: registers.as_mut_ptr().cast(), iov_len: size_of_val(registers) }
}

fn debug_register_offset(index: usize) -> usize {
    std::mem::offset_of!(libc::user, u_debugreg) + index * 8
}
