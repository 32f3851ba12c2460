//! A breakpoint or watchpoint, as Python's users hold it.

use std::sync::Arc;

use libdebug::{Access, Action, Breakpoint as Handle, BreakpointKind};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::callback::{self, Table};
use crate::error::{Doing, raise};
use crate::html::html_table;
use crate::release::Released;
use crate::settle::{ask_of_thread, settle};
use crate::slot::{Slot, Wish, wish};

/// A breakpoint or watchpoint.
///
/// It is equal to itself only, and keeps its count after the process has ended.
#[pyclass(frozen, weakref, module = "libdebug._native")]
pub(crate) struct Breakpoint {
    handle: Released<Handle>,
    table: Arc<Table>,
    callback: Slot,
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

    /// The id of the one thread that it stops, None for all.
    #[getter]
    fn thread_id(&self) -> Option<i32> {
        self.handle.thread().map(|tid| tid.0)
    }

    /// How often all threads together have hit it. Does not wait for the process to stop.
    #[getter]
    fn hit_count(&self) -> u64 {
        self.handle.hit_count()
    }

    /// What the watched bytes held at the hit before the last one, or when the watchpoint was set.
    #[getter]
    fn old_value(&self) -> Option<u64> {
        self.handle.old_value()
    }

    /// What the watched bytes held at the last hit, or when the watchpoint was set.
    #[getter]
    fn new_value(&self) -> Option<u64> {
        self.handle.new_value()
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
        self.callback.get(py)
    }

    #[setter]
    fn set_callback(&self, py: Python<'_>, callback: Option<Py<PyAny>>) -> PyResult<()> {
        let had = self.python_callback(py).is_some();
        let action = action_for(py, callback.as_ref(), &self.table)?;
        self.callback.set(callback);
        self.table.count_callback(had, matches!(action, Action::Call(_)));
        self.handle.set_action(action);
        Ok(())
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
        let asked = |thread: &libdebug::Thread| self.handle.hit_on(thread);
        Ok(ask_of_thread(thread_context, &self.table, self.handle.debugger(), asked)?.unwrap_or(false))
    }

    fn _repr_html_(&self) -> String {
        let kind = if self.hardware() { "hardware" } else { "software" };
        let rows = [
            ("address", format!("{:#x}", self.address())),
            ("symbol", self.symbol().to_owned()),
            ("hit_count", self.hit_count().to_string()),
            ("kind", kind.to_owned()),
        ];
        html_table(Vec::new(), rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let callback = self.callback.repr(py)?;
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
        self.callback.traverse(&visit)
    }

    fn __clear__(&self) {
        self.callback.set(None);
    }
}

impl Breakpoint {
    pub(crate) fn new(handle: Handle, table: &Arc<Table>, callback: Option<Py<PyAny>>, length: u8) -> Self {
        let (handle, table) = (Released::new(handle), Arc::clone(table));
        Self { handle, table, callback: Slot::new(callback), length }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The callback, if it is one that has to be called.
    pub(crate) fn python_callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.callback.called(py)
    }
}

/// What a hit does, by the callback that users give.
pub(crate) fn action_for(
    py: Python<'_>,
    callback: Option<&Py<PyAny>>,
    table: &Arc<Table>,
) -> PyResult<Action> {
    Ok(match wish(callback, py)? {
        Wish::Nothing => Action::Stop,
        Wish::Count => Action::Count,
        Wish::Call => callback::at_breakpoint(table),
    })
}
