//! A callback of users inside an object that the garbage collector sees.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

/// None, True, False or a callable. The lock is held for moments only, and never while Python code runs.
pub(crate) struct Slot(Mutex<Option<Py<PyAny>>>);

impl Slot {
    pub(crate) const fn new(callback: Option<Py<PyAny>>) -> Self {
        Self(Mutex::new(callback))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Option<Py<PyAny>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn get(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.with(|callback| callback.as_ref().map(|callback| callback.clone_ref(py)))
    }

    /// The callback, if it is one that has to be called.
    pub(crate) fn called(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.get(py).filter(|callback| truth(callback.bind(py)).is_none())
    }

    pub(crate) fn set(&self, callback: Option<Py<PyAny>>) {
        drop(self.with(|held| std::mem::replace(held, callback)));
    }

    pub(crate) fn repr(&self, py: Python<'_>) -> PyResult<String> {
        match self.get(py) {
            Some(callback) => Ok(callback.bind(py).repr()?.to_string()),
            None => Ok("None".to_owned()),
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.try_lock() {
            Ok(callback) => visit.call(&*callback),
            Err(_) => Ok(()),
        }
    }
}

/// Which of Python's two truth values it is.
fn truth(callback: &Bound<'_, PyAny>) -> Option<bool> {
    callback.extract().ok()
}

/// What users give as a callback.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// None, or False.
    Nothing,
    /// True.
    Count,
    Call,
}

pub(crate) fn wish(callback: Option<&Py<PyAny>>, py: Python<'_>) -> PyResult<Wish> {
    let Some(callback) = callback.map(|callback| callback.bind(py)) else { return Ok(Wish::Nothing) };
    match truth(callback) {
        Some(true) => Ok(Wish::Count),
        Some(false) => Ok(Wish::Nothing),
        None if callback.is_callable() => Ok(Wish::Call),
        None => Err(PyTypeError::new_err("callback must be callable, True or None")),
    }
}
