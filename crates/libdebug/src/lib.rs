//! Debugger.
#![forbid(unsafe_code)]
