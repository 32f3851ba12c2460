//! Register values as Python's numbers, and back.

use libdebug::{Error, Register, RegisterClass, RegisterError, RegisterValue, float80};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};

use crate::error::{Doing, raise, register_overflow};

/// How many bytes an x87 register has.
const F80_BYTES: usize = 10;

/// An `int`, or a `float` for the x87 registers.
pub(crate) fn to_python(py: Python<'_>, value: RegisterValue) -> PyResult<Py<PyAny>> {
    match value {
        RegisterValue::U64(value) => value.into_py_any(py),
        RegisterValue::U128(value) => value.into_py_any(py),
        RegisterValue::Wide { bytes, width } => wide(py, &bytes[..width]),
        RegisterValue::F80(bytes) => float80::to_f64(bytes).into_py_any(py),
    }
}

fn wide(py: Python<'_>, bytes: &[u8]) -> PyResult<Py<PyAny>> {
    let bytes = PyBytes::new(py, bytes);
    let from_bytes = py.get_type::<PyInt>().getattr(intern!(py, "from_bytes"))?;
    Ok(from_bytes.call1((bytes, intern!(py, "little")))?.unbind())
}

/// The register's bytes as the processor stores them.
pub(crate) fn to_bytes(py: Python<'_>, register: &Register, value: RegisterValue) -> Py<PyBytes> {
    let size = usize::from(register.bits) / 8;
    match value {
        RegisterValue::U64(value) => PyBytes::new(py, &value.to_le_bytes()[..size]),
        RegisterValue::U128(value) => PyBytes::new(py, &value.to_le_bytes()),
        RegisterValue::Wide { bytes, width } => PyBytes::new(py, &bytes[..width]),
        RegisterValue::F80(bytes) => PyBytes::new(py, &bytes),
    }
    .unbind()
}

/// What Python assigned, as `register` takes it.
pub(crate) fn from_python(register: &'static Register, value: &Bound<'_, PyAny>) -> PyResult<RegisterValue> {
    if register.class == RegisterClass::X87 {
        return x87(register, value);
    }
    if !value.is_instance_of::<PyInt>() {
        let given = value.get_type().name()?;
        return Err(PyTypeError::new_err(format!("register {} takes an int, not {given}", register.name)));
    }
    match register.bits {
        ..=32 => masked(register, value),
        33..=64 => value.extract().map(RegisterValue::U64).map_err(|_| out_of_range(register, value.py())),
        65..=128 => value.extract().map(RegisterValue::U128).map_err(|_| out_of_range(register, value.py())),
        _ => wide_value(register, value),
    }
}

fn x87(register: &'static Register, value: &Bound<'_, PyAny>) -> PyResult<RegisterValue> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        let bytes = <[u8; F80_BYTES]>::try_from(bytes.as_bytes());
        let wrong = || PyValueError::new_err(format!("register {} has {F80_BYTES} bytes", register.name));
        return bytes.map(RegisterValue::F80).map_err(|_| wrong());
    }
    Ok(RegisterValue::F80(float80::from_f64(value.extract()?)))
}

/// 64 bits as users give them, negative numbers in two's complement.
#[derive(Clone, Copy)]
pub(crate) struct Word(pub(crate) u64);

impl<'py> FromPyObject<'_, 'py> for Word {
    type Error = PyErr;

    fn extract(value: pyo3::Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(word) = value.extract::<u64>() {
            return Ok(Self(word));
        }
        if let Ok(signed) = value.extract::<i64>() {
            return Ok(Self(signed.cast_unsigned()));
        }
        if value.is_instance_of::<PyInt>() {
            return Err(register_overflow(value.py(), "the value has more than 64 bits"));
        }
        Err(PyTypeError::new_err(format!("an int is needed, not {}", value.get_type().name()?)))
    }
}

fn masked(register: &Register, value: &Bound<'_, PyAny>) -> PyResult<RegisterValue> {
    let mask = (1_u64 << register.bits) - 1;
    value.bitand(mask)?.extract().map(RegisterValue::U64)
}

fn wide_value(register: &'static Register, value: &Bound<'_, PyAny>) -> PyResult<RegisterValue> {
    let py = value.py();
    let width = usize::from(register.bits) / 8;
    let given = value.call_method1(intern!(py, "to_bytes"), (width, intern!(py, "little")));
    let given = given.map_err(|_| out_of_range(register, py))?;
    let mut bytes = [0; 64];
    bytes[..width].copy_from_slice(given.cast::<PyBytes>()?.as_bytes());
    Ok(RegisterValue::Wide { bytes, width })
}

fn out_of_range(register: &'static Register, py: Python<'_>) -> PyErr {
    let error = RegisterError::ValueOutOfRange { name: register.name, bits: register.bits };
    raise(py, Doing::Registers, Error::Register(error))
}
