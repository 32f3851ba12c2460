//! How soon a callback gets the interpreter while the main thread computes.
//!
//! CPython lets a thread compute for 5 ms before another gets its turn, which is what every callback would wait.
//! So the interval is 0.1 ms while a process runs that has Python callbacks, and what it was before afterwards.

use std::sync::Mutex;

use pyo3::prelude::*;

const SHORT: f64 = 1e-4;

/// How many debuggers want it short, and what it was before the first.
static STATE: Mutex<(usize, f64)> = Mutex::new((0, 0.0));

/// Shortens the interval, until [`restore`] was called as often.
pub(crate) fn shorten(py: Python<'_>) -> PyResult<()> {
    let sys = py.import("sys")?;
    let current = sys.call_method0("getswitchinterval")?.extract()?;
    if let Ok(mut state) = STATE.lock() {
        state.0 += 1;
        if state.0 > 1 {
            return Ok(());
        }
        state.1 = current;
    }
    if current > SHORT { sys.call_method1("setswitchinterval", (SHORT,)).map(drop) } else { Ok(()) }
}

/// Takes one [`shorten`] back. An interval that somebody else has set meanwhile stays.
pub(crate) fn restore(py: Python<'_>) -> PyResult<()> {
    let before = match STATE.lock() {
        Ok(mut state) => {
            state.0 = state.0.saturating_sub(1);
            if state.0 > 0 {
                return Ok(());
            }
            state.1
        }
        Err(_) => return Ok(()),
    };
    let sys = py.import("sys")?;
    let current: f64 = sys.call_method0("getswitchinterval")?.extract()?;
    let ours = (current - SHORT).abs() < SHORT / 100.0 && before > SHORT;
    if ours { sys.call_method1("setswitchinterval", (before,)).map(drop) } else { Ok(()) }
}
