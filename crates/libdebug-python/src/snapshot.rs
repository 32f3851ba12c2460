//! Snapshots, as the classes of `libdebug.snapshots` use them.

use std::path::PathBuf;
use std::sync::Arc;

use libdebug::{
    BoxError, Error, Host, KeptThread, Snapshot, SnapshotFormat, SnapshotHost, SnapshotKind, SnapshotLevel,
};
use pyo3::exceptions::{PyIndexError, PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::debugger::DebuggerCore;
use crate::disassembly::{Line, rows};
use crate::error::{Doing, raise};
use crate::frame::{Row, row_of};
use crate::registers::word;
use crate::symbols::{SymbolTable, sources};
use crate::thread::ThreadCore;
use crate::value::{to_bytes, to_python};

/// Lets Ctrl-C end searches.
struct Interrupts;

impl Host for Interrupts {
    fn check(&self) -> Result<(), BoxError> {
        Ok(Python::attach(|py| py.check_signals())?)
    }
}

fn surroundings() -> SnapshotHost {
    SnapshotHost { host: Arc::new(Interrupts), sources: Arc::clone(sources()) }
}

/// Start, end, permissions, offset and name of a map.
type MapRow = (u64, u64, String, u64, String);

/// The places of a map among the older and the newer ones, whether it has changed, and which parts of it.
type MapDiffRow = (Option<usize>, Option<usize>, bool, Vec<(u64, u64)>);

/// What a process, or a thread of it, was at one moment.
#[pyclass(frozen, module = "libdebug._native")]
pub(crate) struct SnapshotCore {
    snapshot: Arc<Snapshot>,
}

#[pymethods]
impl SnapshotCore {
    /// Whether it is of a process, and not of one thread.
    #[getter]
    fn is_process(&self) -> bool {
        self.snapshot.kind() == SnapshotKind::Process
    }

    /// How much of memory it has: `base`, `writable` or `full`.
    #[getter]
    fn level(&self) -> &'static str {
        self.snapshot.level().name()
    }

    /// The instruction set, such as `amd64`.
    #[getter]
    fn arch(&self) -> &'static str {
        self.snapshot.isa().name()
    }

    /// How many were taken before, of the same process or thread.
    #[getter]
    fn snapshot_id(&self) -> u32 {
        self.snapshot.id()
    }

    /// The name that it was given.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.snapshot.name()
    }

    /// Whether the kernel had chosen addresses at random.
    #[getter]
    fn aslr_enabled(&self) -> bool {
        self.snapshot.aslr()
    }

    /// The path of the program.
    #[getter]
    fn program(&self) -> &str {
        self.snapshot.program()
    }

    /// The process's id; 0 where a file does not tell it.
    #[getter]
    fn process_id(&self) -> i32 {
        self.snapshot.pid().0
    }

    /// Its threads, the main thread first.
    #[getter]
    fn threads(&self) -> Vec<KeptThreadCore> {
        let count = self.snapshot.threads().len();
        (0..count).map(|place| KeptThreadCore { snapshot: Arc::clone(&self.snapshot), place }).collect()
    }

    /// Return the maps: start, end, permissions, offset and name of each.
    fn maps(&self) -> Vec<MapRow> {
        let row = |map: &libdebug::Map| {
            let permissions = String::from_utf8_lossy(&map.permissions).into_owned();
            (map.start, map.end, permissions, map.offset, map.name().into_owned())
        };
        self.snapshot.maps().iter().map(row).collect()
    }

    /// Return a copy of the content of a map, by its place; None if there is none, or not all of it could be read.
    fn content<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Some(content) = self.snapshot.content(place).filter(|content| content.is_whole()) else {
            return Ok(None);
        };
        let size = usize::try_from(content.size()).map_err(|_| PyMemoryError::new_err(()))?;
        let fill = |buffer: &mut [u8]| {
            py.detach(|| content.read(0, buffer));
            Ok(())
        };
        PyBytes::new_with(py, size, fill).map(Some)
    }

    /// Whether a map of this snapshot has the same content as one of another.
    fn has_same_content(
        &self,
        py: Python<'_>,
        place: usize,
        other: &Bound<'_, Self>,
        other_place: usize,
    ) -> bool {
        let other = &other.get().snapshot;
        py.detach(|| self.snapshot.content(place) == other.content(other_place))
    }

    /// Return all symbols of the files that were mapped.
    fn symbols(&self, py: Python<'_>) -> PyResult<SymbolTable> {
        let symbols = py.detach(|| self.snapshot.symbols());
        Ok(SymbolTable::of(symbols.map_err(|error| raise(py, Doing::Other, error))?))
    }

    /// Return every map of this snapshot or of a newer one, by address.
    fn diff_maps(&self, py: Python<'_>, newer: &Bound<'_, Self>) -> Vec<MapDiffRow> {
        let newer = &newer.get().snapshot;
        let diffs = py.detach(|| self.snapshot.diff_maps(newer));
        let parts =
            |parts: Vec<std::ops::Range<u64>>| parts.iter().map(|part| (part.start, part.end)).collect();
        diffs.into_iter().map(|diff| (diff.old, diff.new, diff.has_changed, parts(diff.content))).collect()
    }

    /// Raise ValueError unless there is memory to look at.
    fn check_memory(&self, py: Python<'_>) -> PyResult<()> {
        self.snapshot.check_memory().map_err(|error| raise(py, Doing::Memory, error))
    }

    /// Write it to a file, in the format that the ending tells; JSON for unknown ones.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.snapshot.save(&path)).map_err(|error| raise(py, Doing::Other, error))
    }
}

impl SnapshotCore {
    pub(crate) fn handle(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }
}

/// One thread of a snapshot.
#[pyclass(frozen, module = "libdebug._native")]
pub(crate) struct KeptThreadCore {
    snapshot: Arc<Snapshot>,
    place: usize,
}

#[pymethods]
impl KeptThreadCore {
    /// Its thread id.
    #[getter]
    fn thread_id(&self) -> PyResult<i32> {
        Ok(self.thread()?.tid.0)
    }

    /// How many snapshots were taken before of this thread.
    #[getter]
    fn snapshot_id(&self) -> PyResult<u32> {
        Ok(self.thread()?.id)
    }

    /// Return all registers by name.
    fn registers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (values, registers) = (PyDict::new(py), &self.thread()?.registers);
        for register in registers.listed() {
            let value = registers.read(register).map_err(|error| raise(py, Doing::Registers, error))?;
            values.set_item(register.name, to_python(py, value)?)?;
        }
        Ok(values)
    }

    /// Return the registers that there are: name, kind and width in bits of each, as `register_table` does.
    fn register_table(&self) -> PyResult<Vec<(&'static str, &'static str, u16)>> {
        let listed = self.thread()?.registers.listed();
        Ok(listed.map(|register| (register.name, word(register.class), register.bits)).collect())
    }

    /// Return a register's bytes, least significant first.
    fn raw(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyBytes>> {
        let failed = |error| raise(py, Doing::Registers, error);
        let registers = &self.thread()?.registers;
        let register = registers.listed().find(|register| register.name == name);
        let register = register.ok_or_else(|| failed(Error::NoSuchRegister(name.to_owned())))?;
        Ok(to_bytes(py, register, registers.read(register).map_err(failed)?))
    }

    /// The address that the current function returns to.
    #[getter]
    fn saved_ip(&self, py: Python<'_>) -> PyResult<u64> {
        self.look(py, |snapshot, thread| snapshot.saved_ip(thread))
    }

    /// Return the pc and all return addresses, innermost first.
    fn backtrace(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        self.look(py, |snapshot, thread| snapshot.backtrace(thread))
    }

    /// Return all frames, innermost first, as `libdebug.data.frame.Frame` takes them.
    fn frames(&self, py: Python<'_>) -> PyResult<Vec<Row>> {
        let frames = self.look(py, |snapshot, thread| snapshot.frames(thread))?;
        frames.into_iter().map(|frame| row_of(py, frame)).collect()
    }

    /// Return instructions from an address on, as `ThreadCore.disassemble` does.
    fn disassemble(&self, py: Python<'_>, address: u64, count: usize) -> PyResult<Vec<Line>> {
        Ok(rows(py, self.look(py, |snapshot, thread| snapshot.disassemble(thread, address, count))?))
    }
}

impl KeptThreadCore {
    fn thread(&self) -> PyResult<&KeptThread> {
        self.snapshot
            .threads()
            .get(self.place)
            .ok_or_else(|| PyIndexError::new_err("there is no such thread"))
    }

    fn look<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&Snapshot, &KeptThread) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let thread = self.thread()?;
        py.detach(|| act(&self.snapshot, thread)).map_err(|error| raise(py, Doing::Memory, error))
    }
}

fn level_named(level: &str) -> PyResult<SnapshotLevel> {
    let known = SnapshotLevel::parse(level);
    known.ok_or_else(|| PyValueError::new_err(format!("Invalid snapshot level {level}")))
}

fn core(py: Python<'_>, snapshot: Result<Snapshot, Error>) -> PyResult<SnapshotCore> {
    let snapshot = snapshot.map_err(|error| raise(py, Doing::Other, error))?;
    Ok(SnapshotCore { snapshot: Arc::new(snapshot.in_host(surroundings())) })
}

/// Take a snapshot of a process.
#[pyfunction]
#[pyo3(signature = (core, level, name=None))]
pub(crate) fn process_snapshot(
    core: &Bound<'_, DebuggerCore>,
    level: &str,
    name: Option<String>,
) -> PyResult<SnapshotCore> {
    let (py, level, engine) = (core.py(), level_named(level)?, core.get().engine());
    self::core(py, py.detach(|| engine.snapshot(level, name)))
}

/// Take a snapshot of a thread.
#[pyfunction]
#[pyo3(signature = (core, level, name=None))]
pub(crate) fn thread_snapshot(
    core: &Bound<'_, ThreadCore>,
    level: &str,
    name: Option<String>,
) -> PyResult<SnapshotCore> {
    let (py, level, thread) = (core.py(), level_named(level)?, core.get().handle());
    self::core(py, py.detach(|| thread.snapshot(level, name)))
}

/// Count a snapshot of a thread that somebody else has taken, and return its number.
#[pyfunction]
pub(crate) fn count_snapshot(core: &Bound<'_, ThreadCore>) -> u32 {
    core.get().handle().count_snapshot()
}

/// Read a snapshot, or a core file, from a file. What it is, its content tells.
#[pyfunction]
pub(crate) fn load_snapshot(py: Python<'_>, path: PathBuf) -> PyResult<SnapshotCore> {
    core(py, py.detach(|| Snapshot::load_in(&path, surroundings())))
}

/// Return whether the ending of a file's name says which format a snapshot is saved in.
#[pyfunction]
pub(crate) fn has_snapshot_ending(path: PathBuf) -> bool {
    SnapshotFormat::of_path(&path).is_some()
}
