//! What callbacks have raised, on its way through the engine to the user's next wait.
//!
//! An exception refers to the frames that it went through, and they to the debugger. So the engine, which the garbage
//! collector cannot look into, holds no exception itself but a place of one, and the debugger's object shows that.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pyo3::exceptions::{PyBaseException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

type Place = Mutex<Option<Py<PyBaseException>>>;

/// An exception, as the engine holds it.
#[derive(Debug)]
pub(crate) struct Raised {
    /// Of what kind of handler the callback is.
    pub(crate) kind: &'static str,
    place: Arc<Place>,
}

impl Raised {
    /// The exception; another one where it was forgotten with its debugger.
    pub(crate) fn take(&self, py: Python<'_>) -> PyErr {
        match take(&self.place) {
            Some(exception) => PyErr::from_value(exception.into_bound(py).into_any()),
            None => PyRuntimeError::new_err(self.to_string()),
        }
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a callback raised")
    }
}

impl std::error::Error for Raised {}

fn take(place: &Place) -> Option<Py<PyBaseException>> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The exceptions of one debugger that nobody was told of yet.
#[derive(Default)]
pub(crate) struct Unfetched(Mutex<Vec<Weak<Place>>>);

impl Unfetched {
    pub(crate) fn add(&self, py: Python<'_>, kind: &'static str, error: PyErr) -> Raised {
        let place = Arc::new(Mutex::new(Some(error.into_value(py))));
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|place| place.strong_count() > 0);
        places.push(Arc::downgrade(&place));
        Raised { kind, place }
    }

    /// The oldest of them, which stays.
    pub(crate) fn oldest(&self, py: Python<'_>) -> Option<PyErr> {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let exception = places.iter().filter_map(Weak::upgrade).find_map(|place| {
            let place = place.lock().unwrap_or_else(PoisonError::into_inner);
            place.as_ref().map(|exception| exception.clone_ref(py))
        })?;
        Some(PyErr::from_value(exception.into_bound(py).into_any()))
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever holds a lock also holds references: nothing of this is garbage then.
        let Ok(places) = self.0.try_lock() else { return Ok(()) };
        places.iter().filter_map(Weak::upgrade).try_for_each(|place| match place.try_lock() {
            Ok(exception) => visit.call(&*exception),
            Err(_) => Ok(()),
        })
    }

    pub(crate) fn clear(&self) {
        let places = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        // Without the lock: what goes may run Python code.
        places.iter().filter_map(Weak::upgrade).for_each(|place| drop(take(&place)));
    }
}
