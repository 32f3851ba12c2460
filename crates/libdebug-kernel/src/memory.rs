//! A process's memory, from any thread.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use crate::count::count;
use crate::error::{KernelError, Result};
use crate::ids::{Errno, Pid};
use crate::pagemap::Pagemap;

/// From this size on, `process_vm_readv` beats /proc/PID/mem, which copies through a page of the kernel's.
const BULK: usize = 16 << 10;

/// An address space under debug. Reads and writes go through a kept-open `/proc/PID/mem`, which ignores page
/// permissions as ptrace does; bulk reads go by `process_vm_readv`.
///
/// The file belongs to the address space of the moment it was opened: open a new one after execve.
#[derive(Debug)]
pub struct ProcessMemory {
    pid: Pid,
    file: Option<File>,
    pagemap: OnceLock<Option<Pagemap>>,
}

impl ProcessMemory {
    /// Opens the memory of `pid`.
    ///
    /// # Errors
    /// [`KernelError::Denied`] without the right to trace it, [`KernelError::Gone`] when it is dead.
    pub fn open(pid: Pid) -> Result<Self> {
        count();
        let file = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"));
        file.map(|file| Self::of(pid, Some(file))).map_err(|error| open_error(pid, &error))
    }

    /// That of a process that has ended: nothing of it can be read or written.
    pub const fn closed(pid: Pid) -> Self {
        Self::of(pid, None)
    }

    const fn of(pid: Pid, file: Option<File>) -> Self {
        Self { pid, file, pagemap: OnceLock::new() }
    }

    /// The parts of `range` whose pages are in memory or swapped out, ascending, in whole pages; `None` where the kernel
    /// does not tell. What of a private mapping without a file is not among them reads as zeros.
    pub fn populated(&self, range: Range<u64>) -> Option<Vec<Range<u64>>> {
        self.file.as_ref()?;
        self.pagemap.get_or_init(|| Pagemap::open(self.pid)).as_ref()?.populated(range)
    }

    /// Reads from `address` on until `buffer` is full or a page cannot be read; answers how many bytes were
    /// read.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        let done =
            if buffer.len() >= BULK && self.file.is_some() { self.read_bulk(address, buffer) } else { 0 };
        done + self.read_file(address.wrapping_add(done as u64), &mut buffer[done..])
    }

    /// Reads many places, given by address and size, one behind the other into `buffer`, which is as long as all of
    /// them; answers how many bytes were read before the first page that the program itself could not read.
    pub fn read_scattered(&self, places: &[(u64, usize)], buffer: &mut [u8]) -> usize {
        // IOV_MAX of the kernel, UIO_MAXIOV in linux/uio.h.
        const MOST: usize = 1024;
        let mut done = 0;
        for places in places.chunks(MOST) {
            let wanted: usize = places.iter().map(|(_, size)| size).sum();
            let Some(part) = buffer.get_mut(done..done + wanted) else { break };
            let read = self.read_places(places, part);
            done += read;
            if read < wanted {
                break;
            }
        }
        done
    }

    fn read_places(&self, places: &[(u64, usize)], buffer: &mut [u8]) -> usize {
        let iovec =
            |(address, size): &(u64, usize)| libc::iovec { iov_base: *address as *mut _, iov_len: *size };
        let remote: Vec<_> = places.iter().map(iovec).collect();
        let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        if self.file.is_none() {
            return 0;
        }
        count();
        let (pid, number) = (self.pid.0, remote.len() as libc::c_ulong);
        // SAFETY: `local` covers exactly `buffer`; `remote` are `number` addresses in the other process.
        let read = unsafe { libc::process_vm_readv(pid, &local, 1, remote.as_ptr(), number, 0) };
        usize::try_from(read).unwrap_or(0)
    }

    /// Writes `data` at `address`, whatever the pages' permissions; answers how many bytes were written before
    /// a page that cannot be.
    pub fn write(&self, address: u64, data: &[u8]) -> usize {
        let Some(file) = &self.file else { return 0 };
        let mut done = 0;
        while done < data.len() {
            count();
            match file.write_at(&data[done..], address.wrapping_add(done as u64)) {
                Ok(0) | Err(_) => break,
                Ok(written) => done += written,
            }
        }
        done
    }

    /// Writes many places in as few system calls as possible, in their order; answers how many bytes were written before
    /// the first page that the program itself could not write to.
    pub fn write_scattered(&self, places: &[(u64, [u8; 8])]) -> usize {
        const MOST: usize = 1024;
        let mut done = 0;
        for places in places.chunks(MOST) {
            let written = self.write_places(places);
            done += written;
            if written < places.len() * 8 {
                break;
            }
        }
        done
    }

    fn write_places(&self, places: &[(u64, [u8; 8])]) -> usize {
        if self.file.is_none() {
            return 0;
        }
        let iovec = |address: u64| libc::iovec { iov_base: address as *mut _, iov_len: 8 };
        let remote: Vec<_> = places.iter().map(|(address, _)| iovec(*address)).collect();
        let words: Vec<u8> = places.iter().flat_map(|(_, word)| *word).collect();
        let local = libc::iovec { iov_base: words.as_ptr().cast_mut().cast(), iov_len: words.len() };
        count();
        let (pid, number) = (self.pid.0, remote.len() as libc::c_ulong);
        // SAFETY: `local` covers exactly `words`, which are only read; `remote` are addresses in the other process.
        let written = unsafe { libc::process_vm_writev(pid, &local, 1, remote.as_ptr(), number, 0) };
        usize::try_from(written).unwrap_or(0)
    }

    fn read_file(&self, address: u64, buffer: &mut [u8]) -> usize {
        let Some(file) = &self.file else { return 0 };
        let mut done = 0;
        while done < buffer.len() {
            count();
            match file.read_at(&mut buffer[done..], address.wrapping_add(done as u64)) {
                Ok(0) | Err(_) => break,
                Ok(read) => done += read,
            }
        }
        done
    }

    /// process_vm_readv(2) transfers at most 2 GiB a call and stops at the first page it cannot read, which may
    /// still be readable through the file.
    fn read_bulk(&self, address: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buffer.len() {
            let rest = &mut buffer[done..];
            let local = libc::iovec { iov_base: rest.as_mut_ptr().cast(), iov_len: rest.len() };
            let remote =
                libc::iovec { iov_base: (address.wrapping_add(done as u64)) as *mut _, iov_len: rest.len() };
            count();
            // SAFETY: `local` covers exactly `rest`; `remote` is only an address in the other process.
            let read = unsafe { libc::process_vm_readv(self.pid.0, &local, 1, &remote, 1, 0) };
            match usize::try_from(read) {
                Ok(read) if read > 0 => done += read,
                _ => break,
            }
        }
        done
    }
}

fn open_error(pid: Pid, error: &std::io::Error) -> KernelError {
    let errno = match error.raw_os_error() {
        // The /proc entry of a process that is gone.
        Some(libc::ENOENT) => libc::ESRCH,
        other => other.unwrap_or(0),
    };
    KernelError::new("open(/proc/PID/mem)", pid.leader(), Errno(errno))
}
