//! The interpreter as a host of debuggers.

use std::os::fd::AsFd;
use std::sync::Mutex;

use libdebug::{BoxError, Host};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::callback::say;
use crate::wakeup::{Alarm, Bell};

/// A Python process.
pub(crate) struct PythonHost {
    /// The `threading.Thread` of the tracer; it holds nothing that holds the debugger.
    thread: Mutex<Option<Py<PyAny>>>,
    bell: Bell,
}

impl PythonHost {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { thread: Mutex::new(None), bell: Bell::new()? })
    }

    /// Waits until the tracer thread is gone, so that it cannot outlive the interpreter.
    pub(crate) fn join(&self, py: Python<'_>) -> PyResult<()> {
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        match thread {
            Some(thread) => thread.call_method0(py, "join").map(drop),
            None => Ok(()),
        }
    }
}

impl Host for PythonHost {
    /// A daemon `threading.Thread`, so that `threading.current_thread()` and other debuggers know the thread that
    /// callbacks run on. It keeps its Python thread state for life: attaching in a callback costs 0.1 µs then,
    /// instead of 7.
    fn spawn(&self, body: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        let started = Python::attach(|py| start(py, body)).map_err(std::io::Error::other)?;
        if let Ok(mut thread) = self.thread.lock() {
            *thread = Some(started);
        }
        Ok(())
    }

    /// Runs the interpreter's signal handlers, of which that of Ctrl-C raises. They are the main thread's: on
    /// any other this does nothing.
    fn check(&self) -> Result<(), BoxError> {
        Ok(Python::attach(|py| {
            self.bell.silence(py);
            py.check_signals()
        })?)
    }

    fn remark(&self, remark: &str) {
        Python::attach(|py| {
            if let Err(failure) = say(py, "warning", remark) {
                failure.write_unraisable(py, None);
            }
        });
    }

    fn has_check(&self) -> bool {
        true
    }

    /// The kernel gives a signal of the process to any thread that does not block it: another one may be told of
    /// Ctrl-C while the main thread waits. On any other thread there is nothing to look for.
    fn alarm(&self) -> Option<Box<dyn AsFd + '_>> {
        Some(Box::new(Python::attach(|py| Alarm::set(py, &self.bell))?))
    }
}

/// What the thread runs, once.
#[pyclass(frozen, module = "libdebug._native")]
struct Body(Mutex<Option<Box<dyn FnOnce() + Send>>>);

#[pymethods]
impl Body {
    fn __call__(&self, py: Python<'_>) {
        let body = self.0.lock().ok().and_then(|mut body| body.take());
        if let Some(body) = body {
            py.detach(body);
        }
    }
}

fn start(py: Python<'_>, body: Box<dyn FnOnce() + Send>) -> PyResult<Py<PyAny>> {
    let arguments = PyDict::new(py);
    arguments.set_item("target", Bound::new(py, Body(Mutex::new(Some(body))))?)?;
    arguments.set_item("name", "libdebug-tracer")?;
    arguments.set_item("daemon", true)?;
    let thread = py.import("threading")?.getattr("Thread")?.call((), Some(&arguments))?;
    thread.call_method0("start")?;
    Ok(thread.unbind())
}
