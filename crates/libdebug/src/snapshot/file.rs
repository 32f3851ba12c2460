//! Snapshots in files: which format, and what they all share.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use libdebug_image::CoreFile;

use super::{Snapshot, SnapshotError, SnapshotHost, compact, core_dump, core_load, json, json_load};
use crate::error::{Error, Result};

/// The format of a snapshot's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SnapshotFormat {
    /// Text, for exchange: memory in base64, x87 registers as floats of 64 bits, `orig_rax` left out.
    Json,
    /// Compressed, each page once, checked by a sum: everything, in the least space.
    Compact,
    /// An ELF core file, which other debuggers read too.
    Core,
}

impl SnapshotFormat {
    /// What the ending of a file's name says: `.json`, `.ldsnap` or `.core`; `None` for any other.
    ///
    /// ```
    /// use libdebug::SnapshotFormat;
    /// assert_eq!(SnapshotFormat::of_path("a/x.ldsnap".as_ref()), Some(SnapshotFormat::Compact));
    /// assert_eq!(SnapshotFormat::of_path("core".as_ref()), None);
    /// ```
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "json" => Some(Self::Json),
            "ldsnap" => Some(Self::Compact),
            "core" => Some(Self::Core),
            _ => None,
        }
    }
}

impl Snapshot {
    /// Writes the snapshot to a file, in place of what is there, in the format that its ending tells: see
    /// [`SnapshotFormat::of_path`]; JSON for others.
    ///
    /// ```
    /// use libdebug::{Debugger, Snapshot, SnapshotLevel};
    /// # fn main() -> libdebug::Result<()> {
    /// let snapshot = Debugger::builder("/bin/true").run()?.snapshot(SnapshotLevel::Full, None)?;
    /// let path = std::env::temp_dir().join(format!("{}.ldsnap", std::process::id()));
    /// snapshot.save(&path)?;
    /// let restored = Snapshot::load(&path);
    /// std::fs::remove_file(&path).unwrap();
    /// assert!(restored? == snapshot);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<()> {
        self.save_as(path, SnapshotFormat::of_path(path).unwrap_or(SnapshotFormat::Json))
    }

    /// As [`Snapshot::save`], in a given format.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save_as(&self, path: &Path, format: SnapshotFormat) -> Result<()> {
        let failed = |error| Error::File { path: path.to_owned(), error };
        let mut file = BufWriter::with_capacity(1 << 16, File::create(path).map_err(failed)?);
        let written = match format {
            SnapshotFormat::Json => json::write(self, &mut file),
            SnapshotFormat::Compact => compact::write(self, &mut file),
            SnapshotFormat::Core => core_dump::write(self, &mut file),
        };
        let written = written.and_then(|()| file.into_inner().map(drop).map_err(|error| error.into_error()));
        written.map_err(failed)
    }

    /// Reads a snapshot, or a core file of whatever origin. What it is, its content tells.
    ///
    /// # Errors
    /// [`Error::File`], and [`SnapshotError::Damaged`] for what is no snapshot, or a broken one.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_in(path, SnapshotHost::default())
    }

    /// As [`Snapshot::load`], in a program of another kind, or with other sources of symbols.
    ///
    /// # Errors
    /// As [`Snapshot::load`].
    pub fn load_in(path: &Path, surroundings: SnapshotHost) -> Result<Self> {
        let file = libdebug_kernel::MappedFile::open(path)
            .map_err(|error| Error::File { path: path.to_owned(), error })?;
        let data: &[u8] = file.as_ref();
        let loaded = if CoreFile::is_core(data) {
            core_load::load(data, surroundings)
        } else if compact::is_compact(data) {
            compact::load(data, surroundings)
        } else {
            json_load::load(data, surroundings)
        };
        loaded.map_err(|reason| SnapshotError::Damaged { path: path.to_owned(), reason }.into())
    }
}

/// The result of reading a file: why it is refused, in words.
pub(super) type Loaded<T> = std::result::Result<T, String>;
