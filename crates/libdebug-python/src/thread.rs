//! One thread, as the class `ThreadContext` uses it.

use libdebug::{Error, Signal, Thread};
use pyo3::prelude::*;

use crate::error::{Doing, raise};
use crate::names::registers_of;
use crate::registers::named;
use crate::release::Released;
use crate::value::{from_python, to_python};

/// One thread of the process under debug.
#[pyclass(frozen, module = "libdebug._native")]
pub(crate) struct ThreadCore {
    thread: Released<Thread>,
    /// Its registers, each an attribute.
    #[pyo3(get)]
    regs: Py<PyAny>,
}

#[pymethods]
impl ThreadCore {
    /// Its thread id.
    #[getter]
    fn thread_id(&self) -> i32 {
        self.thread.tid().0
    }

    /// Whether it has ended. Does not wait.
    #[getter]
    fn dead(&self) -> bool {
        self.thread.is_dead()
    }

    /// Whether it is exiting but not gone. Does not wait.
    #[getter]
    fn zombie(&self) -> bool {
        self.thread.is_zombie()
    }

    /// The exit code, or None. Waits until the process is stopped.
    #[getter]
    fn exit_code(&self, py: Python<'_>) -> PyResult<Option<i32>> {
        use libdebug::Death;
        Ok(self.death(py)?.and_then(|death| match death {
            Death::Exited(code) => Some(code),
            Death::Killed(_) => None,
        }))
    }

    /// The name of the signal that killed it, or None. Waits until the process is stopped.
    #[getter]
    fn exit_signal(&self, py: Python<'_>) -> PyResult<Option<String>> {
        use libdebug::Death;
        Ok(self.death(py)?.and_then(|death| match death {
            Death::Killed(signal) => Some(signal.name()),
            Death::Exited(_) => None,
        }))
    }

    /// The number of the signal that it stopped with, 0 for none.
    #[getter]
    fn signal_number(&self, py: Python<'_>) -> PyResult<i32> {
        let signal = self.blocking(py, Doing::Other, Thread::signal)?;
        Ok(signal.map_or(0, |signal| signal.0))
    }

    #[setter]
    fn set_signal_number(&self, py: Python<'_>, number: i32) -> PyResult<()> {
        let signal = Some(Signal(number)).filter(|signal| signal.0 != 0);
        self.blocking(py, Doing::Other, |thread| thread.set_signal(signal))
    }

    /// The name of the signal that it stopped with, or None.
    #[getter]
    fn signal(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.blocking(py, Doing::Other, Thread::signal)?.map(Signal::name))
    }

    /// Return a register's value by its name, `orig_rax` included.
    fn register(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        let register = named(name)?;
        to_python(py, self.blocking(py, Doing::Registers, |thread| thread.read(register))?)
    }

    /// Change a register's value by its name, `orig_rax` included.
    fn set_register(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let register = named(name)?;
        let new = from_python(register, value)?;
        self.blocking(value.py(), Doing::Registers, |thread| thread.write(register, new))
    }

    /// Execute one instruction.
    fn step(&self, py: Python<'_>) -> PyResult<()> {
        self.blocking(py, Doing::Cont, Thread::step)
    }

    /// Step until the thread is at the address, at most `limit` times.
    #[pyo3(signature = (address, limit=None))]
    fn step_until(&self, py: Python<'_>, address: u64, limit: Option<u64>) -> PyResult<()> {
        self.blocking(py, Doing::Cont, |thread| thread.step_until(address, limit))
    }

    /// Execute one instruction, and all of the function where that is a call.
    fn next(&self, py: Python<'_>) -> PyResult<()> {
        self.blocking(py, Doing::Cont, Thread::next)
    }
}

impl ThreadCore {
    pub(crate) fn new(py: Python<'_>, thread: Thread) -> PyResult<Self> {
        Ok(Self { regs: registers_of(py, thread.clone())?, thread: Released::new(thread) })
    }

    pub(crate) fn handle(&self) -> &Thread {
        &self.thread
    }

    fn death(&self, py: Python<'_>) -> PyResult<Option<libdebug::Death>> {
        let debugger = self.thread.debugger();
        if !debugger.is_settled() {
            let waited = py.detach(|| debugger.wait());
            waited.map_err(|error| raise(py, Doing::Wait, error))?;
        }
        Ok(self.thread.death())
    }

    fn blocking<T: Send>(
        &self,
        py: Python<'_>,
        doing: Doing,
        act: impl FnOnce(&Thread) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        py.detach(|| act(&self.thread)).map_err(|error| raise(py, doing, error))
    }
}
