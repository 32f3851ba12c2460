//! Ctrl-C, SIGTERM and SIGHUP end what is looked at, and then the result is shown.

use libdebug::{SignalMask, await_ending_signal, block_ending_signals, unblock_ending_signals};

/// While it lives, the calling thread and those that it starts leave these signals to one that waits for them.
pub(crate) struct Endings(SignalMask);

impl Endings {
    pub(crate) fn hold() -> Self {
        Self(block_ending_signals())
    }

    /// Calls `end` at the first of them.
    pub(crate) fn on_first(&self, end: impl FnOnce() + Send + 'static) {
        // Without a thread there is no such end; the thread itself ends with the command.
        let _ = std::thread::Builder::new().name("libdebug-endings".to_owned()).spawn(move || {
            await_ending_signal();
            end();
        });
    }
}

impl Drop for Endings {
    fn drop(&mut self) {
        unblock_ending_signals(&self.0);
    }
}
