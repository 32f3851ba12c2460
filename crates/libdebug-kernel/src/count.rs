//! How many system calls tracing has cost: the one measure that is the same on every machine.

use std::sync::atomic::{AtomicU64, Ordering};

static CALLS: AtomicU64 = AtomicU64::new(0);

/// Counts one system call made on a tracee's behalf.
pub(crate) fn count() {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

/// The number of system calls that all tracer threads of this process have made on tracees so far: waits,
/// ptrace requests, memory reads and writes, affinity changes.
///
/// ```
/// let before = libdebug_kernel::tracer_syscalls();
/// assert!(libdebug_kernel::tracer_syscalls() >= before);
/// ```
pub fn tracer_syscalls() -> u64 {
    CALLS.load(Ordering::Relaxed)
}
