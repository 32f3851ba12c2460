//! Open files of other processes.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use crate::count::count;
use crate::error::{KernelError, Result};
use crate::ids::{Errno, Pid};

/// A descriptor of this process for what `number` is open on in `pid`: pidfd_getfd(2), since Linux 5.6. It is closed by
/// execve(2).
///
/// ```
/// use libdebug_kernel::{Pid, duplicate_descriptor};
/// use std::os::fd::AsRawFd;
/// let file = std::fs::File::open("/dev/null").unwrap();
/// let own = Pid(std::process::id() as i32);
/// let copy = duplicate_descriptor(own, file.as_raw_fd()).unwrap();
/// assert_ne!(copy.as_raw_fd(), file.as_raw_fd());
/// assert!(duplicate_descriptor(own, 1 << 20).is_err());
/// ```
///
/// # Errors
/// [`KernelError::Gone`] without such a process, [`KernelError::Denied`] for one that may not be traced,
/// [`KernelError::Failed`] for a number that is not open (`EBADF`) and on older kernels (`ENOSYS`).
pub fn duplicate_descriptor(pid: Pid, number: RawFd) -> Result<OwnedFd> {
    let process = descriptor_of("pidfd_open", pid, libc::SYS_pidfd_open, pid.0, 0)?;
    let process = std::os::fd::AsRawFd::as_raw_fd(&process);
    descriptor_of("pidfd_getfd", pid, libc::SYS_pidfd_getfd, process, number)
}

/// What a system call of two numbers has opened.
fn descriptor_of(
    call: &'static str,
    pid: Pid,
    number: libc::c_long,
    first: i32,
    second: i32,
) -> Result<OwnedFd> {
    count();
    // SAFETY: both calls take numbers only; 0 is for their flags.
    let opened = unsafe { libc::syscall(number, first, second, 0) };
    match RawFd::try_from(opened) {
        // SAFETY: the call has just opened it, and nobody else knows of it.
        Ok(opened) if opened >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(opened) }),
        _ => Err(KernelError::new(call, pid.leader(), Errno::last())),
    }
}
