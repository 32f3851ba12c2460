//! Symbols, one by one and all of them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use libdebug::{
    Debuginfod, FileSymbols, ListedSymbol, Map, SharedSymbolSources, SymbolLevel, SymbolSources,
    SymbolTable as Symbols, demangle,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::debugger::DebuggerCore;
use crate::error::{Doing, raise};

/// Where all debuggers of this interpreter look for symbols.
pub(crate) fn sources() -> &'static Arc<SharedSymbolSources> {
    static SOURCES: OnceLock<Arc<SharedSymbolSources>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let shared = SharedSymbolSources::default();
        shared.set(SymbolSources { level: SymbolLevel::Network, ..SymbolSources::default() });
        Arc::new(shared)
    })
}

/// Choose how far to go for symbols, from 0 to 5.
#[pyfunction]
pub(crate) fn set_symbol_level(level: usize) -> PyResult<()> {
    let level = SymbolLevel::ALL.get(level).copied();
    let level = level.ok_or_else(|| PyValueError::new_err("sym_lvl must be between 0 and 5"))?;
    sources().set(SymbolSources { level, ..(*sources().get()).clone() });
    Ok(())
}

/// Choose which servers are asked for files of debug information, by URL, and the directory of what they answered.
#[pyfunction]
pub(crate) fn set_symbol_servers(urls: Vec<String>, cache: PathBuf) {
    let debuginfod = (!urls.is_empty()).then(|| Arc::new(Debuginfod::new(urls, cache)));
    sources().set(SymbolSources { debuginfod, ..(*sources().get()).clone() });
}

/// One symbol of a file.
#[pyclass(frozen, module = "libdebug.data.symbol")]
pub(crate) struct Symbol {
    held: Held,
}

enum Held {
    /// In the list of its file, so that a list of all symbols takes little.
    Listed(Arc<FileSymbols>, usize),
    Own(Box<Own>),
}

#[derive(Clone, Default)]
struct Own {
    start: u64,
    end: u64,
    name: String,
    backing_file: String,
    reference_file: String,
    reference_build_id: String,
    is_external: bool,
}

#[pymethods]
impl Symbol {
    #[new]
    #[pyo3(signature = (start, end, name, backing_file, reference_file=None, reference_build_id=None, is_external=false))]
    fn new(
        start: u64,
        end: u64,
        name: String,
        backing_file: String,
        reference_file: Option<String>,
        reference_build_id: Option<String>,
        is_external: bool,
    ) -> Self {
        let reference_file = reference_file.unwrap_or_else(|| backing_file.clone());
        let reference_build_id = reference_build_id.unwrap_or_default();
        let own = Own { start, end, name, backing_file, reference_file, reference_build_id, is_external };
        Self { held: Held::Own(Box::new(own)) }
    }

    /// Where it begins, relative to where its file is loaded; of a file with a fixed place, the address.
    #[getter]
    fn start(&self) -> u64 {
        self.with(|symbol| symbol.start)
    }

    /// The first address behind it, counted as `start` is.
    #[getter]
    fn end(&self) -> u64 {
        self.with(|symbol| symbol.end)
    }

    /// Its name, demangled if it is one of C++ or Rust.
    #[getter]
    fn name(&self) -> String {
        self.with(|symbol| symbol.readable_name())
    }

    /// Its name as it stands in the file.
    #[getter]
    fn linkage_name(&self) -> String {
        self.with(|symbol| symbol.name.to_owned())
    }

    /// The mapped file that it is in.
    #[getter]
    fn backing_file(&self) -> String {
        self.with(|symbol| symbol.backing_file.to_owned())
    }

    /// The file that says so: the mapped one, or one of debug information.
    #[getter]
    fn reference_file(&self) -> String {
        self.with(|symbol| symbol.reference_file.to_owned())
    }

    /// The build id of that file in hexadecimal; None without one.
    #[getter]
    fn reference_build_id(&self) -> Option<String> {
        let id = self.with(|symbol| symbol.reference_build_id.to_owned());
        Some(id).filter(|id| !id.is_empty())
    }

    /// Whether the file that says so is not the mapped one.
    #[getter]
    fn is_external(&self) -> bool {
        match &self.held {
            Held::Own(own) => own.is_external,
            Held::Listed(..) => self.with(|symbol| symbol.is_external()),
        }
    }

    /// Whether a name means it: as it stands in the file, or demangled, with parameters or without.
    fn is_named(&self, name: &str) -> bool {
        self.with(|symbol| symbol.is_named(name))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let Ok(other) = other.cast::<Self>() else { return Ok(py.NotImplemented()) };
        let other = other.get();
        let is_same = self.place() == other.place()
            && self.origin() == other.origin()
            && (self.linkage_name() == other.linkage_name() || self.name() == other.name());
        Ok(is_same.into_pyobject(py)?.to_owned().into_any().unbind())
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.place().hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!(
            "Symbol(start={:#x}, end={:#x}, name={}, backing_file={}, reference_file={}, is_external={})",
            self.start(),
            self.end(),
            self.name(),
            self.backing_file(),
            self.reference_file(),
            if self.is_external() { "True" } else { "False" }
        )
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let it = slf.get();
        let fields = (
            it.start(),
            it.end(),
            it.linkage_name(),
            it.backing_file(),
            it.reference_file(),
            it.reference_build_id(),
            it.is_external(),
        );
        Ok((slf.get_type().into_any(), fields.into_pyobject(slf.py())?.into_any()))
    }
}

impl Symbol {
    fn with<T: Default>(&self, ask: impl FnOnce(ListedSymbol<'_>) -> T) -> T {
        match &self.held {
            Held::Listed(file, index) => file.get(*index).map(ask).unwrap_or_default(),
            Held::Own(own) => ask(ListedSymbol {
                name: &own.name,
                start: own.start,
                end: own.end,
                backing_file: &own.backing_file,
                reference_file: &own.reference_file,
                reference_build_id: &own.reference_build_id,
            }),
        }
    }

    fn place(&self) -> (u64, u64, String) {
        (self.start(), self.end(), self.backing_file())
    }

    fn origin(&self) -> (String, Option<String>, bool) {
        (self.reference_file(), self.reference_build_id(), self.is_external())
    }
}

/// All symbols of the files that the process had mapped.
#[pyclass(frozen, module = "libdebug._native")]
pub(crate) struct SymbolTable {
    symbols: Symbols,
}

#[pymethods]
impl SymbolTable {
    fn __len__(&self) -> usize {
        self.symbols.len()
    }

    /// Return all of them, file by file.
    fn all<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let files = self.symbols.files().iter().map(|file| &file.symbols);
        let all = files.flat_map(|file| (0..file.len()).map(|index| listed(file, index)));
        PyList::new(py, all.collect::<Vec<_>>())
    }

    /// Return those that a name means: as it stands in the file, or demangled, with parameters or without.
    fn named<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyList>> {
        let found = py.detach(|| {
            let found = self.symbols.named(name);
            found.into_iter().map(|(file, place)| (Arc::clone(file), place)).collect::<Vec<_>>()
        });
        let symbols = found.iter().map(|(file, place)| listed(file, *place));
        PyList::new(py, symbols.collect::<Vec<_>>())
    }

    /// Return those whose name contains a text, demangled or not.
    fn containing<'py>(&self, py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyList>> {
        self.chosen(py, |file| file.containing(text))
    }

    /// Return those that cover a virtual address; None if no file is mapped there.
    fn covering<'py>(&self, py: Python<'py>, address: u64) -> PyResult<Option<Bound<'py, PyList>>> {
        let Some((file, address)) = self.symbols.file_at(address) else { return Ok(None) };
        let found = file.symbols.covering(address);
        let found = found.into_iter().map(|index| listed(&file.symbols, index));
        Ok(Some(PyList::new(py, found.collect::<Vec<_>>())?))
    }
}

impl SymbolTable {
    pub(crate) fn of(symbols: Symbols) -> Self {
        Self { symbols }
    }

    fn chosen<'py>(
        &self,
        py: Python<'py>,
        choose: impl Fn(&FileSymbols) -> Vec<usize> + Sync,
    ) -> PyResult<Bound<'py, PyList>> {
        let found = py.detach(|| {
            let of_file = |file: &libdebug::MappedSymbols| (Arc::clone(&file.symbols), choose(&file.symbols));
            self.symbols.files().iter().map(of_file).collect::<Vec<_>>()
        });
        let symbols = found.iter().flat_map(|(file, rows)| rows.iter().map(|index| listed(file, *index)));
        PyList::new(py, symbols.collect::<Vec<_>>())
    }
}

fn listed(file: &Arc<FileSymbols>, index: usize) -> Symbol {
    Symbol { held: Held::Listed(Arc::clone(file), index) }
}

/// Return all symbols of the files that the process has mapped.
#[pyfunction]
pub(crate) fn symbol_table(core: &Bound<'_, DebuggerCore>) -> PyResult<SymbolTable> {
    let (py, engine) = (core.py(), core.get().engine());
    let symbols = py.detach(|| engine.symbols()).map_err(|error| raise(py, Doing::Other, error))?;
    Ok(SymbolTable { symbols })
}

/// Return a name as people write it; None if it is not mangled.
#[pyfunction]
#[pyo3(name = "demangle")]
pub(crate) fn readable(name: &str) -> Option<String> {
    demangle(name, libdebug::Spelling::Full)
}

/// Return what is at an address of a process with these maps (start, end, offset, file) as `symbol+hexadecimal`, or the
/// address in hexadecimal.
#[pyfunction]
pub(crate) fn symbol_in_maps(py: Python<'_>, address: u64, maps: Vec<(u64, u64, u64, String)>) -> String {
    let map = |(start, end, offset, path)| Map { start, end, offset, path, inode: 0, permissions: *b"----" };
    let maps = maps.into_iter().map(map).collect();
    match py.detach(|| libdebug::symbol_in_maps(maps, address, sources().get())) {
        Some((name, distance)) => format!("{name}+{distance:x}"),
        None => format!("{address:#x}"),
    }
}
