//! Source lines, variables, and what the mapped files say of themselves.

use libdebug::{
    Debugger, Error, FileScope, InlinedCall, MappedImage, Relro, Shape, Value, Variable, VariableKind,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::debugger::DebuggerCore;
use crate::error::{Doing, raise};
use crate::thread::ThreadCore;

/// Text is read as far as this, where no zero ends it.
const LONGEST_TEXT: usize = 4096;

/// Name, kind, type, address, value, text.
type Row<'py> = (String, &'static str, String, Option<u64>, Bound<'py, PyAny>, Option<Bound<'py, PyBytes>>);
/// File, line, column, function, inlined calls.
type Line = (String, u32, u32, Option<String>, Vec<Inlined>);
/// Function, and file and line of the call.
type Inlined = (String, Option<String>, Option<u32>);

/// Return the source line of a virtual address: file, line, column, function, and the functions inlined there; or None.
#[pyfunction]
pub(crate) fn source_line(core: &Bound<'_, DebuggerCore>, address: u64) -> PyResult<Option<Line>> {
    let found = on_engine(core, |engine| engine.source_line(address))?;
    let inlined = |call: InlinedCall| (call.name, call.call_file, call.call_line);
    Ok(found
        .map(|at| (at.file, at.line, at.column, at.function, at.inlined.into_iter().map(inlined).collect())))
}

/// Return the virtual addresses where the code of a source line begins.
#[pyfunction]
pub(crate) fn line_addresses(core: &Bound<'_, DebuggerCore>, file: &str, line: u32) -> PyResult<Vec<u64>> {
    on_engine(core, |engine| engine.line_addresses(file, line))
}

/// Return a global variable: name, kind, type, address, value, and the text that it points to. Enumerators are made
/// by `enumerator(value, name)`.
#[pyfunction]
pub(crate) fn variable<'py>(
    core: &Bound<'py, DebuggerCore>,
    name: &str,
    enumerator: &Bound<'py, PyAny>,
) -> PyResult<Row<'py>> {
    let (found, text) = on_engine(core, |engine| with_text(engine, engine.variable(name)?))?;
    row(found, text, enumerator)
}

/// Return arguments and local variables of the function that a thread is in, as `variable` does.
#[pyfunction]
pub(crate) fn variables<'py>(
    thread: &Bound<'py, ThreadCore>,
    enumerator: &Bound<'py, PyAny>,
) -> PyResult<Vec<Row<'py>>> {
    let py = thread.py();
    let thread = thread.get().engine_thread();
    let look = || {
        let found = thread.variables()?;
        found.into_iter().map(|found| with_text(thread.debugger(), found)).collect::<Result<Vec<_>, Error>>()
    };
    let found = py.detach(look).map_err(|error| raise(py, Doing::Other, error))?;
    found.into_iter().map(|(found, text)| row(found, text, enumerator)).collect()
}

fn on_engine<T: Send>(
    core: &Bound<'_, DebuggerCore>,
    act: impl FnOnce(&Debugger) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let (py, engine) = (core.py(), core.get().engine());
    py.detach(|| act(engine)).map_err(|error| raise(py, Doing::Other, error))
}

/// The text that a pointer to characters points to, up to its zero.
fn with_text(engine: &Debugger, variable: Variable) -> Result<(Variable, Option<Vec<u8>>), Error> {
    let text = match (&variable.of.shape, &variable.value) {
        (Shape::Pointer { to_text: true }, Value::Pointer(address)) => text_at(engine, *address)?,
        (_, Value::Text(bytes)) => Some(bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()),
        _ => None,
    };
    Ok((variable, text))
}

fn text_at(engine: &Debugger, address: u64) -> Result<Option<Vec<u8>>, Error> {
    const PART: u64 = 256;
    let (mut text, mut from) = (Vec::new(), address);
    while text.len() < LONGEST_TEXT {
        let size = (PART - from % PART) as usize;
        let bytes = match engine.read_memory(from, size) {
            Ok(bytes) => bytes,
            Err(Error::BadAddress { .. }) => return Ok((!text.is_empty()).then_some(text)),
            Err(error) => return Err(error),
        };
        let end = bytes.iter().position(|byte| *byte == 0);
        text.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        if end.is_some() {
            break;
        }
        from = from.wrapping_add(size as u64);
    }
    Ok(Some(text))
}

fn row<'py>(variable: Variable, text: Option<Vec<u8>>, enumerator: &Bound<'py, PyAny>) -> PyResult<Row<'py>> {
    let kind = match variable.kind {
        VariableKind::Argument => "argument",
        VariableKind::Local => "local",
        VariableKind::Global => "global",
    };
    let value = value(variable.value, enumerator)?;
    let text = text.map(|text| PyBytes::new(enumerator.py(), &text));
    Ok((variable.name, kind, variable.of.name, variable.address, value, text))
}

fn value<'py>(value: Value, enumerator: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = enumerator.py();
    Ok(match value {
        Value::Integer(number) => number.into_pyobject(py)?.into_any(),
        Value::Float(number) => number.into_pyobject(py)?.into_any(),
        Value::Boolean(truth) => truth.into_pyobject(py)?.to_owned().into_any(),
        Value::Pointer(address) => address.into_pyobject(py)?.into_any(),
        Value::Text(bytes) | Value::Opaque(bytes) => PyBytes::new(py, &bytes).into_any(),
        Value::Array(values) => {
            let list = PyList::empty(py);
            for one in values {
                list.append(self::value(one, enumerator)?)?;
            }
            list.into_any()
        }
        Value::Structure(fields) => {
            let all = PyDict::new(py);
            for (name, one) in fields {
                all.set_item(name, self::value(one, enumerator)?)?;
            }
            all.into_any()
        }
        Value::Enumeration(name, number) => enumerator.call1((number, name))?,
        Value::Unavailable => py.None().into_bound(py),
    })
}

/// Return what a mapped file says of itself, as a dictionary: path, load bias, entry, build id, sections (name, address,
/// size, permissions, offset), segments (address, size, permissions, offset, size in the file), mitigations.
#[pyfunction]
pub(crate) fn image_of<'py>(core: &Bound<'py, DebuggerCore>, file: &str) -> PyResult<Bound<'py, PyDict>> {
    let found = on_engine(core, |engine| engine.mapped_image(&FileScope::parse(file)))?;
    let facts = PyDict::new(core.py());
    facts.set_item("path", &found.path)?;
    facts.set_item("base", found.load_bias)?;
    facts.set_item("entry", found.image.entry().in_process(found.load_bias))?;
    let build_id = found.image.build_id();
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    facts.set_item("build_id", build_id.map(hex))?;
    facts.set_item("sections", sections(&found))?;
    facts.set_item("segments", segments(&found))?;
    facts.set_item("mitigations", mitigations(core.py(), &found)?)?;
    Ok(facts)
}

/// Name, virtual address (0 when it is not loaded), size, permissions, offset in the file.
fn sections(found: &MappedImage) -> Vec<(String, u64, u64, String, u64)> {
    let all = found.image.sections().map(|section| {
        let address = if section.is_loaded { section.address.in_process(found.load_bias) } else { 0 };
        let permissions = permissions(section.is_loaded, section.writable, section.executable);
        (section.name.to_owned(), address, section.size, permissions, section.offset.0)
    });
    all.collect()
}

/// Virtual address, size in memory, permissions, offset in the file, size in the file.
fn segments(found: &MappedImage) -> Vec<(u64, u64, String, u64, u64)> {
    let all = found.image.segments().iter().map(|segment| {
        let address = segment.address.in_process(found.load_bias);
        let permissions = permissions(segment.readable, segment.writable, segment.executable);
        (address, segment.memory_size, permissions, segment.offset.0, segment.file_size)
    });
    all.collect()
}

fn permissions(readable: bool, writable: bool, executable: bool) -> String {
    let letters = [(readable, 'r'), (writable, 'w'), (executable, 'x')];
    letters.into_iter().map(|(is_set, letter)| if is_set { letter } else { '-' }).collect()
}

fn mitigations<'py>(py: Python<'py>, found: &MappedImage) -> PyResult<Bound<'py, PyDict>> {
    let what = found.image.mitigations();
    let facts = PyDict::new(py);
    let relro = match what.relro {
        Relro::None => "none",
        Relro::Partial => "partial",
        Relro::Full => "full",
    };
    facts.set_item("relro", relro)?;
    let flags = [
        ("pie", what.pie),
        ("nx", what.nx),
        ("canary", what.canary),
        ("ibt", what.ibt),
        ("shstk", what.shstk),
        ("stripped", what.stripped),
    ];
    flags.into_iter().try_for_each(|(name, is_set)| facts.set_item(name, is_set))?;
    Ok(facts)
}
