//! A frame of a stack as a tuple of Python's values.

use libdebug::Frame;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The pc, the CFA, the file, the symbol, the pc's distance from its start, whether it is a signal's frame, and the
/// registers that are known.
pub(crate) type Row = (u64, Option<u64>, Option<String>, Option<String>, Option<u64>, bool, Py<PyDict>);

pub(crate) fn row_of(py: Python<'_>, frame: Frame) -> PyResult<Row> {
    let registers = PyDict::new(py);
    for (name, value) in frame.registers() {
        registers.set_item(name, value)?;
    }
    let (symbol, offset) = frame.symbol.unzip();
    Ok((frame.pc, frame.cfa, frame.file, symbol, offset, frame.is_signal_frame, registers.unbind()))
}
