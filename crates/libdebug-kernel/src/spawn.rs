//! Starting a program under trace.
//!
//! The child is cloned with `CLONE_VM`: it shares our memory until it executes the program, so that nothing of
//! the host is copied and the time does not grow with its size (fork copies page tables: 7 ms for 200 MB).
//! Unlike vfork the caller keeps running: it has to seize the child before the program starts, and the child
//! waits at a gate for that. Until execve the child runs on a stack of its own, takes no signals, and makes raw
//! system calls only: errno, locks and every other piece of thread state are the host's.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use crate::count::count;
use crate::error::{KernelError, Result};
use crate::ids::{Errno, Pid, Tid};
use crate::ptrace::{Options, Ptrace};
use crate::sys::{SignalMask, block_signals, raw_syscall, restore_signals};
use crate::wait::{Event, Stop, Wait};

/// The standard streams of a program to be started.
#[derive(Debug, Clone, Copy)]
pub enum StdioPlan<'fd> {
    /// The host's own; with `foreground` the program's process group becomes the foreground group of the
    /// terminal on descriptor 0.
    Inherit {
        /// Whether descriptor 0 is a terminal that the program should own.
        foreground: bool,
    },
    /// The host's own, in the host's process group: what a terminal sends to one goes to both.
    Shared,
    /// These three.
    Descriptors {
        /// Becomes descriptor 0.
        stdin: BorrowedFd<'fd>,
        /// Becomes descriptor 1.
        stdout: BorrowedFd<'fd>,
        /// Becomes descriptor 2.
        stderr: BorrowedFd<'fd>,
    },
    /// This terminal for all three; the program leads a session that it controls.
    ControllingTerminal(BorrowedFd<'fd>),
}

/// What to execute and how.
#[derive(Debug, Clone)]
pub struct SpawnSpec<'a> {
    /// The file to execute.
    pub path: &'a CStr,
    /// Its argument vector.
    pub argv: &'a [CString],
    /// Its environment, `NAME=value`.
    pub env: &'a [CString],
    /// Its working directory; `None` is the host's.
    pub directory: Option<&'a CStr>,
    /// Whether addresses are randomized; off by personality(2) `ADDR_NO_RANDOMIZE`.
    pub aslr: bool,
    /// Its standard streams.
    pub stdio: StdioPlan<'a>,
    /// Its blocked signals: those of the thread on whose behalf it is started.
    pub mask: &'a SignalMask,
    /// The ptrace options that it is seized with.
    pub options: Options,
    /// The code of a seccomp filter that it gets, as [`trace_filter`](crate::trace_filter) writes it.
    pub filter: Option<&'a [u8]>,
}

/// A program that stands at its exec event: loaded, not one instruction run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spawned {
    /// The new process, stopped, a tracee of the calling thread and leader of its own process group.
    pub pid: Pid,
}

const STACK: usize = 64 << 10;

/// Everything the child reads, in memory that it shares with us until execve.
struct Child {
    path: *const libc::c_char,
    argv: *const *const libc::c_char,
    env: *const *const libc::c_char,
    directory: *const libc::c_char,
    aslr: bool,
    streams: Option<[i32; 3]>,
    session: bool,
    own_group: bool,
    foreground: bool,
    filter: Option<Filter>,
    mask: libc::sigset_t,
    gate: AtomicU32,
    failed_call: AtomicI32,
    errno: AtomicI32,
}

/// `struct sock_fprog` of linux/filter.h.
#[repr(C)]
struct Filter {
    length: u16,
    code: *const u8,
}

impl Filter {
    fn of(code: &[u8]) -> Self {
        Self { length: (code.len() / 8) as u16, code: code.as_ptr() }
    }
}

const CALL_CHDIR: i32 = 1;
const CALL_DUP: i32 = 2;
const CALL_TERMINAL: i32 = 3;
const CALL_EXECVE: i32 = 4;
const CALL_SECCOMP: i32 = 5;

impl Ptrace {
    /// Starts a program and seizes it before its first instruction. From any thread: also one that takes signals.
    ///
    /// # Errors
    /// What execve(2) says (`ENOENT`, `EACCES`, `ENOEXEC`, …) as [`KernelError::Failed`] or
    /// [`KernelError::Denied`] with `execve` as the call; the same for chdir(2), and for clone(2) and
    /// PTRACE_SEIZE. No process is left behind.
    pub fn spawn(self, spec: &SpawnSpec<'_>) -> Result<Spawned> {
        let argv = pointers(spec.argv);
        let env = pointers(spec.env);
        let child = Child::new(spec, &argv, &env);
        let mut stack = vec![0_u128; STACK / size_of::<u128>()];
        let pid = clone_child(&child, &mut stack)?;
        // From here on the child reads `child`, `argv`, `env` and `stack` until it has executed the program
        // or died, and every path below waits for that.
        let seized = self.seize(pid.leader(), spec.options);
        child.open_gate(seized.is_ok());
        self.await_exec(pid, &child, seized)
    }

    fn await_exec(self, pid: Pid, child: &Child, seized: Result<()>) -> Result<Spawned> {
        loop {
            match self.wait_for(pid.leader())? {
                Wait::Tracee(_, Event::Stopped(Stop::Exec)) => return Ok(Spawned { pid }),
                // All signals but SIGKILL and SIGSTOP are blocked; pass on what comes. An exit event comes
                // from a child that failed.
                Wait::Tracee(tid, Event::Stopped(Stop::Signal(signal))) => self.cont(tid, Some(signal))?,
                Wait::Tracee(tid, Event::Stopped(_)) => self.cont(tid, None)?,
                Wait::Tracee(_, Event::Died(_)) | Wait::NoTracees | Wait::Rung | Wait::Interrupted => {
                    return Err(seized.err().unwrap_or_else(|| child.error(pid)));
                }
            }
        }
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

impl Child {
    fn new(spec: &SpawnSpec<'_>, argv: &[*const libc::c_char], env: &[*const libc::c_char]) -> Self {
        let streams = match spec.stdio {
            StdioPlan::Inherit { .. } | StdioPlan::Shared => None,
            StdioPlan::Descriptors { stdin, stdout, stderr } => {
                Some([stdin.as_raw_fd(), stdout.as_raw_fd(), stderr.as_raw_fd()])
            }
            StdioPlan::ControllingTerminal(terminal) => Some([terminal.as_raw_fd(); 3]),
        };
        Self {
            path: spec.path.as_ptr(),
            argv: argv.as_ptr(),
            env: env.as_ptr(),
            directory: spec.directory.map_or(std::ptr::null(), CStr::as_ptr),
            aslr: spec.aslr,
            streams,
            session: matches!(spec.stdio, StdioPlan::ControllingTerminal(_)),
            own_group: !matches!(spec.stdio, StdioPlan::Shared),
            filter: spec.filter.map(Filter::of),
            foreground: matches!(spec.stdio, StdioPlan::Inherit { foreground: true }),
            mask: spec.mask.0,
            gate: AtomicU32::new(0),
            failed_call: AtomicI32::new(0),
            errno: AtomicI32::new(0),
        }
    }

    fn open_gate(&self, seized: bool) {
        self.gate.store(if seized { 1 } else { 2 }, Ordering::Release);
        // SAFETY: FUTEX_WAKE on a live word. Not FUTEX_PRIVATE: the waiter is another thread group.
        unsafe { libc::syscall(libc::SYS_futex, self.gate.as_ptr(), libc::FUTEX_WAKE, 1) };
    }

    fn error(&self, pid: Pid) -> KernelError {
        let call = match self.failed_call.load(Ordering::Acquire) {
            CALL_CHDIR => "chdir",
            CALL_DUP => "dup2",
            CALL_TERMINAL => "ioctl(TIOCSCTTY)",
            CALL_EXECVE => "execve",
            CALL_SECCOMP => "seccomp",
            _ => return KernelError::Gone { tid: pid.leader(), call: "execve" },
        };
        match Errno(self.errno.load(Ordering::Acquire)) {
            Errno(libc::EACCES | libc::EPERM) => KernelError::Denied { tid: Tid(0), call },
            errno => KernelError::Failed { tid: Tid(0), call, errno },
        }
    }
}

/// clone(2) with a stack for the child, which enters [`child_main`].
fn clone_child(child: &Child, stack: &mut [u128]) -> Result<Pid> {
    let flags = (libc::CLONE_VM | libc::SIGCHLD) as i64;
    let top = stack.as_mut_ptr_range().end;
    let pid: i64;
    count();
    // The child inherits this, whoever the calling thread is and whatever it takes.
    let mask = block_signals();
    // SAFETY: in the parent the call has no effect but the new process and the clobbered rcx and r11. The child
    // starts with the same registers on `top` (16-byte aligned: u128), calls `child_main` with the block and
    // never returns from it. `stack` and `child` outlive it: `spawn` waits for execve or death. All signals are
    // blocked, so no handler of the host runs in the child.
    unsafe {
        core::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, {block}",
            "call {entry}",
            "ud2",
            "2:",
            block = in(reg) child,
            entry = sym child_main,
            inlateout("rax") libc::SYS_clone => pid,
            in("rdi") flags, in("rsi") top, in("rdx") 0, in("r10") 0, in("r8") 0,
            // Not `lateout`, which would let `block` be in one of them.
            out("rcx") _, out("r11") _,
        );
    }
    restore_signals(&mask);
    match i32::try_from(pid).unwrap_or(-libc::EAGAIN) {
        errno if errno < 0 => Err(KernelError::new("clone", Tid(0), Errno(-errno))),
        pid => Ok(Pid(pid)),
    }
}

/// A system call of the child's, and nothing else.
///
/// # Safety
/// As [`raw_syscall`].
unsafe fn call(number: i64, arguments: [u64; 4]) -> i64 {
    let [a, b, c, d] = arguments;
    // SAFETY: the caller's promise.
    unsafe { raw_syscall(number, [a, b, c, d, 0, 0]) }
}

/// The child's life until execve.
///
/// # Safety
/// Runs in the cloned child, with `child` alive, and may not return, panic, allocate, or touch thread state.
unsafe extern "C" fn child_main(child: &Child) -> ! {
    // SAFETY: raw system calls with pointers into memory that the parent keeps alive.
    unsafe {
        wait_at_gate(child);
        if child.gate.load(Ordering::Acquire) == 1 {
            let (failed, result) = prepare_and_execute(child);
            child.errno.store(-(result as i32), Ordering::Release);
            child.failed_call.store(failed, Ordering::Release);
        }
        loop {
            call(libc::SYS_exit_group, [127, 0, 0, 0]);
        }
    }
}

/// # Safety
/// As [`child_main`].
unsafe fn wait_at_gate(child: &Child) {
    while child.gate.load(Ordering::Acquire) == 0 {
        let word = child.gate.as_ptr() as u64;
        // SAFETY: FUTEX_WAIT on a live word, with no time-out.
        unsafe { call(libc::SYS_futex, [word, libc::FUTEX_WAIT as u64, 0, 0]) };
    }
}

/// Answers which call failed, and its result.
///
/// # Safety
/// As [`child_main`].
unsafe fn prepare_and_execute(child: &Child) -> (i32, i64) {
    // SAFETY: raw system calls with pointers into memory that the parent keeps alive.
    unsafe {
        reset_handlers();
        let result = become_leader(child);
        if result < 0 {
            return (CALL_TERMINAL, result);
        }
        if let Some(streams) = child.streams {
            for (target, source) in [(0, streams[0]), (1, streams[1]), (2, streams[2])] {
                let result = call(libc::SYS_dup2, [source as u64, target, 0, 0]);
                if result < 0 {
                    return (CALL_DUP, result);
                }
            }
        }
        if !child.directory.is_null() {
            let result = call(libc::SYS_chdir, [child.directory as u64, 0, 0, 0]);
            if result < 0 {
                return (CALL_CHDIR, result);
            }
        }
        if !child.aslr {
            let current = call(libc::SYS_personality, [0xffff_ffff, 0, 0, 0]);
            call(libc::SYS_personality, [current as u64 | libc::ADDR_NO_RANDOMIZE as u64, 0, 0, 0]);
        }
        if let Some(filter) = &child.filter {
            let result = install(filter);
            if result < 0 {
                return (CALL_SECCOMP, result);
            }
        }
        let mask = (&raw const child.mask) as u64;
        call(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as u64, mask, 0, 8]);
        let (path, argv, env) = (child.path as u64, child.argv as u64, child.env as u64);
        (CALL_EXECVE, call(libc::SYS_execve, [path, argv, env, 0]))
    }
}

/// Without CAP_SYS_ADMIN only a program that can gain no privileges may have a filter (seccomp(2)).
///
/// # Safety
/// As [`child_main`].
unsafe fn install(filter: &Filter) -> i64 {
    let program = std::ptr::from_ref(filter) as u64;
    // SAFETY: raw system calls with a pointer into memory that the parent keeps alive.
    unsafe {
        let set = [libc::SECCOMP_SET_MODE_FILTER.into(), 0, program, 0];
        match call(libc::SYS_seccomp, set) {
            refused if refused == i64::from(-libc::EACCES) => {
                call(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0, 0]);
                call(libc::SYS_seccomp, set)
            }
            result => result,
        }
    }
}

/// Its own session, or its own process group; and the terminal where it should have one.
///
/// # Safety
/// As [`child_main`].
unsafe fn become_leader(child: &Child) -> i64 {
    // SAFETY: no pointers but to a local.
    unsafe {
        if child.session {
            call(libc::SYS_setsid, [0; 4]);
            let terminal = child.streams.map_or(0, |streams| streams[0]);
            return call(libc::SYS_ioctl, [terminal as u64, libc::TIOCSCTTY, 0, 0]);
        }
        if !child.own_group {
            return 0;
        }
        call(libc::SYS_setpgid, [0; 4]);
        if child.foreground {
            // SIGTTOU is blocked here, as tcsetpgrp(3) asks for.
            let group = call(libc::SYS_getpid, [0; 4]) as i32;
            call(libc::SYS_ioctl, [0, libc::TIOCSPGRP, (&raw const group) as u64, 0]);
        }
        0
    }
}

/// Handlers go back to their defaults before signals are let in again, so that none of the host's runs in memory
/// that is still shared; SIGPIPE and SIGXFSZ too, which Python and Rust ignore for themselves.
///
/// # Safety
/// As [`child_main`].
unsafe fn reset_handlers() {
    #[repr(C)]
    struct KernelSigaction {
        handler: u64,
        flags: u64,
        restorer: u64,
        mask: u64,
    }
    let mut action = KernelSigaction { handler: 0, flags: 0, restorer: 0, mask: 0 };
    let default = KernelSigaction { handler: 0, flags: 0, restorer: 0, mask: 0 };
    for signal in 1..=64_i32 {
        let ours = matches!(signal, libc::SIGPIPE | libc::SIGXFSZ);
        // SAFETY: the kernel's rt_sigaction reads and writes structures of exactly this layout.
        unsafe {
            call(libc::SYS_rt_sigaction, [signal as u64, 0, (&raw mut action) as u64, 8]);
            if action.handler > 1 || (ours && action.handler == 1) {
                call(libc::SYS_rt_sigaction, [signal as u64, (&raw const default) as u64, 0, 8]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Signal;
    use crate::sys::{signal_mask, signal_process};

    fn specification(mask: &SignalMask) -> SpawnSpec<'_> {
        SpawnSpec {
            path: c"/bin/true",
            argv: &[],
            env: &[],
            directory: None,
            aslr: true,
            stdio: StdioPlan::Inherit { foreground: false },
            mask,
            options: Options::DEBUGGER.exit_kill(true),
            filter: None,
        }
    }

    fn await_end(ptrace: Ptrace, pid: Pid) {
        while let Wait::Tracee(_, Event::Stopped(_)) = ptrace.wait_for(pid.leader()).unwrap() {
            let _ = ptrace.cont(pid.leader(), None);
        }
    }

    #[test]
    fn programs_start_from_a_thread_without_a_bell() {
        let mask = signal_mask();
        let start = move || {
            let ptrace = Ptrace::for_this_thread();
            for _ in 0..200 {
                let pid = ptrace.spawn(&specification(&mask)).unwrap().pid;
                signal_process(pid, Signal::KILL).unwrap();
                await_end(ptrace, pid);
            }
        };
        std::thread::spawn(start).join().unwrap();
    }

    /// It shares our memory, so a handler of ours must not run in it, nor a signal end it unheard.
    #[test]
    fn a_child_takes_no_signals_until_it_executes() {
        let mask = signal_mask();
        let empty = [std::ptr::null()];
        let child = Child::new(&specification(&mask), &empty, &empty);
        let mut stack = vec![0_u128; STACK / size_of::<u128>()];
        let pid = clone_child(&child, &mut stack).unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        child.open_gate(false);
        await_end(Ptrace::for_this_thread(), pid);
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
        let blocked = u64::from_str_radix(blocked, 16).unwrap();
        for signal in (1..=64).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP, 32, 33].contains(signal)) {
            assert!(blocked & 1 << (signal - 1) != 0, "signal {signal} of {blocked:x}");
        }
    }
}
