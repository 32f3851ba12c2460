//! A frame of a stack as a tuple of Python's values.

use std::collections::BTreeMap;

use libdebug::Frame;

/// The pc, the CFA, the file, the symbol, the pc's distance from its start, whether it is a signal's frame, and the
/// registers that are known.
pub(crate) type Row =
    (u64, Option<u64>, Option<String>, Option<String>, Option<u64>, bool, BTreeMap<&'static str, u64>);

pub(crate) fn row_of(frame: Frame) -> Row {
    let registers = frame.registers().collect();
    let (symbol, offset) = frame.symbol.unzip();
    (frame.pc, frame.cfa, frame.file, symbol, offset, frame.is_signal_frame, registers)
}
