//! The forms in which users name memory: `memory[key]`.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PySlice, PyString, PyTuple};

use crate::debugger::Position;
use crate::error::InvalidAddressError;

/// Where memory starts and how much of it is meant.
pub(crate) enum Extent {
    /// From a place on; one byte unless a size is given.
    From { place: Position, size: Option<usize> },
    /// From one place to another; without the second, as many bytes as are written.
    Between { start: Position, end: Option<Position> },
}

/// A parsed key: what is meant, and relative to which file.
pub(crate) struct Key {
    pub(crate) extent: Extent,
    pub(crate) file: String,
}

impl Key {
    /// An address with a size and nothing else: the most frequent form, told without allocating.
    pub(crate) fn plain(key: &Bound<'_, PyAny>) -> Option<(u64, usize)> {
        let pair = key.cast::<PyTuple>().ok()?;
        if pair.len() != 2 {
            return None;
        }
        let address = pair.get_item(0).ok()?.extract().ok()?;
        Some((address, pair.get_item(1).ok()?.extract().ok()?))
    }

    /// # Errors
    /// `TypeError` and `ValueError`, each with what is wrong.
    pub(crate) fn parse(key: &Bound<'_, PyAny>) -> PyResult<Self> {
        match key.cast::<PyTuple>() {
            Ok(parts) => Self::parse_tuple(parts),
            Err(_) => Ok(Self { extent: extent(key)?, file: "hybrid".to_owned() }),
        }
    }

    fn parse_tuple(parts: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let first = parts.get_item(0);
        match parts.len() {
            2 => Self::parse_pair(&first?, &parts.get_item(1)?),
            3 => {
                let file = parts.get_item(2)?;
                let file = file.cast::<PyString>().map_err(|_| wrong_file())?.to_string();
                Ok(Self { extent: sized(&first?, &parts.get_item(1)?)?, file })
            }
            _ => Err(PyTypeError::new_err("Tuple must have 2 or 3 elements.")),
        }
    }

    fn parse_pair(first: &Bound<'_, PyAny>, second: &Bound<'_, PyAny>) -> PyResult<Self> {
        match second.cast::<PyString>() {
            Ok(file) => Ok(Self { extent: extent_in_file(first)?, file: file.to_string() }),
            Err(_) => Ok(Self { extent: sized(first, second)?, file: "hybrid".to_owned() }),
        }
    }
}

fn wrong_file() -> PyErr {
    PyTypeError::new_err("Invalid type for the backing file. Expected string.")
}

fn extent(key: &Bound<'_, PyAny>) -> PyResult<Extent> {
    let known =
        key.is_instance_of::<PyInt>() || key.is_instance_of::<PyString>() || key.is_instance_of::<PySlice>();
    if known { extent_in_file(key) } else { Err(PyTypeError::new_err("Invalid key type.")) }
}

fn extent_in_file(key: &Bound<'_, PyAny>) -> PyResult<Extent> {
    match key.cast::<PySlice>() {
        Ok(slice) => between(slice),
        Err(_) => Ok(Extent::From { place: place(key)?, size: None }),
    }
}

fn between(slice: &Bound<'_, PySlice>) -> PyResult<Extent> {
    let (start, end) = (slice.getattr("start")?, slice.getattr("stop")?);
    let end = if end.is_none() { None } else { Some(place(&end)?) };
    Ok(Extent::Between { start: place(&start)?, end })
}

fn sized(address: &Bound<'_, PyAny>, size: &Bound<'_, PyAny>) -> PyResult<Extent> {
    let place = place(address)?;
    if !size.is_instance_of::<PyInt>() {
        return Err(PyTypeError::new_err("Invalid type for the size. Expected int."));
    }
    let size = size.extract().map_err(|_| PyValueError::new_err(format!("Invalid size: {size}.")))?;
    Ok(Extent::From { place, size: Some(size) })
}

pub(crate) fn place(address: &Bound<'_, PyAny>) -> PyResult<Position> {
    if let Ok(symbol) = address.cast::<PyString>() {
        return Ok(Position::Symbol(symbol.to_string()));
    }
    if !address.is_instance_of::<PyInt>() {
        return Err(PyTypeError::new_err("Invalid type for the address. Expected int or string."));
    }
    let no_address = |_| InvalidAddressError::new_err(format!("Invalid address. {address} has not 64 bits."));
    address.extract().map(Position::Address).map_err(no_address)
}
