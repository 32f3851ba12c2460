//! A handler of system calls, as Python's users hold it.

use std::sync::Arc;

use libdebug::{Action, SyscallHandler as Handle, SyscallSide, SyscallSpec};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::callback::{self, Table};
use crate::error::{Doing, raise};
use crate::release::Released;
use crate::settle::{ask_of_thread, settle};
use crate::slot::{Slot, Wish, wish};

/// A handler of system calls.
///
/// It is equal to itself only, and keeps its count after the process has ended.
#[pyclass(frozen, weakref, module = "libdebug._native")]
pub(crate) struct SyscallHandler {
    handle: Released<Handle>,
    table: Arc<Table>,
    on_enter: Slot,
    on_exit: Slot,
}

#[pymethods]
impl SyscallHandler {
    /// The number of the system call, -1 for all.
    #[getter]
    fn syscall_number(&self) -> i64 {
        self.handle.number().map_or(-1, u64::cast_signed)
    }

    /// The id of the one thread whose calls it handles, None for all.
    #[getter]
    fn thread_id(&self) -> Option<i32> {
        self.handle.thread().map(|tid| tid.0)
    }

    /// How many handled calls have come to their exit, in all threads together. Does not wait.
    #[getter]
    fn hit_count(&self) -> u64 {
        self.handle.hit_count()
    }

    /// What is called before each call, with the thread and the handler; True for nothing, None for nothing too
    /// unless both sides are None: then the process stops on both. May be replaced at any time.
    #[getter]
    fn on_enter_user(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.on_enter.get(py)
    }

    #[setter]
    fn set_on_enter_user(&self, py: Python<'_>, callback: Option<Py<PyAny>>) -> PyResult<()> {
        self.set_callbacks(py, callback, self.on_exit.get(py))
    }

    /// What is called behind each call, see `on_enter_user`.
    #[getter]
    fn on_exit_user(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.on_exit.get(py)
    }

    #[setter]
    fn set_on_exit_user(&self, py: Python<'_>, callback: Option<Py<PyAny>>) -> PyResult<()> {
        self.set_callbacks(py, self.on_enter.get(py), callback)
    }

    /// None: the trace of system calls is told of them without a handler.
    #[getter]
    fn on_enter_pprint(&self) -> Option<Py<PyAny>> {
        None
    }

    /// None: the trace of system calls is told of them without a handler.
    #[getter]
    fn on_exit_pprint(&self) -> Option<Py<PyAny>> {
        None
    }

    /// Whether handlers of a call that `on_enter_user` puts in the place of this one run too.
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

    /// Enable it, effective from the next system call on.
    fn enable(&self, py: Python<'_>) -> PyResult<()> {
        self.set_enabled(py, true)
    }

    /// Disable it, effective at once: of a call that has been entered, the exit is not handled.
    fn disable(&self, py: Python<'_>) -> PyResult<()> {
        self.set_enabled(py, false)
    }

    /// Return whether the stop that a thread is in was caused by this handler, which is enabled, before or behind
    /// a call. For a debugger, its main thread is meant.
    fn hit_on(&self, thread_context: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.side(thread_context)?.is_some())
    }

    /// Return whether the stop that a thread is in was caused by this handler, before a call.
    fn hit_on_enter(&self, thread_context: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.side(thread_context)? == Some(SyscallSide::Enter))
    }

    /// Return whether the stop that a thread is in was caused by this handler, behind a call.
    fn hit_on_exit(&self, thread_context: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.side(thread_context)? == Some(SyscallSide::Exit))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "SyscallHandler(syscall_number={}, hit_count={}, on_enter_user={}, on_exit_user={}, recursive={})",
            self.syscall_number(),
            self.hit_count(),
            self.on_enter.repr(py)?,
            self.on_exit.repr(py)?,
            if self.recursive() { "True" } else { "False" },
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.on_enter.traverse(&visit)?;
        self.on_exit.traverse(&visit)
    }

    fn __clear__(&self) {
        self.on_enter.set(None);
        self.on_exit.set(None);
    }
}

impl SyscallHandler {
    pub(crate) fn new(handle: Handle, table: &Arc<Table>) -> Self {
        let (handle, table) = (Released::new(handle), Arc::clone(table));
        Self { handle, table, on_enter: Slot::new(None), on_exit: Slot::new(None) }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    fn side(&self, thread_context: &Bound<'_, PyAny>) -> PyResult<Option<SyscallSide>> {
        let asked = |thread: &libdebug::Thread| self.handle.side_hit_on(thread);
        Ok(ask_of_thread(thread_context, &self.table, self.handle.debugger(), asked)?.flatten())
    }

    /// What users have given for both sides.
    pub(crate) fn callbacks(&self, py: Python<'_>) -> (Option<Py<PyAny>>, Option<Py<PyAny>>) {
        (self.on_enter.get(py), self.on_exit.get(py))
    }

    pub(crate) fn has_python_callbacks(&self, py: Python<'_>) -> bool {
        self.on_enter.called(py).or_else(|| self.on_exit.called(py)).is_some()
    }

    /// The callback of one side, if it is one that has to be called.
    pub(crate) fn python_callback(&self, py: Python<'_>, side: SyscallSide) -> Option<Py<PyAny>> {
        match side {
            SyscallSide::Enter => self.on_enter.called(py),
            SyscallSide::Exit => self.on_exit.called(py),
        }
    }

    fn set_callbacks(
        &self,
        py: Python<'_>,
        on_enter: Option<Py<PyAny>>,
        on_exit: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let spec = self.spec(py, &self.table, on_enter.as_ref(), on_exit.as_ref())?;
        self.replace(py, spec, on_enter, on_exit);
        Ok(())
    }

    /// What it does with these callbacks. That it puts another call, or a value, in the place of the call stays, as
    /// long as there is no callback that does.
    pub(crate) fn spec(
        &self,
        py: Python<'_>,
        table: &Arc<Table>,
        on_enter: Option<&Py<PyAny>>,
        on_exit: Option<&Py<PyAny>>,
    ) -> PyResult<SyscallSpec> {
        let old = self.handle.spec();
        let mut spec = spec_for(py, table, old.number, on_enter, on_exit, old.recursive)?;
        let is_native = on_enter.is_none() && self.on_enter.get(py).is_none();
        let hijacks = is_native && matches!(old.on_enter, Some(Action::Call(_)));
        if hijacks || old.answer.is_some() {
            spec.on_exit = spec.on_exit.filter(|_| on_exit.is_some());
            spec.on_enter = if hijacks { old.on_enter } else { spec.on_enter.filter(|_| on_enter.is_some()) };
            spec.answer = old.answer;
        }
        Ok(spec)
    }

    /// Takes what it does from `spec`, and the callbacks that this is made of; the count goes on.
    pub(crate) fn replace(
        &self,
        py: Python<'_>,
        spec: SyscallSpec,
        on_enter: Option<Py<PyAny>>,
        on_exit: Option<Py<PyAny>>,
    ) {
        for (slot, callback) in [(&self.on_enter, on_enter), (&self.on_exit, on_exit)] {
            let had = slot.called(py).is_some();
            slot.set(callback);
            self.table.count_callback(had, slot.called(py).is_some());
        }
        self.handle.replace(spec);
    }
}

/// What a handler of `number` does, by the callbacks that users give.
pub(crate) fn spec_for(
    py: Python<'_>,
    table: &Arc<Table>,
    number: Option<u64>,
    on_enter: Option<&Py<PyAny>>,
    on_exit: Option<&Py<PyAny>>,
    recursive: bool,
) -> PyResult<SyscallSpec> {
    let (enter, exit) = (wish(on_enter, py)?, wish(on_exit, py)?);
    if (enter, exit) == (Wish::Nothing, Wish::Nothing) {
        return Ok(SyscallSpec { recursive, ..SyscallSpec::stop(number) });
    }
    let action = |wish, side| match wish {
        Wish::Nothing => None,
        Wish::Count => Some(Action::Count),
        Wish::Call => Some(callback::at_syscall(table, side)),
    };
    let (on_enter, on_exit) = (action(enter, SyscallSide::Enter), action(exit, SyscallSide::Exit));
    Ok(SyscallSpec { number, on_enter, on_exit, recursive, ..SyscallSpec::default() })
}
