//! A catcher of signals, as Python's users hold it.

use std::sync::Arc;

use libdebug::{Action, SignalCatcher as Handle};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::callback::{self, Table};
use crate::error::{Doing, raise};
use crate::release::Released;
use crate::settle::{ask_of_thread, settle};
use crate::slot::{Slot, Wish, wish};

/// A catcher of signals.
///
/// It is equal to itself only, and keeps its count after the process has ended.
#[pyclass(frozen, weakref, module = "libdebug._native")]
pub(crate) struct SignalCatcher {
    handle: Released<Handle>,
    table: Arc<Table>,
    callback: Slot,
}

#[pymethods]
impl SignalCatcher {
    /// The number of the signal, -1 for all.
    #[getter]
    fn signal_number(&self) -> i32 {
        self.handle.signal().map_or(-1, |signal| signal.0)
    }

    /// The id of the one thread whose signals it catches, None for all.
    #[getter]
    fn thread_id(&self) -> Option<i32> {
        self.handle.thread().map(|tid| tid.0)
    }

    /// How many signals it has caught, in all threads together. Does not wait.
    #[getter]
    fn hit_count(&self) -> u64 {
        self.handle.hit_count()
    }

    /// What is called at each signal, with the thread and the catcher: None stops the process instead, True does
    /// nothing but count. May be replaced at any time.
    #[getter]
    fn callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.callback.get(py)
    }

    #[setter]
    fn set_callback(&self, py: Python<'_>, callback: Option<Py<PyAny>>) -> PyResult<()> {
        let had = self.python_callback(py).is_some();
        let action = action_for(py, callback.as_ref(), &self.table)?;
        self.callback.set(callback);
        self.table.count_callback(had, self.python_callback(py).is_some());
        self.handle.set_action(action);
        Ok(())
    }

    /// Whether catchers of a signal that the callback puts in the place of this one run too.
    #[getter]
    fn recursive(&self) -> bool {
        self.handle.is_recursive()
    }

    #[setter]
    fn set_recursive(&self, on: bool) {
        self.handle.set_recursive(on);
    }

    /// Whether it is enabled. Reading and changing it wait until the process is stopped.
    #[getter]
    fn enabled(&self, py: Python<'_>) -> PyResult<bool> {
        settle(py, self.handle.debugger())?;
        Ok(self.handle.is_enabled())
    }

    #[setter]
    fn set_enabled(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        py.detach(|| self.handle.set_enabled(on)).map_err(|error| raise(py, Doing::Other, error))
    }

    /// Return whether it is enabled right now. Does not wait.
    fn is_enabled(&self) -> bool {
        self.handle.is_enabled()
    }

    /// Enable it, effective from the next signal on.
    fn enable(&self, py: Python<'_>) -> PyResult<()> {
        self.set_enabled(py, true)
    }

    /// Disable it, effective from the next signal on.
    fn disable(&self, py: Python<'_>) -> PyResult<()> {
        self.set_enabled(py, false)
    }

    /// Return whether the stop that a thread is in was caused by this catcher, which is enabled. For a debugger,
    /// its main thread is meant.
    fn hit_on(&self, thread_context: &Bound<'_, PyAny>) -> PyResult<bool> {
        let asked = |thread: &libdebug::Thread| self.handle.hit_on(thread);
        Ok(ask_of_thread(thread_context, &self.table, self.handle.debugger(), asked)?.unwrap_or(false))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "SignalCatcher(signal_number={}, hit_count={}, callback={}, recursive={})",
            self.signal_number(),
            self.hit_count(),
            self.callback.repr(py)?,
            if self.recursive() { "True" } else { "False" },
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callback.traverse(&visit)
    }

    fn __clear__(&self) {
        self.callback.set(None);
    }
}

impl SignalCatcher {
    pub(crate) fn new(handle: Handle, table: &Arc<Table>, callback: Option<Py<PyAny>>) -> Self {
        let (handle, table) = (Released::new(handle), Arc::clone(table));
        Self { handle, table, callback: Slot::new(callback) }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What users have given.
    pub(crate) fn any_callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.callback.get(py)
    }

    /// The callback, if it is one that has to be called.
    pub(crate) fn python_callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.callback.called(py)
    }
}

/// What a signal does, by the callback that users give.
pub(crate) fn action_for(
    py: Python<'_>,
    callback: Option<&Py<PyAny>>,
    table: &Arc<Table>,
) -> PyResult<Action<Handle>> {
    Ok(match wish(callback, py)? {
        Wish::Nothing => Action::Stop,
        Wish::Count => Action::Count,
        Wish::Call => callback::at_signal(table),
    })
}
