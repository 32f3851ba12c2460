//! What all kinds of handlers ask first: that the process is stopped, and which thread is meant.

use libdebug::{Debugger, Error, Thread};
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;

use crate::callback::Table;
use crate::error::{Doing, raise};

/// Waits until the process is stopped, unless a callback asks.
pub(crate) fn settle(py: Python<'_>, debugger: &Debugger) -> PyResult<()> {
    if debugger.is_settled() {
        return Ok(());
    }
    py.detach(|| debugger.settled()).map_err(|error| raise(py, Doing::Wait, error))
}

/// Does `ask`, with the interpreter's lock where it does not block.
pub(crate) fn quickly<T: Send>(
    py: Python<'_>,
    debugger: &Debugger,
    doing: Doing,
    ask: impl Fn() -> Result<T, Error> + Send + Sync,
) -> PyResult<T> {
    let done = debugger.at_once(|_| ask());
    done.unwrap_or_else(|| py.detach(&ask)).map_err(|error| raise(py, doing, error))
}

/// What `ask` says of a thread, or of the main thread of a debugger, as users give it; `None` when it is no thread
/// of this process.
pub(crate) fn ask_of_thread<T: Send>(
    thread_context: &Bound<'_, PyAny>,
    table: &Table,
    debugger: &Debugger,
    ask: impl Fn(&Thread) -> Result<T, Error> + Send + Sync,
) -> PyResult<Option<T>> {
    let py = thread_context.py();
    let tid =
        thread_context.getattr(intern!(py, "thread_id")).map_err(|error| no_thread(py, error))?.extract()?;
    let Some(core) = table.core_of(py, tid, debugger)? else {
        settle(py, debugger)?;
        return Ok(None);
    };
    let thread = core.get().handle();
    quickly(py, debugger, Doing::Other, || ask(thread)).map(Some)
}

fn no_thread(py: Python<'_>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<PyAttributeError>(py) {
        return error;
    }
    PyTypeError::new_err("hit_on takes a thread or a debugger")
}
