//! One file that a process has mapped, to be looked at: sections, segments, mitigations.

use std::sync::Arc;

use libdebug_image::Image;

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::space::AddressSpace;
use crate::symbols::{FileScope, mapped_file};

/// An image, and where it is mapped.
#[derive(Debug, Clone)]
pub struct MappedImage {
    /// The path, as the maps have it.
    pub path: String,
    /// By how much addresses in the process are greater than in the file.
    pub load_bias: u64,
    /// What the file says.
    pub image: Arc<Image>,
}

impl Debugger {
    /// The image of a mapped file.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// use libdebug::{Debugger, FileScope};
    /// let debugger = Debugger::builder("/bin/true").run()?;
    /// let libc = debugger.mapped_image(&FileScope::File("libc".into()))?;
    /// assert!(libc.image.mitigations().nx);
    /// assert!(libc.image.sections().any(|section| section.name == ".text" && section.executable));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchFile`] when no map has such a file, or it is no image; those of [`Debugger::wait`].
    pub fn mapped_image(&self, scope: &FileScope) -> Result<MappedImage> {
        let space = self.space()?;
        let (file, _) = mapped_file(&space, scope)?;
        let found = space.image(&file.path).and_then(|image| Some((file.bias(&image)?, image)));
        let (load_bias, image) = found.ok_or_else(|| Error::NoSuchFile(file.path.clone()))?;
        Ok(MappedImage { path: file.path, load_bias, image })
    }

    /// The path of the program, as its maps name it.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the process has ended, and those of [`Debugger::wait`].
    pub fn program_path(&self) -> Result<String> {
        self.space()?.program()
    }

    /// The image that `address` lies in; `None` where there is none. What was deleted, and the vDSO, are images, too.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/true").run()?;
    /// let program = debugger.image_at(debugger.main_thread()?.pc()?)?;
    /// assert!(program.is_some_and(|program| program.path.ends_with("/true")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Debugger::wait`].
    pub fn image_at(&self, address: u64) -> Result<Option<MappedImage>> {
        image_at(&self.space()?, address)
    }
}

pub(crate) fn image_at(space: &dyn AddressSpace, address: u64) -> Result<Option<MappedImage>> {
    let modules = space.modules()?;
    let path = modules.map_at(address).map(|map| map.path.clone());
    let loaded = modules.image_at(space, address);
    Ok(path.zip(loaded).map(|(path, loaded)| MappedImage {
        path,
        load_bias: loaded.bias,
        image: Arc::clone(&loaded.image),
    }))
}
