//! A program's standard streams, as the class `PipeManager` uses them.

use std::io::stdin;
use std::os::fd::AsFd;
use std::sync::Arc;

use libdebug::{Error, IoError, Output, ProcessIo, ProcessState, Seen, Until, Wait, Watch};
use pyo3::exceptions::{PyRuntimeError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{PyTraverseError, PyVisit};

use crate::debugger::{DebuggerCore, duration};
use crate::error::{Doing, raise};

/// The streams of one run of a program. Every wait takes its seconds, or None for any time.
#[pyclass(frozen, module = "libdebug._native")]
pub(crate) struct PipeCore {
    core: Py<DebuggerCore>,
    io: Arc<ProcessIo>,
}

#[pymethods]
impl PipeCore {
    #[new]
    fn new(py: Python<'_>, core: Py<DebuggerCore>) -> PyResult<Self> {
        let io = core.get().engine().io().ok_or_else(|| raise(py, Doing::Other, Error::NoProcess))?;
        Ok(Self { core, io })
    }

    /// Whether the program has one terminal for all three streams.
    #[getter]
    fn is_terminal(&self) -> bool {
        self.io.is_terminal()
    }

    /// Receive what has arrived, at most `count` bytes: none when nothing came in time, or the process stopped.
    fn recv<'py>(
        &self,
        py: Python<'py>,
        stream: Stream,
        count: usize,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.receive(py, timeout, |io, wait| match io.recv(stream.0, count, wait) {
            Err(IoError::Timeout { .. } | IoError::Stopped { .. }) => Ok(Vec::new()),
            received => received,
        })
    }

    /// Receive exactly `count` bytes.
    fn recv_exact<'py>(
        &self,
        py: Python<'py>,
        stream: Stream,
        count: usize,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.receive(py, timeout, |io, wait| io.recv_exact(stream.0, count, wait))
    }

    /// Receive until `delimiter` has occurred `occurrences` times.
    #[expect(clippy::too_many_arguments, reason = "keywords of the Python side")]
    fn recv_until<'py>(
        &self,
        py: Python<'py>,
        stream: Stream,
        delimiter: &[u8],
        occurrences: usize,
        drop: bool,
        optional: bool,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let until = Until { delimiter, occurrences, drop, optional };
        self.receive(py, timeout, |io, wait| io.recv_until(stream.0, until, wait))
    }

    /// Receive until the stream ends, the process stops, or the time is over.
    fn recv_all<'py>(
        &self,
        py: Python<'py>,
        stream: Stream,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.receive(py, timeout, |io, wait| io.recv_all(stream.0, wait))
    }

    /// Wait until there is something to receive; False when there is not in time, or nothing can come.
    fn can_recv(&self, py: Python<'_>, stream: Stream, timeout: Option<f64>) -> PyResult<bool> {
        self.converse(py, timeout, |io, wait| io.can_recv(stream.0, wait))
    }

    /// Put bytes back, before everything else that waits to be received.
    fn unrecv(&self, stream: Stream, data: &[u8]) {
        self.io.unrecv(stream.0, data);
    }

    /// Send everything, waiting for room where the pipe is full; return its size.
    fn send(&self, py: Python<'_>, data: &[u8], timeout: Option<f64>) -> PyResult<usize> {
        self.converse(py, timeout, |io, wait| io.send(data, wait))
    }

    /// Send what there is room for, and return how much that was.
    fn try_send(&self, py: Python<'_>, data: &[u8]) -> PyResult<usize> {
        self.converse(py, None, |io, _| io.try_send(data))
    }

    /// Wait for output, and as asked for input of this interpreter's own (descriptor 0), for a stop, for room to
    /// send. Return whether there is input, standard output, standard error, a stop, room: none at the end of
    /// the time.
    fn select(
        &self,
        py: Python<'_>,
        input: bool,
        stop: bool,
        room: bool,
        timeout: Option<f64>,
    ) -> PyResult<(bool, bool, bool, bool, bool)> {
        let stdin = stdin();
        let watch = Watch { input: input.then(|| stdin.as_fd()), stop, room };
        let Seen { input, stdout, stderr, stopped, room } =
            self.converse(py, timeout, |io, wait| io.select(&watch, wait))?;
        Ok((input, stdout, stderr, stopped, room))
    }

    /// Return `running`, `stopped` or `dead`, and why it is stopped.
    fn state(&self, py: Python<'_>) -> PyResult<(&'static str, String)> {
        self.converse(py, None, |_, wait| {
            Ok(match (wait.state)() {
                ProcessState::Running => ("running", String::new()),
                ProcessState::Stopped { events } => ("stopped", events),
                ProcessState::Dead => ("dead", String::new()),
            })
        })
    }

    /// End the program's input.
    fn close_stdin(&self, py: Python<'_>) -> PyResult<()> {
        self.converse(py, None, |io, wait| io.close_stdin(wait))
    }

    /// Close all streams. Closing twice is no error.
    fn close(&self) {
        self.io.close();
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.core)
    }
}

impl PipeCore {
    fn receive<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
        act: impl FnOnce(&ProcessIo, &Wait<'_>) -> Result<Vec<u8>, IoError> + Send,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.converse(py, timeout, act).map(|received| PyBytes::new(py, &received))
    }

    /// Runs `act` with the interpreter's lock let go of. A time limit in the past is one that is over.
    fn converse<T: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        act: impl FnOnce(&ProcessIo, &Wait<'_>) -> Result<T, IoError> + Send,
    ) -> PyResult<T> {
        let timeout = timeout.map(|seconds| duration(seconds.max(0.0))).transpose()?.flatten();
        let (engine, io) = (self.core.get().engine(), &self.io);
        let done = py.detach(|| {
            engine.with_io(timeout, |current, wait| {
                // After detach and another run the debugger's stops are another process's, not this one's.
                fn dead() -> ProcessState {
                    ProcessState::Dead
                }
                let let_go = Wait { state: &dead, ..*wait };
                act(io, if std::ptr::eq(current, &**io) { wait } else { &let_go })
            })
        });
        let is_stopped = matches!(done, Err(Error::Io(IoError::Stopped { .. })));
        done.map_err(|error| {
            let error = exception(py, error);
            if is_stopped {
                // A callback's exception is raised by the next wait; who receives sees it as the reason.
                error.set_cause(py, self.core.get().failure(py));
            }
            error
        })
    }
}

/// `stdout` or `stderr`.
struct Stream(Output);

impl<'py> FromPyObject<'_, 'py> for Stream {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<std::borrow::Cow<'_, str>>()?.as_ref() {
            "stdout" => Ok(Self(Output::Stdout)),
            "stderr" => Ok(Self(Output::Stderr)),
            _ => Err(PyValueError::new_err("a stream to receive from is stdout or stderr")),
        }
    }
}

fn exception(py: Python<'_>, error: Error) -> PyErr {
    match error {
        Error::Io(IoError::Interrupted(cause)) => raise(py, Doing::Other, Error::Interrupted(cause)),
        Error::Io(IoError::Kernel(error)) => raise(py, Doing::Other, Error::Kernel(error)),
        Error::Io(error @ (IoError::Timeout { .. } | IoError::SendTimeout { .. })) => {
            PyTimeoutError::new_err(error.to_string())
        }
        Error::Io(error @ IoError::InvalidCount) => PyValueError::new_err(error.to_string()),
        Error::Io(error) => PyRuntimeError::new_err(error.to_string()),
        error => raise(py, Doing::Other, error),
    }
}
