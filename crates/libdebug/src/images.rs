//! The files that processes have mapped, parsed once for all debuggers of this program and all their runs.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use libdebug_image::Image;
use libdebug_kernel::proc::Map;
use libdebug_kernel::{MappedFile, Pid, proc};

use crate::mailbox::lock;
use crate::session::{Session, Shared};

/// So many files are kept although nobody uses them, so that the next run finds them.
const SPARE: usize = 512;

/// A file's content, as far as stat(2) can tell: a rebuilt program is another file, whatever its path is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct FileIdentity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Changes also when somebody sets the time of modification back.
    changed: (i64, i64),
}

impl FileIdentity {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// The files that were opened, each with the number of its opening; `None` for what is no ELF image.
static IMAGES: Mutex<Images> = Mutex::new(Images { by_identity: BTreeMap::new(), count: 0 });

struct Images {
    by_identity: BTreeMap<FileIdentity, (u64, Option<Arc<Image>>)>,
    count: u64,
}

/// The image of a file; `None` for a file that is no ELF image or cannot be opened.
pub(crate) fn open(path: &Path) -> Option<Arc<Image>> {
    let identity = FileIdentity::of(path)?;
    if let Some((_, known)) = lock(&IMAGES).by_identity.get(&identity) {
        return known.clone();
    }
    let file = MappedFile::open(path).ok()?;
    let image = Image::parse(Arc::new(file)).ok().map(Arc::new);
    lock(&IMAGES).keep(identity, image)
}

impl Images {
    /// Keeps an image, unless another thread was quicker; forgets old ones that nobody uses.
    fn keep(&mut self, identity: FileIdentity, image: Option<Arc<Image>>) -> Option<Arc<Image>> {
        self.count += 1;
        let kept = self.by_identity.entry(identity).or_insert((self.count, image)).1.clone();
        if self.by_identity.len() > SPARE {
            let is_used =
                |image: &Option<Arc<Image>>| image.as_ref().is_some_and(|image| Arc::strong_count(image) > 1);
            let oldest = self.count.saturating_sub(SPARE as u64);
            self.by_identity.retain(|_, (number, image)| *number > oldest || is_used(image));
        }
        kept
    }
}

/// The file behind a map of `pid`, as the process sees it: in its own mount namespace and under its own root, and after
/// it was deleted or replaced, too, where the kernel lets us (proc_pid_map_files(5)).
pub(crate) fn behind(pid: Pid, map: &Map) -> Option<PathBuf> {
    if !map.has_file() {
        return None;
    }
    let is_program = proc::executable(pid).is_ok_and(|program| program == Path::new(&map.path));
    let program = is_program.then(|| PathBuf::from(format!("/proc/{pid}/exe")));
    let in_its_root = PathBuf::from(format!("/proc/{pid}/root{}", map.path));
    let mapped = PathBuf::from(format!("/proc/{pid}/map_files/{:x}-{:x}", map.start, map.end));
    let is_mapped = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|file| file.ino() == map.inode);
    // Whoever has changed its root is shown with paths as they are under ours.
    let by_inode =
        program.iter().chain([&in_its_root]).cloned().chain([PathBuf::from(&map.path)]).find(is_mapped);
    // File systems made of layers may tell one inode in maps, another in stat(2).
    by_inode.or_else(|| program.into_iter().chain([mapped, in_its_root]).find(|path| path.exists()))
}

impl Shared {
    /// The image of a mapped file, parsed once for all runs; `None` for a file that is no ELF image or cannot
    /// be opened.
    pub(crate) fn image(&self, session: &Session, path: &str) -> Option<Arc<Image>> {
        let maps = session.maps().ok()?;
        let map = maps.iter().find(|map| map.path == path)?;
        open(&behind(session.inhabited(), map)?)
    }
}
