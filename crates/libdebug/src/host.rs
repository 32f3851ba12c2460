//! What a debugger asks of the program that it runs in.

use crate::error::BoxError;

/// The host program's part: how threads start and what can end a wait. The default methods are right for a
/// plain Rust program.
pub trait Host: Send + Sync {
    /// Starts `body` on a new thread, the debugger's tracer thread.
    ///
    /// # Errors
    /// When no thread can be started.
    fn spawn(&self, body: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        std::thread::Builder::new().name("libdebug-tracer".to_owned()).spawn(body).map(drop)
    }

    /// Looked at before and during every wait of a user's thread: an error ends the wait, as a pending Ctrl-C
    /// does in Python.
    ///
    /// # Errors
    /// Whatever should end the wait.
    fn check(&self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Something that users may want to know, as a sentence; nobody is told by default.
    fn remark(&self, _remark: &str) {}

    /// Whether [`Host::check`] says anything at all; without it a wait saves two system calls.
    fn has_check(&self) -> bool {
        false
    }
}

/// A plain Rust program.
#[derive(Debug, Clone, Copy, Default)]
pub struct RustHost;

impl Host for RustHost {}
