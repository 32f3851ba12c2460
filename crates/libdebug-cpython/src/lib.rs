//! A live CPython process seen through the crate `libdebug`: what it is, what its threads execute, and Python code run in it.
#![forbid(unsafe_code)]

mod error;
mod execute;
mod inject;

pub use error::{Error, Result};
pub use execute::{Evaluated, Executed, Executor, Piece};
