//! Ctrl-C, SIGTERM and SIGHUP end what is looked at, and then the result is shown.

use libdebug::{SignalMask, await_ending_signal, block_ending_signals};

/// From its making on, the calling thread and those that it starts leave these signals to one that waits for them, until
/// the command has ended: one that came behind the first would cut off its result.
pub(crate) struct Endings {
    /// The signals that were blocked before.
    pub(crate) before: SignalMask,
}

impl Endings {
    pub(crate) fn hold() -> Self {
        Self { before: block_ending_signals() }
    }

    /// Calls `end` at the first of them, also if that has come already.
    pub(crate) fn on_first(&self, end: impl FnOnce() + Send + 'static) {
        // Without a thread there is no such end; the thread itself ends with the command.
        let _ = std::thread::Builder::new().name("libdebug-endings".to_owned()).spawn(move || {
            await_ending_signal();
            end();
        });
    }
}
