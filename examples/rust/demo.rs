//! The main job, from Rust: run a program to a breakpoint, look at registers and memory, talk to it.
//!
//!     cargo run --release -p libdebug --example demo

use std::path::PathBuf;
use std::process::Command;

use libdebug::{Action, Debugger, FileScope, Output, Result};

fn main() -> Result<()> {
    list_a_directory()?;
    stop_at_a_function()?;
    talk_to_a_program()
}

/// A real program: /bin/ls, run to its end with every call of a libc function counted.
fn list_a_directory() -> Result<()> {
    let debugger = Debugger::builder("/bin/ls").args(["-d", "/"]).run()?;
    println!("ls       entry point {:#x}, {} maps", debugger.main_thread()?.pc()?, debugger.maps()?.len());
    let address = debugger.resolve_symbol("malloc", &FileScope::File("libc".to_owned()))?.address;
    let mut spec = libdebug::BreakpointSpec::at(address);
    spec.action = Action::Count;
    let calls = debugger.set_breakpoint(spec)?;
    debugger.cont()?;
    let line = debugger.with_io(None, |io, wait| io.recv_line(Output::Stdout, 1, true, wait))?;
    debugger.wait()?;
    println!("ls       said {:?}, called malloc {} times", text(&line), calls.hit_count());
    println!("ls       exit code {:?}", debugger.exit_code()?);
    Ok(())
}

/// A function of our own program, stop by stop.
fn stop_at_a_function() -> Result<()> {
    let debugger = Debugger::builder(fixture("basic")).run()?;
    let breakpoint = debugger.breakpoint("counter_function")?;
    let thread = debugger.main_thread()?;
    for _ in 0..3 {
        debugger.cont()?;
        debugger.wait()?;
        let (pc, argument) = (thread.pc()?, thread.register("edi")?);
        println!("basic    at {pc:#x}, hit {}, edi = {:?}", breakpoint.hit_count(), argument.as_u64());
    }
    let message = debugger.resolve_symbol("message", &FileScope::Binary)?.address;
    println!("basic    message: {:?}", text(&debugger.read_memory(message, 16)?));
    debugger.kill()
}

/// A program that answers what it is sent.
fn talk_to_a_program() -> Result<()> {
    let debugger = Debugger::builder(fixture("echo")).run()?;
    debugger.cont()?;
    let answer = debugger.with_io(None, |io, wait| {
        io.send(b"hello\n", wait)?;
        io.recv_line(Output::Stdout, 1, true, wait)
    })?;
    println!("echo     answered {:?}", text(&answer));
    debugger.with_io(None, |io, wait| io.send(b"quit\n", wait))?;
    debugger.wait()?;
    println!("echo     exit code {:?}", debugger.exit_code()?);
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\0', '\n']).to_owned()
}

/// A program of the test suite, built on demand.
fn fixture(name: &str) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/build.py");
    let built = Command::new("python3").arg(script).arg(name).output();
    let path = built.map(|built| String::from_utf8_lossy(&built.stdout).trim().to_owned());
    PathBuf::from(path.unwrap_or_default())
}
