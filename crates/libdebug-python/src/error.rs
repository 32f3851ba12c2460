//! The engine's errors as Python's exceptions: the one place that maps them.

use libdebug::{BoxError, Error, RegisterError};
use pyo3::create_exception;
use pyo3::exceptions::{
    PyAttributeError, PyException, PyOSError, PyOverflowError, PyPermissionError, PyProcessLookupError,
    PyRuntimeError, PyTimeoutError, PyTypeError, PyValueError,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::raised::Raised;

create_exception!(libdebug._native, NotDebuggingError, PyRuntimeError, "No process is being debugged.");
create_exception!(
    libdebug._native,
    ProcessDiedError,
    PyRuntimeError,
    "The process, or the thread, has ended."
);
create_exception!(
    _native,
    InCallbackError,
    PyRuntimeError,
    "A callback must not do this: it runs in a stop."
);
create_exception!(
    _native,
    CallbackError,
    PyRuntimeError,
    "A callback raised; `__cause__` is what it raised."
);
create_exception!(libdebug._native, TerminatedError, PyRuntimeError, "The debugger is no longer usable.");
create_exception!(libdebug._native, WaitTimeoutError, PyTimeoutError, "The process did not stop in time.");
create_exception!(libdebug._native, InvalidAddressError, PyValueError, "Nothing is mapped there.");
create_exception!(libdebug._native, SymbolNotFoundError, PyValueError, "No mapped file has the symbol.");
create_exception!(libdebug._native, BreakpointError, PyValueError, "There can be no such breakpoint.");

/// What the caller was about to do, for the text where there is no process.
#[derive(Clone, Copy)]
pub(crate) enum Doing {
    Cont,
    Wait,
    Interrupt,
    Detach,
    Kill,
    Memory,
    Registers,
    Other,
}

impl Doing {
    const fn without_process(self) -> &'static str {
        match self {
            Self::Cont => "No process is being debugged. Check your script.",
            Self::Wait => "Process not running, cannot wait.",
            Self::Interrupt => "Process not running, cannot interrupt.",
            Self::Detach => "Process not running, cannot detach.",
            Self::Kill => "No process currently debugged, cannot kill.",
            Self::Memory => "Process not running, cannot access memory.",
            Self::Registers => {
                "The process is not being debugged, cannot access registers. Check your script."
            }
            Self::Other => "Process not running. Did you call run() or attach()?",
        }
    }

    const fn with_the_dead(self) -> &'static str {
        match self {
            Self::Cont | Self::Wait | Self::Interrupt => "All threads are dead.",
            _ => "The thread is dead.",
        }
    }
}

/// The exception for an engine's error.
pub(crate) fn raise(py: Python<'_>, doing: Doing, error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::NoProcess => NotDebuggingError::new_err(doing.without_process()),
        Error::Died { .. } => ProcessDiedError::new_err(format!("{} ({text})", doing.with_the_dead())),
        error if error.is_death() => ProcessDiedError::new_err(format!("{} ({text})", doing.with_the_dead())),
        Error::HandedOver => PyRuntimeError::new_err("Cannot execute this command after migrating to GDB."),
        Error::LeftHandedOver => PyRuntimeError::new_err(
            "The process is still in GDB at the end of the callback: call wait_for_gdb() in it.",
        ),
        Error::InCallback(_) => InCallbackError::new_err("This method is not available in a callback."),
        Error::Terminated => TerminatedError::new_err(text),
        Error::Timeout { .. } => WaitTimeoutError::new_err(text),
        Error::Callback(cause) => callback_failed(py, cause),
        Error::Interrupted(cause) => original(cause),
        Error::BadAddress { .. } | Error::NotMapped { .. } => {
            InvalidAddressError::new_err(format!("Invalid address. {text}"))
        }
        Error::NoSuchFile(_) => {
            InvalidAddressError::new_err(format!("No memory maps available to resolve the address: {text}"))
        }
        Error::NoSuchSymbol { name, near, .. } => {
            let hint = near.map_or(String::new(), |near| format!(" Did you mean {near:?}?"));
            SymbolNotFoundError::new_err(format!(
                "Symbol {name} not found in the specified mapped file. Please specify a valid symbol.{hint}"
            ))
        }
        Error::NoReturnAddress(_) => PyValueError::new_err(
            "Failed to get the return address. Check stack frame registers (e.g., base pointer).",
        ),
        Error::SymbolsDisabled => PyException::new_err(text),
        Error::BadSymbol(_) | Error::ThreadLocal(_) | Error::NoSuchLine { .. } | Error::NoSuchVariable(_) => {
            SymbolNotFoundError::new_err(text)
        }
        Error::NoSuchSignal(_)
        | Error::Uncatchable(_)
        | Error::NoSuchSyscall { .. }
        | Error::NoSuchArgument(_)
        | Error::SelfHijack(_)
        | Error::Snapshot(_)
        | Error::NoSuchMap(_)
        | Error::BadSearch(_) => PyValueError::new_err(text),
        Error::Breakpoint(libdebug::BreakpointError::NoFreeRegister) => {
            of_class(no_register_class(py), &text)
        }
        Error::Breakpoint(_) => BreakpointError::new_err(text),
        Error::Register(RegisterError::ValueOutOfRange { .. }) => register_overflow(py, &text),
        Error::Register(RegisterError::WrongKind { .. }) => PyTypeError::new_err(text),
        Error::Register(_) | Error::NoSuchRegister(_) => PyAttributeError::new_err(text),
        Error::Spawn { path, errno, .. } => PyOSError::new_err((errno.0, text, path.into_os_string())),
        Error::File { path, error } => {
            let number = error.raw_os_error().unwrap_or(0);
            PyOSError::new_err((number, error.to_string(), path.into_os_string()))
        }
        Error::AttachDenied { .. } => PyPermissionError::new_err((1, "EPERM", text)),
        Error::NoSuchProcess(_) => PyProcessLookupError::new_err((3, text)),
        Error::Kernel(error) => PyOSError::new_err(error.to_string()),
        _ => PyRuntimeError::new_err(text),
    }
}

fn callback_failed(py: Python<'_>, cause: BoxError) -> PyErr {
    let (kind, cause) = match cause.downcast::<Raised>() {
        Ok(raised) => (raised.kind, raised.take(py)),
        Err(cause) => ("native", original(cause)),
    };
    let text = format!("Unhandled exception in {kind} callback: {}", cause.value(py));
    let error = CallbackError::new_err(text);
    error.set_cause(py, Some(cause));
    error
}

/// What the interpreter raised in a wait, come back through the engine.
fn original(error: BoxError) -> PyErr {
    match error.downcast::<PyErr>() {
        Ok(error) => *error,
        Err(error) => PyException::new_err(error.to_string()),
    }
}

/// The class of what is raised for a value that is too large for its register: an `OverflowError`, and a
/// `TypeError` as well because that is what scripts for libdebug catch.
pub(crate) fn register_overflow_class(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let bases = (py.get_type::<PyOverflowError>(), py.get_type::<PyTypeError>());
    let doc = "The value has more bits than the register.";
    class_of_two(&CLASS, bases, "RegisterOverflowError", doc)
}

/// The class of what is raised when all debug registers are taken: libdebug raises `ValueError`, and its
/// documentation says `RuntimeError`.
pub(crate) fn no_register_class(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let bases = (py.get_type::<BreakpointError>(), py.get_type::<PyRuntimeError>());
    class_of_two(&CLASS, bases, "NoFreeRegisterError", "All debug registers of the CPU are taken.")
}

/// An exception of two kinds, which `create_exception` cannot make.
fn class_of_two<'py>(
    made: &'static PyOnceLock<Py<PyAny>>,
    bases: (Bound<'py, PyType>, Bound<'py, PyType>),
    name: &str,
    doc: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let py = bases.0.py();
    let class = made.get_or_try_init(py, || {
        let body = PyDict::new(py);
        body.set_item("__module__", "libdebug._native")?;
        body.set_item("__doc__", doc)?;
        let class = py.get_type::<PyType>().call1((name, bases, body))?;
        Ok::<_, PyErr>(class.unbind())
    })?;
    Ok(class.bind(py).clone())
}

/// The exception for a value that is too large for its register.
pub(crate) fn register_overflow(py: Python<'_>, text: &str) -> PyErr {
    of_class(register_overflow_class(py), text)
}

fn of_class(class: PyResult<Bound<'_, PyAny>>, text: &str) -> PyErr {
    match class.and_then(|class| class.call1((text,))) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}
