//! What the tests on real processes share.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use libdebug::{Debugger, Output};

/// The fixture program called `name`, built on demand (see tests/fixtures).
pub fn program(name: &str) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/build.py");
    let output = Command::new("python3").arg(script).arg(name).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// Long enough for anything that is not a hang, on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that the process has written to standard output until it ended.
pub fn output(debugger: &Debugger) -> String {
    let bytes = debugger.with_io(Some(PATIENCE), |io, wait| io.recv_all(Output::Stdout, wait)).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Lets the process run to its end and answers its standard output.
pub fn finish(debugger: &Debugger) -> String {
    debugger.cont().unwrap();
    debugger.wait_timeout(PATIENCE).unwrap();
    assert!(debugger.is_dead(), "stopped instead: {debugger:?}");
    output(debugger)
}
