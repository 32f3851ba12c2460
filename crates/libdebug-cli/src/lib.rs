//! The command `libdebug`: arguments and rendering over the crate `libdebug`, for the binary and for the Python package's
//! console script.
#![forbid(unsafe_code)]

mod arguments;
mod count;
mod ending;
mod execute;
mod flamegraph;
mod lines;
mod progress;
mod prompt;
mod python;
mod summary;
mod trace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use libdebug_cpython::{Executor, Talk};

use arguments::{Arguments, Command};

/// What a shell shows for a program that a signal has killed.
const KILLED: u8 = 128;
/// The command itself could not do what it was told.
const FAILED: u8 = 125;

/// Runs the command with these arguments, its own name first. Answers its exit status: the program's own where there is one.
///
/// ```no_run
/// libdebug_cli::run(["libdebug", "count", "--", "/bin/true"]);
/// ```
pub fn run<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> ExitCode {
    ExitCode::from(status(arguments))
}

/// As [`run`], with the status as a number, 0 to 255.
pub fn status<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> u8 {
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are no errors; a closed stream is nothing that could be told.
            let _ = error.print();
            return error.exit_code() as u8;
        }
    };
    let done = match parsed.command {
        Command::Count(arguments) => count::count(&arguments),
        Command::Trace(arguments) => trace::trace(&arguments),
        Command::Python(arguments) => python::python(&arguments),
    };
    done.unwrap_or_else(|error| {
        anstream::eprintln!("libdebug: {error:#}");
        FAILED
    })
}

/// Talks with pdb, or a console, in a live Python program, at this process's terminal or standard input. Ctrl-C is for the program.
///
/// # Errors
/// As [`Executor::talk`].
pub fn talk(executor: &Executor, talk: &Talk) -> libdebug_cpython::Result<()> {
    let keys = execute::Keys::of(executor);
    let done = executor.talk(talk, &mut prompt::Prompt::new());
    drop(keys);
    done
}

/// The exit status for how a program has ended.
fn status_of(death: Option<libdebug::Death>) -> u8 {
    match death {
        Some(libdebug::Death::Exited(code)) => code as u8,
        Some(libdebug::Death::Killed(signal)) => KILLED.wrapping_add(signal.0 as u8),
        None => 0,
    }
}
