//! Code that live CPython programs run, and sessions with them.

use std::sync::Arc;
use std::time::Duration;

use libdebug::{Host, Tid};
use libdebug_cpython::{Error, Executor, Outcome, Talk};
use pyo3::create_exception;
use pyo3::exceptions::{PyTimeoutError, PyValueError};
use pyo3::prelude::*;

use crate::host::PythonHost;
use crate::python_program::{Place, PythonCore, refuse};

create_exception!(
    libdebug._native,
    PythonBusyError,
    PyTimeoutError,
    "The program did not come to a place where it can run code; the text says what it does instead."
);

/// What was printed, the exception's traceback, and of an expression repr and JSON.
pub(crate) type Told = (String, Option<String>, Option<String>, Option<String>);

impl PythonCore {
    /// Runs something in the program, without the interpreter's lock.
    pub(crate) fn execute<T: Send>(
        &self,
        py: Python<'_>,
        tid: Option<i32>,
        timeout: f64,
        act: impl FnOnce(&Executor) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let limit =
            Duration::try_from_secs_f64(timeout).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let (place, host) = (self.place()?, Arc::new(PythonHost::new()?));
        let executor = match &*place {
            Place::Alone { program, .. } => Executor::attach(program.pid()),
            Place::Session { debugger, .. } => Executor::of(debugger),
        };
        let executor = executor.timeout(limit).host(Arc::clone(&host) as Arc<dyn Host>);
        let executor = match tid {
            Some(tid) => executor.thread(Tid(tid)),
            None => executor,
        };
        let done = py.detach(|| {
            let done = act(&executor);
            drop((executor, place));
            done
        });
        host.join(py)?;
        done.map_err(|error| refuse(py, error))
    }
}

pub(crate) fn told(outcome: Outcome) -> Told {
    (outcome.output, outcome.raised, outcome.repr, outcome.json)
}

/// What a session is to be for.
pub(crate) fn wanted(console: bool, place: Option<(String, u32)>) -> Talk {
    match place {
        Some((file, line)) => Talk::Breakpoint(file, line),
        None if console => Talk::Console,
        None => Talk::Pdb,
    }
}
