//! Instructions, as tuples of which the Python package makes objects.

use libdebug::{CodeLine, InstructionKind, Thread};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{Doing, raise};

/// Address, bytes, mnemonic, operands, text, kind, target, symbol with the distance from its start.
pub(crate) type Line =
    (u64, Py<PyBytes>, String, Vec<String>, String, &'static str, Option<u64>, Option<(String, u64)>);

/// Instructions from `address` on, read as the thread would execute them.
pub(crate) fn disassemble(
    py: Python<'_>,
    thread: &Thread,
    address: u64,
    count: usize,
) -> PyResult<Vec<Line>> {
    let lines = py.detach(|| thread.disassemble(address, count));
    let lines = lines.map_err(|error| raise(py, Doing::Memory, error))?;
    Ok(rows(py, lines))
}

pub(crate) fn rows(py: Python<'_>, lines: Vec<CodeLine>) -> Vec<Line> {
    lines.into_iter().map(|line| row(py, line)).collect()
}

fn row(py: Python<'_>, line: CodeLine) -> Line {
    let bytes = PyBytes::new(py, &line.bytes).unbind();
    let kind = word(line.kind);
    (line.address, bytes, line.mnemonic, line.operands, line.text, kind, line.target, line.symbol)
}

const fn word(kind: InstructionKind) -> &'static str {
    match kind {
        InstructionKind::Call => "call",
        InstructionKind::Return => "return",
        InstructionKind::Branch => "branch",
        InstructionKind::ConditionalBranch => "conditional branch",
        InstructionKind::Syscall => "syscall",
        InstructionKind::Interrupt => "interrupt",
        InstructionKind::Other => "other",
        InstructionKind::Invalid => "bad",
    }
}
