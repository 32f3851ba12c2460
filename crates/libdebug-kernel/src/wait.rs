//! Waiting for tracees, and what a wait status means.

use crate::bell::Bell;
use crate::count::count;
use crate::error::{KernelError, Result};
use crate::ids::{Errno, Signal, Tid};
use crate::ptrace::Ptrace;

/// A ptrace-stop, by the kinds of ptrace(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// signal-delivery-stop: the signal is delivered only if the resume passes it on.
    Signal(Signal),
    /// group-stop, under job control, by this signal.
    Group(Signal),
    /// event-stop without a group-stop: PTRACE_INTERRUPT, a new tracee's first stop, or the end of a
    /// group-stop.
    Event,
    /// syscall-enter-stop or syscall-exit-stop: the status does not tell which (PTRACE_GET_SYSCALL_INFO does).
    Syscall,
    /// Before fork(2), or clone with SIGCHLD as exit signal, returns.
    Fork,
    /// Before vfork(2) returns.
    Vfork,
    /// Before clone(2) returns.
    Clone,
    /// After execve(2) replaced the program, before its first instruction.
    Exec,
    /// After a vfork child let its parent go on.
    VforkDone,
    /// The thread is about to exit; its registers can still be read.
    Exit,
    /// A seccomp filter answered SECCOMP_RET_TRACE.
    Seccomp,
}

/// How a thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// By exit(2) or exit_group(2), with this code, 0 to 255.
    Exited(i32),
    /// By a signal.
    Killed(Signal),
}

/// What a wait status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It stopped.
    Stopped(Stop),
    /// It ended; not a stop.
    Died(Death),
}

/// What a wait brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A tracee changed state.
    Tracee(Tid, Event),
    /// The bell was rung.
    Rung,
    /// A [`Timer`](crate::Timer) of this thread expired.
    Interrupted,
    /// This thread has no tracees.
    NoTracees,
}

/// Decodes a wait status; `None` for a value that the kernel does not produce for a tracee.
///
/// ```
/// use libdebug_kernel::{decode, Death, Event, Signal, Stop};
/// assert_eq!(decode(0x2a00), Some(Event::Died(Death::Exited(42))));
/// assert_eq!(decode(0x057f), Some(Event::Stopped(Stop::Signal(Signal::TRAP))));
/// ```
pub fn decode(status: i32) -> Option<Event> {
    if libc::WIFEXITED(status) {
        return Some(Event::Died(Death::Exited(libc::WEXITSTATUS(status))));
    }
    if libc::WIFSIGNALED(status) {
        return Some(Event::Died(Death::Killed(Signal(libc::WTERMSIG(status)))));
    }
    if !libc::WIFSTOPPED(status) {
        return None;
    }
    decode_stop(Signal((status >> 8) & 0xff), (status >> 16) & 0xff).map(Event::Stopped)
}

fn decode_stop(signal: Signal, event: i32) -> Option<Stop> {
    const SYSCALL: Signal = Signal(libc::SIGTRAP | 0x80);
    match event {
        0 if signal == SYSCALL => Some(Stop::Syscall),
        0 => Some(Stop::Signal(signal)),
        libc::PTRACE_EVENT_FORK => Some(Stop::Fork),
        libc::PTRACE_EVENT_VFORK => Some(Stop::Vfork),
        libc::PTRACE_EVENT_CLONE => Some(Stop::Clone),
        libc::PTRACE_EVENT_EXEC => Some(Stop::Exec),
        libc::PTRACE_EVENT_VFORK_DONE => Some(Stop::VforkDone),
        libc::PTRACE_EVENT_EXIT => Some(Stop::Exit),
        libc::PTRACE_EVENT_SECCOMP => Some(Stop::Seccomp),
        libc::PTRACE_EVENT_STOP if signal == Signal::TRAP => Some(Stop::Event),
        libc::PTRACE_EVENT_STOP => Some(Stop::Group(signal)),
        _ => None,
    }
}

impl Ptrace {
    /// Blocks until a tracee of this thread changes state or `bell` is rung.
    ///
    /// `__WALL | __WNOTHREAD`: threads and processes alike, and only children and tracees of the calling
    /// thread, so that children which other threads of the host started stay theirs to reap.
    ///
    /// # Errors
    /// What wait4(2) says beyond `EINTR` and `ECHILD`.
    pub fn wait(&self, bell: &Bell) -> Result<Wait> {
        loop {
            let mut status = 0;
            count();
            let result = bell.wait4(-1, &mut status, libc::__WALL | libc::__WNOTHREAD);
            match waited(result, status)? {
                Some(wait) => return Ok(wait),
                None if bell.is_rung() => return Ok(Wait::Rung),
                None if result < 0 => return Ok(Wait::Interrupted),
                None => {}
            }
        }
    }

    /// What a tracee of this thread has already reported; does not block. For draining after a blocking wait.
    ///
    /// # Errors
    /// What wait4(2) says beyond `EINTR` and `ECHILD`.
    pub fn poll(&self) -> Result<Option<(Tid, Event)>> {
        let mut status = 0;
        count();
        let options = libc::__WALL | libc::__WNOTHREAD | libc::WNOHANG;
        // SAFETY: `status` is valid for the write.
        let result = match unsafe { libc::waitpid(-1, &mut status, options) } {
            -1 => -i64::from(Errno::last().0),
            pid => i64::from(pid),
        };
        match if result == 0 { None } else { waited(result, status)? } {
            Some(Wait::Tracee(tid, event)) => Ok(Some((tid, event))),
            _ => Ok(None),
        }
    }

    /// Blocks until `tid` changes state, whatever the bell says.
    ///
    /// # Errors
    /// What wait4(2) says beyond `EINTR`; `ECHILD` (not ours, or gone) is [`Wait::NoTracees`].
    pub fn wait_for(&self, tid: Tid) -> Result<Wait> {
        loop {
            let mut status = 0;
            count();
            // SAFETY: `status` is valid for the write.
            let result = match unsafe { libc::waitpid(tid.0, &mut status, libc::__WALL) } {
                -1 => -i64::from(Errno::last().0),
                pid => i64::from(pid),
            };
            if let Some(wait) = waited(result, status)? {
                return Ok(wait);
            }
        }
    }
}

/// `None`: interrupted by a signal, or a status that means nothing.
fn waited(result: i64, status: i32) -> Result<Option<Wait>> {
    match i32::try_from(result).unwrap_or(i32::MIN) {
        errno if errno == -libc::EINTR => Ok(None),
        errno if errno == -libc::ECHILD => Ok(Some(Wait::NoTracees)),
        errno if errno < 0 => Err(KernelError::new("wait4", Tid(0), Errno(-errno))),
        tid => Ok(decode(status).map(|event| Wait::Tracee(Tid(tid), event))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn stopped(signal: i32, event: i32) -> i32 {
        (event << 16) | (signal << 8) | 0x7f
    }

    #[test]
    fn every_kind_of_status_is_told_apart() {
        let table = [
            (0x0000, Event::Died(Death::Exited(0))),
            (0xff00, Event::Died(Death::Exited(255))),
            (0x000b, Event::Died(Death::Killed(Signal(11)))),
            (0x008b, Event::Died(Death::Killed(Signal(11)))), // with a core dump
            (stopped(5, 0), Event::Stopped(Stop::Signal(Signal::TRAP))),
            (stopped(64, 0), Event::Stopped(Stop::Signal(Signal(64)))),
            (stopped(0x85, 0), Event::Stopped(Stop::Syscall)),
            (stopped(5, 1), Event::Stopped(Stop::Fork)),
            (stopped(5, 2), Event::Stopped(Stop::Vfork)),
            (stopped(5, 3), Event::Stopped(Stop::Clone)),
            (stopped(5, 4), Event::Stopped(Stop::Exec)),
            (stopped(5, 5), Event::Stopped(Stop::VforkDone)),
            (stopped(5, 6), Event::Stopped(Stop::Exit)),
            (stopped(5, 7), Event::Stopped(Stop::Seccomp)),
            (stopped(5, 128), Event::Stopped(Stop::Event)),
            (stopped(19, 128), Event::Stopped(Stop::Group(Signal::STOP))),
        ];
        for (status, event) in table {
            assert_eq!(decode(status), Some(event), "{status:#x}");
        }
        assert_eq!(decode(0xffff), None, "WIFCONTINUED is no tracee's state");
        assert_eq!(decode(stopped(5, 99)), None);
    }
}
