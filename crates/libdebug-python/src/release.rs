//! Engine handles inside Python objects.

use std::ops::Deref;

use pyo3::prelude::*;

/// An engine handle that may be the last of its debugger. Dropping that one waits for the tracer thread, which
/// may itself be waiting for the interpreter's lock: so the lock is let go of meanwhile.
pub(crate) struct Released<T: Send>(Option<T>);

impl<T: Send> Released<T> {
    pub(crate) const fn new(handle: T) -> Self {
        Self(Some(handle))
    }
}

impl<T: Send> Deref for Released<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(handle) => handle,
            None => unreachable!("the handle is only taken by drop"),
        }
    }
}

impl<T: Send> Drop for Released<T> {
    fn drop(&mut self) {
        let handle = self.0.take();
        if let Some(mut handle) = Some(handle) {
            // No interpreter any more: nobody can hold its lock.
            let _ = Python::try_attach(|py| py.detach(|| drop(handle.take())));
        }
    }
}
