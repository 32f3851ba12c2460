//! The command `libdebug`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    libdebug_cli::run(std::env::args_os())
}
