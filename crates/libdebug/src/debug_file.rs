//! The file of debug information that belongs to an image: installed beside it, or asked for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use libdebug_image::Image;

use crate::images;
use crate::mailbox::lock;
use crate::symbol_sources::{SymbolLevel, SymbolSources};

/// A file of debug information, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct DebugFile {
    pub(crate) path: String,
    pub(crate) image: Arc<Image>,
}

/// What the file is looked for by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    build_id: Option<String>,
    path: String,
    directories: Vec<PathBuf>,
    from_network: bool,
}

type Cell = Arc<OnceLock<Option<DebugFile>>>;

/// What was found, and what was not: nobody looks twice.
static FOUND: Mutex<Option<HashMap<Key, Cell>>> = Mutex::new(None);

/// The file that belongs to the image of `path`, as far as the level allows to look for it. The network is asked only
/// with `SymbolLevel::Network`.
pub(crate) fn find(
    image: &Image,
    path: &str,
    sources: &SymbolSources,
    level: SymbolLevel,
) -> Option<DebugFile> {
    let from_network = level == SymbolLevel::Network;
    let build_id = image.build_id().map(hex);
    // A build id says it all; the path is a part of the question only without one, and for `.gnu_debuglink`.
    let key = Key { build_id, path: path.to_owned(), directories: sources.directories.clone(), from_network };
    let cell = Arc::clone(lock(&FOUND).get_or_insert_default().entry(key).or_default());
    let look =
        || if from_network { ask(image, sources) } else { installed(image, path, &sources.directories) };
    cell.get_or_init(look).clone()
}

/// The file that was asked for once and is in the cache. Nobody is asked: to have a name for an address is no reason to
/// fetch a file that may be large.
pub(crate) fn kept(image: &Image, sources: &SymbolSources) -> Option<DebugFile> {
    let path = sources.debuginfod.as_ref()?.kept_file(&hex(image.build_id()?))?;
    open(&path, image)
}

fn installed(image: &Image, path: &str, directories: &[PathBuf]) -> Option<DebugFile> {
    by_build_id(image, directories).or_else(|| by_link(image, Path::new(path), directories))
}

fn by_build_id(image: &Image, directories: &[PathBuf]) -> Option<DebugFile> {
    let id = image.build_id().map(hex).filter(|id| id.len() > 2)?;
    let name = format!(".build-id/{}/{}.debug", &id[..2], &id[2..]);
    directories.iter().find_map(|directory| open(&directory.join(&name), image))
}

/// The places where gdb looks: beside the file, in `.debug` beside it, and under the global directories.
fn by_link(image: &Image, path: &Path, directories: &[PathBuf]) -> Option<DebugFile> {
    let link = image.debug_link()?;
    let beside = path.parent()?;
    let global =
        directories.iter().map(|directory| directory.join(beside.strip_prefix("/").unwrap_or(beside)));
    let places = [beside.to_owned(), beside.join(".debug")].into_iter().chain(global);
    let files = places.filter_map(|place| open(&place.join(link.name), image));
    let fits = |file: &DebugFile| match (file.image.build_id(), image.build_id()) {
        (Some(theirs), Some(ours)) => theirs == ours,
        _ => link.fits(file.image.data()),
    };
    files.filter(|file| file.image.data() != image.data()).find(fits)
}

fn ask(image: &Image, sources: &SymbolSources) -> Option<DebugFile> {
    let path = sources.debuginfod.as_ref()?.debug_file(&hex(image.build_id()?))?;
    open(&path, image)
}

/// A file of another build has other addresses.
fn open(path: &Path, of: &Image) -> Option<DebugFile> {
    let image = images::open(path)?;
    let is_other = image.build_id().zip(of.build_id()).is_some_and(|(theirs, ours)| theirs != ours);
    (!is_other).then(|| DebugFile { path: path.to_string_lossy().into_owned(), image })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
