//! Every Rust example runs to its end and says what it found.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use common::program;

/// An example, built if it is not.
fn example(name: &str) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "libdebug", "--example", name, "--"]);
    command
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_demo_stops_looks_and_talks() {
    let text = said(&example("demo").output().unwrap());
    for words in [
        "said \"/\", called malloc ",
        "hit 3, edi = Some(2)",
        "answered \"echo: hello\"",
        "exit code Some(7)",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
}

#[test]
fn calls_are_counted_by_their_first_argument() {
    let text = said(&example("count_calls").arg(program("basic")).arg("counter_function").output().unwrap());
    assert!(text.contains("counter_function: 10 calls"), "{text}");
    assert!(text.contains("1  counter_function(0x9, ...)"), "{text}");
}

#[test]
fn a_live_process_is_looked_at_and_goes_on() {
    let mut sleeper = Command::new(program("blocked"));
    let mut sleeper = sleeper.arg("read").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let text = said(&example("look_at_process").arg(sleeper.id().to_string()).output().unwrap());
    assert!(text.contains(&format!("thread {}", sleeper.id())), "{text}");
    sleeper.stdin.take().unwrap().write_all(b"line\n").unwrap();
    let output = sleeper.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("done"));
}
