//! What users give to searches of memory, and what they get.

use libdebug::{MapChoice, Telescope};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyInt, PyList, PyString};

use crate::callback::say;

/// The bytes to search for: an integer is one byte, a text is meant in UTF-8.
pub(crate) fn pattern(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Ok(bytes.to_vec());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_cow()?.into_owned().into_bytes());
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(vec![value.extract()?]);
    }
    Err(PyTypeError::new_err("Invalid type for the value to find. Expected int, bytes or str."))
}

/// Maps by a part of their file's name, or by an address in one of them; -1 stands for all.
pub(crate) fn map_choice(value: &Bound<'_, PyAny>) -> PyResult<MapChoice> {
    if let Ok(name) = value.cast::<PyString>() {
        return Ok(MapChoice::parse(&name.to_cow()?));
    }
    if !value.is_instance_of::<PyInt>() {
        return Err(PyTypeError::new_err("Invalid type for the maps. Expected int or string."));
    }
    if value.eq(-1)? {
        return Ok(MapChoice::All);
    }
    // No map holds an address that has not 64 bits.
    Ok(MapChoice::At(value.extract().unwrap_or(u64::MAX)))
}

/// What a chain of pointers may be told as.
pub(crate) struct Shown {
    pub(crate) depth: usize,
    min_text: Option<usize>,
    pub(crate) max_text: usize,
}

impl Shown {
    /// # Errors
    /// `ValueError` for what makes no sense.
    pub(crate) fn checked(max_depth: i64, min_str_len: i64, max_str_len: i64) -> PyResult<Self> {
        let refused = if min_str_len < -1 {
            "min_str_len must be -1 or greater."
        } else if max_str_len < 1 {
            "max_str_len must be greater than 0."
        } else if max_depth < 1 {
            "depth must be greater than 0."
        } else if min_str_len > max_str_len {
            "min_str_len must be less than or equal to max_str_len."
        } else {
            return Ok(Self {
                depth: usize::try_from(max_depth)?,
                min_text: usize::try_from(min_str_len).ok(),
                max_text: usize::try_from(max_str_len)?,
            });
        };
        Err(PyValueError::new_err(refused))
    }

    /// The chain as a list of numbers, the last of which may be a text instead.
    pub(crate) fn list<'py>(&self, py: Python<'py>, found: &Telescope) -> PyResult<Bound<'py, PyList>> {
        if found.has_loop {
            say(py, "warning", "The telescope chain contains a loop")?;
        }
        let list = PyList::new(py, &found.chain)?;
        if let Some(text) = self.text(found) {
            list.set_item(found.chain.len() - 1, text)?;
        }
        Ok(list)
    }

    fn text(&self, found: &Telescope) -> Option<String> {
        let least = self.min_text?;
        if found.tail.is_empty() {
            return None;
        }
        let text = leading_text(&found.tail);
        (text.chars().count() >= least).then_some(text)
    }
}

/// What of `bytes` is text: up to the first zero, and to the first byte that no text has.
fn leading_text(bytes: &[u8]) -> String {
    let whole = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let valid = match std::str::from_utf8(whole) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&whole[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid.chars().take_while(|letter| !letter.is_control() || letter.is_ascii_whitespace()).collect()
}
