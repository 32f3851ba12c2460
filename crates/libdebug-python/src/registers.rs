//! What all register objects do; their names are in `names`.

use libdebug::{Register, RegisterClass, Thread, cpu_has, register, registers};
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{Doing, raise};
use crate::html::html_table;
use crate::release::Released;
use crate::value::{from_python, to_bytes, to_python};

/// The registers of one thread: each is an attribute.
///
/// Reading waits until the process is stopped; after its death the last values are still there. A value that is
/// assigned becomes effective when the thread goes on.
#[pyclass(frozen, subclass, module = "libdebug._native")]
pub(crate) struct RegisterFile {
    thread: Released<Thread>,
}

#[pymethods]
impl RegisterFile {
    /// Return the names of all registers, of whatever width, that hold the value.
    fn filter(&self, value: &Bound<'_, PyAny>) -> PyResult<Vec<&'static str>> {
        let py = value.py();
        let mut names = Vec::new();
        for register in listed() {
            if self.get(py, register)?.bind(py).eq(value)? {
                names.push(register.name);
            }
        }
        Ok(names)
    }

    /// Return a register's bytes, least significant first: for the `st` registers all 80 bits, which no
    /// float holds.
    fn raw(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyBytes>> {
        let register = named(name)?;
        let value = py.detach(|| self.thread.read(register));
        Ok(to_bytes(py, register, value.map_err(|error| raise(py, Doing::Registers, error))?))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut text = format!("Registers(thread_id={})", self.thread.tid());
        for register in whole() {
            text.push_str(&format!("\n  {}: {:#x}", register.name, self.integer(py, register)?));
        }
        Ok(text)
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let row = |register: &'static Register| {
            let value = self.integer(py, register)?;
            Ok::<_, PyErr>(vec![register.name.to_owned(), format!("{value:#x}")])
        };
        let rows = whole().map(row).collect::<PyResult<_>>()?;
        Ok(html_table(Vec::new(), rows))
    }
}

/// Return all registers that this CPU has: the name of each, what it is for (`general`, `special`, `vector`, `mmx`,
/// `x87`), and its width in bits.
#[pyfunction]
pub(crate) fn register_table() -> Vec<(&'static str, &'static str, u16)> {
    listed().map(|register| (register.name, word(register.class), register.bits)).collect()
}

pub(crate) const fn word(class: RegisterClass) -> &'static str {
    match class {
        RegisterClass::General => "general",
        RegisterClass::Special => "special",
        RegisterClass::Internal => "internal",
        RegisterClass::Vector => "vector",
        RegisterClass::Mmx => "mmx",
        RegisterClass::X87 => "x87",
    }
}

impl RegisterFile {
    pub(crate) fn new(thread: Thread) -> Self {
        Self { thread: Released::new(thread) }
    }

    /// A register of up to 64 bits out of the general ones.
    #[inline]
    pub(crate) fn integer(&self, py: Python<'_>, register: &'static Register) -> PyResult<u64> {
        match self.thread.read_cached_u64(register) {
            Some(value) => Ok(value),
            None => self.ask_integer(py, register),
        }
    }

    #[cold]
    fn ask_integer(&self, py: Python<'_>, register: &'static Register) -> PyResult<u64> {
        let value = py.detach(|| self.thread.read(register));
        let value = value.map_err(|error| raise(py, Doing::Registers, error))?;
        Ok(value.as_u64().unwrap_or_default())
    }

    pub(crate) fn get(&self, py: Python<'_>, register: &'static Register) -> PyResult<Py<PyAny>> {
        let value = match self.thread.read_cached(register) {
            Some(value) => value,
            None => py.detach(|| self.thread.read(register)),
        };
        to_python(py, value.map_err(|error| raise(py, Doing::Registers, error))?)
    }

    pub(crate) fn set(&self, register: &'static Register, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        let value = from_python(register, value)?;
        let written = py.detach(|| self.thread.write(register, value));
        written.map_err(|error| raise(py, Doing::Registers, error))
    }
}

/// All registers that users know of, on this CPU.
fn listed() -> impl Iterator<Item = &'static Register> {
    let registers = registers().iter();
    registers.filter(|register| register.class != RegisterClass::Internal && cpu_has(register))
}

/// The general registers, without their parts.
fn whole() -> impl Iterator<Item = &'static Register> {
    listed().filter(|register| register.class == RegisterClass::General && register.bits == 64)
}

/// A register by its name, those that are not listed included.
pub(crate) fn named(name: &str) -> PyResult<&'static Register> {
    let found = register(name).filter(|register| cpu_has(register));
    found.ok_or_else(|| PyAttributeError::new_err(format!("this CPU has no register called {name:?}")))
}
