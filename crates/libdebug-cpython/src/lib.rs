//! A live CPython process seen through the crate `libdebug`: what it is, what its threads execute, and Python code run in it.
#![forbid(unsafe_code)]

mod error;

pub use error::{Error, Result};
