//! What is answered instead of a value.

/// Why something about a Python program could not be told or done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The debugger could not do its part: the process has died, may not be looked at, memory cannot be read.
    #[error(transparent)]
    Debugger(#[from] libdebug::Error),
}

/// A value, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;
