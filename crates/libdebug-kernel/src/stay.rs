//! Threads that pthread_exit(3) must not end.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

/// `struct _pthread_cleanup_buffer` of glibc; musl's `struct __ptcb` is shorter. Filled in by the C library.
#[repr(C)]
struct CleanupBuffer {
    routine: Option<extern "C" fn(*mut c_void)>,
    argument: *mut c_void,
    cancel_type: c_int,
    previous: *mut CleanupBuffer,
}

unsafe extern "C" {
    fn _pthread_cleanup_push(
        buffer: *mut CleanupBuffer,
        routine: extern "C" fn(*mut c_void),
        argument: *mut c_void,
    );
    fn _pthread_cleanup_pop(buffer: *mut CleanupBuffer, execute: c_int);
}

/// Runs `body` on a thread that no pthread_exit(3) or pthread_cancel(3) ends meanwhile: such a thread stays where it
/// is, asleep, until the process ends. Nothing of what it holds is given back.
///
/// For code that may call into a library which ends its callers' threads. That unwinds them (`_Unwind_ForcedUnwind`),
/// and Rust cannot be unwound so: whether it passes, or aborts the process, depends on what was inlined where.
/// This is a handler of pthread_cleanup_push(3), which comes before the first frame is unwound.
///
/// ```
/// assert_eq!(libdebug_kernel::without_thread_exit(|| 6 * 7), 42);
/// ```
pub fn without_thread_exit<T>(body: impl FnOnce() -> T) -> T {
    let _cleanup = Cleanup::push();
    body()
}

/// A pushed handler. Handlers are a stack of the thread's, so this neither leaves its thread nor the scope that it was
/// made in.
struct Cleanup {
    // In the heap: glibc runs a handler once the frame that its buffer lies in, by its address, is about to be unwound.
    // What lies in no frame comes before them all.
    buffer: Box<CleanupBuffer>,
    _of_this_thread: PhantomData<*mut ()>,
}

impl Cleanup {
    fn push() -> Self {
        let empty = CleanupBuffer {
            routine: None,
            argument: std::ptr::null_mut(),
            cancel_type: 0,
            previous: std::ptr::null_mut(),
        };
        let mut buffer = Box::new(empty);
        // SAFETY: the buffer stays where it is until `drop` takes it off; `stay` has the signature asked for.
        unsafe { _pthread_cleanup_push(&raw mut *buffer, stay, std::ptr::null_mut()) };
        Self { buffer, _of_this_thread: PhantomData }
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        // SAFETY: pushed by this thread, and the last one that is left: scopes end in the reverse of their order.
        unsafe { _pthread_cleanup_pop(&raw mut *self.buffer, 0) };
    }
}

extern "C" fn stay(_: *mut c_void) {
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Latch;

    /// Set when its thread unwinds it.
    struct Witness(Arc<Latch>);

    impl Drop for Witness {
        fn drop(&mut self) {
            self.0.set();
        }
    }

    unsafe extern "C" {
        // As whoever calls it through C code sees it: a call that does not unwind.
        fn pthread_exit(value: *mut c_void) -> !;
    }

    fn is_asleep(tid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{tid}/stat"));
        stat.is_ok_and(|stat| stat.contains(") S "))
    }

    #[test]
    fn a_thread_that_is_told_to_exit_stays_with_all_that_it_holds() {
        let unwound = Arc::new(Latch::new());
        let witness = Witness(Arc::clone(&unwound));
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            without_thread_exit(|| {
                let _witness = witness;
                // SAFETY: it has no arguments.
                tell.send(unsafe { libc::gettid() }.to_string()).unwrap();
                // SAFETY: the handler keeps the thread from being unwound.
                std::panic::catch_unwind(|| unsafe { pthread_exit(std::ptr::null_mut()) })
            })
        });
        let tid = told.recv().unwrap();
        while !is_asleep(&tid) {
            std::thread::yield_now();
        }
        assert!(!unwound.is_set());
    }

    #[test]
    fn handlers_come_off_whichever_way_their_scopes_end() {
        let nested = || without_thread_exit(|| without_thread_exit(|| panic!("on purpose")));
        let ended = std::thread::spawn(move || {
            assert!(std::panic::catch_unwind(nested).is_err());
            without_thread_exit(|| 7)
        });
        assert_eq!(ended.join().unwrap(), 7);
    }
}
