//! How the main thread's waits learn of signals that another thread of the interpreter was given.
//!
//! Whichever thread the kernel chooses, the interpreter's own handler notes the signal and writes its number to the
//! descriptor of `signal.set_wakeup_fd`. It has one, so a wait borrows the place: what was there before is put back
//! at its end, and gets every number that came meanwhile. An event loop sees its signals then, a little later.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};

/// What `signal.set_wakeup_fd` calls no descriptor.
const NONE: RawFd = -1;

/// A pair of descriptors: the interpreter's end, and the end that waits listen to.
pub(crate) struct Bell {
    rope: UnixStream,
    ear: UnixStream,
    /// Whose place the rope has taken.
    previous: AtomicI32,
}

impl Bell {
    pub(crate) fn new() -> std::io::Result<Self> {
        let (rope, ear) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Self { rope, ear, previous: AtomicI32::new(NONE) })
    }

    /// Makes it unreadable, and tells the one whose place it has taken.
    pub(crate) fn silence(&self, py: Python<'_>) {
        let mut numbers = [0; 64];
        while let Ok(count @ 1..) = (&self.ear).read(&mut numbers) {
            pass_on(py, self.previous.load(Ordering::Acquire), &numbers[..count]);
        }
    }
}

/// As the interpreter itself does, whoever does not listen misses it.
fn pass_on(py: Python<'_>, to: RawFd, numbers: &[u8]) {
    static WRITE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if to != NONE
        && let Ok(write) = WRITE.import(py, "os", "write")
    {
        let _ = write.call1((to, PyBytes::new(py, numbers)));
    }
}

/// A bell that the interpreter rings as long as this lives.
pub(crate) struct Alarm<'a> {
    bell: &'a Bell,
    previous: RawFd,
}

impl<'a> Alarm<'a> {
    /// `None` on another thread than the main one, which has no such place.
    pub(crate) fn set(py: Python<'_>, bell: &'a Bell) -> Option<Self> {
        let own = bell.rope.as_raw_fd();
        let previous = set_wakeup(py, own).ok()?;
        if previous != own {
            bell.previous.store(previous, Ordering::Release);
        }
        Some(Self { bell, previous })
    }

    fn put_back(&self, py: Python<'_>) {
        if set_wakeup(py, self.previous).is_err() {
            // It was closed meanwhile.
            let _ = set_wakeup(py, NONE);
        }
        // What a wait inside another one has not seen is the outer one's to see.
        if self.previous != self.bell.rope.as_raw_fd() {
            self.bell.silence(py);
        }
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        // Without an interpreter there is nothing to put back.
        let _ = Python::try_attach(|py| self.put_back(py));
    }
}

impl AsFd for Alarm<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.ear.as_fd()
    }
}

/// Calls `signal.set_wakeup_fd`, which runs no Python code; answers what was set before. Whether that one was to warn
/// of a full buffer cannot be asked for. It will not: the loss of a warning is the smaller change.
fn set_wakeup(py: Python<'_>, descriptor: RawFd) -> PyResult<RawFd> {
    static SET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let set = SET.import(py, "signal", "set_wakeup_fd")?;
    if descriptor == NONE {
        return set.call1((NONE,))?.extract();
    }
    let quietly = PyDict::new(py);
    quietly.set_item(intern!(py, "warn_on_full_buffer"), false)?;
    set.call((descriptor,), Some(&quietly))?.extract()
}
