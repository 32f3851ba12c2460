//! Live CPython programs, as the package `libdebug.python` uses them.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use libdebug::{Debugger, Host, Pid};
use libdebug_cpython::{
    Error, Interpreter, Phase, PythonFrame, PythonProgram, PythonThread, ReleaseLevel, StackFrame,
    ThreadStack,
};
use pyo3::create_exception;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::debugger::DebuggerCore;
use crate::error::{Doing, ProcessDiedError, raise};
use crate::frame::{Row, row_of};
use crate::host::PythonHost;
use crate::python_execution::{PythonBusyError, Told, told, wanted};
use crate::release::Released;

create_exception!(
    libdebug._native,
    UnsupportedPythonError,
    PyValueError,
    "The process is no Python program that can be looked into; the text says what it is."
);
create_exception!(
    libdebug._native,
    PythonStateError,
    PyRuntimeError,
    "The interpreter is not in a state in which this can be done."
);

/// Major, minor, micro, release level and serial, as `sys.version_info` has them.
type VersionRow = (u8, u8, u8, &'static str, u8);
/// File, function, line, first line, whether it was called from C.
type PythonRow = (String, String, Option<u32>, u32, bool);
/// Tid, ident, name, whether it is the main thread, whether it holds the lock, interpreter, whether all frames are there.
type ThreadRow = (Option<i32>, u64, Option<String>, bool, Option<bool>, i64, bool);

/// A CPython program: one that goes on, or the process of a debugger.
#[pyclass(frozen, module = "libdebug._native")]
pub(crate) struct PythonCore {
    place: Mutex<Option<Arc<Place>>>,
}

/// Where the program is.
pub(crate) enum Place {
    /// Nobody traces it.
    Alone { program: PythonProgram, host: Arc<PythonHost> },
    /// It is a debugger's.
    Session { debugger: Released<Debugger>, interpreter: Interpreter },
}

impl Place {
    fn interpreter(&self) -> &Interpreter {
        match self {
            Self::Alone { program, .. } => program.interpreter(),
            Self::Session { interpreter, .. } => interpreter,
        }
    }

    fn threads(&self) -> Result<Vec<PythonThread>, Error> {
        match self {
            Self::Alone { program, .. } => program.threads(),
            Self::Session { debugger, interpreter } => interpreter.threads(debugger),
        }
    }

    fn stacks(&self) -> Result<Vec<ThreadStack>, Error> {
        match self {
            Self::Alone { program, .. } => program.stacks(),
            Self::Session { debugger, interpreter } => interpreter.stacks(debugger),
        }
    }

    fn phase(&self) -> Result<Phase, Error> {
        match self {
            Self::Alone { program, .. } => program.phase(),
            Self::Session { debugger, interpreter } => interpreter.phase(debugger),
        }
    }
}

#[pymethods]
impl PythonCore {
    /// Find the interpreter of a process, which is neither stopped nor traced.
    #[new]
    fn new(py: Python<'_>, pid: i32) -> PyResult<Self> {
        let host = Arc::new(PythonHost::new()?);
        let of_program = Arc::clone(&host) as Arc<dyn Host>;
        let program = py.detach(|| PythonProgram::with_host(Pid(pid), of_program));
        let program = program.map_err(|error| refuse(py, error))?;
        Ok(Self::at(Place::Alone { program, host }))
    }

    /// Return the interpreter of the process of a debugger; None if it is no CPython's.
    #[staticmethod]
    fn of(py: Python<'_>, core: &Bound<'_, DebuggerCore>) -> PyResult<Option<Self>> {
        let engine = core.get().engine();
        match py.detach(|| Interpreter::find(engine)) {
            Ok(interpreter) => {
                let debugger = Released::new(engine.clone());
                Ok(Some(Self::at(Place::Session { debugger, interpreter })))
            }
            Err(Error::NotPython { .. }) => Ok(None),
            Err(error) => Err(refuse(py, error)),
        }
    }

    /// Let the process be; this is of no use then.
    fn close(&self, py: Python<'_>) {
        let place = self.lock().take();
        py.detach(|| drop(place));
    }

    /// Whether it can be asked: not after `close`.
    #[getter]
    fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    /// The process's id.
    #[getter]
    fn pid(&self) -> PyResult<i32> {
        Ok(self.place()?.interpreter().pid().0)
    }

    /// The file that the process executes.
    #[getter]
    fn executable(&self, py: Python<'_>) -> PyResult<OsString> {
        self.ask(py, |place| match place {
            Place::Alone { program, .. } => Ok(program.executable()?.into_os_string()),
            Place::Session { debugger, .. } => Ok(debugger.program_path()?.into()),
        })
    }

    /// The version: major, minor, micro, release level and serial.
    #[getter]
    fn version(&self) -> PyResult<VersionRow> {
        let version = self.place()?.interpreter().version();
        let level = match version.level {
            ReleaseLevel::Alpha => "alpha",
            ReleaseLevel::Beta => "beta",
            ReleaseLevel::Candidate => "candidate",
            ReleaseLevel::Final => "final",
        };
        Ok((version.major, version.minor, version.micro, level, version.serial))
    }

    /// What `sys.version` says.
    #[getter]
    fn build(&self) -> PyResult<String> {
        Ok(self.place()?.interpreter().build().to_owned())
    }

    /// The file that has the interpreter: libpython or the program.
    #[getter]
    fn library(&self) -> PyResult<String> {
        Ok(self.place()?.interpreter().image().path.clone())
    }

    /// Whether the build can do without a global lock.
    #[getter]
    fn free_threaded(&self) -> PyResult<bool> {
        Ok(self.place()?.interpreter().is_free_threaded())
    }

    /// Whether the build checks itself.
    #[getter]
    fn debug_build(&self) -> PyResult<bool> {
        Ok(self.place()?.interpreter().is_debug_build())
    }

    /// How far the interpreter's life is: `starting`, `running` or `finalizing`.
    #[getter]
    fn phase(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(match self.ask(py, Place::phase)? {
            Phase::Starting => "starting",
            Phase::Running => "running",
            Phase::Finalizing => "finalizing",
        })
    }

    /// Return a row for each thread, and its frames: rows of five for Python's, of seven for native ones.
    fn threads<'py>(&self, py: Python<'py>, native: bool) -> PyResult<Vec<(ThreadRow, Bound<'py, PyList>)>> {
        if native {
            let stacks = self.ask(py, Place::stacks)?;
            return stacks.into_iter().map(|stack| row(py, &stack.thread, stack.frames)).collect();
        }
        let threads = self.ask(py, Place::threads)?;
        let plain = |thread: PythonThread| {
            let frames = thread.frames.iter().cloned().map(StackFrame::Python).collect();
            row(py, &thread, frames)
        };
        threads.into_iter().map(plain).collect()
    }

    /// For how many seconds the last look has stopped the process at most; None without a stop.
    #[getter]
    fn stopped_for(&self) -> PyResult<Option<f64>> {
        Ok(match &*self.place()? {
            Place::Alone { program, .. } => program.stopped_for().map(|time| time.as_secs_f64()),
            Place::Session { .. } => None,
        })
    }

    /// Execute statements in the frame that a thread executes, the main one's if `tid` is None.
    fn exec(&self, py: Python<'_>, code: &str, tid: Option<i32>, timeout: f64) -> PyResult<Told> {
        self.execute(py, tid, timeout, |executor| executor.exec(code).map(told))
    }

    /// Evaluate an expression in the frame that a thread executes.
    fn eval(&self, py: Python<'_>, expression: &str, tid: Option<i32>, timeout: f64) -> PyResult<Told> {
        self.execute(py, tid, timeout, |executor| executor.eval(expression).map(told))
    }

    /// Talk with pdb, or with a console, at this process's terminal.
    #[pyo3(signature = (tid, timeout, console, place=None))]
    fn talk(
        &self,
        py: Python<'_>,
        tid: Option<i32>,
        timeout: f64,
        console: bool,
        place: Option<(String, u32)>,
    ) -> PyResult<()> {
        let talk = wanted(console, place);
        self.execute(py, tid, timeout, |executor| libdebug_cli::talk(executor, &talk))
    }
}

impl PythonCore {
    fn at(place: Place) -> Self {
        Self { place: Mutex::new(Some(Arc::new(place))) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Place>>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn place(&self) -> PyResult<Arc<Place>> {
        self.lock().clone().ok_or_else(|| PyRuntimeError::new_err("detached: attach again"))
    }

    /// Asks without the interpreter's lock; whatever thread that has taken is gone afterwards.
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&Place) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let place = self.place()?;
        let asked = py.detach(|| ask(&place));
        if let Place::Alone { host, .. } = &*place {
            host.join(py)?;
        }
        py.detach(|| drop(place));
        asked.map_err(|error| refuse(py, error))
    }
}

/// The exception for an error.
pub(crate) fn refuse(py: Python<'_>, error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Debugger(error) => raise(py, Doing::Other, error),
        Error::Gone(_) => ProcessDiedError::new_err(text),
        Error::NotReached { .. } => PythonBusyError::new_err(text),
        Error::NotInitialized(_)
        | Error::Unexpected { .. }
        | Error::NotNow(_)
        | Error::ChannelClosed
        | Error::Channel(_)
        | Error::Refused { .. }
        | Error::MissingFunction(_)
        | Error::Raised(_) => PythonStateError::new_err(text),
        _ => UnsupportedPythonError::new_err(text),
    }
}

fn row<'py>(
    py: Python<'py>,
    thread: &PythonThread,
    frames: Vec<StackFrame>,
) -> PyResult<(ThreadRow, Bound<'py, PyList>)> {
    let head = (
        thread.tid.map(|tid| tid.0),
        thread.ident,
        thread.name.clone(),
        thread.is_main,
        thread.holds_gil,
        thread.interpreter_id,
        thread.is_complete,
    );
    let rows = PyList::empty(py);
    for frame in frames {
        match frame {
            StackFrame::Python(frame) => rows.append(python_row(frame))?,
            StackFrame::Native(frame) => {
                let row: Row = row_of(py, frame)?;
                rows.append(row)?;
            }
        }
    }
    Ok((head, rows))
}

fn python_row(frame: PythonFrame) -> PythonRow {
    (frame.file, frame.function, frame.line, frame.first_line, frame.is_entry)
}
