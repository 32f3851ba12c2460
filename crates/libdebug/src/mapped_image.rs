//! One file that a process has mapped, to be looked at: sections, segments, mitigations.

use std::sync::Arc;

use libdebug_image::Image;

use crate::debugger::Debugger;
use crate::error::{Error, Result};
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
        use crate::space::AddressSpace;
        let space = self.space()?;
        let (file, _) = mapped_file(&space, scope)?;
        let found = space.image(&file.path).and_then(|image| Some((file.bias(&image)?, image)));
        let (load_bias, image) = found.ok_or_else(|| Error::NoSuchFile(file.path.clone()))?;
        Ok(MappedImage { path: file.path, load_bias, image })
    }
}
