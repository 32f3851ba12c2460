//! Shows where every thread of a running process is, and lets the process go on:
//!
//!     cargo run -p libdebug --example look_at_process -- PID

use libdebug::{Debugger, Pid};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pid = std::env::args().nth(1).ok_or("usage: look_at_process PID")?.parse()?;
    let debugger = Debugger::new()?;
    debugger.attach(Pid(pid), false)?;
    for thread in debugger.threads() {
        let pc = thread.pc()?;
        let place = match debugger.symbol_at(pc)? {
            Some((symbol, offset)) => format!("{symbol}+{offset:x}"),
            None => "?".to_owned(),
        };
        println!("thread {}  {pc:#018x}  {place}", thread.tid());
    }
    debugger.detach()?;
    Ok(())
}
