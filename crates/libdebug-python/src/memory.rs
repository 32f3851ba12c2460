//! The memory of the process: `memory[key]`.

use libdebug::{Error, FileScope, MapChoice, SearchIn};
use pyo3::exceptions::{PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::callback::say;
use crate::debugger::Position;
use crate::error::{Doing, raise};
use crate::memory_key::{Extent, Key, place};
use crate::memory_search::{self, Shown};
use crate::memory_source::MemorySource;

/// Up to this size a read is shorter than handing the interpreter to another thread and back.
const QUICK: usize = 1 << 12;

/// How many places are asked for together, and with how many bytes at most.
const BATCH: usize = 1024;
const LARGE_BATCH: usize = 1 << 20;

/// The memory of a process, by address, by symbol, and relative to files.
#[pyclass(frozen, subclass, mapping, module = "libdebug._native")]
pub(crate) struct MemoryCore {
    source: MemorySource,
}

#[pymethods]
impl MemoryCore {
    #[new]
    fn new(core: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { source: MemorySource::of(core)? })
    }

    /// Return the bytes that the key names.
    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let py = key.py();
        // What is readable at the very address is mapped there: nothing to resolve.
        if let Some((address, size)) = Key::plain(key)
            && let Some(Ok(data)) = self.bytes_at_once(py, address, size)
        {
            return Ok(data);
        }
        let (address, size) = self.locate(py, Key::parse(key)?)?;
        self.bytes(py, address, size).map_err(|error| invalid_address(py, error))
    }

    /// Change the bytes that the key names. All of the value is written, whatever size the key says.
    fn __setitem__(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        self.source.engine()?;
        let data = value.cast::<PyBytes>().map_err(|_| {
            PyTypeError::new_err("Invalid type for the value to write to memory. Expected bytes.")
        })?;
        let data = data.as_bytes();
        let address = self.locate_for_writing(py, Key::parse(key)?, data.len())?;
        self.write_at(py, address, data).map_err(|error| invalid_address(py, error))
    }

    /// Return `size` bytes from a virtual address on; OSError if not all of them are mapped.
    fn read<'py>(&self, py: Python<'py>, address: u64, size: usize) -> PyResult<Bound<'py, PyBytes>> {
        self.bytes(py, address, size).map_err(|error| os_error(py, error))
    }

    /// Write from a virtual address on; OSError if not all of it is mapped.
    fn write(&self, py: Python<'_>, address: u64, data: &[u8]) -> PyResult<()> {
        self.write_at(py, address, data).map_err(|error| os_error(py, error))
    }

    /// Return the bytes of many places at once, each given by virtual address and size: faster than one by
    /// one. OSError if one of them is not mapped.
    fn read_many<'py>(&self, py: Python<'py>, places: Vec<(u64, usize)>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for places in places.chunks(BATCH) {
            let all: usize = places.iter().fold(0, |sum, (_, size)| sum.saturating_add(*size));
            if all <= LARGE_BATCH {
                self.append_places(&list, places, all)?;
                continue;
            }
            for &(address, size) in places {
                list.append(self.bytes(py, address, size).map_err(|error| os_error(py, error))?)?;
            }
        }
        Ok(list)
    }

    /// Return the virtual address that an address means, relative to a file as in the keys.
    ///
    /// An address with the file `absolute` must be mapped, unless that is to be skipped.
    #[pyo3(signature = (address, file, skip_absolute_address_validation=false))]
    fn resolve_address(
        &self,
        address: &Bound<'_, PyAny>,
        file: &str,
        skip_absolute_address_validation: bool,
    ) -> PyResult<u64> {
        let scope = FileScope::parse(file);
        let found = self.resolve(address.py(), &place(address)?, &scope)?;
        if scope == FileScope::Absolute && !skip_absolute_address_validation {
            self.look(address.py(), |source| source.check_mapped(found))?;
        }
        Ok(found)
    }

    /// Return the virtual address of a symbol, which may be followed by `+` and a hexadecimal offset.
    fn resolve_symbol(&self, py: Python<'_>, symbol: String, file: &str) -> PyResult<u64> {
        self.resolve(py, &Position::Symbol(symbol), &FileScope::parse(file))
    }

    /// Return the addresses at which a value lies, ascending; hits can overlap. What cannot be read is skipped.
    ///
    /// An integer is one byte, a text is meant in UTF-8. `start` and `end`, the first address behind, are relative
    /// to the file where they lie below its first map.
    #[pyo3(signature = (value, file="all", start=None, end=None))]
    fn find(
        &self,
        value: &Bound<'_, PyAny>,
        file: &str,
        start: Option<u64>,
        end: Option<u64>,
    ) -> PyResult<Vec<u64>> {
        let pattern = memory_search::pattern(value)?;
        let within = SearchIn { maps: MapChoice::parse(file), start, end };
        self.look(value.py(), |source| source.find(&pattern, &within))
    }

    /// Return where pointers lie in the maps `where` that lead into the maps `target`, each with where it leads.
    ///
    /// Maps are given by a part of their file's name, or by an address in one of them; `"*"`, `"all"`, `"ALL"` and -1
    /// stand for all. Pointers are looked for at every `step`th byte of each map.
    #[pyo3(
        signature = (r#where=None, target=None, step=1),
        text_signature = "($self, where='*', target='*', step=1)"
    )]
    fn find_pointers(
        &self,
        py: Python<'_>,
        r#where: Option<&Bound<'_, PyAny>>,
        target: Option<&Bound<'_, PyAny>>,
        step: i64,
    ) -> PyResult<Vec<(u64, u64)>> {
        let chosen =
            |maps: Option<&Bound<'_, PyAny>>| maps.map_or(Ok(MapChoice::All), memory_search::map_choice);
        let (from, to) = (chosen(r#where)?, chosen(target)?);
        let step = usize::try_from(step).unwrap_or(0);
        self.look(py, |source| source.find_pointers(&from, &to, step))
    }

    /// Follow pointers from an address on, at most `max_depth` of them, and return the address and what was found.
    ///
    /// The last value, if it is no address, is returned as the text that begins there when at least `min_str_len`
    /// letters do; -1 for never.
    #[pyo3(signature = (address, max_depth=10, min_str_len=3, max_str_len=0x100))]
    fn telescope<'py>(
        &self,
        py: Python<'py>,
        address: u64,
        max_depth: i64,
        min_str_len: i64,
        max_str_len: i64,
    ) -> PyResult<Bound<'py, PyList>> {
        let shown = Shown::checked(max_depth, min_str_len, max_str_len)?;
        let found = self.look(py, |source| source.telescope(address, shown.depth, shown.max_text))?;
        shown.list(py, &found)
    }
}

/// What went wrong: in the engine, or in Python.
enum Failure {
    Engine(Error),
    Python(PyErr),
}

/// New bytes of Python's, with what `fill` puts into them.
fn filled<'py>(
    py: Python<'py>,
    size: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), Error>,
) -> Result<Bound<'py, PyBytes>, Failure> {
    let mut failed = None;
    let made = PyBytes::new_with(py, size, |buffer| {
        fill(buffer).map_err(|error| {
            failed = Some(error);
            PyValueError::new_err(())
        })
    });
    match failed {
        Some(error) => Err(Failure::Engine(error)),
        None => made.map_err(Failure::Python),
    }
}

impl MemoryCore {
    fn look<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&MemorySource) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        py.detach(|| act(&self.source)).map_err(|error| raise(py, Doing::Memory, error))
    }

    /// Appends the bytes of many small places, which are `all` bytes together.
    fn append_places(&self, list: &Bound<'_, PyList>, places: &[(u64, usize)], all: usize) -> PyResult<()> {
        let py = list.py();
        let mut buffer = vec![0; all];
        let read = py.detach(|| self.source.read_places(places, &mut buffer));
        read.map_err(|error| os_error(py, Failure::Engine(error)))?;
        let mut rest = buffer.as_slice();
        for &(_, size) in places {
            let (bytes, behind) = rest.split_at(size);
            list.append(PyBytes::new(py, bytes))?;
            rest = behind;
        }
        Ok(())
    }

    /// The bytes, unless they have to be waited for or take longer than the interpreter should be held.
    fn bytes_at_once<'py>(
        &self,
        py: Python<'py>,
        address: u64,
        size: usize,
    ) -> Option<Result<Bound<'py, PyBytes>, Failure>> {
        if size > QUICK || !self.source.is_settled() {
            return None;
        }
        match filled(py, size, |buffer| self.source.read_at_once(address, buffer)) {
            Err(Failure::Engine(Error::WouldWait)) => None,
            done => Some(done),
        }
    }

    fn bytes<'py>(&self, py: Python<'py>, address: u64, size: usize) -> Result<Bound<'py, PyBytes>, Failure> {
        if let Some(done) = self.bytes_at_once(py, address, size) {
            return done;
        }
        py.detach(|| self.source.check_readable(address, size)).map_err(Failure::Engine)?;
        filled(py, size, |buffer| py.detach(|| self.source.read_into(address, buffer)))
    }

    fn write_at(&self, py: Python<'_>, address: u64, data: &[u8]) -> Result<(), Failure> {
        let engine = self.source.engine().map_err(Failure::Python)?;
        py.detach(|| engine.write_memory(address, data)).map_err(Failure::Engine)
    }

    fn resolve(&self, py: Python<'_>, place: &Position, scope: &FileScope) -> PyResult<u64> {
        if matches!((place, scope), (Position::Symbol(_), FileScope::Absolute)) {
            return Err(PyValueError::new_err("Cannot use `absolute` backing file with symbols."));
        }
        self.source.resolve(py, place, scope)
    }

    /// An end that is an address need not be mapped itself: nothing is read there.
    fn resolve_range(
        &self,
        py: Python<'_>,
        start: &Position,
        end: &Position,
        scope: &FileScope,
    ) -> PyResult<(u64, u64)> {
        let first = self.resolve(py, start, scope)?;
        let end = match (start, end) {
            (Position::Address(start), Position::Address(end)) if end == start => first,
            (_, Position::Address(end @ 1..)) => {
                self.resolve(py, &Position::Address(end - 1), scope)?.wrapping_add(1)
            }
            (_, end) => self.resolve(py, end, scope)?,
        };
        Ok((first, end))
    }

    /// Where to read, and how much.
    fn locate(&self, py: Python<'_>, key: Key) -> PyResult<(u64, usize)> {
        let scope = FileScope::parse(&key.file);
        match key.extent {
            Extent::From { place, size } => Ok((self.resolve(py, &place, &scope)?, size.unwrap_or(1))),
            Extent::Between { start, end } => {
                let end = end.ok_or_else(invalid_range)?;
                let (start, end) = self.resolve_range(py, &start, &end, &scope)?;
                Ok((start, distance(start, end)?))
            }
        }
    }

    /// Where to write `length` bytes; a key that says another size is remarked on.
    fn locate_for_writing(&self, py: Python<'_>, key: Key, length: usize) -> PyResult<u64> {
        let scope = FileScope::parse(&key.file);
        let (address, expected) = match key.extent {
            Extent::From { place, size } => (self.resolve(py, &place, &scope)?, size),
            Extent::Between { start, end: None } => (self.resolve(py, &start, &scope)?, None),
            Extent::Between { start, end: Some(end) } => {
                let (start, end) = self.resolve_range(py, &start, &end, &scope)?;
                (start, Some(distance(start, end)?))
            }
        };
        if let Some(expected) = expected.filter(|expected| *expected != length) {
            let text =
                format!("Mismatch between the size of the key ({expected}) and of the value ({length})");
            say(py, "warning", &format!("{text}: all of the value is written."))?;
        }
        Ok(address)
    }
}

fn invalid_range() -> PyErr {
    PyValueError::new_err("Invalid slice range.")
}

fn distance(start: u64, end: u64) -> PyResult<usize> {
    end.checked_sub(start).and_then(|size| usize::try_from(size).ok()).ok_or_else(invalid_range)
}

fn invalid_address(py: Python<'_>, failure: Failure) -> PyErr {
    match failure {
        Failure::Engine(error) => raise(py, Doing::Memory, error),
        Failure::Python(error) => error,
    }
}

/// EIO, as the kernel says through /proc/PID/mem.
fn os_error(py: Python<'_>, failure: Failure) -> PyErr {
    const EIO: i32 = 5;
    match failure {
        Failure::Engine(error @ Error::BadAddress { .. }) => PyOSError::new_err((EIO, error.to_string())),
        other => invalid_address(py, other),
    }
}
