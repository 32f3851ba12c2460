//! Counts how often a program calls a function, and with which first arguments:
//!
//!     cargo run -p libdebug --example count_calls -- PROGRAM FUNCTION [ARGUMENT...]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use libdebug::{Action, Debugger, Stdio};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(program), Some(function)) = (words.next(), words.next()) else {
        return Err("usage: count_calls PROGRAM FUNCTION [ARGUMENT...]".into());
    };
    let debugger = Debugger::builder(program).args(words).stdio(Stdio::Inherit).run()?;
    let arguments: Arc<Mutex<BTreeMap<u64, u64>>> = Arc::default();
    let seen = Arc::clone(&arguments);
    // The closure runs on the debugger's thread, with the whole program stopped.
    let action = Action::call(move |thread, _| {
        let first = thread.register("rdi")?.as_u64().unwrap_or_default();
        *seen.lock().unwrap_or_else(PoisonError::into_inner).entry(first).or_default() += 1;
        Ok(())
    });
    let breakpoint = debugger.breakpoint_with(&function, action)?;
    debugger.cont()?;
    debugger.wait()?;
    println!("{function}: {} calls", breakpoint.hit_count());
    for (argument, calls) in arguments.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("{calls:8}  {function}({argument:#x}, ...)");
    }
    Ok(())
}
