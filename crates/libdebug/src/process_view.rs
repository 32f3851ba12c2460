//! A process that is looked at from outside: neither traced nor stopped.

use std::path::PathBuf;
use std::sync::Arc;

use libdebug_image::Image;
use libdebug_kernel::proc::{self, Map};
use libdebug_kernel::{KernelError, Pid, ProcessMemory, Tid};

use crate::error::{Error, Result};
use crate::images;
use crate::mapped_image::{self, MappedImage};
use crate::refusal::AttachRefusal;
use crate::space::AddressSpace;
use crate::unwind::Modules;

/// A process that goes on while it is looked at: its maps as they were at the beginning, its memory as it is when it is
/// read. What belongs together in it can have changed between two reads.
///
/// Nothing can be written by it.
///
/// ```
/// # fn main() -> libdebug::Result<()> {
/// use libdebug::{Pid, ProcessView};
/// let view = ProcessView::open(Pid(std::process::id() as i32))?;
/// let text = view.maps().iter().find(|map| map.is_executable()).map(|map| map.start);
/// let mut byte = [0];
/// assert_eq!(view.read(text.unwrap_or_default(), &mut byte), 1);
/// # Ok(())
/// # }
/// ```
pub struct ProcessView {
    pid: Pid,
    /// The pid, or another thread's tid where the leader has ended, which has no address space then.
    inhabited: Pid,
    memory: ProcessMemory,
    modules: Arc<Modules>,
    maps: Arc<[Map]>,
}

impl std::fmt::Debug for ProcessView {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ProcessView").field("pid", &self.pid.0).finish_non_exhaustive()
    }
}

impl ProcessView {
    /// Opens the memory of a process. That takes the rights that attaching to it takes.
    ///
    /// # Errors
    /// [`Error::NoSuchProcess`], for one that has ended, too; [`Error::AttachDenied`] without the right.
    pub fn open(pid: Pid) -> Result<Self> {
        let pid = proc::status(pid.leader()).map_err(|_| Error::NoSuchProcess(pid))?.process;
        let others = proc::tasks(pid).map_err(|error| denied(pid, error))?;
        let others = others.into_iter().map(|tid| Pid(tid.0)).filter(|&tid| tid != pid);
        for inhabited in [pid].into_iter().chain(others) {
            match address_space(inhabited) {
                Ok((maps, memory)) => {
                    let modules = Arc::new(Modules::new(Arc::clone(&maps)));
                    return Ok(Self { pid, inhabited, memory, modules, maps });
                }
                // It has ended, or is about to.
                Err(KernelError::Gone { .. }) => {}
                Err(error) => return Err(denied(pid, error)),
            }
        }
        Err(Error::NoSuchProcess(pid))
    }

    /// Its pid.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The maps, ascending by address, as they were when it was opened.
    pub fn maps(&self) -> &Arc<[Map]> {
        &self.maps
    }

    /// Fills `buffer` from `address` on and answers how many bytes came before the first that cannot be read. Traps of
    /// a debugger are among them.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        self.memory.read(address, buffer)
    }

    /// The tids of its threads, as they are at this moment.
    ///
    /// # Errors
    /// [`Error::Kernel`] when it has ended.
    pub fn tids(&self) -> Result<Vec<Tid>> {
        Ok(proc::tasks(self.pid)?)
    }

    /// The threads that wait for something that no signal interrupts, state D in proc_pid_stat(5): for a disk, a file
    /// server, or a child of vfork(2). Whoever attaches waits for the end of that, too.
    ///
    /// # Errors
    /// [`Error::Kernel`] when it has ended.
    pub fn uninterruptible(&self) -> Result<Vec<Tid>> {
        let waits = |tid: &Tid| proc::status(*tid).is_ok_and(|status| status.state == 'D');
        Ok(self.tids()?.into_iter().filter(waits).collect())
    }

    /// Whether job control has stopped the process (SIGSTOP, Ctrl-Z).
    ///
    /// # Errors
    /// [`Error::Kernel`](crate::Error::Kernel) when it has ended.
    pub fn is_stopped(&self) -> Result<bool> {
        Ok(matches!(proc::status(self.pid().leader())?.state, 'T'))
    }

    /// Whether its first thread executes with a shadow stack, which lets it return from nothing but calls.
    ///
    /// # Errors
    /// [`Error::Kernel`](crate::Error::Kernel) when it has ended.
    pub fn has_shadow_stack(&self) -> Result<bool> {
        Ok(proc::has_shadow_stack(self.pid().leader())?)
    }

    /// The file that it executes.
    ///
    /// # Errors
    /// [`Error::Kernel`] when it has ended.
    pub fn executable(&self) -> Result<PathBuf> {
        Ok(proc::executable(self.inhabited)?)
    }

    /// The image that `address` lies in; `None` where there is none.
    ///
    /// # Errors
    /// None so far.
    pub fn image_at(&self, address: u64) -> Result<Option<MappedImage>> {
        mapped_image::image_at(self, address)
    }
}

/// The maps and the memory of a thread's address space.
fn address_space(thread: Pid) -> libdebug_kernel::Result<(Arc<[Map]>, ProcessMemory)> {
    let maps: Arc<[Map]> = proc::maps(thread)?.into();
    if maps.is_empty() {
        return Err(KernelError::Gone { call: "maps", tid: thread.leader() });
    }
    Ok((maps, ProcessMemory::open(thread)?))
}

fn denied(pid: Pid, error: KernelError) -> Error {
    match error {
        KernelError::Denied { .. } => Error::AttachDenied { pid, refusal: AttachRefusal::of(pid, Tid(0)) },
        KernelError::Gone { .. } => Error::NoSuchProcess(pid),
        error => error.into(),
    }
}

impl AddressSpace for ProcessView {
    fn maps(&self) -> Result<Arc<[Map]>> {
        Ok(Arc::clone(&self.maps))
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<usize> {
        Ok(self.memory.read(address, buffer))
    }

    fn image(&self, path: &str) -> Option<Arc<Image>> {
        let map = self.maps.iter().find(|map| map.path == path)?;
        images::open(&images::behind(self.inhabited, map)?)
    }

    fn program(&self) -> Result<String> {
        Ok(self.executable()?.to_string_lossy().into_owned())
    }

    fn modules(&self) -> Result<Arc<Modules>> {
        Ok(Arc::clone(&self.modules))
    }
}
