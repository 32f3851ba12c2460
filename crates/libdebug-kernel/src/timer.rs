//! A timer that ends the tracer thread's own wait.

use std::time::Duration;

use crate::bell::bell_signal;
use crate::count::count;
use crate::error::{KernelError, Result};

/// A one-shot timer of the thread that made it: when it expires in the middle of that thread's wait, the wait
/// ends with [`Wait::Interrupted`](crate::Wait::Interrupted). An expiry outside of a wait is lost: who needs it
/// looks at the clock.
#[derive(Debug)]
pub struct Timer(libc::timer_t);

impl Timer {
    /// A timer, not armed, for the calling thread, which must have a [`Bell`](crate::Bell).
    ///
    /// # Errors
    /// What timer_create(2) says: too many timers.
    pub fn for_this_thread() -> Result<Self> {
        // SAFETY: sigevent is plain data, and all of it that SIGEV_THREAD_ID uses is set; the timer's id is
        // written to `timer` on success.
        unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = bell_signal().0;
            event.sigev_notify_thread_id = libc::gettid();
            let mut timer: libc::timer_t = std::ptr::null_mut();
            match libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) {
                0 => Ok(Self(timer)),
                _ => Err(KernelError::last("timer_create")),
            }
        }
    }

    /// Makes it expire once, after `delay`.
    pub fn arm(&self, delay: Duration) {
        count();
        let value = libc::timespec { tv_sec: 0, tv_nsec: i64::from(delay.subsec_nanos()) };
        let nothing = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let setting = libc::itimerspec { it_interval: nothing, it_value: value };
        // SAFETY: the timer lives as long as `self`; `setting` is valid for the read.
        unsafe { libc::timer_settime(self.0, 0, &setting, std::ptr::null_mut()) };
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: the timer was created by `for_this_thread` and is deleted once.
        unsafe { libc::timer_delete(self.0) };
    }
}
