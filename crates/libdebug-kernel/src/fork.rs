//! Whether this process has been forked since.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// A number that changes in the child of every fork(3): threads of the parent do not exist there. It costs no
/// system call, unlike a look at the pid.
///
/// ```
/// assert_eq!(libdebug_kernel::fork_generation(), libdebug_kernel::fork_generation());
/// ```
pub fn fork_generation() -> u32 {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: the handler only adds to an atomic, which is async-signal-safe, as a fork handler must be.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    GENERATION.load(Ordering::Relaxed)
}
