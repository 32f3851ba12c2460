//! Placeholder until the first item lands.
#![forbid(unsafe_code)]
