//! Have a thread come to our code.

use std::sync::mpsc;
use std::time::Duration;

use libdebug::{
    Access, BreakpointKind, BreakpointSpec, Debugger, Error as DebuggerError, RegisterValue, Thread,
};

use crate::error::{Error, Result};
use crate::inject::block::{BLOCK, word};
use crate::inject::machine_code::{INTERRUPTED, PENDING};
use crate::inject::pages::Pages;

const EINTR: i64 = -4;
/// How long a call in the program may take: all other threads run, and one can have the lock that it takes for a moment.
const SHORTLY: Duration = Duration::from_millis(500);

/// The thread goes on in our code, and returns to its system call as if a signal had come.
pub(crate) fn out_of_wait(thread: &Thread, pages: &Pages) -> Result<()> {
    thread.set_register("rax", RegisterValue::U64(EINTR.cast_unsigned()))?;
    go_to(thread, pages)
}

/// The thread goes on in our code, and then where it stands.
fn go_to(thread: &Thread, pages: &Pages) -> Result<()> {
    let debugger = thread.debugger();
    add_reference(debugger, pages)?;
    pages.set_word(debugger, word::BACK, thread.pc()?)?;
    // Else the kernel would go back to the system call, from wherever the thread is then.
    thread.set_register("orig_rax", RegisterValue::U64(u64::MAX))?;
    Ok(thread.set_pc(pages.base + INTERRUPTED)?)
}

/// A wait ends as if a signal had come.
pub(crate) fn wake(thread: &Thread) -> Result<()> {
    thread.set_register("rax", RegisterValue::U64(EINTR.cast_unsigned()))?;
    Ok(thread.set_register("orig_rax", RegisterValue::U64(u64::MAX))?)
}

/// Asks the interpreter for a pending call. `add` is Py_AddPendingCall. Answers whether it was taken in.
///
/// The main thread must ask: before 3.13 the interpreter looks at the list only when it was the main thread that changed it.
pub(crate) fn pending(main: &Thread, pages: &Pages, add: u64) -> Result<bool> {
    let debugger = main.debugger();
    let before = add_reference(debugger, pages)?;
    match call_shortly(main, add, &[pages.base + PENDING, pages.base + BLOCK]) {
        Ok(answer) if answer as i32 == 0 => Ok(true),
        // The list is full.
        Ok(_) => pages.set_word(debugger, word::REFERENCES, before).map(|()| false),
        // It may be in the list or not, so the pages have to stay.
        Err(Error::Debugger(DebuggerError::CallStopped { .. })) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(crate) fn add_reference(debugger: &Debugger, pages: &Pages) -> Result<u64> {
    let before = pages.word(debugger, word::REFERENCES)?;
    pages.set_word(debugger, word::REFERENCES, before + 1)?;
    Ok(before)
}

/// Calls a function of the program, all threads running; a call that does not return is given up, and the thread is where it was.
fn call_shortly(thread: &Thread, function: u64, arguments: &[u64]) -> Result<u64> {
    let (returned, wait) = mpsc::channel::<()>();
    let debugger = thread.debugger();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if wait.recv_timeout(SHORTLY) == Err(mpsc::RecvTimeoutError::Timeout) {
                // A process that has ended meanwhile is told of by the call.
                let _ = debugger.interrupt();
            }
        });
        let value = thread.call(function, arguments);
        drop(returned);
        Ok(value?)
    })
}

/// Lets the process run until `thread` is about to enter `function`, which CPython calls with its lock where any Python code
/// may run, and has the thread run our code before.
///
/// A debug register waits there: no code is changed, and only this thread stops.
pub(crate) fn before_function(
    thread: &Thread,
    pages: &Pages,
    function: u64,
    limit: Duration,
) -> Result<bool> {
    let debugger = thread.debugger();
    let kind = BreakpointKind::Hardware { access: Access::Execute, length: 1 };
    let spec = BreakpointSpec { kind, thread: Some(thread.tid()), ..BreakpointSpec::at(function) };
    let breakpoint = debugger.set_breakpoint(spec)?;
    let waited = run_for(debugger, limit);
    let hit = breakpoint.hit_on(thread)?;
    breakpoint.remove()?;
    waited?;
    if !hit || !pages.is_open(debugger) {
        return Ok(false);
    }
    pages.set_word(debugger, word::GIL_ENSURE, 0)?;
    go_to(thread, pages)?;
    Ok(true)
}

/// Lets the stopped process run for a moment.
pub(crate) fn run_on(debugger: &Debugger) -> Result<()> {
    run_for(debugger, Duration::from_millis(1))
}

/// Lets the stopped process run until it stops by itself, at most for a time; it is stopped afterwards.
fn run_for(debugger: &Debugger, limit: Duration) -> Result<()> {
    debugger.cont()?;
    match debugger.wait_timeout(limit) {
        Err(DebuggerError::Timeout { .. }) => {
            debugger.interrupt()?;
            Ok(debugger.wait()?)
        }
        waited => Ok(waited?),
    }
}
