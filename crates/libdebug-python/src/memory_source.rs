//! Whose memory a view shows: a process's, or a snapshot's.

use std::sync::Arc;

use libdebug::{Debugger, Error, FileScope, MapChoice, SearchIn, Snapshot, Telescope};
use pyo3::exceptions::{PyNotImplementedError, PyTypeError};
use pyo3::prelude::*;

use crate::debugger::{DebuggerCore, Position, resolve, warn};
use crate::error::{Doing, raise};
use crate::release::Released;
use crate::snapshot::SnapshotCore;

/// What can be asked of memory, whosever it is.
pub(crate) enum MemorySource {
    Live(Released<Debugger>),
    Kept(Arc<Snapshot>),
}

impl MemorySource {
    pub(crate) fn of(core: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(core) = core.cast::<DebuggerCore>() {
            return Ok(Self::Live(Released::new(core.get().engine().clone())));
        }
        match core.cast::<SnapshotCore>() {
            Ok(core) => Ok(Self::Kept(Arc::clone(core.get().handle()))),
            Err(_) => Err(PyTypeError::new_err("memory is shown of a debugger or of a snapshot")),
        }
    }

    pub(crate) fn find(&self, pattern: &[u8], within: &SearchIn) -> Result<Vec<u64>, Error> {
        match self {
            Self::Live(engine) => engine.find(pattern, within),
            Self::Kept(snapshot) => snapshot.find(pattern, within),
        }
    }

    pub(crate) fn find_pointers(
        &self,
        from: &MapChoice,
        to: &MapChoice,
        step: usize,
    ) -> Result<Vec<(u64, u64)>, Error> {
        match self {
            Self::Live(engine) => engine.find_pointers(from, to, step),
            Self::Kept(snapshot) => snapshot.find_pointers(from, to, step),
        }
    }

    pub(crate) fn telescope(&self, address: u64, depth: usize, tail: usize) -> Result<Telescope, Error> {
        match self {
            Self::Live(engine) => engine.telescope(address, depth, tail),
            Self::Kept(snapshot) => snapshot.telescope(address, depth, tail),
        }
    }

    pub(crate) fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Live(engine) => engine.read_memory_into(address, buffer),
            Self::Kept(snapshot) => snapshot.read_memory_into(address, buffer),
        }
    }

    pub(crate) fn check_readable(&self, address: u64, size: usize) -> Result<(), Error> {
        match self {
            Self::Live(engine) => engine.check_readable(address, size),
            Self::Kept(snapshot) => snapshot.check_readable(address, size),
        }
    }

    /// Reads many places, one behind the other.
    pub(crate) fn read_places(&self, places: &[(u64, usize)], buffer: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Live(engine) => engine.read_memory_places(places, buffer),
            Self::Kept(snapshot) => {
                let mut rest = buffer;
                for &(address, size) in places {
                    let Some((part, behind)) = rest.split_at_mut_checked(size) else { break };
                    snapshot.read_memory_into(address, part)?;
                    rest = behind;
                }
                Ok(())
            }
        }
    }

    /// Whether nothing has to be waited for.
    pub(crate) fn is_settled(&self) -> bool {
        match self {
            Self::Live(engine) => engine.is_settled(),
            Self::Kept(_) => true,
        }
    }

    /// As [`MemorySource::read_into`]; [`Error::WouldWait`] if it had to be waited for.
    pub(crate) fn read_at_once(&self, address: u64, buffer: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Live(engine) => {
                let done = engine.at_once(|engine| engine.read_memory_into(address, buffer));
                done.unwrap_or(Err(Error::WouldWait))
            }
            Self::Kept(snapshot) => snapshot.read_memory_into(address, buffer),
        }
    }

    /// The debugger of the process, for what changes it.
    pub(crate) fn engine(&self) -> PyResult<&Debugger> {
        match self {
            Self::Live(engine) => Ok(engine),
            Self::Kept(_) => {
                Err(PyNotImplementedError::new_err("The memory of a snapshot cannot be written to."))
            }
        }
    }

    pub(crate) fn check_mapped(&self, address: u64) -> Result<(), Error> {
        let maps = match self {
            Self::Live(engine) => engine.maps()?,
            Self::Kept(snapshot) => Arc::clone(snapshot.maps()),
        };
        let is_mapped = maps.iter().any(|map| map.contains(address));
        if is_mapped { Ok(()) } else { Err(Error::NotMapped { address, file: String::new() }) }
    }

    pub(crate) fn resolve(&self, py: Python<'_>, place: &Position, scope: &FileScope) -> PyResult<u64> {
        match self {
            Self::Live(engine) => resolve(py, engine, place, scope, Doing::Memory),
            Self::Kept(snapshot) => {
                let found = py.detach(|| match place {
                    Position::Address(address) => snapshot.resolve_address(*address, scope),
                    Position::Symbol(symbol) => snapshot.resolve_symbol(symbol, scope),
                });
                let found = found.map_err(|error| raise(py, Doing::Memory, error))?;
                warn(py, &found.notes)?;
                Ok(found.address)
            }
        }
    }
}
