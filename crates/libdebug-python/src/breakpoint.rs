//! A breakpoint or watchpoint, as Python's users hold it.

use std::sync::{Arc, Mutex, PoisonError};

use libdebug::{Access, Action, Breakpoint as Handle, BreakpointKind};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::callback::{self, Table};
use crate::error::{Doing, raise};
use crate::release::Released;

/// A breakpoint or watchpoint.
///
/// It is equal to itself only, and keeps its count after the process has ended.
#[pyclass(frozen, weakref, module = "libdebug._native")]
pub(crate) struct Breakpoint {
    handle: Released<Handle>,
    table: Arc<Table>,
    callback: Mutex<Option<Py<PyAny>>>,
    length: u8,
}

#[pymethods]
impl Breakpoint {
    /// The virtual address.
    #[getter]
    fn address(&self) -> u64 {
        self.handle.address()
    }

    /// The symbol as it was given, or the address in hexadecimal.
    #[getter]
    fn symbol(&self) -> &str {
        self.handle.symbol()
    }

    /// How often all threads together have hit it. Does not wait for the process to stop.
    #[getter]
    fn hit_count(&self) -> u64 {
        self.handle.hit_count()
    }

    /// Whether it uses a debug register.
    #[getter]
    fn hardware(&self) -> bool {
        matches!(self.handle.kind(), BreakpointKind::Hardware { .. })
    }

    /// What it waits for: `x` execution, `w` writing, `rw` reading or writing.
    #[getter]
    fn condition(&self) -> &'static str {
        match self.handle.kind() {
            BreakpointKind::Hardware { access: Access::Write, .. } => "w",
            BreakpointKind::Hardware { access: Access::ReadWrite, .. } => "rw",
            _ => "x",
        }
    }

    /// How many bytes it watches.
    #[getter]
    fn length(&self) -> u8 {
        self.length
    }

    /// What is called at each hit, with the thread and the breakpoint: None stops the process instead, True
    /// does nothing but count. May be replaced at any time.
    #[getter]
    fn callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.held(|callback| callback.as_ref().map(|callback| callback.clone_ref(py)))
    }

    #[setter]
    fn set_callback(&self, py: Python<'_>, callback: Option<Py<PyAny>>) -> PyResult<()> {
        let had = self.python_callback(py).is_some();
        let action = action_for(callback.as_ref().map(|callback| callback.bind(py)), &self.table)?;
        let old = self.held(|held| std::mem::replace(held, callback));
        drop(old);
        self.table.count_callback(had, matches!(action, Action::Call(_)));
        self.handle.set_action(action);
        Ok(())
    }

    /// Whether it is enabled. Reading and changing it wait until the process is stopped.
    #[getter]
    fn enabled(&self, py: Python<'_>) -> PyResult<bool> {
        self.settle(py)?;
        Ok(self.handle.is_enabled())
    }

    #[setter]
    fn set_enabled(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        py.detach(|| self.handle.set_enabled(on)).map_err(|error| raise(py, Doing::Other, error))
    }

    /// Enable it, effective when the process goes on.
    fn enable(&self, py: Python<'_>) -> PyResult<()> {
        self.set_enabled(py, true)
    }

    /// Disable it, effective when the process goes on.
    fn disable(&self, py: Python<'_>) -> PyResult<()> {
        self.set_enabled(py, false)
    }

    /// Return whether the stop that a thread is in was caused by this breakpoint, which is enabled. For a
    /// debugger, its main thread is meant.
    fn hit_on(&self, thread_context: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = thread_context.py();
        let tid = thread_context.getattr(intern!(py, "thread_id"))?.extract()?;
        let debugger = self.handle.debugger();
        let Some(core) = self.table.core_of(py, tid, debugger)? else {
            self.settle(py)?;
            return Ok(false);
        };
        let thread = core.get().handle();
        let hit = debugger.at_once(|_| self.handle.hit_on(thread));
        let hit = hit.unwrap_or_else(|| py.detach(|| self.handle.hit_on(thread)));
        hit.map_err(|error| raise(py, Doing::Other, error))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let callback = match self.callback(py) {
            Some(callback) => callback.bind(py).repr()?.to_string(),
            None => "None".to_owned(),
        };
        Ok(format!(
            "Breakpoint(address={:#x}, symbol={:?}, hit_count={}, hardware={}, callback={callback}, \
             condition={:?}, length={})",
            self.address(),
            self.symbol(),
            self.hit_count(),
            if self.hardware() { "True" } else { "False" },
            self.condition(),
            self.length,
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.callback.try_lock() {
            Ok(callback) => visit.call(&*callback),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        drop(self.held(Option::take));
    }
}

impl Breakpoint {
    pub(crate) fn new(handle: Handle, table: &Arc<Table>, callback: Option<Py<PyAny>>, length: u8) -> Self {
        let (handle, table) = (Released::new(handle), Arc::clone(table));
        Self { handle, table, callback: Mutex::new(callback), length }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    fn held<T>(&self, act: impl FnOnce(&mut Option<Py<PyAny>>) -> T) -> T {
        act(&mut self.callback.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The callback, if it is one that has to be called.
    pub(crate) fn python_callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.callback(py).filter(|callback| !is_true(callback.bind(py)))
    }

    fn settle(&self, py: Python<'_>) -> PyResult<()> {
        let debugger = self.handle.debugger();
        if debugger.is_settled() {
            return Ok(());
        }
        py.detach(|| debugger.wait()).map_err(|error| raise(py, Doing::Wait, error))
    }
}

fn is_true(callback: &Bound<'_, PyAny>) -> bool {
    callback.extract::<bool>().unwrap_or(false)
}

/// What a hit does, by the callback that users give.
pub(crate) fn action_for(callback: Option<&Bound<'_, PyAny>>, table: &Arc<Table>) -> PyResult<Action> {
    match callback {
        None => Ok(Action::Stop),
        Some(callback) if is_true(callback) => Ok(Action::Count),
        Some(callback) if callback.is_callable() => Ok(callback::action(table)),
        Some(_) => Err(PyTypeError::new_err("callback must be callable, True or None")),
    }
}
