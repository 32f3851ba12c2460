//! Lending a process to another debugger.

use libdebug::Debugger;
use pyo3::prelude::*;

use crate::debugger::DebuggerCore;
use crate::error::{Doing, raise};
use crate::release::Released;

/// Lends the process of one debugger to another one.
#[pyclass(frozen, module = "libdebug._native")]
pub(crate) struct MigrationCore {
    engine: Released<Debugger>,
}

#[pymethods]
impl MigrationCore {
    #[new]
    fn new(core: &Bound<'_, DebuggerCore>) -> Self {
        Self { engine: Released::new(core.get().engine().clone()) }
    }

    /// Lend the process to another debugger, stopped as it is.
    fn hand_over(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.engine.hand_over()).map_err(|error| raise(py, Doing::Other, error))
    }

    /// Take the process back from another debugger.
    fn take_back(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.engine.take_back()).map_err(|error| raise(py, Doing::Other, error))
    }

    /// Whether another debugger has the process. Does not wait.
    #[getter]
    fn handed_over(&self) -> bool {
        self.engine.is_handed_over()
    }
}
