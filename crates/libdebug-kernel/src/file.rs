//! Files mapped for reading.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// A whole file mapped read-only and private.
///
/// As with every file mapping, a file that is truncated while it is mapped makes later reads of the lost part
/// fault; programs on disk are replaced, not truncated, by linkers and package managers.
#[derive(Debug)]
pub struct MappedFile {
    address: *const u8,
    length: usize,
}

// SAFETY: the mapping is read-only for its whole life and freed only on drop, so threads may share it.
unsafe impl Send for MappedFile {}
// SAFETY: as above.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// What open(2), fstat(2) and mmap(2) say; an empty file maps as no bytes.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let length = usize::try_from(metadata.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if length == 0 {
            return Ok(Self { address: std::ptr::NonNull::dangling().as_ptr(), length });
        }
        // SAFETY: a new private read-only mapping of an open file, at an address of the kernel's choice.
        let address = unsafe {
            libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
        };
        match address {
            libc::MAP_FAILED => Err(io::Error::last_os_error()),
            address => Ok(Self { address: address.cast(), length }),
        }
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `address` and `length` are those of a live read-only mapping (or dangling and 0).
        unsafe { std::slice::from_raw_parts(self.address, self.length) }
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: this is the mapping that `open` made; no reference to it outlives `self`.
            unsafe { libc::munmap(self.address.cast_mut().cast(), self.length) };
        }
    }
}
